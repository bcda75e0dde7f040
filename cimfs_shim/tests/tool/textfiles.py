#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool: text files written on Windows, and what patterns mean."""

import codecs
import os
import shutil
import subprocess

from tooltest import TMP, check, done, expect, files_of, need_tool, same, skip, tool, write
from imagebuilder import Dir, File, Image, make_reparse, make_symlink

need_tool()
src = os.path.join(TMP, "src")
for path in ("a", "b.o", "#c", "!d", "e f ", "sub/a", "sub/b.o", "sub/deep/a", "sub/deep/x/a",
             "build/x", "docs/build/y", "logs", "sub/logs/z", "Caf\u00e9"):
    write(os.path.join(src, path), path.encode())
images = os.path.join(TMP, "images")


def fresh():
    shutil.rmtree(images, ignore_errors=True)
    os.mkdir(images)
    return os.path.join(images, "a.cim")


def left(*options, data=None):
    """What a capture with these options leaves out, files only; the failed Result instead."""
    image = fresh()
    result = tool("create", "-q", *options, image, "src", data=data)
    if result.code:
        return result
    out = os.path.join(TMP, "out")
    shutil.rmtree(out, ignore_errors=True)
    tool("extract", "-q", "-C", out, image)
    return sorted(all_files(src) - all_files(out))


def all_files(top):
    return {os.path.relpath(os.path.join(where, name), top)
            for where, _, names in os.walk(top) for name in names}


# ---- what patterns mean: as in a .gitignore at the top ----

CASES = {
    ("a",): ["a", "sub/a", "sub/deep/a", "sub/deep/x/a"],
    ("/a",): ["a"], ("./a",): ["a"], (".//a",): ["a"], ("././a/.",): ["a"],
    ("*.o",): ["b.o", "sub/b.o"], ("sub/*.o",): ["sub/b.o"], ("s*/a",): ["sub/a"],
    ("**/a",): ["a", "sub/a", "sub/deep/a", "sub/deep/x/a"],
    ("sub/**/a",): ["sub/a", "sub/deep/a", "sub/deep/x/a"],
    ("sub/**/x/a",): ["sub/deep/x/a"], ("**/deep/**/a",): ["sub/deep/a", "sub/deep/x/a"],
    ("sub/deep/**",): ["sub/deep/a", "sub/deep/x/a"],
    ("build",): ["build/x", "docs/build/y"], ("/build/",): ["build/x"],
    ("logs/",): ["sub/logs/z"], ("logs",): ["logs", "sub/logs/z"],
    ("docs//build",): ["docs/build/y"],
    ("\\#c",): ["#c"], ("#c",): ["#c"], ("\\!d",): ["!d"],
    ("a", "!sub/a"): ["a", "sub/deep/a", "sub/deep/x/a"],
    ("!a", "a"): ["a", "sub/a", "sub/deep/a", "sub/deep/x/a"],
    ("sub", "!sub/a"): ["sub/a", "sub/b.o", "sub/deep/a", "sub/deep/x/a", "sub/logs/z"],
    ("sub/*", "!sub/a"): ["sub/b.o", "sub/deep/a", "sub/deep/x/a", "sub/logs/z"],
    ("[ab]",): ["a", "sub/a", "sub/deep/a", "sub/deep/x/a"],
}
has_git = shutil.which("git")
if has_git:
    subprocess.run(["git", "init", "-q", src], check=True, stdout=subprocess.DEVNULL)
    shutil.move(os.path.join(src, ".git"), os.path.join(TMP, "git"))
for patterns, want in CASES.items():
    same(left(*["--exclude=" + p for p in patterns]), sorted(want), "--exclude %s" % (patterns,))
    # Our own: what a shell completes ("./a"), and no comments on a command line.
    if not has_git or patterns[0].startswith(".") or patterns == ("#c",):
        continue
    write(os.path.join(TMP, "ignore"), "\n".join(patterns).encode() + b"\n")
    found = subprocess.run(["git", "--git-dir=" + os.path.join(TMP, "git"), "--work-tree=" + src,
                            "ls-files", "-zoi", "--exclude-from=" + os.path.join(TMP, "ignore")],
                           cwd=src, stdout=subprocess.PIPE, check=True).stdout
    if patterns != ("docs//build",):
        same(sorted(name for name in found.decode().split("\0") if name), sorted(want),
             "git says so too: %s" % (patterns,))
if not has_git:
    skip("git says so too", "no git")

for pattern in ("", "/", ".", "./", "!", "a/../b", "..", "a\\", "sub\\/a"):
    result = left("--exclude=" + pattern)
    check(getattr(result, "code", 0) == 2 and "can't match" in result.errors,
          "'%s' could never match and is refused" % pattern, result)
for pattern in ("src/a", "/src/a", "./src/a", "!src/a", "src/**"):
    result = left("--exclude=" + pattern)
    check(getattr(result, "code", 0) == 2 and "top of the SOURCE" in result.errors,
          "'%s' goes through the SOURCE's own name and is refused" % pattern, result)
write(os.path.join(TMP, "src", "src", "a"), b"a")
same(left("--exclude=src/a"), ["src/a"], "unless there is such a path")
shutil.rmtree(os.path.join(TMP, "src", "src"))

image = fresh()
os.symlink("sub", os.path.join(src, "link"))
expect(0, "a link to a directory", "create", "--exclude=link/", "--exclude=sub/deep/", image, "src")
result = tool("ls", "-R", image)
check("link" in result.text and "deep" not in result.text, "is no directory to a pattern", result)
for options, gone in ((["--exclude=LINK/", "--exclude=SUB/**/A", "--exclude=./B.o"], {"sub/a", "b.o"}),
                      (["--exclude=sub/", "--exclude=!sub/a"], {"sub/a", "sub/b.o", "sub/logs/z"})):
    out = os.path.join(TMP, "out")
    shutil.rmtree(out)
    expect(0, "extract %s" % options, "extract", "-C", out, *options, image)
    same(all_files(src) - all_files(out) - {"sub/deep/a", "sub/deep/x/a"}, gone, "leaves these out")
    check(os.path.islink(os.path.join(out, "link")), "but no link")
os.unlink(os.path.join(src, "link"))
tagged = Image(Dir({"cloud": Dir({"x": File(b"x")}, reparse=make_reparse(0x9000301A, b"")),
                    "link": Dir({}, reparse=make_symlink("cloud"))})).write(os.path.join(TMP, "tagged"))
out = os.path.join(TMP, "tagged-out")
tool("extract", "-C", out, "--exclude=cloud/", "--exclude=link/", tagged)
same(os.listdir(out), ["link"], "a reparse point that is no link is a directory")

# ---- encodings and ends of lines ----

WRITTEN = {
    "UTF-8": lambda s: s.encode(),
    "UTF-8 with a mark": lambda s: codecs.BOM_UTF8 + s.encode(),
    "CR LF": lambda s: s.replace("\n", "\r\n").encode(),
    "a mark and CR LF": lambda s: codecs.BOM_UTF8 + s.replace("\n", "\r\n").encode(),
    "UTF-16LE": lambda s: codecs.BOM_UTF16_LE + s.replace("\n", "\r\n").encode("utf-16-le"),
    "UTF-16BE": lambda s: codecs.BOM_UTF16_BE + s.encode("utf-16-be"),
}
lists = {"ends": ("*.o\n# a comment\n\n\\#c\nCaf\u00e9\n", ["#c", "Caf\u00e9", "b.o", "sub/b.o"]),
         "spaces": ("/a  \ne\\ f\\ \n   \n", ["a", "e f "]),
         "no end": ("b.o\n/a", ["a", "b.o", "sub/b.o"])}
for written, encode in WRITTEN.items():
    for name, (text, want) in lists.items():
        path = os.path.join(TMP, "list")
        write(path, encode(text))
        same(left("--exclude-from=" + path), sorted(want), "--exclude-from, %s: %s" % (written, name))
    same(left("--exclude-from=-", data=encode("/a\n")), ["a"], "--exclude-from=-, " + written)
    write(path, encode(""))
    same(left("--exclude-from=" + path), [], "an empty list, " + written)
for data, why in ((b"/\0a\0\n\0", "NUL"), (codecs.BOM_UTF16_LE + b"a\0\n", "multibyte"),
                  (b"ok\n../x\n", ":2: "), (b"src/a\n", "top of the SOURCE")):
    write(path, data)
    result = left("--exclude-from=" + path)
    check(getattr(result, "code", 0) in (1, 2) and why in result.errors,
          "a list of patterns %r is refused" % data, result)

image = fresh()
expect(0, "an image", "create", "--consistent", image, src)
made = files_of(images)
dump = tool("dump", image).text
for written, encode in WRITTEN.items():
    path = os.path.join(TMP, "dump")
    write(path, encode(dump))
    for data, name in ((None, path), (encode(dump), "-")):
        image = fresh()
        expect(0, "--from-dump=%s, %s" % (os.path.basename(name), written), "create", "--consistent",
               "--from-dump=" + name, image, data=data)
        check(files_of(images) == made, "gives the same bytes")
    image = fresh()
    write(path, encode(dump[:-1]))
    result = expect(1, "a dump that is cut short, " + written, "create", "--from-dump=" + path, image)
    check("cut short" in result.errors, "is told as one", result)
for data in (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, b""):
    result = expect(1, "a dump of nothing, %r" % data, "create", "--from-dump=-", image, data=data)
    check("empty" in result.errors or "not a dump" in result.errors or "cut short" in result.errors,
          "is none", result)
done()
