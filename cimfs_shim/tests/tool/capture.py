#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool create, append and fork: what of a Linux tree gets into an image."""

import json
import os
import shutil
import socket
import struct

from tooltest import TMP, check, done, expect, files_of, need_tool, run, same, skip, tool, write

EPOCH = 11644473600


def image(name="a.cim"):
    """A fresh directory for images; the path of one in it."""
    directory = os.path.join(TMP, "img")
    shutil.rmtree(directory, ignore_errors=True)
    os.mkdir(directory)
    return os.path.join(directory, name)


def fresh(name="src"):
    path = os.path.join(TMP, name)
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path)
    return path


def stat(path, *items):
    result = tool("stat", "--json", path, *items)
    return [json.loads(line) for line in result.text.splitlines()]


def listing(path):
    """path -> row of everything in an image."""
    result = tool("ls", "-Ra", "--streams", "--json", path)
    rows = [json.loads(line) for line in result.text.splitlines()]
    return {row["path"] + (":" + row["stream"] if "stream" in row else ""): row for row in rows}


def leftovers(path):
    """Whatever lies in an image's directory."""
    return sorted(os.listdir(os.path.dirname(path)))


# ---- names ----

src, img = fresh(), image()
for name in (b"readme", b"README", b"ok"):
    write(os.path.join(os.fsencode(src), name))
write(os.path.join(src, "sub", "Caf\u00e9"))
write(os.path.join(src, "sub", "CAF\u00c9"))
result = expect(1, "names that collide without case are refused", "create", img, src)
check("README" in result.errors and "readme" in result.errors, "the error names both names",
      result)
check("CAF\u00c9" in result.errors and "Caf\u00e9" in result.errors,
      "so are those of each further pair, in any directory", result)
check(len(result.errors.splitlines()) == 3 and "--exclude" in result.errors.splitlines()[2],
      "a line each, and what can be done", result)
same(leftovers(img), [], "nothing is left of it")
os.unlink(os.path.join(src, "readme"))
result = expect(1, "so are names that differ in the case of other letters", "create", img, src)
check("Caf\u00e9" in result.errors and "CAF\u00c9" in result.errors,
      "the error names both of those too", result)
result = expect(0, "--exclude makes room", "create", img, src, "--exclude", "CAF\u00c9")

lines = [tool("stat", img, *paths).text.split("\n") for paths in (("/",), ("/none", "/"), ("/", "/none"))]
check(lines[0] == lines[1] == lines[2], "stat: an item that can't be shown leaves no empty line", lines)
for name, why in ((b"a:b", "Windows"), (b"a\\b", "Windows"), (b"a?", "Windows"),
                  (b"a\x01b", "control"), (b"\xff\xfe", "UTF-8"),
                  (("\u00e9" * 127).encode(), None)):
    src, img = fresh(), image()
    try:
        write(os.path.join(os.fsencode(src), name))
    except OSError as error:
        skip("the name %r" % name[:10], str(error))
        continue
    result = tool("create", img, src)
    if why is None:
        check(result.code in (0,), "a name of 127 letters is fine", result)
    else:
        check(result.code == 1 and why in result.errors,
              "the name %r can't be a Windows name" % name, result)
        same(leftovers(img), [], "nothing is left after %r" % name)

src, img = fresh(), image()
odd = ["con", "trailing.", "trailing ", "\U0001f600", "\u00df", "a" * 255, "~$x", "%", "\u4e2d\u6587"]
for name in odd:
    write(os.path.join(src, name), name.encode())
with open(os.path.join(os.fsencode(src), b"lone\xed\xa0\x80"), "wb") as f:
    f.write(b"unpaired surrogate")
expect(0, "odd but possible names are stored", "create", img, src)
rows = listing(img)
check(all(name in rows for name in odd), "all of them are there", sorted(rows))
same(tool("cat", img, b"/lone\xed\xa0\x80").out, b"unpaired surrogate",
     "an unpaired surrogate in WTF-8 too")
shutil.rmtree(os.path.join(TMP, "out"), ignore_errors=True)
expect(0, "and they come back", "extract", "-q", "-C", "out", img)
same(sorted(os.listdir(os.path.join(os.fsencode(TMP), b"out"))), sorted(os.listdir(os.fsencode(src))),
     "under the same names")

# ---- what is kept ----

src, img = fresh(), image()
write(os.path.join(src, "file"), b"x" * 5000, mtime=1_600_000_000_123_456_789)
write(os.path.join(src, "readonly"), b"r", mode=0o444)
write(os.path.join(src, "dos"), b"d")
write(os.path.join(src, "executable"), b"e", mode=0o755)
os.mkdir(os.path.join(src, "dir"))
os.symlink("file", os.path.join(src, "to-file"))
os.symlink("dir", os.path.join(src, "to-dir"))
os.symlink("dir/../../src", os.path.join(src, "above"))
os.symlink("/dir", os.path.join(src, "absolute"))
os.symlink("nowhere/a//b/", os.path.join(src, "dangling"))
os.link(os.path.join(src, "file"), os.path.join(src, "dir", "hard"))
try:
    os.setxattr(os.path.join(src, "dos"), "user.DOSATTRIB", b"0x22")
    xattrs = True
except OSError:
    xattrs = False
os.utime(os.path.join(src, "dir"), ns=(1, 1_500_000_000_000_000_000))
os.utime(os.path.join(src, "to-file"), ns=(1, -1_000_000_000), follow_symlinks=False)
expect(0, "a tree of everything is stored", "create", "--verify", img, src)
item, = stat(img, "file")
same(item["last_write"], "2020-09-13T12:26:40.1234567Z", "last write is mtime, rounded down")
same([item[k] for k in ("creation", "change", "last_access")], [item["last_write"]] * 3,
     "the other times equal it")
same(item["attribute_bits"], 0x80, "a plain file has no attribute")
readonly, executable, directory = stat(img, "readonly", "executable", "dir")
same(readonly["attribute_bits"], 1, "a mode without w is read-only")
same(executable["attribute_bits"], 0x80, "other mode bits are not stored")
same(directory["last_write"], "2017-07-14T02:40:00.0000000Z", "a directory has its time")
same(stat(img, "dir/hard")[0]["file_id"], item["file_id"], "a hard link is the same file")
if xattrs:
    same(stat(img, "dos")[0]["attribute_bits"], 0x22, "user.DOSATTRIB gives hidden and archive")
else:
    skip("user.DOSATTRIB", "no user attributes here")
for name, target, is_dir in (("to-file", "file", False), ("to-dir", "dir", True),
                             ("above", "dir\\..\\..\\src", False), ("absolute", "\\dir", True),
                             ("dangling", "nowhere\\a\\\\b\\", False)):
    item, = stat(img, name)
    same((item["reparse_tag_name"], item["target"], item["type"]),
         ("SYMLINK", target, "directory" if is_dir else "file"),
         "the symlink %s is one to a %s" % (name, "directory" if is_dir else "file"))
same(stat(img, "to-file")[0]["last_write"], "1969-12-31T23:59:59.0000000Z",
     "a symlink has its own time, even before 1970")

src, img = fresh(), image()
os.symlink("back\\slash", os.path.join(src, "link"))
result = expect(1, "a target with a backslash has no equal on Windows", "create", img, src)
check("back\\slash" in result.errors, "the error tells the target", result)

# ---- Samba's newer forms of DOSATTRIB ----


def dosattrib(version, text=b""):
    head = text + b"\0"
    head += b"\0" * (len(head) % 2) + struct.pack("<H", version)
    head += b"\0" * (-(len(head)) % 2) + struct.pack("<HH", version, 0)
    creation = (EPOCH + 1_000_000_000) * 10_000_000
    if version == 3:
        return head + struct.pack("<III", 0x11, 0x27, 0) + bytes(16) + struct.pack("<QQ", creation, 5)
    if version == 4:
        return head + struct.pack("<IIQQ", 0x51, 0x27, 7, creation)
    return head + struct.pack("<IIQ", 0x11, 0x27, creation)


if xattrs:
    for version in (3, 4, 5):
        src, img = fresh(), image()
        write(os.path.join(src, "f"))
        os.setxattr(os.path.join(src, "f"), "user.DOSATTRIB",
                    dosattrib(version, b"0x27" if version == 3 else b""))
        expect(0, "DOSATTRIB version %d is read" % version, "create", "--all-times", img, src)
        item, = stat(img, "f")
        same((item["attribute_bits"], item["creation"]), (0x27, "2001-09-09T01:46:40.0000000Z"),
             "with its attributes and creation time")
    src, img = fresh(), image()
    write(os.path.join(src, "f"))
    whole = dosattrib(5)
    for junk in (b"", b"0x", b"0xzz", b"\0\0", b"\0\0\x05\0", b"\0" * 60, b"0x20trailing", b"1x20", b"0q20",
                 b"0x20" * 9, b"no end", dosattrib(6), dosattrib(2), whole[:12], whole[:7], whole[:8] + bytes(len(whole) - 8)):
        os.setxattr(os.path.join(src, "f"), "user.DOSATTRIB", junk)
        result = tool("create", img, src)
        check(result.code == 3 and os.path.join(src, "f") + ": extended attribute not stored: "
              "user.DOSATTRIB has an unknown form" in result.errors,
              "the DOSATTRIB %r is reported, with its file" % junk[:12], result)
        img = image()

if xattrs:
    src, img = fresh(), image()
    write(os.path.join(src, "f"))
    cut = dosattrib(5)[:-4]
    for value in cut, dosattrib(5).replace(struct.pack("<I", 0x11), struct.pack("<I", 1), 1):
        os.setxattr(os.path.join(src, "f"), "user.DOSATTRIB", value)
        expect(0, "DOSATTRIB without a creation time", "create", "--all-times", img, src)
        item, = stat(img, "f")
        same((item["attribute_bits"], item["creation"][:4] == "2001"), (0x27, False), "gives the attributes alone")
        img = image()

# ---- extended attributes as streams ----

if xattrs:
    src, img = fresh(), image()
    path = os.path.join(src, "f")
    write(path, b"main")
    wrong = [b"user.a:b", b"user.a/b", b"user.star*", b"user.not\xffutf8"]
    good = ["user.%03d%s" % (n, "n" * 60) for n in range(20)]
    for name in wrong + good:
        os.setxattr(path, name, b"value")
    result = tool("create", "-v", "--streams-interface=xattr", img, src)
    check(result.code == 3 and all("not stored: " + name.decode("utf-8", "replace")[:8] in result.errors for name in wrong),
          "attributes whose names no stream can have are told", result)
    result = tool("ls", "--streams", img)
    same([line.split(":")[-1] for line in result.text.splitlines()[1:]], [name[5:] for name in good],
         "all others are streams, however many there are")

# ---- holes ----

src, img = fresh(), image()
with open(os.path.join(src, "all-hole"), "wb") as f:
    f.truncate(3 << 20)
with open(os.path.join(src, "some-holes"), "wb") as f:
    f.truncate(3 << 20)
    f.seek(1 << 20)
    f.write(b"data")
write(os.path.join(src, "zeros"), bytes(100000))
expect(0, "sparse files are stored", "create", "--consistent", img, src)
whole, some, zeros = stat(img, "all-hole", "some-holes", "zeros")
same((whole["sparse"], whole["size"], whole["attribute_bits"]), (True, 3 << 20, 0x200),
     "a file that is all hole takes the sparse form")
if os.stat(os.path.join(src, "some-holes")).st_blocks * 512 < 1 << 20:
    same((some["sparse"], some["attribute_bits"]), (False, 0x200),
         "one with some holes is stored, and has the attribute")
same((zeros["sparse"], zeros["attribute_bits"]), (False, 0x80), "zeros that are there are data")
expect(0, "sparse files come back", "extract", "-q", "-C", "out-sparse", img)
for name in ("all-hole", "some-holes", "zeros"):
    with open(os.path.join(src, name), "rb") as a, open(os.path.join(TMP, "out-sparse", name), "rb") as b:
        check(a.read() == b.read(), "%s has the same bytes" % name)
same(os.stat(os.path.join(TMP, "out-sparse", "all-hole")).st_blocks, 0, "and the hole is one again")
check(os.stat(os.path.join(TMP, "out-sparse", "some-holes")).st_blocks * 512 < 1 << 20,
      "and so are those between data")

# ---- what can't be kept ----

src, img = fresh(), image()
os.mkfifo(os.path.join(src, "fifo"))
with socket.socket(socket.AF_UNIX) as s:
    os.chdir(src)
    s.bind("socket")
os.chdir(TMP)
write(os.path.join(src, "file"), b"x")
result = expect(3, "special files are left out, which is a warning", "create", img, src)
check("fifo" in result.errors and "1 more" in result.errors, "told in one line", result)
same(sorted(listing(img)), [".", "file"], "the rest is there")
img = image()
result = expect(3, "--verbose tells each", "create", "--verbose", img, src)
check("fifo: not stored: a FIFO" in result.errors and "socket: not stored" in result.errors,
      "by its kind", result)
before = files_of(os.path.dirname(img))
for command in (["create", "--strict", img + ".new", src], ["append", "--strict", img, src],
                ["fork", "--strict", "--add", src + ":", img, "fork.cim"]):
    result = expect(1, "--strict makes it a failure of %s" % command[0], *command)
    check("nothing is written" in result.errors and files_of(os.path.dirname(img)) == before, "which leaves all as it was",
          (result, sorted(files_of(os.path.dirname(img)))))
if xattrs:
    src, img = fresh(), image()
    write(os.path.join(src, "f"), b"f")
    os.setxattr(os.path.join(src, "f"), "user.zone", b"Internet")
    os.setxattr(os.path.join(src, "f"), "user.Author", b"me")
    result = expect(3, "an attribute that isn't stored is reported", "create", img, src)
    check("user." in result.errors, "by its name", result)
    img = image()
    expect(0, "--streams-interface=xattr stores it", "create", "--streams-interface=xattr",
           "--consistent", img, src)
    same(tool("cat", img, "f:ZONE").out, b"Internet", "as an alternate stream")
    same([s["name"] for s in stat(img, "f")[0]["streams"]], ["Author", "zone"], "sorted by name")

# ---- holes ----

src, img = fresh(), image()
with open(os.path.join(src, "partly"), "wb") as f:
    f.write(b"begin")
    f.seek(40 << 20)
    f.write(b"end")
    f.truncate(64 << 20)
blocks = os.stat(os.path.join(src, "partly")).st_blocks * 512
result = expect(0, "a file with holes", "create", img, src)
stored = sum(os.stat(os.path.join(os.path.dirname(img), name)).st_blocks * 512
             for name in os.listdir(os.path.dirname(img)) if "region_" in name)
if blocks < 1 << 20:
    check(stored < 1 << 20, "is stored with holes", "%d bytes on disk of %d" % (stored, blocks))
else:
    skip("this file system has no holes", "is stored with holes")
with open(os.path.join(src, "partly"), "rb") as f:
    check(tool("cat", img, "partly").out == f.read(), "and reads as it was")

# ---- times ----

src, img = fresh(), image()
write(os.path.join(src, "old"), mtime=1_000_000_000_000_000_000)
write(os.path.join(src, "new"), mtime=1_700_000_000_000_000_000)
os.utime(src, ns=(0, 10 ** 18))
expect(0, "SOURCE_DATE_EPOCH is a latest time", "create", img, src,
       env={"SOURCE_DATE_EPOCH": "1500000000"})
same([i["last_write"] for i in stat(img, "old", "new")],
     ["2001-09-09T01:46:40.0000000Z", "2017-07-14T02:40:00.0000000Z"], "for those that are later")
img = image()
expect(2, "a SOURCE_DATE_EPOCH that is no number is a mistake", "create", img, src,
       env={"SOURCE_DATE_EPOCH": "soon"})
expect(0, "--mtime sets all times", "create", img, src, "--mtime", "2020-02-29T12:00:00Z")
same([i["last_write"] for i in stat(img, "old", "/")], ["2020-02-29T12:00:00.0000000Z"] * 2,
     "of everything")
for text, want in (("2000-02-29", "2000-02-29T00:00:00.0000000Z"), ("@-1", "1969-12-31T23:59:59.0000000Z"),
                   ("2020-02-29 12:00:01Z", "2020-02-29T12:00:01.0000000Z"),
                   ("2020-02-29T12:00:00.5Z", "2020-02-29T12:00:00.5000000Z"),
                   ("2020-02-29T12:00:00.12345678912Z", "2020-02-29T12:00:00.1234567Z")):
    img = image()
    expect(0, "--mtime=" + text, "create", img, src, "--mtime=" + text)
    same([i["last_write"] for i in stat(img, "old")], [want], "is that time")
for text in ("", "@", "@x", "@1x", "yesterday", "2020", "2020-02-30", "2021-02-29", "1900-02-29", "2020-13-01",
             "2020-00-01", "2020-01-32", "2020-02-29T", "2020-02-29T24:00:00Z", "2020-02-29T12:60:00Z",
             "2020-02-29T12:00:60Z", "2020-02-29T12-00:00Z", "2020-02-29T12:00-00Z", "2020-02-29_12:00:00Z",
             "2020-02-29T12:00:00",
             "2020-02-29T12:00:00.Z", "2020-02-29T12:00:00+01:00", "1600-01-01", "@-99999999999",
             "@9223372036854775807"):
    result = tool("create", image(), src, "--mtime=" + text)
    check(result.code == 2 and "time" in result.errors, "--mtime=%s is a mistake" % text, result)
img = image()
os.utime(os.path.join(src, "old"), ns=(123_456_700, 10 ** 18))
expect(0, "--all-times takes the others", "create", "--all-times", img, src)
item, = stat(img, "old")
same(item["last_access"], "1970-01-01T00:00:00.1234567Z", "atime is last access")
check(item["change"] > "2020" and item["last_write"] < "2002", "ctime is change", item)

# ---- several sources, excludes ----

a, b, img = fresh("a"), fresh("b"), image()
write(os.path.join(a, "both"), b"from a")
write(os.path.join(a, "dir", "x"), b"a's x")
write(os.path.join(a, "dir", "Y"), b"a's y")
write(os.path.join(a, "thing"), b"a file")
write(os.path.join(a, "other", "below"), b"gone")
write(os.path.join(b, "BOTH"), b"from b")
write(os.path.join(b, "Dir", "y"), b"b's y")
write(os.path.join(b, "thing", "inside"), b"now a directory")
write(os.path.join(b, "other"), b"now a file")
write(os.path.join(TMP, "single"), b"by its name")
expect(0, "several sources are merged", "create", "--consistent", img, a, b,
       os.path.join(TMP, "single"))
same(sorted(k for k in listing(img) if k != "."),
     ["BOTH", "Dir", "Dir/x", "Dir/y", "other", "single", "thing", "thing/inside"],
     "the last one wins, directories are joined")
same(tool("cat", img, "both", "dir/x", "dir/y", "thing/inside", "single").out,
     b"from ba's xb's ynow a directoryby its name", "with the right contents")
dump = tool("dump", img).out
os.mkdir(os.path.join(TMP, "again"))
expect(0, "its dump makes an image", "create", "--consistent", "--from-dump=-",
       os.path.join(TMP, "again", "a.cim"), data=dump)
same(files_of(os.path.join(TMP, "again")), files_of(os.path.dirname(img)),
     "of the same bytes, though merged")

src, img = fresh(), image()
for path in ("keep", "a.o", "sub/b.o", "sub/c", "sub/deep/c", "build/x", "docs/build/y"):
    write(os.path.join(src, path), b"x")
write(os.path.join(TMP, "patterns"), b"# objects\n*.o\n\n/build\n")
expect(0, "--exclude and --exclude-from", "create", img, src, "--exclude=sub/*/c",
       "--exclude-from", os.path.join(TMP, "patterns"))
same(sorted(k for k in listing(img) if k != "."),
     ["docs", "docs/build", "docs/build/y", "keep", "sub", "sub/c", "sub/deep"],
     "leave out what matches")

# ---- the image's own directory ----

result = tool("create", os.path.join(src, "inside.cim"), src)
check(result.code == 1 and "own directory" in result.errors,
      "a source that holds the image's directory is refused", result)
same([n for n in os.listdir(src) if "cim" in n], [], "and nothing is left in it")

# ---- depth ----

src, img = fresh(), image()
deep = src
for i in range(300):
    deep = os.path.join(deep, "d%d" % i)
try:
    os.makedirs(deep)
    with open(os.path.join(deep, "bottom"), "wb") as f:
        f.write(b"deep")
    for i in range(0, 300, 50):
        path = os.path.join(src, *["d%d" % k for k in range(i)])
        write(os.path.join(path, "zz-after"), b"%d" % i)
except OSError as error:
    skip("a deep tree", str(error))
else:
    expect(0, "a tree deeper than directories are kept open", "create", img, src)
    same(tool("ls", "-R", img).text.count("\n"), 307, "is stored whole")
    expect(0, "and comes back", "extract", "-q", "-C", "out-deep", img)
    result = run(["diff", "-r", src, os.path.join(TMP, "out-deep")])
    check(result.code == 0, "as it was", result)

src, img = fresh(), image()
fd = os.open(src, os.O_RDONLY)
for i in range(700):
    os.mkdir("abcdefghi", dir_fd=fd)
    below = os.open("abcdefghi", os.O_RDONLY, dir_fd=fd)
    os.close(fd)
    fd = below
os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
os.close(fd)
expect(0, "a path longer than Linux takes in one piece", "create", img, src)
path = "/".join(["abcdefghi"] * 700 + ["bottom"])
check(tool("stat", img, path).code == 0, "is stored")
expect(0, "and comes back too", "extract", "-q", "-C", "out-long", img)
expect(0, "the same again is the same", "create", "-q", os.path.join(TMP, "img", "b.cim"), "out-long")
expect(0, "by diff", "diff", img, os.path.join(TMP, "img", "b.cim"))
run(["rm", "-rf", src, os.path.join(TMP, "out-long")])

# ---- append and fork ----

src, img = fresh(), image()
for i in range(3000):
    write(os.path.join(src, "d%d" % (i % 7), "f%d" % i), b"%d" % (i % 100))
expect(0, "three thousand files", "create", img, src)
more = fresh("more")
write(os.path.join(more, "d3", "f3"), b"changed")
write(os.path.join(more, "d3", "new"), b"5")
result = expect(0, "append", "append", "--json", img, more)
summary = json.loads(result.text)
check(summary["items"] == 3 and summary["stored_bytes"] < 8,
      "stores what is new, not what is known", result)
same(tool("cat", img, "d3/f3", "d3/f10").out, b"changed10", "beside what was there")
same(tool("ls", "-R", img).text.count("\n"), 3008, "all is there")
expect(0, "fork", "fork", "--delete", "d1", "--delete", "d2/f2", img, "fork.cim")
same(tool("ls", "-R", os.path.join(TMP, "img", "fork.cim")).text.count("\n"), 3008 - 430 - 1,
     "deletes what it was told to, with what is below")
result = tool("diff", img, os.path.join(TMP, "img", "fork.cim"))
check(result.code == 1 and len(result.text.splitlines()) == 431 and
      all(line.startswith("- /d") for line in result.text.splitlines()),
      "diff shows just that", result)
before = files_of(os.path.dirname(img))
expect(1, "a fork that fails", "fork", "--delete", "d1", "--delete", "missing", img, "bad.cim")
check(files_of(os.path.dirname(img)) == before, "leaves everything as it was")
done()
