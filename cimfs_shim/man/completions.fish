# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Completion of cimtool and cimfs-mount for fish. Made by cimfs_shim/man/completions.py.

# __cim_at NUMBER[+] COMMAND...: is the cursor at this argument of one of these commands?
function __cim_at
    set -l tokens (commandline -opc)
    set -l count 1
    set -l skip 0
    contains -- $argv[2] cimfs-mount
    or begin
        contains -- "$tokens[2]" $argv[2..]
        or return
        set -e tokens[2]
    end
    for token in $tokens[2..]
        if test $skip = 1
            set skip 0
        else if contains -- $token $__cim_valued
            set skip 1
        else if not string match -q -- '-?*' $token
            set count (math $count + 1)
        end
    end
    test $skip = 0
    or return
    if string match -q '*+' $argv[1]
        test $count -ge (string trim -c + $argv[1])
    else
        test $count = $argv[1]
    end
end

# The word at the cursor, or an option's argument in it
function __cim_value
    string replace -r '^--?[\w-]+=' '' -- (commandline -ct)
end

# What is in a directory of the image that is named on the line; the argument is what stands before its path.
function __cim_items
    set -l image
    for token in (commandline -opc) (commandline -c | string split ' ') (commandline | string split ' ')
        string match -q '*.cim' -- $token
        and set image $token
        and break
    end
    test -n "$image"
    or return
    set -l value (string replace -- "$argv" '' (__cim_value))
    set -l dir (string replace -r '[^/]*$' '' -- $value)
    set -l from $dir
    test -n "$from"
    or set from /
    eval set image $image
    cimtool ls -la --color=never -- $image $from 2>/dev/null | while read -l letters size day hour name
        string match -qr '[TMB]$' -- $letters # hidden from all but ls
        and continue
        string match -q '*L*' -- $letters
        and set name (string replace -r ' -> .*' '' -- $name)
        # A name that ls had to escape can't be typed so.
        string match -q '*\\\\*' -- $name
        or test "$name" = .
        and continue
        string match -q 'D*' -- $letters
        and set name $name/
        echo $argv$dir$name
    end
end

function __cim_volumes
    cimtool mounts 2>/dev/null | string replace -r '.* on ' '' | string replace -r '.* volume ' '' |
        string replace ' (unpacked copy)' ''
end

function __cim_mount_option
    set -l value (__cim_value | string replace -r '^-o' '')
    set -l done (string replace -r '[^,]*$' '' -- $value)
    for option in $__cim_mount_options
        set -l parts (string split -m 1 = -- $option)
        if not set -q parts[2]
            echo $done$parts[1]
        else if string match -q -- "$done$parts[1]=*" $value
            set -l rest (string replace -- "$done$parts[1]=" '' $value)
            switch $parts[2]
                case '*|*'
                    string split '|' -- $parts[2]
                case file
                    __fish_complete_path $rest
            end | while read -l word
                echo $done$parts[1]=$word
            end
        else
            echo $done$parts[1]=
        end
    end
end

# __cim_any KIND...
function __cim_any
    for kind in $argv
        switch $kind
            case '*|*'
                string split -n '|' -- $kind
            case image
                __fish_complete_suffix (__cim_value) .cim
            case file
                __fish_complete_path (__cim_value)
            case dir
                __fish_complete_directories (__cim_value)
            case item
                __cim_items ''
            case add
                if string match -q '*:*' -- (__cim_value)
                    __cim_items (string replace -r '[^:]*$' '' -- (__cim_value))
                else
                    __fish_complete_path (__cim_value)
                end
            case volume
                __cim_volumes
            case mountoption
                __cim_mount_option
            case command
                string split ' ' -- $__cim_commands
        end
    end
end

@TABLE@
