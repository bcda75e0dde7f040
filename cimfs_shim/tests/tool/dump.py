#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool dump, create --from-dump and diff.

The dump of an image that was made from a dump is that dump; an image that create made in consistent
mode comes out byte for byte. The trees are random: CIM_SEED=N repeats one.
"""

import base64
import hashlib
import json
import os
import random
import re
import shutil
import sys

from tooltest import CIMTOOL, TMP, check, done, expect, files_of, need_tool, run, same, tool, write
from imagebuilder import (HIDDEN, READONLY, RECORD_STREAM, Dir, File, Image, Link, Sparse, Stream, make_ea,
                          make_reparse, make_sd, make_symlink)
import handmade

need_tool()
seed = int(os.environ.get("CIM_SEED") or random.randrange(1 << 32))
print("# CIM_SEED=%d" % seed)
rng = random.Random(seed)
count = 0


def place():
    global count
    count += 1
    path = os.path.join(TMP, "d%d" % count)
    os.mkdir(path)
    return path


def dump(image, *options):
    return tool("dump", *options, image)


def again(name, first, image_name, data, *options):
    """Make an image from a dump; its directory."""
    directory = place()
    result = tool("create", "-q", "--from-dump=-", "--data", data, *options,
                  os.path.join(directory, image_name), data=first)
    check(result.code == 0, name + ": an image is made from the dump", result)
    return directory


def fixpoint(name, image, *options):
    """dump -> create -> dump; the second image's directory."""
    data = place()
    first = dump(image, "--data", data)
    if not check(first.code == 0, name + ": dump", first):
        return None
    directory = again(name, first.out, os.path.basename(image), data, *options)
    second = dump(os.path.join(directory, os.path.basename(image)))
    got, want = second.text.splitlines(), first.text.splitlines()
    check(second.out == first.out, name + ": the dump of that is the same",
          "\n".join("- %s\n+ %s" % pair for pair in zip(want, got) if pair[0] != pair[1]) or second)
    result = tool("diff", image, os.path.join(directory, os.path.basename(image)))
    check(result.code == 0, name + ": diff sees no difference", result)
    return directory


# ---- random trees from the host, byte for byte ----


def random_name():
    kinds = ("abcdefghij", "ABCDEFGHIJ", "0123456789 .-_~", "\u00e4\u00f6\u00fc\u00df\u00c4", "\u4e2d\u6587",
             "\U0001f600\U00010400\U00010428", "\uff21\uff41\ue000")
    return "".join(rng.choice(rng.choice(kinds)) for _ in range(rng.randrange(1, 12)))


def random_bytes():
    kind = rng.randrange(8)
    if kind == 0:
        return b""
    if kind < 3:
        return rng.choice((b"the same", b"x" * 4095, b"y" * 4096, b"z" * 100000))
    return rng.randbytes(rng.choice((1, 10, 4095, 4096, 4097, 70000)))


def random_tree(directory, depth, files):
    names = set()
    for _ in range(rng.randrange(2, 12)):
        name = random_name()
        if name in (".", "..") or name.casefold() in names or name.upper().lower() in names:
            continue
        if tool_same_name(name, names):
            continue
        names.add(name.casefold())
        path = os.path.join(directory, name)
        kind = rng.randrange(10)
        if kind < 3 and depth:
            os.mkdir(path)
            random_tree(path, depth - 1, files)
        elif kind == 3:
            os.symlink(rng.choice(("../x", "/a/b", "a b", "dir/")), path)
        elif kind == 4 and files:
            os.link(rng.choice(files), path)
        elif kind == 5:
            with open(path, "wb") as f:
                f.truncate(rng.choice((1, 4096, 1 << 20, 1 << 33)))
        else:
            write(path, random_bytes(), mode=rng.choice((0o644, 0o444)))
            files.append(path)
        if not os.path.islink(path):
            t = rng.randrange(0, 1 << 31) * 10 ** 9 + rng.randrange(10 ** 9)
            os.utime(path, ns=(t, t))
            if rng.randrange(4) == 0:
                try:
                    os.setxattr(path, "user.DOSATTRIB", b"0x%x" % rng.randrange(0x40))
                    os.setxattr(path, "user." + rng.choice("abc"), random_bytes()[:3000])
                except OSError:
                    pass


def tool_same_name(name, names):
    """Case pairs that only one of Python's mappings sees: be careful, not clever."""
    return any(ord(c) > 0xFFFF for c in name) and any(any(ord(d) > 0xFFFF for d in n) for n in names)


for number in range(6):
    source = place()
    random_tree(source, 4, [])
    target = place()
    image = os.path.join(target, "random.cim")
    name = "random tree %d" % number
    result = tool("create", "-q", "--consistent", "--streams-interface=xattr", image, source)
    if not check(result.code == 0, name + ": create", result):
        continue
    directory = fixpoint(name, image, "--consistent")
    if directory:
        same(sorted(files_of(directory)), sorted(files_of(target)), name + ": the same files")
        check(files_of(directory) == files_of(target), name + ": with the same bytes")
    out = place()
    result = tool("extract", "-q", "-C", out, image)
    check(result.code == 0, name + ": extract restores all", result)
    target = place()
    result = tool("create", "-q", "--consistent", "--streams-interface=xattr",
                  os.path.join(target, "random.cim"), out)
    check(result.code == 0, name + ": create from what was extracted", result)
    result = tool("diff", image, os.path.join(target, "random.cim"))
    check(result.code == 0, name + ": is the same image to diff", result)
    check(directory and files_of(directory) == files_of(target), name + ": and byte for byte")
    run_out = [shutil.rmtree(d) for d in (source, out)]

# ---- images of other makers ----


def strip(item):
    """Take away what the writer refuses or can't say: see the checks below."""
    if not isinstance(item, Link):
        if item.sd is None:
            item.sd = make_sd()
        for child in getattr(item, "entries", {}).values():
            strip(child)
    return item


EVERYTHING = {
    "Hello.txt": File(b"Hello", flags=READONLY | 8, times=(1, 2, 3, 4)),
    "zero": File(b"", flags=HIDDEN | 4, times=(0, 0, 0, 0)),
    "extreme times": File(b"t", times=((1 << 63) - 1, 2650467744000000000, 2650467743999999999,
                                       (1 << 64) - 1)),
    "inline": File(b"\0\xff\n" * 1365),
    "exact": File(handmade.pattern(4096)),
    "big": File(handmade.pattern(5 << 20, 7)),
    "copy of big": File(handmade.pattern(5 << 20, 7)),
    "hole": File(Sparse(1 << 44), flags=16),
    "expanded": File(Stream(handmade.pattern(20000, 9), pe=[(512, 3584), (5000, 7000)])),
    "streams": File(b"d", streams={"b": b"bb", "A": Stream(handmade.pattern(9000, 3)), "none": b"",
                                   "hollow": Sparse(77), "sp ace": b"1"}),
    "ea": File(b"e", ea=make_ea((b"ONE", b"1"), (b"TWO", b"", 0x80))),
    "secured": Dir({"in": File(b"1", sd=make_sd())}, sd=make_sd(), streams={"of dir": b"x"}),
    "link": File(b"", reparse=make_symlink("Hello.txt")),
    "tag": File(b"", reparse=make_reparse(0x1234, b"data", bytes(16))),
    "junction": Dir(reparse=make_reparse(0xA0000003, bytes(12))),
    "again": Link("Hello.txt"),
    "sp ace": File(b"s"),
    "\u0085\u007f": File(b"c"),
    "lone\udc00\ud800": File(b"l"),
    "\U00010400": File(b"beyond the BMP"), "\uff5e": File(b"and before the end of it"),
}
for name, more in (("version 2.0", {}), ("version 3.0", {"version": (3, 0)}),
                   ("longer records", {"entry_sizes": {0: 128}}),
                   ("the other stream tables", {"stream_form": 2})):
    image = Image(Dir(dict(EVERYTHING)), **more).write(place())
    fixpoint(name, image)
first = Image(Dir(dict(EVERYTHING))).write(place())
for name, more in (("version 3.0", {"version": (3, 0)}), ("other stream tables", {"stream_form": 2}),
                   ("another GUID", {"guid": "11111111-2222-3333-4444-555555555555"})):
    other = Image(Dir(dict(EVERYTHING)), **more).write(place())
    check(dump(first).out == dump(other).out, "a dump doesn't tell " + name)
    same(tool("diff", first, other).code, 0, "nor does diff")

# An upcase table of its own: entries in another order than ours, even names of one spelling.
upcase = list(range(65536))
image = Image(Dir({"b": File(b"1"), "A": File(b"2"), "c": Dir({"y": File(b"3"), "X": File(b"4")}),
                   "D": File(b"5")}), upcase=upcase).write(place())
paths = [line.split()[1] for line in dump(image).text.splitlines()[1:]]
if paths == ["/", "/A", "/b", "/c", "/c/X", "/c/y", "/D"]:
    check(True, "a directory in another order is dumped in ours")
else:
    check(False, "a directory in another order is dumped in ours", paths)

image = Image(Dir({"no": File(b"x", sd=None)})).write(place())
result = dump(image)
check("security=none" in result.text, "no descriptor is shown as none", result)
path = os.path.join(place(), "x.cim")
made = tool("create", "--from-dump=-", path, data=result.out)
check(made.code == 0 and dump(path).out == result.out, "and is made as none", made)

builder = Image(Dir({"f": File(b"x")}))
builder.poke("record:f", 0, "H", 0x8021)
result = dump(builder.write(place()))
check("flags=0x8021" in result.text, "unknown flags are dumped as stored", result)
path = os.path.join(place(), "x.cim")
made = tool("create", "--from-dump=-", path, data=result.out)
check(made.code == 0 and dump(path).out == result.out, "and made as dumped", made)

# ---- what a dump looks like ----

image = Image(Dir({"a b%c": File(b"hello", flags=3, times=(1, 2, 3, 4), streams={"s t": Sparse(9)}),
                   "link": Link("a b%c"), "large": File(bytes(5000), times=(0, 0, 0, 0))},
                  times=(126256107060000000,) * 4)).write(place())
sd = base64.b64encode(bytes([1, 0, 4, 0x80]) + bytes(16)).decode()
t = "2001-02-02T18:05:06.0000000Z"
want = """cim-dump 1
directory / flags=0x0 created={t} written={t} changed={t} accessed={t} security={sd}
file /a\\x20b%c flags=0x3 created=1601-01-01T00:00:00.0000001Z written=1601-01-01T00:00:00.0000002Z \
changed=1601-01-01T00:00:00.0000003Z accessed=1601-01-01T00:00:00.0000004Z security={sd} size=5 \
data=base64:aGVsbG8=
stream /a\\x20b%c name=s\\x20t size=9 data=sparse
file /large flags=0x0 created={z} written={z} changed={z} accessed={z} security={sd} size=5000 \
data=sha256:{hash}
link /link to=/a\\x20b%c
""".format(t=t, sd=sd, z="1601-01-01T00:00:00.0000000Z", hash=hashlib.sha256(bytes(5000)).hexdigest())
same(dump(image).text, want, "a dump, character by character")

# ---- dumps that are wrong ----

line = "file /f flags=0x0 created={z} written={z} changed={z} accessed={z} security=none size=1 " \
    "data=base64:eA==".format(z="0")
line = line.replace("created=0", "created=" + t).replace("written=0", "written=" + t)
line = line.replace("changed=0", "changed=" + t).replace("accessed=0", "accessed=" + t)
line = line.replace("security=none", "security=" + sd)
root_line = line.replace("file /f", "directory /")[:line.index(" size") - len("file /f") + len("directory /")]
good = "cim-dump 1\n" + line + "\n"
result = tool("create", "--from-dump=-", os.path.join(place(), "x.cim"), data=good.encode())
check(result.code == 0, "the good one of these", result)
result = tool("create", "--from-dump=-", os.path.join(place(), "x.cim"),
              data=(good + root_line + "\nstream / name=s size=0 data=base64:\nstream /f name=s size=0 "
                    "data=base64:\nstream / name=t size=0 data=base64:\n").encode())
check(result.code == 0, "and with a root and streams", result)
BAD = {
    "empty": "", "no header": line + "\n", "another version": good.replace("dump 1", "dump 2"),
    "cut short": good[:-1], "a NUL": good.replace("/f", "/\0"), "an empty line": good + "\n",
    "an unknown kind": good.replace("file ", "pipe "), "no path": "cim-dump 1\nfile\n",
    "a path without '/'": good.replace("/f", "f"), "an empty name": good.replace("/f", "//f"),
    "a slash at the end": good.replace("/f", "/f/"), "'..'": good.replace("/f", "/.."),
    "'.'": good.replace("/f", "/."), "an escaped slash": good.replace("/f", "/a\\x2Fb"),
    "a bad escape": good.replace("/f", "/\\q"), "a lower-case escape": good.replace("/f", "/\\x0a"),
    "a backslash as a name": good.replace("/f", "/a\\\\b"), "a ':'": good.replace("/f", "/a:b"),
    "bad UTF-8": good.replace("/f", "/\\xFF"), "a long name": good.replace("/f", "/" + "n" * 256),
    "a missing parent": good.replace("/f", "/d/f"),
    "a missing field": good.replace(" size=1", ""), "a field twice": good.replace(" size=1", " size=1 size=1"),
    "an unknown field": good.replace(" size", " colour=red size"),
    "a field without '='": good.replace(" size=1", " size"),
    "bad flags": good.replace("0x0", "zero"), "flags in decimal": good.replace("0x0", "0"),
    "a bad time": good.replace("created=2001-02-02", "created=2001-02-31"),
    "a time of another form": good.replace("created=" + t, "created=126256107060000000"),
    "bad base64": good.replace("eA==", "eA="), "base64 of another spelling": good.replace("eA==", "eB=="),
    "a wrong size": good.replace("size=1", "size=2"), "a negative size": good.replace("size=1", "size=-1"),
    "a huge size": good.replace("size=1", "size=281474976710656"),
    "no data form": good.replace("base64:", "hex:"),
    "a bad hash": good.replace("base64:eA==", "sha256:12"),
    "data elsewhere": good.replace("base64:eA==", "sha256:" + "0" * 64),
    "reparse data without a tag": good.replace(" size", " reparse=AAAA size"),
    "a link to nothing": good + "link /g to=/h\n", "a link without to": good + "link /g\n",
    "a stream of nothing": good + "stream /g name=s size=0 data=base64:\n",
    "a stream with a ':'": good + "stream /f name=a:b size=0 data=base64:\n",
    "a stream without a name": good + "stream /f name= size=0 data=base64:\n",
    "a path twice": good + line + "\n", "a path twice in another case": good + line.replace("/f", "/F") + "\n",
    "a link over a file": good + line.replace("/f", "/g") + "\nlink /g to=/f\n",
    "the root twice": good + root_line + "\n" + root_line + "\n",
    "a stream twice": good + "stream /f name=s size=0 data=base64:\nstream /f name=S size=0 data=base64:\n",
    "a stream of the root twice": good + "stream / name=s size=0 data=base64:\n"
    "stream / name=s size=0 data=base64:\n",
    "a file inside a file": good + line.replace("/f", "/f/g") + "\n",
    "a character that isn't base64's": good.replace("eA==", "e-=="), "base64 cut short": good.replace("eA==", "eA"),
    "a hash in capitals": good.replace("base64:eA==", "sha256:" + "0A" * 32),
    "an escape cut short": good.replace("/f", "/f\\x4"),
    "a stream's bad escape": good + "stream /f name=\\q size=0 data=\n",
    "a stream of a long name": good + "stream /f name=%s size=0 data=base64:\n" % ("n" * 256),
    "flags too large": good.replace("0x0", "0x10000"), "flags of other digits": good.replace("0x0", "0xg"),
    "a path too long": good + "link /%s to=/f\n" % "/".join(["n" * 200] * 170),
}
# Each part of a time that can be wrong, in each of the four times.
for number, wrong in enumerate((
        "", "2001", "0000-02-02T18:05:06.0000000Z", "2001/02-02T18:05:06.0000000Z", "2001-x2-02T18:05:06.0000000Z",
        "2001-02/02T18:05:06.0000000Z", "2001-02-xxT18:05:06.0000000Z", "2001-00-02T18:05:06.0000000Z",
        "2001-13-02T18:05:06.0000000Z", "2001-02-00T18:05:06.0000000Z", "2001-02-29T18:05:06.0000000Z",
        "1900-02-29T18:05:06.0000000Z", "2001-04-31T18:05:06.0000000Z", "2001-02-02 18:05:06.0000000Z",
        "2001-02-02Tx8:05:06.0000000Z", "2001-02-02T24:05:06.0000000Z", "2001-02-02T18.05:06.0000000Z",
        "2001-02-02T18:x5:06.0000000Z", "2001-02-02T18:60:06.0000000Z", "2001-02-02T18:05-06.0000000Z",
        "2001-02-02T18:05:x6.0000000Z", "2001-02-02T18:05:60.0000000Z", "2001-02-02T18:05:06,0000000Z",
        "2001-02-02T18:05:06.000000xZ", "2001-02-02T18:05:06.0000000", "2001-02-02T18:05:06.0000000z",
        "1600-12-31T23:59:59.9999999Z", "-", "-1x", "9223372036854775808", "+1", "0")):
    field = ("created", "written", "changed", "accessed")[number % 4]
    BAD["%s=%s" % (field, wrong)] = good.replace("%s=%s" % (field, t), "%s=%s" % (field, wrong))
for name, text in BAD.items():
    directory = place()
    result = tool("create", "--from-dump=-", os.path.join(directory, "x.cim"), data=text.encode())
    check(result.code == 1 and result.errors.startswith("cimtool: create ") and
          len(result.errors.splitlines()) == 1 and not os.listdir(directory),
          "a dump with %s is refused and leaves nothing" % name, str(result) + str(os.listdir(directory)))

# What another maker stored may break rules that our writer keeps; it comes back as it was.
for name, text in {"descriptor": good.replace("security=" + sd, "security=AAAA"),
                   "EA list": good.replace(" size", " ea=AAAA size"),
                   "reparse buffer": good.replace(" size", " reparse=AAAAAAAA size")}.items():
    path = os.path.join(place(), "x.cim")
    made = tool("create", "--from-dump=-", path, data=text.encode())
    again = dump(path)
    check(made.code == 0 and text.splitlines()[-1] in again.text.splitlines(), "an invalid %s is kept as it is" % name,
          str(made) + str(again))
    check(tool("verify", path).code == 4, "and verify tells of the %s" % name)

# ---- data in files ----

image = Image(Dir({"big": File(handmade.pattern(10000))})).write(place())
data = place()
first = dump(image, "--data", data)
name = hashlib.sha256(handmade.pattern(10000)).hexdigest()
same(files_of(data), {name: handmade.pattern(10000)}, "larger data are in a file named by their hash")
before = os.stat(os.path.join(data, name)).st_mtime_ns
dump(image, "--data", data)
same(os.stat(os.path.join(data, name)).st_mtime_ns, before, "what is there is not written again")
result = tool("create", "--from-dump=-", os.path.join(place(), "x.cim"), data=first.out)
check(result.code == 1 and "--data" in result.errors, "without --data the data are missing", result)
with open(os.path.join(data, name), "r+b") as f:
    f.write(b"!")
result = tool("create", "--from-dump=-", "--data", data, os.path.join(place(), "x.cim"), data=first.out)
check(result.code == 1 and "another hash" in result.errors, "data that were changed are noticed", result)
os.truncate(os.path.join(data, name), 9999)
result = tool("create", "--from-dump=-", "--data", data, os.path.join(place(), "x.cim"), data=first.out)
check(result.code == 1 and "another size" in result.errors, "and data that were cut", result)
dump(image, "--data", data)
same(files_of(data), {name: handmade.pattern(10000)}, "a file of another size is replaced")

# ---- diff ----

base = {"same": File(b"same"), "Case": File(b"c"), "kind": File(b"k"), "gone": Dir({"below": File(b"")}),
        "data": File(b"abcd"), "size": File(b"abc"), "flags": File(b"f"), "sd": File(b"s"),
        "ea": File(b"e"), "tag": File(b"", reparse=make_symlink("x")),
        "stream": File(b"s", streams={"gone": b"1", "data": b"2", "same": b"3"}),
        "hole": File(bytes(100)), "one": File(b"1"), "other": Link("one"), "tm": File(b"t")}
changed = {"same": File(b"same"), "CASE": File(b"c"), "kind": Dir({"new": File(b"n")}),
           "data": File(b"abcD"), "size": File(b"abcd"), "flags": File(b"f", flags=3),
           "sd": File(b"s", sd=make_sd()), "ea": File(b"e", ea=make_ea((b"A", b"1"))),
           "tag": File(b"", reparse=make_symlink("y")),
           "stream": File(b"s", streams={"new": b"1", "data": b"x", "same": b"3"}),
           "hole": File(Sparse(100)), "one": File(b"1"), "other": File(b"1"), "tm": File(b"t")}
for entries in (base, changed):
    for item in entries.values():
        if not isinstance(item, Link):
            item.times = (10 ** 17,) * 4
            for child in getattr(item, "entries", {}).values():
                child.times = (10 ** 17,) * 4
changed["tm"].times = (10 ** 17, 10 ** 17 + 10, 10 ** 17, 10 ** 17)
a = Image(Dir(base, times=(1,) * 4)).write(place())
b = Image(Dir(changed, times=(1,) * 4)).write(place())
result = expect(1, "two images that differ in everything", "diff", a, b)
when = "1917-11-21T17:46:40.0000000Z"
same(result.text.splitlines(), [
    "~ /CASE: name Case -> CASE",
    "~ /data: contents",
    "~ /ea: ea none -> 0000000000010100410031",
    "~ /flags: attributes ------- -> -RH----",
    "- /gone/",
    "- /gone/below (0 bytes)",
    "- /kind (1 byte)",
    "+ /kind/",
    "+ /kind/new (1 byte)",
    "~ /other: hard link to /one -> (no link)",
    "~ /sd: security D:NO_ACCESS_CONTROL -> O:BAG:S-1-5-18D:(A;;FA;;;SY)".replace("S-1-5-18", "SY"),
    "~ /size: size 3 -> 4",
    "~ /stream: stream data, stream gone removed, stream new added",
    "~ /tag: reparse x -> y",
    "~ /tm: written %s -> %s" % (when, when.replace("40.0000000", "40.0000010")),
], "is told item by item")
rows = [json.loads(line) for line in tool("diff", "--json", a, b).text.splitlines()]
same([(r["change"], r["path"]) for r in rows][:3],
     [("changed", "/CASE"), ("changed", "/data"), ("changed", "/ea")], "and in JSON")
same(rows[0]["fields"], [{"field": "name", "a": "Case", "b": "CASE"}], "with each field")
same(len(rows), 15, "of all items")
back = tool("diff", b, a)
same(len(back.text.splitlines()), 15, "the other way round as many")
expect(0, "an image and itself", "diff", a, a)

# Links to two images lie in one directory, the images' own files don't: those of one name are two files.
unlike = os.path.join(TMP, "unlike")
for part in "one", "two", "links":
    os.makedirs(os.path.join(unlike, part))
write(os.path.join(unlike, "tree/f"), b"before" * 5000)
expect(0, "an image to copy is made", "create", "--quiet", os.path.join(unlike, "one/i.cim"),
       os.path.join(unlike, "tree"))
changed_files = 0
for name, data in files_of(os.path.join(unlike, "one")).items():
    changed_files += b"before" in data
    write(os.path.join(unlike, "two", name), data.replace(b"before", b"behind", 1))
same(changed_files, 1, "its copy has other data in a region file of the same name")
for part in "one", "two":
    os.symlink("../%s/i.cim" % part, os.path.join(unlike, "links", part))
result = tool("diff", *(os.path.join(unlike, "links", part) for part in ("one", "two")))
same((result.code, result.text), (1, "~ /f: contents\n"), "diff sees that, through links that lie side by side, too")

# ---- memory ----


def peak(*args):
    """The most memory that a run of cimtool had, in KiB."""
    env = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"}
    # A process counts the memory of the one that started it, so that has to be a small one.
    result = run([sys.executable, "-ISc", "import os, resource, subprocess, sys\n"
                  "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n"
                  "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)", CIMTOOL, *args],
                 env=env)
    check(result.code == 0, args[0] + ": of deep files, ends well", result)
    return int(result.out or 0)


DEPTH, NAMES = 150, 2000
step = "d" * 200
deep = Dir({"%04d" % n: File() for n in range(NAMES)})
for _ in range(DEPTH):
    deep = Dir({step: deep})
files = {"%04d" % n: File() for n in range(NAMES)}
links = {"%04d" % n: Link((step + "/") * (DEPTH + 1) + "%04d" % n) for n in range(NAMES)}
images = [Image(Dir({step: deep, "names": Dir(names)})).write(place()) for names in (files, links)]
paths = NAMES * DEPTH * len(step) >> 10
for command in "dump", "diff":
    alone, linked = (peak(command, *[image] * (1 + (command == "diff"))) for image in images)
    check(linked < alone + paths // 2, command + ": hard links cost less than their paths",
          "%d KiB, and %d KiB without links; paths: %d KiB" % (linked, alone, paths))

# ---- deeper than a path may be long ----

DEPTH = 170
deep = Dir({"one": File(b"1"), "two": File(b"2")})
for _ in range(DEPTH):
    deep = Dir({step: deep})
down = "/".join([step] * DEPTH)
apart, linked = (Image(Dir({step: deep.entries[step], "x": x})).write(place())
                 for x in (File(b"1"), Link(down + "/one")))
result = tool("dump", linked)
same([line for line in result.out.decode().splitlines() if line.startswith("link")],
     ["link /x to=/%s/one" % down], "dump: a hard link to a file deeper than a path may be long")
result = tool("diff", apart, linked)
check(result.code == 1 and "~ /x: hard link to" in result.text, "diff: tells of it", result)
# ---- one place that is a PE image's of one file and plain data of another ----

pe = bytes(i * 7 + i // 256 & 255 for i in range(9000))
# (9032: with what is before the data, to the end of what the other one has there; 9000: as large a stream.)
for size in (9032, 9000):
    twofold = []
    for delta in (3584, 7680):
        builder = Image(Dir({"p": File(Stream(pe, pe=[(512, delta)])), "q": File(Stream(b"z" * size)),
                             **{"%03d" % n: File(b"") for n in range(300)}}), name="twofold.cim")
        builder.poke("record:q", RECORD_STREAM, "Q", builder.peek("record:p", RECORD_STREAM, "Q"))
        twofold.append(builder.write(os.path.join(TMP, "twofold %d %d" % (size, delta))))
    text = tool("dump", twofold[0]).text
    for name in ("p", "q"):
        digest = hashlib.sha256(tool("cat", twofold[0], name).out).hexdigest()
        line = re.search("(?m)^file /%s .*" % name, text)
        check(line and line[0].endswith("sha256:" + digest),
              "dump: /%s has its own bytes, of %d plain ones" % (name, size), line)
    result = tool("diff", *twofold)
    same(result.text, "~ /q: contents\n", "so does diff see them")
done()
