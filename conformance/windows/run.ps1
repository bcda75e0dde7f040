# SPDX-License-Identifier: LGPL-2.1-or-later
<#
.SYNOPSIS
    Judges this Windows' cimfs.dll, lays it beside ours, and packs the results.

.DESCRIPTION
    Runs the lines of steps.txt, which has all that is known about the programs; this script only
    finds out what kind of machine this is, starts them, and sums up. README-WINDOWS.txt is for you.

    Exit status: 0 all required cases passed, 1 some failed, 3 something could not be done.

.PARAMETER Dll
    Judge this DLL, not the system's.
.PARAMETER Out
    Where the results go: a directory that is not there yet. OUT.zip is made beside it.
.PARAMETER NoMount
    Leave out everything that mounts.
.PARAMETER Filter
    Only cases whose ID matches, as in 'CreateFile/*'; several with commas in between.
#>
param(
    [string]$Dll = '',
    [string]$Out = '',
    [switch]$NoMount,
    [string]$Filter = ''
)

# Windows PowerShell 5.1 has to understand all of this: no newer syntax, no newer cmdlets, ASCII only.
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

# No step takes so long; the suite itself ends a case after a minute without a sign of life.
$StepLimit = 60 * 60 * 1000
# Bytes that programs print come through as they are, whatever they mean.
$Bytes = [Text.Encoding]::GetEncoding(28591)

function Test-Elevated {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object Security.Principal.WindowsPrincipal($identity)
    return $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
}

# x86_64, i686 or what else a DLL is for, from its PE header.
function Get-DllArchitecture([string]$Path) {
    $data = [IO.File]::ReadAllBytes($Path)
    if ($data.Length -lt 64) { throw "$Path is no DLL" }
    $header = [BitConverter]::ToInt32($data, 60)
    if ($header -lt 0 -or $header -gt $data.Length - 6) { throw "$Path is no DLL" }
    $machine = [BitConverter]::ToUInt16($data, $header + 4)
    if ($machine -eq 0x8664) { return 'x86_64' }
    if ($machine -eq 0x14c) { return 'i686' }
    throw ('{0} is for another kind of machine (0x{1:x})' -f $Path, $machine)
}

# The architectures to judge: @{ Arch = ...; Path = the DLL's }
function Get-Judged([string]$Named) {
    if ($Named -ne '') {
        return @{ Arch = (Get-DllArchitecture $Named); Path = $Named }
    }
    $system = Join-Path $env:windir 'System32\cimfs.dll'
    if (-not (Test-Path -LiteralPath $system)) {
        throw 'this Windows has no cimfs.dll (Windows 10 2004 is the first with it)'
    }
    @{ Arch = (Get-DllArchitecture $system); Path = $system }
    $system = Join-Path $env:windir 'SysWOW64\cimfs.dll'
    if (Test-Path -LiteralPath $system) { @{ Arch = 'i686'; Path = $system } }
}

function Expand-Place([string]$Text, [hashtable]$Places) {
    foreach ($name in $Places.Keys) { $Text = $Text.Replace('{' + $name + '}', $Places[$name]) }
    return $Text
}

# As CommandLineToArgvW takes it apart.
function Format-Argument([string]$Text) {
    if ($Text -ne '' -and $Text -notmatch '[\s"]') { return $Text }
    $Text = [regex]::Replace($Text, '(\\*)"', '$1$1\"')
    $Text = [regex]::Replace($Text, '(\\+)$', '$1$1')
    return '"' + $Text + '"'
}

# The command line behind the program.
function Format-Command([string[]]$Words, [hashtable]$Places, [hashtable]$Options) {
    $line = @()
    foreach ($word in $Words) {
        if ($Options.ContainsKey($word)) {
            foreach ($part in $Options[$word]) { $line += Format-Argument $part }
        } else {
            $line += Format-Argument (Expand-Place $word $Places)
        }
    }
    return $line -join ' '
}

function Read-Step([string]$Path) {
    foreach ($line in [IO.File]::ReadAllLines($Path)) {
        if ($line -eq '' -or $line.StartsWith('#')) { continue }
        $fields = @($line.Split('|') | ForEach-Object { $_.Trim() })
        if ($fields.Length -ne 5) { throw "steps.txt: bad line: $line" }
        @{
            Name = $fields[0]; When = @($fields[1] -split ' +'); Verdict = $fields[2]
            Output = $fields[3]; Words = @($fields[4] -split ' +')
        }
    }
}

function Get-ImageSet([string]$Bundle) {
    $directories = [IO.Directory]::GetDirectories((Join-Path $Bundle 'images'))
    return @($directories | ForEach-Object { [IO.Path]::GetFileName($_) } | Sort-Object)
}

# Why a step is left out, or nothing.
function Get-Obstacle([string[]]$When, [hashtable]$Places, [hashtable]$Flags) {
    foreach ($word in $When) {
        if ($word -eq 'always') { continue }
        if ($word -eq 'mount') {
            if (-not $Flags['mount']) { return 'needs the right to mount' }
        } elseif ($word -eq 'system') {
            if (-not $Flags['system']) { return 'is for the DLL of the system' }
        } else {
            $file = Expand-Place $word $Places
            if (-not (Test-Path -LiteralPath $file)) { return "there is no $file" }
        }
    }
    return ''
}

# What a program prints goes to a file; the exit status is the answer, -1 if it took too long.
function Invoke-Program([string]$Program, [string]$Arguments, [string]$Directory, [string]$Output) {
    $info = New-Object Diagnostics.ProcessStartInfo
    $info.FileName = $Program
    $info.Arguments = $Arguments
    $info.WorkingDirectory = $Directory
    $info.UseShellExecute = $false
    $info.RedirectStandardOutput = $true
    $info.RedirectStandardError = $true
    $info.StandardOutputEncoding = $Bytes
    $info.StandardErrorEncoding = $Bytes
    $process = [Diagnostics.Process]::Start($info)
    # Both at once, or a full pipe would stop the program.
    $printed = $process.StandardOutput.ReadToEndAsync()
    $errors = $process.StandardError.ReadToEndAsync()
    $status = -1
    if ($process.WaitForExit($StepLimit)) {
        $status = $process.ExitCode
    } else {
        try { $process.Kill() } catch { $status = -1 }
    }
    $text = ''
    if ($printed.Wait(10000)) { $text = $printed.Result }
    if ($errors.Wait(10000)) { $text += $errors.Result }
    [IO.File]::WriteAllText($Output, $text, $Bytes)
    return $status
}

# 0, 1 or 3: what an exit status means for ours.
function Get-Outcome([string]$Verdict, [int]$Status) {
    if ($Status -eq 0) { return 0 }
    if ($Verdict -eq 'wine-tests' -and $Status -gt 0 -and $Status -le 255) { return 1 }
    if ($Status -ne 1) { return 3 }
    if ($Verdict -eq 'report') { return 0 }
    return 1
}

function Get-LastLine([string]$Path) {
    $lines = @([IO.File]::ReadAllLines($Path, $Bytes) | Where-Object { $_ -ne '' })
    if ($lines.Length -eq 0) { return '(it printed nothing)' }
    return $lines[$lines.Length - 1]
}

# In all that goes out, the names of directories of this machine are replaced; in JSON a backslash is
# two.
function Hide-Path([string]$Directory, [string[]]$Paths) {
    foreach ($file in [IO.Directory]::GetFiles($Directory)) {
        $text = [IO.File]::ReadAllText($file, $Bytes)
        foreach ($path in $Paths) {
            $plain = $Bytes.GetString([Text.Encoding]::UTF8.GetBytes($path.TrimEnd('\')))
            if ($plain.Length -lt 4) { continue }
            foreach ($form in @($plain, $plain.Replace('\', '\\'))) {
                $text = [regex]::Replace($text, [regex]::Escape($form), '(directory)', 'IgnoreCase')
            }
        }
        [IO.File]::WriteAllText($file, $text, $Bytes)
    }
}

# With '/' in the names: what .NET does by itself depends on which PowerShell this is.
function New-Zip([string]$Directory, [string]$Zip) {
    Add-Type -AssemblyName System.IO.Compression
    Add-Type -AssemblyName System.IO.Compression.FileSystem
    $archive = [IO.Compression.ZipFile]::Open($Zip, [IO.Compression.ZipArchiveMode]::Create)
    try {
        foreach ($file in [IO.Directory]::GetFiles($Directory, '*', [IO.SearchOption]::AllDirectories)) {
            $name = $file.Substring($Directory.Length + 1).Replace('\', '/')
            $null = [IO.Compression.ZipFileExtensions]::CreateEntryFromFile($archive, $file, $name)
        }
    } finally {
        $archive.Dispose()
    }
}

# What the results have to be read with.
function Get-Fact([object[]]$Judged, [bool]$Elevated) {
    $key = 'HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    $build = [Microsoft.Win32.Registry]::GetValue($key, 'CurrentBuildNumber', '?')
    $update = [Microsoft.Win32.Registry]::GetValue($key, 'UBR', '?')
    $edition = [Microsoft.Win32.Registry]::GetValue($key, 'EditionID', '?')
    "Windows build $build.$update, $edition"
    'PowerShell ' + $PSVersionTable.PSVersion
    "elevated: $Elevated"
    $files = @($Judged | ForEach-Object { $_['Path'] })
    $files += Join-Path $env:windir 'System32\drivers\cimfs.sys'
    foreach ($file in $files) {
        if (-not (Test-Path -LiteralPath $file)) {
            "$file is not there"
            continue
        }
        $version = [Diagnostics.FileVersionInfo]::GetVersionInfo($file).FileVersion
        $hash = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash
        "$file version $version SHA-256 $hash"
    }
}

# Absolute, seen from where PowerShell is (.NET has another current directory).
function Get-FullPath([string]$Path) {
    return $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
}

function Assert-File([string]$Bundle, [object[]]$Judged) {
    $names = @('steps.txt', 'images')
    foreach ($one in $Judged) {
        $arch = $one['Arch']
        $names += "$arch\cimfs-conformance.exe"
        $names += "$arch\cimfs-compare.exe"
        $names += "$arch\cimfs_test.exe"
        $names += "ours\$arch\cimfs.dll"
        $names += "ours\$arch\cimfs_test.exe"
    }
    $missing = @($names | Where-Object { -not (Test-Path -LiteralPath (Join-Path $Bundle $_)) })
    foreach ($name in $missing) { [Console]::Error.WriteLine("run.ps1: missing: $name") }
    if ($missing.Length -ne 0) { throw 'the bundle is not complete: unpack the whole zip file anew' }
}

# One line of steps.txt for one architecture; answers 0, 1 or 3, and adds to the summary.
function Invoke-Step([hashtable]$Step, [hashtable]$Places, [hashtable]$Options, [hashtable]$Flags,
                     [string]$Summary) {
    $title = (Expand-Place $Step['Name'] $Places) + ' ' + $Places['arch']
    $obstacle = Get-Obstacle $Step['When'] $Places $Flags
    $outcome = 0
    if ($obstacle -ne '') {
        $line = "${title}: left out: $obstacle"
    } else {
        Write-Host "${title} ..."
        $null = [IO.Directory]::CreateDirectory($Places['temp'])
        $words = @($Step['Words'])
        $program = Join-Path $Places['bundle'] (Expand-Place $words[0] $Places)
        $rest = @($words | Select-Object -Skip 1)
        $output = Join-Path $Places['out'] (Expand-Place $Step['Output'] $Places)
        $arguments = Format-Command $rest $Places $Options
        try {
            $status = Invoke-Program $program $arguments $Places['temp'] $output
            $outcome = Get-Outcome $Step['Verdict'] $status
            $line = "${title}: exit status ${status}: " + (Get-LastLine $output)
        } catch {
            # A program that doesn't start is no reason to lose what the others say.
            $outcome = 3
            $line = "${title}: " + $_.Exception.Message
        }
        Remove-Item -LiteralPath $Places['temp'] -Recurse -Force -ErrorAction SilentlyContinue
        if (Test-Path -LiteralPath $Places['temp']) { $line += ' (left behind: ' + $Places['temp'] + ')' }
    }
    Write-Host $line
    [IO.File]::AppendAllText($Summary, $line + "`r`n", $Bytes)
    return $outcome
}

function Invoke-All {
    if ([Environment]::OSVersion.Platform -ne 'Win32NT') { throw 'this is for Windows' }
    if ([Environment]::Is64BitOperatingSystem -and -not [Environment]::Is64BitProcess) {
        throw 'this is a 32-bit PowerShell: start the 64-bit one'
    }
    $bundle = $PSScriptRoot
    $named = ''
    if ($Dll -ne '') {
        $named = Get-FullPath $Dll
        if (-not (Test-Path -LiteralPath $named)) { throw "there is no $named" }
    }
    $judged = @(Get-Judged $named)
    Assert-File $bundle $judged
    if ($Out -eq '') { $results = Join-Path $bundle 'results' } else { $results = (Get-FullPath $Out).TrimEnd('\') }
    foreach ($path in @($results, "$results.zip")) {
        if (Test-Path -LiteralPath $path) { throw "$path is there already: move it away, or use -Out" }
    }
    $null = [IO.Directory]::CreateDirectory($results)

    $elevated = Test-Elevated
    if ($NoMount) {
        Write-Host 'Nothing is mounted (-NoMount).'
    } elseif (-not $elevated) {
        Write-Host 'Not elevated: all that mounts is skipped. Start PowerShell as administrator for it.'
    }
    $flags = @{ mount = ($elevated -and -not $NoMount); system = ($named -eq '') }
    $options = @{ '{dll}' = @(); '{nomount}' = @(); '{filter}' = @() }
    if ($named -ne '') { $options['{dll}'] = @('--dll', $named) }
    if ($NoMount) { $options['{nomount}'] = @('--no-mount') }
    foreach ($glob in @($Filter -split '[, ]+' | Where-Object { $_ -ne '' })) {
        $options['{filter}'] += @('--filter', $glob)
    }
    $places = @{ bundle = $bundle; out = $results; arch = ''; judged = 'system'; set = '' }
    if ($named -ne '') { $places['judged'] = 'dll' }
    $temp = Join-Path ([IO.Path]::GetTempPath()) ('cimfs-run-' + $PID)
    $places['temp'] = $temp

    $summary = Join-Path $results 'summary.txt'
    [IO.File]::WriteAllLines($summary, [string[]]@(Get-Fact $judged $elevated), $Bytes)
    $worst = 0
    foreach ($one in $judged) {
        $places['arch'] = $one['Arch']
        foreach ($step in @(Read-Step (Join-Path $bundle 'steps.txt'))) {
            $sets = @('')
            if ($step['Output'].Contains('{set}')) { $sets = Get-ImageSet $bundle }
            foreach ($set in $sets) {
                $places['set'] = $set
                $outcome = Invoke-Step $step $places $options $flags $summary
                if ($outcome -gt $worst) { $worst = $outcome }
            }
        }
    }
    # The longer ones first.
    Hide-Path $results @($results, $bundle, $temp, [IO.Path]::GetTempPath(), $env:USERPROFILE)
    New-Zip $results "$results.zip"
    if ($worst -eq 1) { Write-Host 'Some required cases failed.' }
    if ($worst -eq 3) { Write-Host 'Something could not be run; summary.txt tells what.' }
    Write-Host "Please send back this file: $results.zip"
    return $worst
}

try {
    # (The last value: should a line in between ever print something, it stays out of the way.)
    $status = @(Invoke-All)[-1]
} catch {
    [Console]::Error.WriteLine('run.ps1: ' + $_.Exception.Message)
    exit 3
}
exit $status
