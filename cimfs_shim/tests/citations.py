#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
"""What sources, tests and documents cite is there, and each decision is cited by a source or a test.

Cited are decisions ("D12", "D16-D18", "D20 to D23"; cimfs_shim/doc/decisions.md), open questions ("Q-12";
evidence.md) and documents, with a section or without ("wine.md", "format.md 3", "architecture.md 3.2";
an entry of a section that is a numbered list counts as a section of its own). Other spellings are
findings, so that a search finds everything. The documents' links must lead somewhere, and the sources
that they name must be there.

citations.py --links DIR looks only at the links of the documents in DIR: for those that are installed.
"""

import os
import re
import sys
import tempfile

TOP = os.environ.get("TOP", os.getcwd())
sys.path.insert(0, os.path.join(TOP, "scripts/lib"))
sys.dont_write_bytecode = True
from tap import check, done, same  # noqa: E402

DOC = "cimfs_shim/doc"
# Not ours, not text of ours, or made.
LEFT_OUT = {"build", ".git", "__pycache__", "COPYING", "cimfs_shim/tests/golden/ours",
            "cimfs_shim/tests/citations.py"}

DECISION = re.compile(r"\bD(\d{1,2})\b(?:(?:-| to )D(\d{1,2})\b)?")
QUESTION = re.compile(r"\bQ-(\d+)\b")
# Between a document's name and its section a comment's line may end.
DOCUMENT = re.compile(r"(?<![\w/*.-])(?:(?:[\w.-]+/)*doc/)?([a-z][a-z-]+)\.md\b"
                      r"(?:(?: |\s*\n[\s*#]*)(\d+(?:\.\d+)*\b(?![-\w])))?")
OTHER_FORMS = [(re.compile(form), want) for form, want in (
    (r"\bQ\d{1,2}\b", "Q-N"),
    (r"\bD-\d{1,2}\b|\b[Dd]ecisions? (?:number |row )?\d+\b", "DN"),
    (r"\.md,? (?:in )?(?:[Ss]ections?|[Rr]ules?|§) *\d", "NAME.md N"))]
OWN_SECTION = re.compile(r"\b[Ss]ections? (\d+(?:\.\d+)*)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
SOURCE = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:c|h|py|sh|bash))`")
ROOMS = ("", "cimfs_shim", "conformance", DOC)


def files_of(top):
    """Path and text of each file that may cite."""
    for directory, names, files in os.walk(top):
        here = os.path.relpath(directory, top)
        paths = {name: os.path.normpath(os.path.join(here, name)) for name in names + files}
        names[:] = sorted(name for name in names if not LEFT_OUT & {name, paths[name]})
        for name in sorted(files):
            if LEFT_OUT & {name, paths[name]}:
                continue
            try:
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    yield paths[name], file.read()
            except UnicodeDecodeError:
                pass


def sections_of(text):
    """The numbers of a document's sections."""
    found, section = set(), ""
    for line in text.splitlines():
        heading = re.match(r"#+ (\d+(?:\.\d+)*)\.? ", line)
        entry = re.match(r"(\d+)\. ", line)
        if heading:
            section = heading.group(1)
            found.add(section)
        elif entry and section:
            found.add(section + "." + entry.group(1))
    return found


def anchors_of(text):
    """What a link to a heading of a document can name, as GitHub makes it."""
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.M)}


def decided(text):
    """Number of each decision: its mark, "planned", "no code" or "", and the findings of the table."""
    rows = re.findall(r"^\| D(\d+)(?: \*([\w ]+)\*)? \|", text, re.M)
    findings = ["decisions.md: D%s has two rows" % n for i, (n, _) in enumerate(rows)
                if n in [m for m, _ in rows[:i]]]
    findings += ["decisions.md: D%s is marked *%s*, which means nothing" % row for row in rows
                 if row[1] not in ("", "planned", "no code")]
    return {int(number): mark for number, mark in rows}, findings


def cited(match):
    """The decisions of a match of DECISION."""
    first = int(match.group(1))
    return range(first, int(match.group(2) or first) + 1)


class Tree:
    """A source tree, with its documents read."""

    def __init__(self, top):
        self.top = top
        self.files = dict(files_of(top))
        self.names = {os.path.basename(path) for path in self.files}
        self.documents = {os.path.basename(path): text for path, text in self.files.items()
                          if path.endswith(".md")}
        self.sections = {name: sections_of(text) for name, text in self.documents.items()}
        self.decisions, self.findings = decided(self.documents.get("decisions.md", ""))
        self.questions = {int(n) for n in re.findall(r"^- \*\*Q-(\d+)\*\*",
                                                     self.documents.get("evidence.md", ""), re.M)}
        self.cited_by = {}

    def find(self, path, at, what):
        line = self.files[path].count("\n", 0, at) + 1
        self.findings.append("%s:%d: %s" % (path, line, what))

    def look_for_citations(self, path, text):
        for match in DECISION.finditer(text):
            for number in cited(match):
                if number not in self.decisions:
                    self.find(path, match.start(), "D%d is no decision" % number)
                elif not path.endswith(".md"):
                    self.cited_by.setdefault(number, path)
        for match in QUESTION.finditer(text):
            if int(match.group(1)) not in self.questions:
                self.find(path, match.start(), "%s is no question" % match.group(0))
        for match in DOCUMENT.finditer(text):
            name, section = match.group(1) + ".md", match.group(2)
            if name not in self.documents:
                self.find(path, match.start(), "there is no document %s" % name)
            elif section and section not in self.sections[name]:
                self.find(path, match.start(), "%s has no section %s" % (name, section))
        for form, want in OTHER_FORMS:
            for match in form.finditer(text):
                self.find(path, match.start(), "'%s' is written %s" % (match.group(0), want))

    def look_at_link(self, path, match):
        target, _, anchor = match.group(1).partition("#")
        aim = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
        if not os.path.exists(os.path.join(self.top, aim)):
            self.find(path, match.start(), "a link to %s leads nowhere" % match.group(1))
        elif anchor and anchor not in anchors_of(self.files.get(aim, "")):
            self.find(path, match.start(), "a link to #%s leads nowhere" % anchor)

    def has_source(self, path, name):
        """Is there such a file, if it is one of ours: by its first directory, or because @path is one
        of the documents, which name no others' by the name alone?"""
        first, rest = name.partition("/")[::2]
        if not rest:
            return name in self.names or os.path.dirname(path) != DOC
        places = [os.path.join(self.top, room) for room in ROOMS]
        return (any(os.path.exists(os.path.join(place, name)) for place in places) or
                not any(os.path.isdir(os.path.join(place, first)) for place in places))

    def look_at_document(self, path, text):
        """What only documents have, besides links."""
        if os.path.dirname(path) == DOC:
            for match in OWN_SECTION.finditer(text):
                if match.group(1) not in self.sections[os.path.basename(path)]:
                    self.find(path, match.start(), "it has no section %s" % match.group(1))
        # (evidence.md names the sources of others.)
        for match in SOURCE.finditer(text) if not path.endswith("evidence.md") else ():
            if not self.has_source(path, match.group(1)):
                self.find(path, match.start(), "there is no %s" % match.group(1))

    def judge_links(self):
        """Where the documents' links lead to, alone."""
        links = [(path, match) for path, text in self.files.items() if path.endswith(".md")
                 for match in LINK.finditer(text) if not re.match(r"[a-z]+:", match.group(1))]
        for link in links:
            self.look_at_link(*link)
        return self.findings if links else ["there are no links"]

    def judge(self):
        for path, text in self.files.items():
            self.look_for_citations(path, text)
            if path.endswith(".md"):
                self.look_at_document(path, text)
        self.judge_links()
        for number, mark in self.decisions.items():
            by = self.cited_by.get(number)
            if not by and not mark:
                self.findings.append("decisions.md: no source or test cites D%d" % number)
            elif by and mark == "planned":
                self.findings.append("decisions.md: D%d is marked as planned, but %s cites it" %
                                     (number, by))
        return self.findings


if sys.argv[1:2] == ["--links"]:
    bad = Tree(sys.argv[2]).judge_links()
    print("\n".join(bad), end="\n" if bad else "")
    sys.exit(bool(bad))

# ---- can it fail? ----

MADE = {
    DOC + "/decisions.md": "| # | case |\n| --- | --- |\n| D1 | one (Q-1) |\n| D2 | two |\n"
                           "| D3 *planned* | three |\n| D4 *no code* | four |\n",
    DOC + "/evidence.md": "# Evidence\n\n## 1. Known\n\n1. One.\n2. Two.\n\n## 2. Asked\n\n- **Q-1** Why?\n",
    DOC + "/format.md": "# Format\n\n## 1. Files\n\n### 1.1 Names\n\nSee [there](evidence.md#1-known), "
                        "section 1.1 and `core/a.c`.\n",
    "cimfs_shim/core/a.c": "/* D1-D2; Q-1, format.md 1.1 and evidence.md\n * 1.2. */\n",
    "COPYING": "D99\n",
    "build/x.c": "D99\n",
}


def judged(changes):
    """The findings in the made tree with some files changed: replaced, or a line put behind."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMP")) as top:
        for path, text in {**MADE, **changes}.items():
            if text.startswith("+"):
                text = MADE.get(path, "") + text[1:] + "\n"
            os.makedirs(os.path.join(top, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(top, path), "w", encoding="utf-8") as file:
                file.write(text)
        return Tree(top).judge()


def line(path, number, what):
    return ["%s:%d: %s" % (path, number, what)]


CASES = [
    ("a tree in which all is right", {}, []),
    ("a decision that isn't there", {"a.c": "\n/* (D5) */"}, line("a.c", 2, "D5 is no decision")),
    ("one at the end of a range", {"a.c": "D4 to D5"}, line("a.c", 1, "D5 is no decision")),
    ("one in the middle of a range", {"a.py": "D4-D6", DOC + "/decisions.md": "+| D6 | six |"},
     line("a.py", 1, "D5 is no decision")),
    ("one in a document", {DOC + "/format.md": "+D7"}, line(DOC + "/format.md", 8, "D7 is no decision")),
    ("a hexadecimal number is none", {"a.c": "0xD9 D9A D800 CD9 xD9"}, []),
    ("a decision that is cited by a document alone", {"cimfs_shim/core/a.c": "D1", "README.md": "D2"},
     ["decisions.md: no source or test cites D2"]),
    ("a planned decision that has code", {"a.c": "D3"},
     ["decisions.md: D3 is marked as planned, but a.c cites it"]),
    ("one that needs no code may be cited", {"a.c": "D4"}, []),
    ("two rows of one number", {DOC + "/decisions.md": "+| D1 | again |"},
     ["decisions.md: D1 has two rows"]),
    ("a mark that means nothing", {DOC + "/decisions.md": "+| D5 *later* | five |"},
     ["decisions.md: D5 is marked *later*, which means nothing"]),
    ("a question that isn't there", {"conformance/a.c": "Q-2"}, line("conformance/a.c", 1, "Q-2 is no question")),
    ("a question in another form", {"a.c": "Q1"}, line("a.c", 1, "'Q1' is written Q-N")),
    ("decisions in other forms", {"a.c": "D-1\ndecision 2"},
     line("a.c", 1, "'D-1' is written DN") + line("a.c", 2, "'decision 2' is written DN")),
    ("a document that isn't there", {"a.c": "see design.md", "b.c": "doc/api.md"},
     line("a.c", 1, "there is no document design.md") + line("b.c", 1, "there is no document api.md")),
    ("other files of such names are none", {"a.c": "r.md = x.md; README.md docs/some.md"}, []),
    ("a section that isn't there", {"a.c": "format.md 2"}, line("a.c", 1, "format.md has no section 2")),
    ("one of which the number stands in the next line", {"a.c": "/* format.md\n * 1.9 */"},
     line("a.c", 1, "format.md has no section 1.9")),
    ("an entry that isn't there", {"a.sh": "# evidence.md 1.3"},
     line("a.sh", 1, "evidence.md has no section 1.3")),
    ("a section in another form", {"a.c": "format.md section 1"},
     line("a.c", 1, "'.md section 1' is written NAME.md N")),
    ("a document's own section that isn't there", {DOC + "/format.md": "+section 9"},
     line(DOC + "/format.md", 8, "it has no section 9")),
    ("a link to a file that isn't there", {"README.md": "[x](doc/format.md)"},
     line("README.md", 1, "a link to doc/format.md leads nowhere")),
    ("a link to a heading that isn't there", {"README.md": "[x](%s/format.md#2-files)" % DOC},
     line("README.md", 1, "a link to #2-files leads nowhere")),
    ("a link to the web isn't followed", {"README.md": "[x](https://example.org/x.md)"}, []),
    ("a source that isn't there", {"README.md": "`core/b.c`", DOC + "/format.md": "+`b.c` `a.c`"},
     line("README.md", 1, "there is no core/b.c") + line(DOC + "/format.md", 8, "there is no b.c")),
    ("a source of others", {"README.md": "`wine/test.h` `x.h`", DOC + "/format.md": "+`wine/x.h`"}, []),
]

for name, changes, want in CASES:
    same(judged(changes), want, name)

tree = Tree(TOP)
check(len(tree.decisions) >= 56 and len(tree.questions) >= 50, "decisions and questions are found",
      "%d, %d" % (len(tree.decisions), len(tree.questions)))
found = tree.judge()
check(not found, "what this tree cites is there, each decision has code", "\n".join(found))
check(len(tree.cited_by) >= 48, "citations of decisions are found", sorted(tree.cited_by))
done()
