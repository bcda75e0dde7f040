#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Help and man pages hold each option of the sources' tables, and nothing else.

The tables are read here as text; help and pages, which are made of them, are read as a person gets them. The
pages' form is judged by groff and mandoc. (The examples in them are run by tool/transcript.py.)
"""

import glob
import os
import re
import shutil
import subprocess
import sys

TOP = os.environ.get("TOP", os.getcwd())
sys.path[:0] = [os.path.join(TOP, "scripts/lib"), os.path.join(TOP, "cimfs_shim/man")]
sys.dont_write_bytecode = True
import helptext  # noqa: E402
from tap import check, done, same, skip  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
# (That of cimfs-install-wine is made with the DLLs, which have no variants.)
PAGES = {os.path.basename(path): path for path in
         glob.glob(BUILD + "/man/*.[158]") + [os.path.join(TOP, "build/man/cimfs-install-wine.1")]}
# What stands for each argument where an option is tried.
ARGUMENTS = {"DIR": ".", "FILE": "/dev/null", "SRC:DST": ".:/a", "N": "1", "HEX": 64 * "0", "A,B,...": "ro"}


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def names(options):
    return {name for option in options for name in (option.letter, option.name) if name}


def sources(room):
    return {path: read(path) for path in sorted(glob.glob("cimfs_shim/%s/*.[ch]" % room, root_dir=TOP))}


def table_names(text):
    """The names and letters in the tables of options of a source."""
    found = set()
    for entry in re.split(r"(?<!= )\{(?=\s*\\?\s*\.(?:name|letter) = )|FOR_KERNEL\(|FOR_MOUNT\(", text)[1:]:
        first = re.match(r'\s*\\?\s*(?:\.name = )?"([^"]+)"(?:,\s*\\?\s*\.letter = \'(.)\')?', entry) or \
            re.match(r"\s*\\?\s*(\.letter) = '(.)'", entry)
        if first:
            found.update(name for name in first.groups() if name and name[0] != ".")
    return found


def tables_of(room):
    return set().union(*map(table_names, sources(room).values()))


def page_options(text):
    """What a page's options are called, by its section OPTIONS."""
    part = re.search(r"(?ms)^\.SH OPTIONS\n(.*?)(?=^\.SH |\Z)", text)
    found = []
    for terms in re.findall(r"(?m)^\.TP\n(.*)\n", part[1] if part else ""):
        clean = re.sub(r"\\f[BIR]|\\&", "", terms).replace("\\-", "-")
        if not re.match(r"[0-9]", clean):
            found += helptext.read_terms(clean)
    return found


def check_programs(programs):
    """Help against pages, program by program, and against the tables."""
    helps = {name: programs.help_of(name) for name in ["cimtool", "cimfs-mount", "mount.cimfs", "cimfs-install-wine"] +
             ["cimtool-" + command for command in programs.commands()]}
    every = names(helps["cimtool"].options)
    for name, said in helps.items():
        page = PAGES.get(name + (".8" if name == "mount.cimfs" else ".1"))
        common = every if name.startswith("cimtool-") else set()
        same(sorted(names(page_options(read(page)))) if page else "no page", sorted(names(said.options) - common),
             "%s: its page has the options that help has" % name)
        if common:
            told = re.search(r"options of every command are told in cimtool\(1\): (.*?)\.", shown(os.path.basename(page)))
            same((common <= names(said.options), set(told[1].split(", ")) if told else None),
                 (True, {"--" + option.name for option in helps["cimtool"].options}),
                 "%s: those of every command are in cimtool(1)" % name)
    tool = set().union(*(names(said.options) for name, said in helps.items() if name.startswith("cimtool")))
    same(sorted(tool), sorted(tables_of("tool")), "cimtool: help has the options of the tables")
    mount = names(helps["cimfs-mount"].options) | names(helps["mount.cimfs"].options)
    same(sorted(mount), sorted(tables_of("mount")), "cimfs-mount: help has the options of the tables")
    script = set(re.findall(r"(?m)^\t--([a-z-]+)(?: \| -h)?\)", read("scripts/install-wine")))
    same(sorted(names(helps["cimfs-install-wine"].options) - {"h"}), sorted(script),
         "cimfs-install-wine: help has the options that it takes")
    return helps


def check_taken(helps):
    """Each command takes what its help names."""
    for name, said in helps.items():
        if not name.startswith("cimtool-"):
            continue
        refused = []
        for option in said.options:
            value = option.words[0] if option.words else ARGUMENTS.get(option.meta, "x")
            words = ["--" + option.name + ("=" + value if option.meta else "")] if option.name else []
            words += ["-" + option.letter + (value if option.meta else "")] if option.letter else []
            end = subprocess.run([BUILD + "/cimtool", name[8:], *words, "--help"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, check=False)
            if end.returncode:
                refused.append(end.stderr)
        same(refused, [], "%s takes all that its help names" % name.replace("-", " "))


def check_form():
    for program, command in (("groff", ["groff", "-man", "-Tutf8", "-ww", "-z"]),
                             ("mandoc", ["mandoc", "-Tlint", "-W", "warning"])):
        if not shutil.which(program):
            skip("the pages are well formed", "no " + program)
            continue
        end = subprocess.run(command + list(PAGES.values()), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             check=False, encoding="utf-8")
        same(end.stdout, "", program + " finds no fault")


def check_references():
    """What a page refers to is there, if it is ours; each page is referred to."""
    ours, cited = set(PAGES), set()
    for name, path in PAGES.items():
        text = re.sub(r"\\f[BIR]", "", read(path)).replace("\\-", "-")
        seen = {"%s.%s" % found for found in re.findall(r"\b([a-z][\w.-]*)\(([1-9])\)", text)}
        missing = {page for page in seen - ours if "cim" in page}
        same(sorted(missing), [], "%s: the pages that it names are there" % name)
        cited |= seen - {name}
    same(sorted(ours - cited), [], "each page is named by another")


def shown(name):
    """A page's text in one line, without the comment that it is made."""
    return " ".join(re.sub(r'(?m)^\.\\".*|\\f[BIR]', "", read(PAGES[name])).replace("\\-", "-").split())


def check_readers():
    """Who reads a page has what is installed: perhaps no cimfs.dll, and no checkout."""
    for name in sorted(PAGES):
        text = shown(name)
        same(re.findall(r"make (?:check|demo)|\b(?:conformance|include|scripts|cimfs_shim)/[\w./]*", text), [],
             "%s: it speaks of nothing that only a checkout has" % name)
        bare = [before for before in re.findall(r"(.{0,90})\bcimfs-install-wine\(1\)", text)
                if not re.search(r"Wine|cimfs\.dll", before)]
        same(bare, [], "%s: cimfs-install-wine(1) is where cimfs.dll is" % name)


def check_documents(helps):
    """The documents name commands and options that there are (container.md designs some)."""
    found, wrong = 0, []
    documents = {"README.md", *glob.glob("cimfs_shim/doc/*.md", root_dir=TOP)} - {"cimfs_shim/doc/container.md"}
    for path in sorted(documents):
        for command, rest in re.findall(r"\bcimtool ([a-z-]+)((?: [^`\n]*)?)", read(path)):
            for option in re.findall(r"(?<=\s--)[a-z][\w-]*", rest.split("cimtool")[0]):
                found += 1
                if "cimtool-" + command not in helps or option not in names(helps["cimtool-" + command].options):
                    wrong.append("%s: cimtool %s --%s" % (path, command, option))
    check(found > 5, "the documents name options", found)
    same(wrong, [], "each of them is there")


def check_environment():
    pages = " ".join(read(path) for path in PAGES.values())
    variables = set()
    for room in ("tool", "host", "mount", "dll", "os", "core"):
        for text in sources(room).values():
            variables.update(re.findall(r'getenv\("(\w+)"\)|L"(CIMFS_\w+)"', text))
    variables = {one or other for one, other in variables}
    check(len(variables) > 8, "the sources read variables", variables)
    same(sorted(v for v in variables if v not in pages), [], "each variable that is read is in a page")


def main():
    check(len(PAGES) > 20, "there are pages", PAGES)
    helps = check_programs(helptext.Programs(BUILD))
    check_taken(helps)
    check_form()
    check_references()
    check_readers()
    check_documents(helps)
    check_environment()
    done()


main()
