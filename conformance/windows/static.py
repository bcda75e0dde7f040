#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What can be said of run.ps1, steps.txt and the workflow without running them.

Usage: static.py BUNDLE-DIRECTORY       (the unpacked bundle; prints TAP lines without a plan)

There is no PowerShell here, so run.ps1 is held to what a look at its text can prove: all that it calls
is its own or in Windows PowerShell 5.1, with parameters that were there; brackets match; no newer
syntax; and what it refers to is in the bundle.
"""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUNDLE = pathlib.Path(sys.argv[1])

# Cmdlets of Windows PowerShell 5.1, and their parameters as far as they are used.
CMDLETS = {
    "Add-Type": {"AssemblyName"},
    "ForEach-Object": set(),
    "Get-FileHash": {"LiteralPath", "Algorithm"},
    "Join-Path": set(),  # two paths; more came with 6
    "New-Object": set(),
    "Remove-Item": {"LiteralPath", "Recurse", "Force", "ErrorAction"},
    "Select-Object": {"Skip"},
    "Set-StrictMode": {"Version"},
    "Sort-Object": set(),
    "Test-Path": {"LiteralPath"},
    "Where-Object": set(),
    "Write-Host": set(),
}
OPERATORS = {"and", "or", "not", "eq", "ne", "lt", "gt", "le", "ge", "match", "notmatch", "split", "join",
             "f"}
AUTOMATIC = {"_", "true", "false", "null", "PSScriptRoot", "PSVersionTable", "PID",
             "ErrorActionPreference", "ExecutionContext"}
WHEN = {"always", "mount", "system"}
VERDICTS = {"required", "report", "wine-tests"}
PLACES = {"arch", "bundle", "out", "temp", "judged", "set"}
OPTIONS = {"dll", "nomount", "filter"}
ARCHITECTURES = ("x86_64", "i686")


def ok(good, name, detail=""):
    print(f"{'ok' if good else 'not ok'} - {name}")
    if not good:
        print("\n".join("# " + line for line in str(detail).splitlines()))


def split_script(text):
    """The code, with a blank word in the place of each string and comment; and the strings."""
    code, strings = [], []
    pattern = re.compile(r"<#.*?#>|#[^\n]*|'(?:[^']|'')*'|\"(?:[^\"`]|`.|\"\")*\"", re.S)
    end = 0
    for match in pattern.finditer(text):
        code.append(text[end:match.start()])
        token = match.group()
        if token[0] in "'\"":
            strings.append(token)
            code.append("''")
        end = match.end()
    code.append(text[end:])
    return "".join(code), strings


def check_brackets(code):
    pairs, stack = {")": "(", "]": "[", "}": "{"}, []
    for number, line in enumerate(code.splitlines(), 1):
        for letter in line:
            if letter in "([{":
                stack.append((letter, number))
            elif letter in pairs:
                if not stack or stack.pop()[0] != pairs[letter]:
                    return f"line {number}: {letter}"
    return f"open: {stack}" if stack else ""


def check_script():
    text = (TOP / "conformance/windows/run.ps1").read_text("ascii")
    code, strings = split_script(text)
    ok(not check_brackets(code), "run.ps1: brackets match", check_brackets(code))
    # PowerShell 7's: chains, coalescing, member access through null, the ternary operator
    newer = re.findall(r"&&|\|\||\?\?|\?\.|\$\w+ \? |\) \? ", code)
    ok(not newer, "run.ps1: no syntax newer than 5.1", newer)
    functions = dict(re.findall(r"^function ([A-Z]\w+-\w+)(.*)$", code, re.M))
    called = re.findall(r"(?<![\w$.-])([A-Z][A-Za-z]+-[A-Z]\w+)\b(?!\s*=)", code)
    unknown = set(called) - set(functions) - set(CMDLETS)
    ok(not unknown, "run.ps1: all it calls is its own or in 5.1", sorted(unknown))
    unused = [name for name in functions if called.count(name) < 2]
    ok(functions and not unused, "run.ps1: each of its functions is used", unused)
    unlisted = set(CMDLETS) - set(called)
    ok(not unlisted, "this list of cmdlets has none that isn't used", sorted(unlisted))
    wrong = []
    for line in code.splitlines():
        cmdlets = [name for name in CMDLETS if name in line]
        for parameter in re.findall(r"\s-([A-Za-z]+)\b", line):
            known = set().union(*(CMDLETS[name] for name in cmdlets)) if cmdlets else set()
            if parameter not in OPERATORS | known:
                wrong.append(line)
    ok(not wrong, "run.ps1: parameters and operators that 5.1 has", "\n".join(wrong))
    # Names are read that nothing sets: a misspelt variable. Strings hold some, too.
    whole = code + "\n" + "\n".join(s for s in strings if s[0] == '"')
    used = set(re.findall(r"\$\{?([A-Za-z_]\w*)\b(?!:)", whole)) - {"env"}
    declared = set(re.findall(r"\$(\w+)(?=\s*\+?=[^=])", code))
    declared |= set(re.findall(r"foreach \(\$(\w+) in", code))
    declared |= set(re.findall(r"\[[\w\[\]]+\]\$(\w+)", code))
    ok(not used - declared - AUTOMATIC, "run.ps1: no variable that nothing sets",
       sorted(used - declared - AUTOMATIC))
    return text, strings


def check_references(text, strings):
    names = set()
    for string in strings:
        name = string[1:-1]
        if re.fullmatch(r"[\w$\\.-]+\.(exe|dll|txt)", name) and "System32" not in name \
                and "SysWOW64" not in name and name != "summary.txt":
            names.add(name)
    ok(len(names) >= 5, "run.ps1 refers to files of the bundle", names)
    for name in sorted(names | {"images"}):
        for arch in ARCHITECTURES:
            path = name.replace("$arch", arch).replace("\\", "/")
            ok((BUNDLE / path).exists(), f"run.ps1's {path} is in the bundle")
    options = [string[1:-1] for string in strings if string.startswith("'--")]
    ok(len(options) == 3, "run.ps1 knows three options of the suite", options)
    for option in options:
        ok(knows("{arch}/cimfs-conformance.exe", "x86_64", option), f"the suite knows {option}")
    readme = (BUNDLE / "README-WINDOWS.txt").read_text("ascii")
    options = re.findall(r"^    \[\w+\]\$(\w+)", text, re.M)
    ok(len(options) == 4, "run.ps1 has its four options", options)
    for option in options:
        ok(f"-{option}" in readme, f"the README tells of -{option}")


def knows(program, arch, option):
    """Whether a program's usage, a text in it, tells of an option."""
    path = BUNDLE / program.replace("{arch}", arch).replace("\\", "/")
    return option.encode() in path.read_bytes()


def check_steps():
    lines = (TOP / "conformance/windows/steps.txt").read_text("ascii").splitlines()
    steps = [[field.strip() for field in line.split("|")] for line in lines
             if line and not line.startswith("#")]
    ok(len(steps) >= 8, "steps.txt has steps", len(steps))
    for fields in steps:
        name = fields[0]
        ok(len(fields) == 5, f"{name}: five fields", fields)
        when, verdict, output, command = fields[1:]
        wrong = [word for word in when.split() if word not in WHEN and not word.startswith("{")]
        ok(not wrong, f"{name}: when it runs", wrong)
        ok(verdict in VERDICTS, f"{name}: its verdict", verdict)
        places = set(re.findall(r"\{(\w+)\}", " ".join(fields)))
        ok(places <= PLACES | OPTIONS, f"{name}: places that there are", places - PLACES - OPTIONS)
        ok("{arch}" in output, f"{name}: its output is one architecture's", output)
        ok(("{set}" in output) == ("{set}" in command), f"{name}: its output is one set's", output)
        for arch in ARCHITECTURES:
            program = command.split()[0].replace("{arch}", arch).replace("\\", "/")
            ok((BUNDLE / program).exists(), f"{name}: {program} is in the bundle")
        for option in ("json", "work", "dll"):
            ok(command.count(f"--{option} ") <= 1, f"{name}: --{option} once at most", command)
        for option in re.findall(r"--[a-z-]+", command):
            for arch in ARCHITECTURES:
                ok(knows(command.split()[0], arch, option), f"{name}: {option} is known ({arch})")
    outputs = [fields[3] for fields in steps]
    ok(len(set(outputs)) == len(outputs), "each step has an output of its own", outputs)


def check_workflow():
    path = TOP / ".github/workflows/conformance.yml"
    text = path.read_text("ascii")
    try:
        import yaml
    except ImportError:
        ok("\t" not in text and re.search(r"^jobs:$", text, re.M), "the workflow looks like YAML")
        print("ok - the workflow's jobs # SKIP python3-yaml is not installed")
        return
    workflow = yaml.safe_load(text)
    jobs = workflow["jobs"]
    ok(set(jobs) == {"debian", "windows"}, "the workflow's jobs", list(jobs))
    ok(True in workflow or "on" in workflow, "the workflow says when it runs", list(workflow))
    systems = {entry["os"] for entry in jobs["windows"]["strategy"]["matrix"]["include"]}
    ok(systems == {"windows-2022", "windows-2025"}, "it judges two Windows servers", systems)
    ok(jobs["windows"]["needs"] == "debian", "with what Debian built")
    ok(jobs["debian"]["container"]["image"] == "debian:12", "on Debian 12")
    targets = (TOP / "Makefile").read_text()
    for job, steps in ((name, job["steps"]) for name, job in jobs.items()):
        ok(all(("run" in step) != ("uses" in step) for step in steps),
           f"{job}: each step runs or uses something", steps)
        ok(any(step.get("if") == "always()" and "upload-artifact" in step.get("uses", "")
               for step in steps), f"{job}: its reports are always kept")
        for target in re.findall(r"make ([a-z-]+)(?![a-z-])", "\n".join(
                step.get("run", "") for step in steps if step.get("run", "").startswith("make"))):
            ok(f"\n{target}:" in targets, f"{job}: there is make {target}")
        for name in re.findall(r"\bbundle\\(\S+)", "\n".join(step.get("run", "") for step in steps)):
            ok((BUNDLE / name.replace("\\", "/")).exists(), f"{job}: there is {name} in the bundle")
        for script in re.findall(r"^scripts/\S+", "\n".join(step.get("run", "") for step in steps), re.M):
            ok((TOP / script).exists(), f"{job}: there is {script}")
    judge = [step["run"] for step in jobs["windows"]["steps"] if "run.ps1" in step.get("run", "")]
    ok(len(judge) == 1 and "-Out results" in judge[0], "it runs run.ps1 once", judge)
    ok([step["with"]["path"] for step in jobs["windows"]["steps"] if step.get("if") == "always()"]
       == ["results"], "and keeps what that wrote")


check_references(*check_script())
check_steps()
check_workflow()
