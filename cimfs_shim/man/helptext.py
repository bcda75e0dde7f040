# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program's help says, taken apart: man pages and completions are made of it.

The layout is that of cimfs_shim/host/help.c (and of scripts/install-wine, which follows it): "Usage:" and the
commands, then blocks with an empty line between. A block is a text, in which a line that begins with a space
stands as it is; or a list of options, with a title in front or without: two columns for letters ("  -x, --name"
or "  name" in a list for -o), six for names alone, what an option does from column 23 on.
"""

import os
import re
import subprocess

INSTALL_WINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/install-wine")
INDENT = 23
COMMAND = re.compile(r"(?m)^ {2}([a-z-]+)(?:, [a-z]+)? {2,}(.*)\n")
OPTION = re.compile(r" {2}(?:-[A-Za-z0-9](?:[, ]|$)| {4}--[a-z]|--[a-z])")
TITLE = re.compile(r"([A-Z].*):")


class Option:
    """One option: its letter and name ("" for none), its argument's name, and what it does."""

    def __init__(self, letter, name, meta, optional):
        self.letter, self.name, self.meta, self.optional = letter, name, meta, optional
        self.text = ""

    @property
    def words(self):
        """What its argument may be, if that is one of a list."""
        return self.meta.split("|") if "|" in self.meta else []


class Group:
    """A list of options, of which those that share a text stand together."""

    def __init__(self, title):
        self.title = title
        self.rows = []  # (terms as help shows them, options, text)

    @property
    def bare(self):
        return "(-o " in self.title

    @property
    def options(self):
        return [option for _, options, _ in self.rows for option in options]


class Help:
    """A whole help text. @texts: paragraphs (str) and lines that stand as they are (list)."""

    def __init__(self, text):
        self.usage, self.texts, self.groups, self.exits = [], [], [], []
        self.alias = ""
        blocks = re.split(r"\n\n+", text.rstrip("\n"))
        self.usage = [line.removeprefix("Usage:").strip() for line in
                      re.sub(r"\n {15,}", " ", blocks[0]).split("\n")]
        for block in blocks[1:]:
            self._block(block.split("\n"))

    def _block(self, lines):
        title = TITLE.fullmatch(lines[0]) if len(lines) > 1 and lines[1].startswith("  ") else None
        if lines[0].startswith("Also called: "):
            self.alias = lines[0].split()[-1]
        elif title and title[1] == "Exit status":
            self.exits = exit_rows(lines[1:])
        elif title:
            self.groups.append(read_group(title[1], lines[1:]))
        elif OPTION.match(lines[0]):
            self.groups.append(read_group("", lines))
        else:
            self.texts += read_texts(lines)

    @property
    def options(self):
        return [option for group in self.groups for option in group.options]


def read_texts(lines):
    texts = []
    for line in lines:
        literal = line.startswith(" ")
        if texts and isinstance(texts[-1], list) == literal:
            texts[-1] = texts[-1] + [line[2:]] if literal else texts[-1] + " " + line
        else:
            texts.append([line[2:]] if literal else line)
    return texts


def exit_rows(lines):
    """(codes, text) of a list of exit statuses; a line that isn't one goes on."""
    rows = []
    for line in lines:
        row = re.fullmatch(r" *(\d[\d, ]*)  (.*)", line)
        if row:
            rows.append([row[1], row[2]])
        elif line.startswith(" "):
            rows[-1][1] += " " + line.strip()
        else:
            rows.append(["", line])
    return rows


def read_group(title, lines):
    group, terms = Group(title), ""
    for line in lines:
        head = line[:INDENT].rstrip()
        if not head:  # what it does, from the second line on
            if terms:
                group.rows.append([terms, read_terms(terms), ""])
                terms = ""
            group.rows[-1][2] = (group.rows[-1][2] + " " + line.strip()).strip()
        elif line[INDENT:] and line[INDENT - 1] == " " and not terms and not head.endswith(","):
            group.rows.append([head.strip(), read_terms(head.strip()), line[INDENT:]])
        else:
            terms += (" " if terms else "") + line.strip()
    for _, options, text in group.rows:
        for option in options:
            option.text = text
    return group


def read_terms(terms):
    options = []
    for term in terms.split(", "):
        parts = re.fullmatch(r"(-.(?= |$)|(?:--)?[\w*-]+)(\[?)(?:[= ](.*?))?(\]?)", term)
        dashes = re.match("-*", parts[1])[0]
        before = options[-1] if options else None
        if dashes == "--" and before and before.letter and not before.name and not before.meta:
            options.pop()
        else:
            before = None
        options.append(Option(before.letter if before else parts[1][1:] if dashes == "-" else "",
                              "" if dashes == "-" else parts[1][len(dashes):], parts[3] or "", bool(parts[2])))
    return options


def ask(*command):
    """What a program prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout


class Programs:
    """All that is to be described, each asked when it is wanted."""

    def __init__(self, build):
        self.build = build

    def help_of(self, name):
        """Of a program, or of "cimtool-COMMAND"."""
        command = {"mount.cimfs": [self.build + "/mount.cimfs", "-h"],
                   "cimfs-install-wine": [INSTALL_WINE, "--help"],
                   "cimtool": [self.build + "/cimtool", "help"],
                   "cimfs-mount": [self.build + "/cimfs-mount", "--help"]}.get(name) or \
            [self.build + "/cimtool", "help", name.removeprefix("cimtool-")]
        text = ask(*command)
        if name == "cimtool":
            text = re.sub(COMMAND, "", text)
        # It is installed by another name than it has in the tree.
        found = Help(text.replace(" install-wine", " cimfs-install-wine"))
        if name.startswith("cimtool"):
            found.exits = exit_rows(ask(self.build + "/cimtool", "help", "exit-codes").split("\n")[1:-1])
        return found

    def commands(self):
        """{name: what it does in a few words}"""
        return dict(re.findall(COMMAND, ask(self.build + "/cimtool", "help")))
