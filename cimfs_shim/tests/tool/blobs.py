#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Security descriptors, EAs and reparse data as cimtool shows them, and malformed ones.

What is random is repeated by CIM_SEED=N.
"""

import json
import os
import random
import struct

from tooltest import TMP, check, done, expect, need_tool, same, tool
from imagebuilder import (RECORD_REPARSE, Dir, File, Image, make_ea, make_reparse, make_sd, make_sid,
                          make_symlink)

need_tool()
seed = int(os.environ.get("CIM_SEED") or random.randrange(1 << 32))
print("# CIM_SEED=%d" % seed)
rng = random.Random(seed)


def acl(*aces):
    body = b"".join(aces)
    return struct.pack("<BBHHH", 4, 0, 8 + len(body), len(aces), 0) + body


def ace(kind, flags, body):
    return struct.pack("<BBH", kind, flags, 4 + len(body)) + body


def descriptor(control, owner=b"", group=b"", sacl=b"", dacl=b""):
    at, offsets = 20, []
    for part in (owner, group, sacl, dacl):
        offsets.append(at if part else 0)
        at += len(part)
    return struct.pack("<BBHIIII", 1, 0, 0x8000 | control, *offsets) + owner + group + sacl + dacl


GUID = bytes(range(16))
GUID_TEXT = "03020100-0504-0706-0809-0a0b0c0d0e0f"
SD = {
    "nothing": (descriptor(0), ""),
    "null dacl": (descriptor(4), "D:NO_ACCESS_CONTROL"),
    "owner only": (descriptor(0, make_sid(21, 1, 2, 3, 500)), "O:S-1-5-21-1-2-3-500"),
    "empty dacl": (descriptor(0x1004, dacl=acl()), "D:P"),
    "usual": (descriptor(0x8404, make_sid(18), make_sid(32, 545), dacl=acl(
        ace(0, 0x13, struct.pack("<I", 0x1F01FF) + make_sid(32, 544)),
        ace(1, 0x0B, struct.pack("<I", 0x120089) + make_sid(0, authority=1)),
        ace(0, 0, struct.pack("<I", 0x1200A9) + make_sid(11)))),
        "O:SYG:BUD:AI(A;CIOIID;FA;;;BA)(D;CIOIIO;FR;;;WD)(A;;0x1200a9;;;AU)"),
    "object": (descriptor(4, dacl=acl(ace(5, 0, struct.pack("<II", 0x30, 3) + GUID + GUID + make_sid(18)),
                                      ace(5, 0, struct.pack("<II", 0x30, 2) + GUID + make_sid(18)))),
               "D:(OA;;0x30;%s;%s;SY)(OA;;0x30;;%s;SY)" % (GUID_TEXT, GUID_TEXT, GUID_TEXT)),
    "label": (descriptor(0x10, sacl=acl(ace(0x11, 0, struct.pack("<I", 5) +
                                            make_sid(8192, authority=16)),
                                        ace(2, 0xC0, struct.pack("<I", 0x10000000) + make_sid(0, authority=1)))),
              "S:(ML;;NWNX;;;ME)(AU;SAFA;GA;;;WD)"),
    "unknown ace": (descriptor(4, dacl=acl(ace(0x42, 1, b"\x01\x02"))), "D:(0x42;OI;;;;0102)"),
    "large authority": (descriptor(0, bytes([1, 0, 1, 2, 3, 4, 5, 6])), "O:S-1-0x10203040506"),
}
files = {name: File(b"", sd=sd) for name, (sd, _) in SD.items()}
image = Image(Dir(files)).write(os.path.join(TMP, "sddl"))
rows = [json.loads(line) for line in tool("stat", "--json", image, *SD).text.splitlines()]
for (name, (sd, want)), row in zip(SD.items(), rows):
    same(row.get("sddl"), want, "SDDL of a descriptor with %s" % name)
for name, (sd, want) in SD.items():
    check("\nSecurity:    %s\n" % want in tool("stat", image, name).text,
          "stat shows that of %s" % name)

files = {
    "ea": File(b"", ea=make_ea((b"ONE", b"\x01\xff"), (b"NEED.IT", b"", 0x80))),
    "link": File(b"", reparse=make_symlink("a\\b")),
    "drive": File(b"", reparse=make_symlink("\\??\\C:\\x", 0)),
    "junction": Dir(reparse=make_reparse(0xA0000003, struct.pack("<HHHH", 0, 10, 12, 4) +
                                         "\\??\\D\0dd\0".encode("utf-16-le"))),
    "other": File(b"", reparse=make_reparse(0x80000017, b"\xAB")),
    "broken ea": File(b"", ea=b"\x01\0\0\0\0\0\0\0"),
    "broken sd": File(b"", sd=b"\x01\0\x04\x80" + b"\xFF" * 16),
    "streams": File(b"", streams={"a": b"1", "esc\x1b": b""}),
}
image = Image(Dir(files)).write(os.path.join(TMP, "shown"))
for name, want in (("ea", "EA:          ONE = 01ff\nEA:          NEED.IT =  (needed)\n"),
                   ("link", "Reparse tag: 0xa000000c (SYMLINK), 32 bytes\nTarget:      a\\b\n"),
                   ("drive", "Target:      \\??\\C:\\x\n"),
                   ("junction", "(MOUNT_POINT), 34 bytes\nTarget:      dd\n"),
                   ("other", "(WOF), 9 bytes\nReparse:     170000800100"),
                   ("broken ea", "EA (broken): 0100000000000000\n"),
                   ("broken sd", "Security:    01000480ffff"),
                   ("streams", "Stream:      a (1 byte)\nStream:      esc\\x1B (0 bytes)\n")):
    result = tool("stat", image, name)
    check(want in result.text, "stat shows %s as text" % name, "want: %s\n%s" % (want, result))

image = Image(Dir({"link": File(b"", reparse=make_symlink("a")), "rest": File(b"")}))
image.poke("record:link", RECORD_REPARSE, "Q", 1 << 40)
image = image.write(os.path.join(TMP, "lost"))
for options in ["-l"], ["--json"]:
    result = tool("ls", *options, image)
    check(result.code == 4 and "/link: " in result.errors and "link" in result.text and
          "rest" in result.text, "ls %s tells of reparse data that can't be read" % options[0], result)
expect(0, "ls without them doesn't", "ls", image)

# ---- malformed ones: shown somehow, never a crash ----

good = [("sd", sd) for sd, _ in SD.values()] + [("sd", make_sd())] + [
    ("ea", make_ea((b"ONE", b"1"), (b"TWO", b"22"), (b"THREE", b"333", 0x80))),
    ("reparse", make_symlink("some\\where")), ("reparse", make_symlink("\\??\\C:\\there", 0)),
    ("reparse", make_symlink("\\??\\UNC\\s\\t", 0)),
    ("reparse", make_reparse(0xA0000003, struct.pack("<HHHH", 0, 8, 10, 4) + bytes(14)))]


def spoil(data):
    data = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        kind = rng.randrange(4)
        if kind == 0 and data:
            data[rng.randrange(len(data))] = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 1:
            del data[rng.randrange(len(data) + 1):]
        elif kind == 2:
            data += rng.randbytes(rng.randrange(12))
        elif len(data) > 4:
            at = rng.randrange(len(data) - 3)
            data[at:at + 4] = struct.pack("<I", rng.choice((0, 1, 0xFFFFFFFF, 0x80000000, len(data),
                                                            len(data) - 1, at)))
    return bytes(data)


files = {}
for number in range(400):
    kind, data = rng.choice(good)
    make = Dir if rng.randrange(3) == 0 else File
    data = spoil(data)
    if kind == "reparse" and len(data) < 4:
        continue
    if data:
        files["f%d" % number] = make(**{kind: data})
image = Image(Dir(files)).write(os.path.join(TMP, "spoilt"))
for command in (["stat", image, *files], ["stat", "--json", image, *files], ["ls", "-Rla", image],
                ["dump", image], ["diff", image, image], ["verify", "--deep", image],
                ["extract", "-v", "-C", os.path.join(TMP, "out"), image]):
    result = tool(*command)
    check(result.code in (0, 2, 3, 4), "%s of %d malformed things ends in order" % (
        command[0], len(files)), "exit code %s\n%s" % (result.code, result.errors[:1500]))
same(sorted(os.listdir(TMP)), ["lost", "out", "sddl", "shown", "spoilt"], "nothing got outside")
done()
