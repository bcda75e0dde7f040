#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool append-vhd-footer: what stands in the footer, by the specification; who reads and who writes the container.

Source: Microsoft's "Virtual Hard Disk Image Format Specification", version 1.0: the hard disk footer, and the
appendix on cylinders, heads and sectors.
"""

import json
import os
import resource
import signal
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tooltest  # noqa: E402
from tooltest import TMP, check, done, expect, same, tool  # noqa: E402


def path(name):
    return os.path.join(TMP, name)


def get(name):
    with open(path(name), "rb") as file:
        return file.read()


def geometry(total):
    """Cylinders, heads, sectors, by the appendix."""
    total = min(total, 65535 * 16 * 255)
    if total >= 65535 * 16 * 63:
        sectors, heads = 255, 16
        tracks = total // sectors
    else:
        sectors = 17
        tracks = total // sectors
        heads = max((tracks + 1023) // 1024, 4)
        if tracks >= heads * 1024 or heads > 16:
            sectors, heads = 31, 16
            tracks = total // sectors
        if tracks >= heads * 1024:
            sectors, heads = 63, 16
            tracks = total // sectors
    return tracks // heads, heads, sectors


def check_footer(name, end, what):
    """The container's footer; its fields."""
    data = get(name)
    footer = data[-512:]
    (cookie, features, version, where, time, creator, _, host, first, size, cylinders, heads, sectors, kind, checksum, number,
     saved) = struct.unpack(">8sIIQI4sIIQQHBBII16sB", footer[:85])
    same((cookie, features, version, where, kind, saved, footer[85:]),
         (b"conectix", 2, 0x10000, 2**64 - 1, 2, 0, bytes(427)), what + ": the footer of a fixed disk")
    same(checksum, ~(sum(footer) - sum(footer[64:68])) & 0xffffffff, what + ": its checksum")
    same((first, size), (len(data) - 512,) * 2, what + ": the size is that of the file before it")
    same((cylinders, heads, sectors), geometry(size // 512), what + ": cylinders, heads and sectors")
    same(cylinders * heads * sectors * 512, size, what + ": which say the same")
    same(data[end:-512], bytes(size - end), what + ": zeros lie between")
    check(creator and host, what + ": somebody made it", footer)
    return time, number


tooltest.write(path("src/file"), os.urandom(50000))
expect(0, "create", "create", "--container", "--sealable", "c.vhd/a.cim", "src")
before = get("c.vhd")
same(json.loads(tool("info", "--json", "c.vhd").text)["vhd_footer"], False, "info of one that has none")
check("VHD" not in tool("info", "c.vhd").text, "of which nothing is said")
os.utime(path("c.vhd"), (1_000_000_000,) * 2)
result = expect(0, "append-vhd-footer", "append-vhd-footer", "c.vhd")
time, _ = check_footer("c.vhd", len(before), "not sealed")
same(time, 1_000_000_000 - 946684800, "the time of its last change, since the year 2000")
cylinders, heads, sectors = geometry((len(get("c.vhd")) - 512) // 512)
check("(%d cylinders, %d heads, %d sectors)" % (cylinders, heads, sectors) in result.text, "what it says", result)
same(get("c.vhd")[:len(before)], before, "the container stays as it was")
expect(0, "verify", "verify", "--deep", "c.vhd/a.cim")
found = json.loads(tool("info", "--json", "c.vhd").text)
same((found["file_size"], found["vhd_footer"]), (len(get("c.vhd")), True), "info")
for spelt in ("c.vhd", "c.vhd/"):
    check("\nVHD footer:   yes\n" in tool("info", spelt).text, "info tells of it as text: " + spelt)
whole = get("c.vhd")
result = tool("append-vhd-footer", "c.vhd")
check(result.code == 1 and "there is a VHD footer already" in result.errors, "a second one is refused", result)
same(get("c.vhd"), whole, "and changes nothing")
check("footer behind the container is cut off" in expect(0, "a session", "create", "c.vhd/b.cim", "src").errors,
      "writing cuts it off")
root = expect(0, "seal", "seal", "-q", "c.vhd").text.strip()
sealed = get("c.vhd")
found = json.loads(expect(0, "of a sealed one", "append-vhd-footer", "--json", "c.vhd").text)
same(found["disk_size"], len(get("c.vhd")) - 512, "what it says as JSON")
same(check_footer("c.vhd", len(sealed), "sealed")[1].hex(), root[:32], "its ID is of the root hash")
expect(0, "verify", "verify", "--deep", "--root-hash=" + root, "c.vhd/a.cim")
same(expect(0, "seal again", "seal", "-q", "c.vhd").text.strip(), root, "the root hash is the same")
result = tool("append-vhd-footer", "c.vhd")
check(result.code == 1 and "there is a VHD footer already" in result.errors, "a second one is refused", result)
with open(path("c.vhd"), "wb") as file:
    file.write(sealed)
expect(0, "with an older time", "append-vhd-footer", "c.vhd", env={"SOURCE_DATE_EPOCH": "946684801"})
same(check_footer("c.vhd", len(sealed), "with an older time")[0], 1, "SOURCE_DATE_EPOCH is the latest")
twice = get("c.vhd")
with open(path("c.vhd"), "wb") as file:
    file.write(sealed)
expect(0, "once more", "append-vhd-footer", "c.vhd", env={"SOURCE_DATE_EPOCH": "946684801"})
same(get("c.vhd"), twice, "the same container gets the same footer")

# As large as each number of heads, and of sectors, that the appendix has for disks of up to 300 MB
for mega, want in [(30, 4), (40, 6), (140, 16), (150, 16), (270, 16)]:
    with open(path("large"), "wb") as file:
        for i in range(mega):
            file.write(b"%0512d" % i * 2048)
    expect(0, "create", "create", "--container", "large.vhd/a.cim", "large")
    size = os.path.getsize(path("large.vhd"))
    found = json.loads(expect(0, "append-vhd-footer", "append-vhd-footer", "--json", "large.vhd").text)
    total = found["disk_size"] // 512
    same((found["cylinders"], found["heads"], found["sectors"]), geometry(total), "%d MB: the appendix's numbers" % mega)
    same(found["cylinders"] * found["heads"] * found["sectors"], total, "which say the size")
    check(found["heads"] == want and size <= found["disk_size"] < size + 16 * 63 * 512, "that is hardly more", (found, size))
    os.unlink(path("large.vhd"))
os.unlink(path("large"))

# What goes wrong
for args, code, words in [([], 2, "CONTAINER is missing"), (["none"], 1, "no such file"), (["src"], 4, "a directory is no container"),
                          (["src/file"], 4, "it is no container"), (["c.vhd/a.cim"], 2, "names an image, not a container")]:
    result = tool("append-vhd-footer", *args)
    check(result.code == code and words in result.errors, "append-vhd-footer %s: exit status %d" % (" ".join(args), code), result)


def no_room():
    """No file grows any more."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


# A seal that fails has cut it off, too
expect(0, "create", "create", "--container", "--sealable", "full.vhd/a.cim", "src")
before = get("full.vhd")
expect(0, "append-vhd-footer", "append-vhd-footer", "full.vhd")
result = tool("seal", "full.vhd", preexec_fn=no_room, restore_signals=False)
check(result.code == 1 and "File too large" in result.errors, "a seal that has no room", result)
same(get("full.vhd"), before, "leaves the container as it was, without the footer")
check("footer behind the container is cut off" in result.errors, "which is told", result)

done()
