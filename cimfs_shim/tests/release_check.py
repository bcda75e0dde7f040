#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
"""scripts/release-check: a tree that can be released, and one spoilt in each way."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, "scripts/lib")
sys.dont_write_bytecode = True
from tap import check, done, same, skip  # noqa: E402

TOP = pathlib.Path(os.environ.get("TOP", os.getcwd()))
TREE = pathlib.Path(os.environ["TEST_TMP"]) / "tree"
HEADER, MAKEFILE, MAP = "include/libcim.h", "Makefile", "cimfs_shim/core/libcim.map"
NEWS, ABI = "cimfs_shim/doc/NEWS.md", "cimfs_shim/tests/abi.txt"
CONTROL, CHANGELOG = "scripts/debian/control", "scripts/debian/changelog"
RECORD = "build/checked"
VERSION = re.search(r'#define CIM_VERSION\s+"(.*)"', (TOP / HEADER).read_text(encoding="utf-8")).group(1)
PASSED = "3 passed, 0 failed, 1 skipped"


def git(*args):
    return subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *args], cwd=TREE, check=True,
                          capture_output=True, text=True).stdout.strip()


def edit(path, pattern, text):
    """Replace what is there once; it must be there."""
    old = (TREE / path).read_text(encoding="utf-8")
    new, count = re.subn(pattern, text, old, count=1, flags=re.M)
    assert count == 1 and new != old, (path, pattern)
    (TREE / path).write_text(new, encoding="utf-8")


def commit(result=PASSED):
    git("add", "-A")
    git("commit", "-qm", "x", "--allow-empty")
    record(result)


def record(result=PASSED):
    """What make check leaves behind it."""
    (TREE / RECORD).write_text("%s %s\n" % (git("rev-parse", "HEAD"), result), encoding="ascii")


def judged(name, want, **more):
    done_ = subprocess.run(["scripts/release-check"], cwd=TREE, capture_output=True, text=True, check=False, **more)
    same((done_.stdout + done_.stderr).splitlines(), want, name)
    check(done_.returncode == (0 if "can be released" in want[0] else 1), name + ": the exit status",
          done_.returncode)


def make_tree():
    """The files that are looked at, with a date, and documents that are judged by a word in NEWS.md."""
    for path in (HEADER, MAKEFILE, MAP, NEWS, ABI, CONTROL, CHANGELOG, "scripts/release-check"):
        (TREE / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / path, TREE / path)
    for path in (NEWS, CHANGELOG):
        old = (TREE / path).read_text(encoding="utf-8")
        new = re.sub(r"^(## \S+ )\(.*\)", r"\1(2026-12-01)", old, count=1, flags=re.M)
        (TREE / path).write_text(new.replace("UNRELEASED", "unstable", 1), encoding="utf-8")
    citations = TREE / "cimfs_shim/tests/citations.py"
    citations.write_text("#!/bin/sh\n! grep -q a-spoilt-page $TOP/%s || { echo 'not ok 1 - x'; "
                         "grep a-spoilt-page $TOP/%s | sed 's/^/#   there is no document /'; exit 1; }\n" % (NEWS, NEWS), encoding="ascii")
    citations.chmod(0o755)
    (TREE / ".gitignore").write_text("/build/\n", encoding="ascii")
    (TREE / "build").mkdir()
    git("init", "-q")
    # Two releases ago, and this one's forerunner; what was recorded in them is what is recorded now.
    commit()
    git("tag", "v0.0.1")
    commit()
    git("tag", "v0.0.2")
    commit()
    git("tag", "good")


def released():
    return ["%s can be released: %s, %s" % (VERSION, git("rev-parse", "HEAD")[:12], PASSED)]


def spoilt(name, want, *edits):
    """A commit with these edits, tested."""
    for each in edits:
        edit(*each)
    commit()
    judged(name, want or released())
    git("reset", "-q", "--hard", "good")


try:
    make_tree()
except FileNotFoundError:
    skip("release-check", "no git")
    done()
judged("nothing keeps it", released())

# ---- the commit and its tests ----
edit(MAKEFILE, r"\A", "#\n")
judged("a change that isn't committed", ["not committed: Makefile (1 in all)"])
git("reset", "-q", "--hard")
for file in "abcd":
    (TREE / file).touch()
judged("files that git doesn't know", ["not committed: a b c (4 in all)"])
git("clean", "-qfd")
git("commit", "-qm", "x", "--allow-empty")
NOT_RUN = ["make check has not run to its end on this commit"]
judged("another commit than was tested", NOT_RUN)
(TREE / RECORD).unlink()
judged("no tests were run", NOT_RUN)
for failed in ("3 passed, 1 failed", "3 passed, 10 failed, 1 skipped"):
    commit(failed)
    judged(failed, ["make check failed: " + failed])

# ---- documents and versions ----
DOCUMENT = "documents: there is no document %s (cimfs_shim/tests/citations.py)"
spoilt("a document that isn't there", [DOCUMENT % "a-spoilt-page"], (NEWS, r"\Z", "a-spoilt-page\n"))
spoilt("two of them", [DOCUMENT % "a-spoilt-page", DOCUMENT % "a-spoilt-page-2"],
       (NEWS, r"\Z", "a-spoilt-page\na-spoilt-page-2\n"))
(TREE / "inst").mkdir()
(TREE / "inst/NEWS.md").write_text("a-spoilt-page\n", encoding="ascii")
edit(NEWS, r"\Z", "a-spoilt-page\n")
record()
judged("a document that isn't of what is released", ["not committed: %s inst/ (2 in all)" % NEWS])
git("reset", "-q", "--hard", "good")
git("clean", "-qfd")
spoilt("NEWS.md without a date", ["%s: %s has no date (unreleased)" % (NEWS, VERSION)],
       (NEWS, r"\(2026-12-01\)", "(unreleased)"))
spoilt("NEWS.md with half a heading", ["%s: %s has no date (nothing)" % (NEWS, VERSION)],
       (NEWS, r" \(2026-12-01\)", ""))
spoilt("NEWS.md of another version", ["%s begins with 9.9.9, libcim.h has %s" % (NEWS, VERSION)],
       (NEWS, r"^## \S+", "## 9.9.9"))
spoilt("a changelog of another version", ["%s begins with 9.9.9, libcim.h has %s" % (CHANGELOG, VERSION)],
       (CHANGELOG, r"\(.*-1\)", "(9.9.9-1)"))
spoilt("a later package of the same version", [], (CHANGELOG, r"-1\)", "-2)"))
spoilt("a changelog that says UNRELEASED", [CHANGELOG + " says UNRELEASED"],
       (CHANGELOG, r"unstable", "UNRELEASED"))
spoilt("a number that is another version's", ["libcim.h: CIM_VERSION is %s, CIM_VERSION_NUMBER 0x090909" % VERSION],
       (HEADER, r"^(#define CIM_VERSION_NUMBER) .*", r"\1 0x090909"))
git("tag", "v" + VERSION, "v0.0.2")
spoilt("a version that was released", ["v%s is the tag of another commit: a release has a version of its own" % VERSION],
       (MAKEFILE, r"\A", "#\n"))
git("tag", "-d", "v" + VERSION)
git("tag", "v" + VERSION)
record()
judged("the release itself, tagged", released())
git("tag", "-d", "v" + VERSION)

# ---- the soname ----
SO = re.search(r"^soname (libcim\.so\.(\d+))$", (TOP / ABI).read_text(encoding="ascii"), re.M)
NEXT = "libcim.so.9"
OTHER_MAP = "the soname is %s, but libcim.map doesn't begin with LIBCIM_%s"
OTHER_PACKAGE = "the soname is %s, but there is no package libcim%s in " + CONTROL
spoilt("a soname in the Makefile alone",
       ["the soname is %s, %s has %s" % (NEXT, ABI, SO[1]), OTHER_MAP % (NEXT, 9), OTHER_PACKAGE % (NEXT, 9)],
       (MAKEFILE, r"^SOVERSION := .*", "SOVERSION := 9"))
spoilt("a package of another soname", [OTHER_PACKAGE % SO.groups()], (CONTROL, r"^Package: libcim\d", "Package: libcim9"))
spoilt("a node of another soname", [OTHER_MAP % SO.groups()], (MAP, r"^LIBCIM_\d", "LIBCIM_9"))
GONE = "a new soname is needed: since v0.0.2 there is no more '%s' in " + ABI
for kind in ("function cim_version@@", "type const char \\*cim_version", "struct cim_error, status", "enumerator CIM_OK "):
    line = re.search("^%s.*$" % kind, (TOP / ABI).read_text(encoding="ascii"), re.M)[0]
    spoilt("it's gone: " + line, [GONE % line], (ABI, "^%s\n" % re.escape(line), ""))
spoilt("a field that has another place", [GONE % "struct cim_error, status 0"],
       (ABI, "^struct cim_error, status 0", "struct cim_error, status 8"))
spoilt("a structure that has grown", [], (ABI, r"^(struct cim_error, bytes) \d+", r"\1 9999"))
NODE = "LIBCIM_" + SO[2]
spoilt("a new function in an old node",
       ["libcim.map: a function new since v0.0.2 needs a new version: cim_new@@" + NODE],
       (ABI, r"\Z", "function cim_new@@%s\n" % NODE))
spoilt("a new function in a node of its own", [], (ABI, r"\Z", "function cim_new@@LIBCIM_0.3.0\n"))
spoilt("all that with a new soname", [],
       (MAKEFILE, r"^SOVERSION := .*", "SOVERSION := 9"), (ABI, "^soname .*", "soname " + NEXT),
       (CONTROL, r"^Package: libcim\d", "Package: libcim9"), (MAP, r"^LIBCIM_\d", "LIBCIM_9"),
       (ABI, "^enumerator CIM_OK .*\n", ""))

NO_CHECKOUT = ["this is no checkout of git"]
judged("no checkout of git", NO_CHECKOUT, env=dict(os.environ, GIT_DIR="/nowhere"))
git("rm", "-q", "--cached", "scripts/release-check")
judged("a checkout of something else around it", NO_CHECKOUT)
done()
