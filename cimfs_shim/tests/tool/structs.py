#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool dump --struct and --raw, and the segments in cimtool stat.

The hand-made images know where each of their structures lies and what it holds; what the tool shows
must be that, and all of it. The malformed ones must be shown as far as they can be, with one error
at the end.
"""

import json
import os
import re
import shutil
from datetime import datetime, timedelta

from tooltest import CIMTOOL, TMP, check, done, expect, need_tool, run, same, tool
from imagebuilder import RECORD_STREAM, RECORD_TIMES, Dir, File, Image, to_units, upcased
from imagecases import all_cases
import handmade  # found through imagecases

need_tool()
HEAD = re.compile(r"^(error: )?([A-Za-z][A-Za-z ]*?)"
                  r"(?: of (?:(.*) \(FileID (\d+)\)|FileID (\d+)|(/.*?)))?"
                  r"(?:: at (?:(\d+):0x([0-9a-f]+)|0x([0-9a-f]+) of (\S+)))?"
                  r"(?:, (\d+) bytes?(?: \((\S+)\))?|: (.*))$")


class Shown:
    """A structure as the tool shows it."""

    def __init__(self, line):
        match = HEAD.match(line)
        if not match:
            raise ValueError("not a structure: " + line)
        self.error = bool(match[1])
        self.kind, self.path = match[2], match[3] or match[6]
        self.file_id = int(match[4] or match[5] or 0)
        self.region = int(match[7]) if match[7] else None
        self.offset = int(match[8] or match[9] or "0", 16)
        self.file, self.size = match[10] or match[12], int(match[11] or 0)
        self.cause = match[13]
        self.lines, self.line = [], line


def parse(text):
    shown = []
    for line in text.split("\n")[:-1]:
        if line.startswith("  "):
            shown[-1].lines.append(line)
        else:
            shown.append(Shown(line))
    return shown


def raw_bytes(one):
    """The bytes of a structure, from its hex lines."""
    data = b""
    for line in one.lines:
        offset, hexes = line[2:].split("  ", 1)
        if int(offset, 16) != one.offset + len(data):
            raise ValueError("another offset: " + line)
        data += bytes.fromhex(hexes.rsplit("  |", 1)[0])
    return data


def fields(one):
    """{name: text} of the fields that are no array's."""
    return dict(re.match(r"  \+0x[0-9a-f]+ +(\S+) +(.*)$", line).groups() for line in one.lines
                if re.match(r"  \+0x[0-9a-f]+ +[A-Z]", line))


def elements(one):
    """[{name: text}] of its array."""
    rows = []
    for line in one.lines:
        match = re.match(r"  \+0x[0-9a-f]+ +\[(\d+)\] (.*)$", line)
        if match:
            if int(match[1]) != len(rows):
                raise ValueError("another index: " + line)
            parts = re.split(r" (?=[A-Z][A-Za-z.]*=)", match[2])
            rows.append(dict(part.split("=", 1) for part in parts))
    return rows


def dump(path, *options):
    return tool("dump", *options, path)


def escaped(text):
    """A name as the tool shows it."""
    out = ""
    for c in text:
        if c == "\\":
            out += "\\\\"
        elif ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000:
            out += "".join("\\x%02X" % b for b in c.encode("utf-8", "surrogatepass"))
        else:
            out += c
    return out


# ---- where everything is ----

LABELS = {"image": "image header", "region": "region header", "objectid": "object ID header",
          "fs": "filesystem object", "directory": "file table directory", "upcase": "upcase table",
          "record": "file record", "links": "link table", "streams": "stream table",
          "pe": "PE image", "sd": "security descriptor", "ea": "extended attributes",
          "reparse": "reparse data"}


def file_of(image, one):
    return one.file or image.region_files[one.region]


def check_raw(name, image, path):
    """Each structure once, where the builder put it, with the bytes of the file."""
    result = dump(path, "--raw")
    problems = []
    shown = parse(result.text)
    places = {}
    for one in shown:
        content = image.files.get(file_of(image, one), b"")
        if one.error or raw_bytes(one) != content[one.offset:one.offset + one.size]:
            problems.append("not what the file has: " + one.line)
        where = (file_of(image, one), one.offset, one.kind)
        if where in places:
            problems.append("shown twice: " + one.line)
        places[where] = one
    for label, (file, offset) in image.places.items():
        kind, _, rest = label.partition(":")
        if kind not in LABELS or file not in image.files:
            continue
        if (file, offset, LABELS[kind]) not in places:
            problems.append("not shown: %s at 0x%x of %s" % (label, offset, file))
    check(result.code == 0 and not problems, "%s: --raw shows all %d places" % (name, len(places)),
          "\n".join(problems) or result)
    return shown


def check_covered(name, image, shown):
    """Each byte of the metadata region belongs to a structure or is padding."""
    region = image.region_of(0)
    content = image.files[image.region_files[region]]
    owned = bytearray(len(content))
    for one in shown:
        if one.region == region:
            owned[one.offset:one.offset + one.size] = bytes([1]) * one.size
    lost = [i for i in range(len(content)) if not owned[i] and content[i]]
    gaps = re.findall(rb"\0{8,}", bytes(owned))
    check(not lost and not gaps, name + ": every byte of the metadata region is shown",
          "bytes %s, gaps %s" % (lost[:10], [len(gap) for gap in gaps]))


# ---- what it holds ----


def place(value):
    return "%d:0x%x" % (value >> 48, value & (1 << 48) - 1) if value else "none"


def stream_text(image, label, field):
    desc = image.peek(label, field + 8, "Q")
    kind = ("data", "link table", "PE image")[desc >> 48 & 255]
    return "%d bytes, %s%s" % (desc & (1 << 48) - 1, kind, ", sparse" if desc >> 56 & 1 else "")


def time_text(t):
    moment = datetime(1601, 1, 1) + timedelta(microseconds=t // 10)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%07dZ" % (t % 10000000)


def check_record(image, item, path, one):
    """What is wrong with a record's fields."""
    label = "record:" + path
    size = image.entry_sizes.get((item.id - 1) // 1024, 96)
    want = {"Flags": "0x%x" % item.flags, "EaLength": str(len(item.ea or b"")),
            "ReparseTag": "0x%x" % item.known_tag}
    for i, key in enumerate(("CreationTime", "LastWriteTime", "ChangeTime", "LastAccessTime")):
        want[key] = time_text(image.peek(label, RECORD_TIMES + 8 * i, "Q"))
    if size >= 96:
        want["Stream.Offset"] = place(image.peek(label, RECORD_STREAM, "Q"))
        want["Stream.Descriptor"] = stream_text(image, label, RECORD_STREAM)
        for key, at in (("SecurityDescriptor", 56), ("Ea", 64), ("ReparseData", 72),
                        ("AlternateStreams", 80)):
            want[key] = place(image.peek(label, at, "Q"))
        want["ParentFileId"] = str(image.peek(label, 88, "I"))
    got = fields(one)
    return ["%r: %s is %s, not %s" % (path, key, got.get(key), text)
            for key, text in want.items() if got.get(key) != text]


def check_links(image, item, path, one):
    rows = elements(one)
    order = item.order or upcased
    names = sorted(item.entries, key=lambda n: order(to_units(n)))
    got = [(row["FileId"], row["Name"]) for row in rows]
    full = [(str(image.id_of(item.entries[n], path + "/" + n if path else n)),
             '"%s"' % escaped(n)) for n in names]
    return [] if got == full else ["%r: links %s, not %s" % (path, got[:4], full[:4])]


def check_struct(name, image, path):
    result = dump(path, "--struct")
    problems = []
    by_path = {}
    shown = parse(result.text)
    for one in shown:
        by_path.setdefault((one.kind, one.path), one)
    for item_path, item in image.items.items():
        full = "/" + escaped(item_path)
        one = by_path.get(("file record", full))
        if not one or one.file_id != item.id:
            problems.append("no record of %r" % full)
            continue
        problems += check_record(image, item, item_path, one)
        if isinstance(item, Dir) and item.entries:
            problems += check_links(image, item, item_path, by_path["link table", full])
        if item.streams:
            rows = elements(by_path["stream table", full])
            got = sorted(row["Name"] for row in rows)
            if got != sorted('"%s"' % escaped(n) for n in item.streams):
                problems.append("%r: streams %s" % (item_path, got))
    head = fields(shown[0])
    version = "%s.%s" % (head["VersionMajor"], head["VersionMinor"])
    if version != "%d.%d" % image.version or head["RegionSet.Guid"] != str(image.own.guid):
        problems.append("the header says %s" % head)
    sets = [(row["Guid"], row["Count"]) for row in elements(shown[0])]
    if sets != [(str(s.guid), str(len(s.types))) for s in image.sets[:-1]]:
        problems.append("parents: %s" % sets)
    check(result.code == 0 and not problems, "%s: --struct shows %d items as they are" % (
        name, len(image.items)), "\n".join(problems) or result)
    same(dump(path, "--struct").out, result.out, name + ": and the same again")
    return shown


whole = ("basic", "version-3.0", "stream-form-2", "pe-images", "names", "wide", "deep",
         "shared-table", "entry-sizes")
structs = {}
for name, build, _ in handmade.GOOD:
    built = build()
    directory = os.path.join(TMP, name)
    image_path = built.write(directory)
    raw = check_raw(name, built, image_path)
    if name in whole:
        check_covered(name, built, raw)
    structs[name] = check_struct(name, built, image_path)
    same([one.line for one in structs[name]], [one.line for one in raw],
         name + ": --raw and --struct show the same structures")
    shutil.rmtree(directory)


def one_of(name, kind, path):
    found = [one for one in structs[name] if (one.kind, one.path) == (kind, path)]
    if not check(len(found) == 1, "%s: one %s of %s" % (name, kind, path), found):
        return Shown("nothing, 0 bytes")
    return found[0]


# ---- some fields, character by character ----

same(one_of("basic", "security descriptor", "/secured").lines[1].split(None, 2)[2],
     "O:BAG:SYD:(A;;FA;;;SY)", "a security descriptor is shown as SDDL")
same([line.split(None, 2)[2] for line in one_of("basic", "extended attributes", "/withea").lines],
     ["USER.ONE = 76616c75652031", "TWO (needed) = "], "extended attributes, one a line")
same(one_of("basic", "reparse data", "/link").lines[1].split(None, 2)[2],
     "tag 0xa000000c (SYMLINK), target Hello.txt", "a symlink's target")
same(elements(one_of("pe-images", "PE image", "/up.exe")),
     [{"FileOffset": "0x400", "Delta": "0xc00"}, {"FileOffset": "0x1388", "Delta": "0x1c78"}],
     "a PE image's mappings")
check(one_of("pe-images", "PE image", "/host:program"), "and of a stream's")
same(list(fields(one_of("stream-form-2", "stream table", "/many")))[:3],
     ["Room", "Length", "LinkCount"], "the second form of a stream table has one field more")
same(list(fields(one_of("basic", "stream table", "/many")))[:2], ["Length", "LinkCount"],
     "the first form doesn't")
same(fields(one_of("entry-sizes", "file record", "/long")).get("Rest"),
     bytes(range(32)).hex(), "what a longer record has more")
check("Stream.Offset" not in fields(one_of("entry-sizes", "file record", "/short")),
      "what a shorter one lacks isn't made up")
check([one for one in structs["entry-sizes"] if one.file_id == 1026 and not one.path],
      "a record that nothing leads to has a FileID and no path")
same([one.lines for one in structs["unknown-fields"]
      if one.kind == "bytes behind the image header"], [["  +0x0     Bytes               "
                                                        "6d6f726520746f20636f6d65"]],
     "bytes behind the header")

upcase = {}
for line in structs["basic"][-1].lines:
    match = re.match(r"  ([0-9a-f]{4})(?:-([0-9a-f]{4}))?(/2)? ([+-]\d+)$", line)
    first = int(match[1], 16)
    for unit in range(first, int(match[2] or match[1], 16) + 1, 2 if match[3] else 1):
        upcase[unit] = unit + int(match[4])
same([unit for unit in range(65536) if upcase.get(unit, unit) != handmade.UPCASE[unit]], [],
     "the upcase table can be read back from its ranges")

# Two images that differ in one thing differ in the lines of that thing.
one = Image(Dir({"a": File(b"1"), "b": File(b"2")})).write(os.path.join(TMP, "one"))
two = Image(Dir({"a": File(b"1", flags=1), "b": File(b"2")})).write(os.path.join(TMP, "two"))
lines = [dump(p, "--struct").text.replace("objectid", "").splitlines() for p in (one, two)]
different = [pair for pair in zip(*lines) if pair[0] != pair[1] and "Digest" not in pair[0]]
same(different, [("  +0x0     Flags               0x0", "  +0x0     Flags               0x1")],
     "a changed flag is a changed line")

# ---- broken images ----

EXIT = {"open": 4, "version": 5}
for kind, case in all_cases():
    if kind != "bad":
        continue
    directory = os.path.join(TMP, case.name)
    built = case.build()
    image_path = built.write(directory)
    what = case.expect[0][0]
    problems = []
    for option in ("--struct", "--raw"):
        result = dump(image_path, option)
        try:
            shown = parse(result.text)
        except ValueError as bad:
            shown = []
            problems.append("%s: %s" % (option, bad))
        errors = [one for one in shown if one.error]
        told = result.errors.splitlines()
        want = EXIT.get(what, 0 if what in ("warning", "note") else result.code)
        if result.code != want or result.code not in (0, 4, 5):
            problems.append("%s: exit code %s, not %s" % (option, result.code, want))
        if bool(errors) != (result.code != 0) or len(told) != bool(errors):
            problems.append("%s: exit code %s with %d errors in the text, %d lines on stderr" % (
                option, result.code, len(errors), len(told)))
        if errors and not (told and errors[0].cause.rstrip() in told[0]):
            problems.append("%s: %s, but %s" % (option, errors[0].cause, told))
        if not shown or shown[0].kind != "image header":
            problems.append(option + ": the image header isn't shown")
        if option == "--raw":
            for one in shown:
                file = one.file or (one.region is not None and not one.error and
                                    built.region_files[one.region])
                if one.size and raw_bytes(one) != bytes(
                        built.files[file][one.offset:one.offset + one.size]):
                    problems.append("not what the file has: " + one.line)
    check(not problems, case.name + ": shown as far as it can be", "\n".join(problems))
    shutil.rmtree(directory)

# What is behind the broken thing is shown all the same.
for label, offset, fmt, value, kept in (
        ("fs", 20, "I", 0, 18), ("links:sub", 4, "I", 0xFFFFFFFF, 18),
        ("record:sub", 40, "Q", 1 << 47, 18), ("links:", 8, "I", 0, 18)):
    built = handmade.basic()
    built.poke(label, offset, fmt, value)
    result = dump(built.write(os.path.join(TMP, "kept")), "--struct")
    records = {s.file_id for s in parse(result.text) if s.kind == "file record" and not s.error}
    check(result.code == 4 and len(records) == kept,
          "%s broken at %d: all %d records are shown" % (label, offset, kept),
          "%d of them\n%s" % (len(records), result.errors))
    shutil.rmtree(os.path.join(TMP, "kept"))

built = handmade.basic()
built.remove("region:1")
result = dump(built.write(os.path.join(TMP, "gone")), "--struct")
check(result.code == 4 and "(and " in result.errors and "region file" in result.errors,
      "a missing region file: the first error, and how many more", result)

hostile = Image(Dir({"\x1b[2Jname\n": File(b"", streams={"\x1b]0;s": b"x"})}))
result = dump(hostile.write(os.path.join(TMP, "terminal")), "--struct")
check(b"\x1b" not in result.out and "\\x1B[2Jname\\x0A" in result.text,
      "names can't play tricks with a terminal", result)

# ---- how it is called ----

path = handmade.basic().write(os.path.join(TMP, "call"))
for options, code in ((("--struct", "--raw"), 2), (("--struct", "--data", "d"), 2),
                      (("--raw", "--json"), 2), (("--raw=1",), 2)):
    result = tool("dump", *options, path)
    check(result.code == code and not result.out and len(result.errors.splitlines()) == 1,
          "dump %s is refused" % " ".join(options), result)
for option in ("--struct", "--raw"):
    result = tool("dump", option, os.path.join(TMP, "none.cim"))
    check(result.code == 1 and not result.out and len(result.errors.splitlines()) == 1,
          option + " of an image that isn't there", result)
    result = tool("dump", option, TMP)
    check(result.code == 1 and "a directory; an image is named by its file" in result.errors,
          option + " of a directory", result)
    result = run(["sh", "-c", '"$0" dump "$1" "$2" >/dev/full', CIMTOOL, option, path])
    check(result.code == 1 and "standard output" in result.errors, option + " to a full disk",
          result)
os.symlink("call/image.cim", os.path.join(TMP, "symlink.cim"))
result = tool("dump", "--struct", os.path.join(TMP, "symlink.cim"))
same(result.out, dump(path, "--struct").out, "an image by a symlink")

# ---- stat: the segments of PE images ----
# (check_images.py compares them with the description; here, with the bytes.)

built = handmade.pe_images()
path = built.write(os.path.join(TMP, "pe"))
for item_path, item in built.items.items():
    if isinstance(item, Dir):
        continue
    result = expect(0, "stat --json " + item_path, "stat", "--json", path, item_path)
    shown = json.loads(result.text)
    for label, stream, row in [(item_path, item.data, shown)] + [
            (item_path + ":" + n, item.streams[n], r)
            for n in item.streams for r in shown["streams"] if r["name"] == n]:
        if stream.pe is None:
            check("segments" not in row, label + " has no segments", row)
            continue
        segments = row["segments"]
        check(row["pe_image"] is True, label + " is a PE image", row)
        data = b"".join(bytes(built.files[built.region_files[s["region"]]]
                              [s["region_offset"]:s["region_offset"] + s["size"]])
                        for s in segments)
        check(data == stream.data, label + ": the file's bytes are where the segments say")
result = tool("stat", path, "up.exe", "host")
for line in ("Segment:     0x400, 3976 bytes: at 0x1000 when expanded, in region 1 at 0x2000",
             "Stream:      program (6000 bytes, stored as a PE image)",
             "Segment:     0x200, 5488 bytes: at 0x1000 when expanded, in region 1 at 0x11000"):
    check(line in result.text.splitlines(), "stat shows: " + line[:40], result)
built.poke("pe:up.exe", 28, "I", 1 << 30)
result = tool("stat", "--json", built.write(os.path.join(TMP, "pe")), "up.exe")
check(result.code == 4 and json.loads(result.text)["path"] == "up.exe" and "mapping" in result.errors,
      "stat of a PE image with a broken mapping", result)
result = tool("stat", os.path.join(TMP, "pe", "image.cim"), "none", "down.exe")
check(result.code == 1 and result.text.count("Segment:") == 3,
      "stat goes on after a path that isn't there", result)

done()
