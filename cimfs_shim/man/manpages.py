#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes man pages: manpages.py VERSION BUILD FILE..., where the programs are in BUILD.

A page is what the program's own help says (helptext.py), and, for what is too long for help, the text beside
this script, NAME.SECTION.md. Of Markdown these have sections ("## EXAMPLES"), subsections ("### ..."), paragraphs,
lists (an item that begins with `code` and a colon is a term and what it means), tables, code that is indented by
four spaces, `code`, *variable* and **emphasis**; a comment (<!-- -->) is not shown. "<!-- NAME.md 2 3: all -->" is
these sections of a document in cimfs_shim/doc, "text" for "all" leaves their tables out and "table" all else. A page
without a program has its name's line in the section NAME. The dates are those of the news, so that the same tree gives the same bytes.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from helptext import Programs  # noqa: E402

ORDER = ("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "NOTES",
         "EXAMPLES", "SEE ALSO")
# What help doesn't say: what each program is, in a few words.
SUMMARIES = {"cimtool": "make, look into, unpack and check Composite Images",
             "cimfs-mount": "mount a Composite Image",
             "mount.cimfs": "mount a Composite Image for mount(8)",
             "cimfs-install-wine": "put cimfs.dll into a Wine prefix"}
CODE = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}


# ---- text as roff ----

def code(text):
    """Characters that a person may copy, just as they are."""
    return "".join(CODE.get(c, c) for c in text)


def line(text):
    """A line of text, which must not look like a request."""
    return ("\\&" if text[:1] in (".", "'") else "") + text


def font(letter, text):
    return "\\f%s%s\\fR" % (letter, text)


def inline(text, variables=()):
    """A paragraph with Markdown's marks, or of a help text, where options and commands have none: these
    and the variables are found by their form."""
    marks = [r"`(?P<code>[^`]+)`", r"\*\*(?P<strong>[^*]+)\*\*", r"(?<!\w)\*(?P<meta>\w[^*]*)\*",
             r'"(?P<command>(?:cimtool|cimfs-mount)(?: [^"]*)?)"', r"(?P<page>\b[a-z][\w.-]*\([1-9]\))",
             r"(?<![\w-])(?P<option>--?[A-Za-z][\w-]*)(?:(?P<equals>=)(?P<value>[A-Z]+)\b)?"]
    if variables:
        marks.append(r"\b(?P<variable>%s)\b" % "|".join(sorted(variables, key=len, reverse=True)))
    out, at = "", 0
    for mark in re.finditer("|".join(marks), text):
        out += plain(text[at:mark.start()])
        at = mark.end()
        found = mark.groupdict()
        if found["page"]:
            out += font("B", code(found["page"][:-3])) + found["page"][-3:]
        elif found["meta"] or found.get("variable"):
            out += font("I", code(found["meta"] or found["variable"]))
        else:
            out += font("B", code(found["code"] or found["strong"] or found["command"] or found["option"]))
            if found["equals"]:
                out += font("B", "=") + font("I", found["value"])
    return out + plain(text[at:])


def plain(text):
    return text.replace("\\", "\\e").replace("~", "\\(ti").replace("^", "\\(ha").replace("`", "\\(ga")


def paragraph(text, variables=()):
    return [".PP", line(inline(text, variables))]


def literal(lines):
    lines = [text for text in lines if not text.startswith("[exit ")]
    return [".PP", ".RS 4", ".nf"] + [line(code(text)) for text in lines] + [".fi", ".RE"]


def item(terms, text, variables=()):
    return [".TP", line(terms), line(inline(text, variables))]


# ---- Markdown ----

def sections(path):
    """{section: roff} of a page's own text."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"<!-- ([\w-]+\.md)((?: \d+)+): (\w+) -->", included, file.read())
    text = re.sub(r"(?s)<!--.*?-->\n?", "", text)
    found, out = {}, None
    for block in re.split(r"\n\n+", text.strip("\n")):
        lines = block.split("\n")
        if block.startswith("## "):
            out = found[block[3:]] = []
        elif block.startswith("### "):
            out.append(".SS " + inline(block[4:]))
        elif block.startswith("    "):
            indent = min(len(text) - len(text.lstrip()) for text in lines)
            out += literal([text[indent:] for text in lines])
        elif block.startswith("| "):
            out += table(lines)
        else:
            # A list, whose first item may have begun before some code.
            entries = re.split(r"(?m)^- ", block)
            if entries[0]:
                out += paragraph(" ".join(entries[0].split()))
            for entry in entries[1:]:
                out += list_item(" ".join(entry.split()))
    return found


def included(mark):
    name, numbers, what = mark[1], mark[2].split(), mark[3]
    with open(os.path.join(HERE, "../doc", name), encoding="utf-8") as file:
        text = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", file.read())
    out = ""
    for number in numbers:
        part = re.search(r"(?ms)^## %s\. (.*?)\n\n(.*?)(?=^## |\Z)" % number, text)
        blocks = [block for block in re.split(r"\n\n+", part[2].strip("\n"))
                  if what == "all" or block.startswith("| ") == (what == "table")]
        out += "" if what == "table" else "### %s\n\n" % part[1]
        out += "\n\n".join(blocks) + "\n\n"
    # It is installed by another name than it has in the tree.
    return out.strip("\n").replace("scripts/install-wine", "cimfs-install-wine")


def list_item(entry):
    terms = re.match(r"((?:`[^`]+`(?:, )?)+): ", entry)
    if terms:
        return item(inline(terms[1]), entry[terms.end():])
    return [".IP \\(bu 3", line(inline(entry))]


def table(lines):
    """A term and what it means for each row; of one row alone, for each column."""
    rows = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in lines]
    pairs = rows[2:] if len(rows) > 3 else zip(*rows[::2])
    return sum((item(inline(pair[0]), ": ".join(pair[1:])) for pair in pairs), [])


# ---- a page ----

def variables_of(help_text):
    """What help calls arguments, but for single letters, which are words too."""
    names = set()
    for text in help_text.usage + [option.meta for option in help_text.options]:
        names.update(re.findall(r"\b[A-Z]{2,}\b", text))
    return names - {"OPTION", "ARGUMENT"}


def synopsis(usage):
    out = []
    for one in usage:
        words = []
        for word in re.sub(r"^([A-Z]+=)", r"\1 ", one).split(" "):
            if re.match(r"[A-Z]+=$", word):
                words.append(font("B", word) + "\\c")
                continue
            word = re.sub(r"(--?[a-z][\w-]*)|([A-Z][A-Za-z]*)|([a-z][\w.-]*)",
                          lambda m: font("I", m[2]) if m[2] else font("B", code(m[0])), word)
            words.append(word)
        text = " ".join(words).replace("\\c ", "")
        out += [".PP" if not out else ".br", line(text)]
    return out


def option_terms(options, bare):
    terms = []
    for option in options:
        names = ["-" + option.letter] if option.letter else []
        names += [("" if bare else "--") + option.name] if option.name else []
        term = ", ".join(font("B", code(name)) for name in names)
        if option.meta:
            value = "|".join(font("B", code(word)) for word in option.words) or font("I", code(option.meta))
            value = ("=" if option.name else " ") + value
            term += "[%s]" % value if option.optional else value
        terms.append(term)
    return ", ".join(terms)


def options_of(groups, variables):
    out = []
    for group in groups:
        if group.title:
            out.append(".SS " + inline(group.title.replace("(-o A,B,...)", "of `-o`")))
        for _, options, text in group.rows:
            out += item(option_terms(options, group.bare), text, variables)
    return out


def exit_status(rows):
    out = []
    for codes, text in rows:
        out += item(font("B", codes), text) if codes else paragraph(text)
    return out


def made_of(help_text):
    """The sections that come from help."""
    names = variables_of(help_text)
    text = []
    for one in help_text.texts:
        text += literal(one) if isinstance(one, list) else paragraph(one, names)
    if help_text.alias:
        text += paragraph("Also called `cimtool %s`." % help_text.alias)
    return {"SYNOPSIS": synopsis(help_text.usage), "DESCRIPTION": text,
            "OPTIONS": options_of(help_text.groups, names), "EXIT STATUS": exit_status(help_text.exits)}


def leave_common(made, own, common):
    """What holds for each command stands once, in the page of all of them."""
    titles = [group.title for group in common.groups]
    options = [option for group in common.groups for option in group.options]
    made["OPTIONS"] = options_of([group for group in own.groups if group.title not in titles], variables_of(own))
    made["OPTIONS"] += paragraph("The options of every command are told in cimtool(1): %s." % ", ".join(
        "`--%s`" % option.name for option in options))
    made["EXIT STATUS"] = paragraph("See cimtool(1).")


def page_text(name, section, programs, header):
    """A page: the sections that come from help, and in each the page's own text behind that."""
    own = sections(os.path.join(HERE, "%s.%s.md" % (name, section)))
    if set(own) - set(ORDER):
        sys.exit("%s.%s.md: no such section: %s" % (name, section, ", ".join(set(own) - set(ORDER))))
    made = {} if section == "5" else made_of(programs.help_of(name))
    summary = SUMMARIES.get(name, "")
    if name.startswith("cimtool"):
        commands = programs.commands()
        summary = summary or commands[name.removeprefix("cimtool-")]
        if name != "cimtool":
            leave_common(made, programs.help_of(name), programs.help_of("cimtool"))
        else:
            made["COMMANDS"] = sum((item(font("B", command), "%s; see cimtool-%s(1)" % (does, command))
                                    for command, does in commands.items()), [])
    if summary:
        made["NAME"] = [code(name) + " \\- " + inline(summary)]
    out = ['.\\" Made by cimfs_shim/man/manpages.py of what help says and of %s.%s.md there' % (name, section),
           ".TH %s %s %s" % (code(name.upper()), section, header), ".nh", ".ad l"]
    for title in ORDER:
        body = made.get(title, []) + own.get(title, [])
        if body:
            out += [".SH " + title] + body
    # A section begins without a paragraph's distance.
    return re.sub(r"(?m)^(\.S[HS] .*\n)\.PP\n", r"\1", "\n".join(out) + "\n")


def news_date():
    with open(os.path.join(HERE, "../doc/NEWS.md"), encoding="utf-8") as file:
        return re.search(r"(?m)^## .*\((\d{4}-\d\d-\d\d)\)", file.read())[1]


def main(version, build, *files):
    programs = Programs(build)
    header = '"%s" "cimfs_shim %s"' % (news_date(), version)
    for path in files:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(page_text(*os.path.basename(path).rsplit(".", 1), programs, header))


if __name__ == "__main__":
    main(*sys.argv[1:])
