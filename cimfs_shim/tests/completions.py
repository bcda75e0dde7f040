#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""The shells complete what help knows, and nothing else.

Each shell that is there completes lines as a person types them, in a directory with an image: bash and zsh in
a terminal, by the Tab key, fish by "complete -C". What is offered for "-" is compared with help, command by command.
"""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

TOP = os.environ.get("TOP", os.getcwd())
sys.path[:0] = [os.path.join(TOP, "scripts/lib"), os.path.join(TOP, "cimfs_shim/man")]
sys.dont_write_bytecode = True
import helptext  # noqa: E402
from tap import check, done, same, skip  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
MADE = BUILD + "/completions"
TMP = os.path.abspath(os.environ["TEST_TMP"])
PATH = BUILD + ":" + os.environ["PATH"]
PATIENCE = 60  # seconds

# What is typed, and the line that Tab makes of it.
LINES = (
    ("cimtool extr", "cimtool extract "),
    ("cimtool capt", "cimtool capture "),
    ("cimtool append --exclude-f", "cimtool append --exclude-from="),
    ("cimtool create --progress=l", "cimtool create --progress=line "),
    ("cimtool ls --color=al", "cimtool ls --color=always "),
    ("cimtool ls images/p", "cimtool ls images/p.cim "),
    ("cimtool verify images/p.cim images/q", "cimtool verify images/p.cim images/q.cim "),
    ("cimtool create images/new.cim pho", "cimtool create images/new.cim photos/"),
    ("cimtool extract -C ou", "cimtool extract -C out/"),
    ("cimtool extract -C out images/p", "cimtool extract -C out images/p.cim "),
    ("cimtool cat images/p.cim /20", "cimtool cat images/p.cim /2024/"),
    ("cimtool cat images/p.cim /2024/a", "cimtool cat images/p.cim /2024/a.jpg "),
    ("cimtool cat images/p.cim 2024/a.jpg /lat", "cimtool cat images/p.cim 2024/a.jpg /latest.jpg "),
    ("cimtool fork images/p.cim n.cim --delete=/2024/a", "cimtool fork images/p.cim n.cim --delete=/2024/a.jpg "),
    ("cimtool fork images/p.cim n.cim --add=photos/readme.txt:/20",
     "cimtool fork images/p.cim n.cim --add=photos/readme.txt:/2024/"),
    ("cimtool help exi", "cimtool help exit-codes "),
    ("cimtool help mounts fo", "cimtool help mounts fo"),
    ("cimtool mount -o ignore_case,nlink=e", "cimtool mount -o ignore_case,nlink=exact "),
    ("cimfs-mount images/p", "cimfs-mount images/p.cim "),
    ("cimfs-mount images/p.cim ou", "cimfs-mount images/p.cim out/"),
    ("cimfs-mount images/p.cim out -o streams_i", "cimfs-mount images/p.cim out -o streams_interface="),
    ("cimfs-mount --ready", "cimfs-mount --ready-fd="),
)


class Terminal:
    """A shell on a terminal, whose Control-O writes the line that is being edited to a file and empties it."""

    def __init__(self, command, setup):
        self.file = os.path.join(TMP, "line")
        pid, self.fd = pty.fork()
        if not pid:
            os.chdir(TMP)
            os.environ.update(PATH=PATH, TERM="dumb", HOME=TMP, LC_ALL="C.UTF-8", INPUTRC="/dev/null", PS1="")
            os.execvp(command[0], command)
        self.pid = pid
        self.ask(setup % self.file + "; echo ready >%s\n" % self.file)

    def ask(self, text):
        """Type; what is in the file then."""
        if os.path.exists(self.file):
            os.unlink(self.file)
        os.write(self.fd, text.encode())
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.01)[0]:
                os.read(self.fd, 65536)
            elif os.path.exists(self.file) and os.path.getsize(self.file):
                with open(self.file, encoding="utf-8") as file:
                    return file.read().rstrip("\n")
        return "no answer"

    def complete(self, line):
        return self.ask(line + "\t\x0f")

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def bash_terminal():
    return Terminal(["bash", "--norc", "--noprofile", "-i"], "set +o history; bind 'set bell-style none'; . " + MADE +
                    "/bash/cimtool; show() { printf '%%s\\n' \"$READLINE_LINE\" >%s; READLINE_LINE=; }; bind -x '\"\\C-o\": show'")


def zsh_terminal():
    return Terminal(["zsh", "-f", "-i"], "fpath=(" + MADE + "/zsh $fpath); autoload -Uz compinit; compinit -u -D; "
                    "unsetopt beep; show() { print -r -- $BUFFER >%s; BUFFER= }; zle -N show; bindkey '^O' show")


def fish_complete(line):
    """What fish offers; its complaints too."""
    source = "source %s/fish/cimtool.fish; source %s/fish/cimfs-mount.fish; complete -C $argv[1]" % (MADE, MADE)
    end = subprocess.run(["fish", "--no-config", "-c", source, line], cwd=TMP, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, env=dict(os.environ, PATH=PATH, HOME=TMP), check=False,
                         encoding="utf-8")
    return [offer.split("\t")[0] for offer in end.stdout.splitlines()] + end.stderr.splitlines()


def check_lines(shell, complete):
    for typed, want in LINES:
        same(complete(typed), want, "%s: %s" % (shell, typed))


def check_fish_lines():
    """fish offers words, not the line, and also what only resembles what was typed."""
    for typed, want in LINES:
        begun = typed.split(" ")[-1]
        offered = {re.sub("=$", "", offer) for offer in fish_complete(typed) if offer.startswith(begun)}
        same(offered, {re.sub("=$", "", want.rstrip(" ").split(" ")[-1])} if want != typed else set(), "fish: " + typed)


def dashed(options):
    return sorted(["-" + option.letter for option in options if option.letter] +
                  ["--" + option.name for option in options if option.name])


def bash_offers(line):
    words = line.split(" ")
    script = ". %s/bash/cimtool; COMP_WORDS=(%s); COMP_CWORD=%d; _cim; printf '%%s\\n' \"${COMPREPLY[@]}\"" % (
        MADE, " ".join(words), len(words) - 1)
    return subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, check=True, encoding="utf-8",
                          cwd=TMP, env=dict(os.environ, PATH=PATH)).stdout.split()


def zsh_offers(line):
    """What its file has for a command: zsh itself shows a list only to a person."""
    with open(MADE + "/zsh/_cimtool", encoding="utf-8") as file:
        text = file.read()
    name = line.split(" ")[-2]
    part = re.search(r"(?ms)^\t(?:[\w-]+\|)*%s(?:\|[\w-]+)*\)\n(.*?)^\t\t;;" % name, text)[1]
    return [word.strip("+=-") and re.sub(r"[+=-]+$", "", word) for spec in
            re.findall(r"(?m)^\t\t\t'(?:\*?(--?[\w-]+[=+-]*)\[|(?:\*|\([^)]*\))'\{(.*?)\}')", part)
            for word in (spec[0] or spec[1]).split(",")]


def check_options(programs, shell, offers):
    lines = {"cimtool %s -" % name: programs.help_of("cimtool-" + name).options for name in programs.commands()}
    lines["cimfs-mount -"] = [option for group in programs.help_of("cimfs-mount").groups if not group.bare
                              for option in group.options]
    for line, options in lines.items():
        same(sorted({re.sub("=$", "", offer) for offer in offers(line)}), dashed(options),
             "%s: %s offers what help has" % (shell, line))


def check_mount_options(programs, shell, offers):
    want = sorted(option.name for group in programs.help_of("cimfs-mount").groups if group.bare
                  for option in group.options if "*" not in option.name)
    same(sorted({offer.split("=")[0] for offer in offers("cimfs-mount a.cim out -o ")}), want,
         "%s: -o offers what help has" % shell)


def prepare():
    os.makedirs(TMP + "/photos/2024")
    for name in ("images", "out"):
        os.mkdir(os.path.join(TMP, name))
    for name in ("2024/a.jpg", "2024/b.jpg", "readme.txt"):
        with open(os.path.join(TMP, "photos", name), "w", encoding="ascii") as file:
            file.write(name)
    os.symlink("2024/a.jpg", TMP + "/photos/latest.jpg")
    for image in ("p", "q"):
        subprocess.run([BUILD + "/cimtool", "create", "-q", "images/%s.cim" % image, "photos"], cwd=TMP, check=True)
    # Nobody is offered what is hidden.
    subprocess.run([BUILD + "/cimtool", "tombstone", "-q", "images/p.cim", "2024/a hidden", "20/also"], cwd=TMP, check=True)


def main():
    programs = helptext.Programs(BUILD)
    prepare()
    for shell, terminal, offers in (("bash", bash_terminal, bash_offers), ("zsh", zsh_terminal, zsh_offers)):
        if not shutil.which(shell):
            skip(shell, "there is no " + shell)
            continue
        shown = terminal()
        check_lines(shell, shown.complete)
        shown.close()
        check_options(programs, shell, offers)
    check_mount_options(programs, "bash", bash_offers)
    if shutil.which("fish"):
        check_fish_lines()
        check_options(programs, "fish", fish_complete)
        check_mount_options(programs, "fish", fish_complete)
    else:
        skip("fish", "there is no fish")
    done()


main()
