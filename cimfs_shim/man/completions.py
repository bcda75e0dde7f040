#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes shells' completions: completions.py BUILD FILE..., where the programs are in BUILD.

Commands, options and arguments come from the programs' help (helptext.py). What an argument is, is told by what help
calls it; the shells' own part is in completions.bash, .zsh and .fish beside this script, where "@TABLE@" is replaced.
"""

import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from helptext import Programs  # noqa: E402

# What each name of an argument stands for; "": nothing that could be offered.
KINDS = {
    "IMAGE": "image", "PARENT": "image", "NEW": "image", "A": "image", "B": "image",
    "CONTAINER": "file", "PATH": "item", "SRC:DST": "add", "SOURCE": "file", "FILE": "file", "DIR": "dir",
    "A,B,...": "mountoption", "COMMAND": "command", "GUID": "volume",
    "GLOB": "", "HEX": "", "HEX": "", "M": "", "N": "", "TEXT": "", "TIME": "", "VERSION": "", "X": "",
}


WIDTH = 64  # of what is said of an option


class Command:
    """What one command line takes: @names is what calls it, @slots its arguments: (kinds, optional, repeated)."""

    def __init__(self, names, summary, help_text, usage_words):
        self.names, self.summary = names, summary
        self.options = [option for group in help_text.groups if not group.bare for option in group.options]
        self.slots = [self.slot(word) for word in help_text.usage[0].replace(" | ", "|").split(" ")[usage_words:]
                      if "OPTION" not in word]

    @staticmethod
    def slot(word):
        names = word.replace("[:STREAM]", "").strip("[].").split("|")
        # "WORD|" is a list of one word.
        return [KINDS[name] if name in KINDS else name + "|" for name in names], word[0] == "[", "..." in word


def kind_of(option):
    return option.meta if option.words else KINDS[option.meta]


def dashed(option):
    return ["-" + option.letter] * bool(option.letter) + ["--" + option.name] * bool(option.name)


def short(text):
    """The beginning of what an option does, for a list."""
    text = text.split("; ")[0].split(". ")[0]
    return text if len(text) <= WIDTH else text[:WIDTH].rsplit(" ", 1)[0] + " ..."


# ---- bash ----

def bash_table(commands, mount, mount_options):
    out = ["_cim_table() {", "\tcase $1 in"]
    for command in commands + [mount]:
        program = "" if command is mount else "cimtool "
        options = [word for option in command.options for word in bash_option(option)]
        values = ["%s%s=%s" % (name, "?" * option.optional, kind_of(option))
                  for option in command.options if option.meta for name in dashed(option)]
        slots = ["+".join(kinds) + "..." * many for kinds, _, many in command.slots]
        out += ["\t%s)" % " | ".join("'%s%s'" % (program, name) for name in command.names),
                "\t\toptions='%s'" % " ".join(options), "\t\tvalues='%s'" % " ".join(values),
                "\t\tslots='%s'" % " ".join(slots), "\t\t;;"]
    out += ["\t*) return 1 ;;", "\tesac", "}"]
    names = ["%s%s" % (option.name, "=" + kind_of(option) if option.meta else "") for option in mount_options]
    out += ["_cim_commands='%s'" % " ".join(name for command in commands for name in command.names),
            "_cim_mount_options='%s'" % " ".join(names)]
    return "\n".join(out)


def bash_option(option):
    long = "--" + option.name
    return ["-" + option.letter] * bool(option.letter) + \
        ([long] * (not option.meta or option.optional) + [long + "="] * bool(option.meta) if option.name else [])


# ---- zsh ----

def zsh_text(text, also=""):
    for mark in "\\[]:" + also:
        text = text.replace(mark, "\\" + mark)
    return text.replace("'", "'\\''")


def zsh_spec(option):
    names = ["-" + option.letter + "+" * bool(option.meta)] * bool(option.letter)
    names += ["--" + option.name + ("=-" if option.optional else "=") * bool(option.meta)] * bool(option.name)
    argument = ""
    if option.meta:
        argument = zsh_argument(option)
    text = "[%s]%s'" % (zsh_text(short(option.text)), argument)
    if len(names) == 1:
        return "'%s%s%s" % ("*" * bool(option.meta), names[0], text)
    return "%s{%s}'%s" % ("'*'" if option.meta else "'(%s)'" % " ".join(dashed(option)), ",".join(names), text)


def zsh_argument(option):
    """What comes behind it, for _arguments and for _values."""
    name = option.name if option.words else option.meta
    return ":%s%s:%s" % (":" * option.optional, zsh_text(name), zsh_action([kind_of(option)]))


def zsh_action(kinds):
    return "_cim_any " + " ".join(kind.replace("|", "\\|") for kind in kinds) if any(kinds) else " "


def zsh_arguments(command):
    specs = [zsh_spec(option) for option in command.options]
    for number, (kinds, optional, many) in enumerate(command.slots, 1):
        place = "*" if many else "%d%s" % (number, ":" * optional)
        specs.append("'%s:%s:%s'" % (place, kinds[0].rstrip("|"), zsh_action(kinds)))
        if many and not optional and number > 1:
            break
    return "_arguments -s -S : \\\n\t\t\t" + " \\\n\t\t\t".join(specs)


def zsh_table(commands, mount, mount_options):
    out = ["_cim_commands=("]
    out += ["\t'%s:%s'" % (name, zsh_text(command.summary)) for command in commands for name in command.names]
    out += [")", "_cim_mount_options=("]
    for option in mount_options:
        value = zsh_argument(option) if option.meta else ""
        out.append("\t'%s[%s]%s'" % (option.name, zsh_text(short(option.text)), value))
    out += [")", "_cim_arguments() {", "\tcase $1 in"]
    for command in commands + [mount]:
        out += ["\t%s)" % "|".join(command.names), "\t\t" + zsh_arguments(command), "\t\t;;"]
    return "\n".join(out + ["\tesac", "}"])


# ---- fish ----

def fish_text(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish_option(program, condition, option):
    line = ["complete -c", program] + (["-n", fish_text(condition)] if condition else [])
    line += ["-s", option.letter] * bool(option.letter) + ["-l", option.name] * bool(option.name)
    if option.meta and not option.optional:
        line.append("-x")
    if option.meta and kind_of(option):
        line += ["-a", fish_text("(__cim_any %s)" % fish_text(kind_of(option)))]
    return " ".join(line + ["-d", fish_text(short(option.text))])


def fish_slots(program, command):
    out = []
    for number, (kinds, _, many) in enumerate(command.slots, 1):
        condition = "__cim_at %d%s %s" % (number, "+" * many, " ".join(command.names))
        if any(kinds):
            out.append("complete -c %s -n %s -a %s" % (program, fish_text(condition), fish_text(
                "(__cim_any %s)" % " ".join(fish_text(kind) for kind in kinds))))
    return out


def fish_table(program, commands, mount, mount_options):
    # One name may take an argument in one command and none in another.
    known = [(option, name) for command in commands + [mount] for option in command.options
             for name in dashed(option)]
    valued = {name for option, name in known if option.meta and not option.optional} - \
        {name for option, name in known if not option.meta}
    out = ["set -g __cim_valued " + " ".join(sorted(valued)),
           "set -g __cim_mount_options " + " ".join(fish_text("%s%s" % (option.name, "=" * bool(option.meta) + (
               kind_of(option) if option.meta else ""))) for option in mount_options),
           "set -g __cim_commands " + " ".join(name for command in commands for name in command.names),
           "complete -c %s -f" % program]
    for command in commands if program == "cimtool" else [mount]:
        condition = "__fish_seen_subcommand_from " + " ".join(command.names) if program == "cimtool" else ""
        if condition:
            out += ["complete -c cimtool -n __fish_use_subcommand -a %s -d %s" % (name, fish_text(command.summary))
                    for name in command.names]
        out += [fish_option(program, condition, option) for option in command.options]
        out += fish_slots(program, command)
    return "\n".join(out)


# ---- all of it ----

def main(build, *files):
    programs = Programs(build)
    commands = []
    for name, summary in programs.commands().items():
        said = programs.help_of("cimtool-" + name)
        commands.append(Command([name] + [said.alias] * bool(said.alias), summary, said, 2))
    said = programs.help_of("cimfs-mount")
    mount = Command(["cimfs-mount"], "", said, 1)
    mount_options = [option for group in said.groups if group.bare for option in group.options
                     if "*" not in option.name]
    for path in files:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        name = os.path.basename(path)
        shell = os.path.basename(os.path.dirname(path))
        if shell == "bash":
            table = bash_table(commands, mount, mount_options)
        elif shell == "zsh":
            table = zsh_table(commands, mount, mount_options)
        else:
            program = name.removesuffix(".fish")
            table = fish_table(program, commands, mount, mount_options)
        with open(os.path.join(HERE, "completions." + shell), encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("@TABLE@", table))


if __name__ == "__main__":
    main(*sys.argv[1:])
