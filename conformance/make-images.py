#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""make-images.py DIR - images made on Linux, and what they hold, for cimfs-conformance --import

Two kinds, each set in a directory of its own with its manifest.txt (conformance/cases/manifest.h):

- images that the tests' own builder puts together byte by byte (scripts/lib): both forms
  of stream tables, version 3, PE images, parents;
- the same trees and more, written by cimtool, with a fork and an extension.

The manifests come from the descriptions the images are made from, never from what a reader says.
"""
import base64
import hashlib
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "scripts/lib"))
sys.dont_write_bytecode = True
import handmade  # noqa: E402
from imagebuilder import Dir, File, Image, Link, Sparse  # noqa: E402

TOOL = pathlib.Path(os.environ.get("BUILD", "build")).resolve() / "cimtool"
HANDMADE = ("basic", "version-3.0", "version-2.7", "empty", "stream-form-2", "pe-images", "parents",
            "names", "wide", "deep", "shared-data")
ATTRIBUTES = {1: 1, 2: 2, 4: 4, 8: 0x20, 0x10: 0x200}  # record's flag: FILE_ATTRIBUTE_*


def units(text):
    raw = text.encode("utf-16-le", "surrogatepass")
    return struct.unpack(f"<{len(raw) // 2}H", raw)


def escape(text):
    """A name in a manifest; the '/' between components stays."""
    return "".join(chr(u) if 32 < u < 127 and u != 37 else f"%{u:04x}" for u in units(text))


def fnv(data):
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def describe_data(stream):
    if isinstance(stream, Sparse):
        return f"size={stream.size}\tdata={'zeros' if stream.size else fnv(b'')}"
    data = stream if isinstance(stream, bytes) else stream.data
    return f"size={len(data)}\tdata={fnv(data)}"


def manifest_lines(item, path=""):
    if isinstance(item, Link):
        yield f"link\t/{escape(path)}\tto=/{escape(item.path)}"
        return
    directory = isinstance(item, Dir)
    line = f"{'directory' if directory else 'file'}\t/{escape(path)}"
    line += f"\tattributes={sum(a for f, a in ATTRIBUTES.items() if item.flags & f):x}"
    for name, time in zip(("created", "written", "changed", "accessed"), item.times):
        line += f"\t{name}={time}"
    for name, blob in (("security", item.sd), ("ea", item.ea), ("reparse", item.reparse)):
        line += f"\t{name}={blob.hex()}" if blob else ""
    yield line if directory else line + "\t" + describe_data(item.data)
    for name, stream in item.streams.items():
        if path:  # the API can't name a stream of the root
            yield f"stream\t/{escape(path)}\tname={escape(name)}\t{describe_data(stream)}"
    if directory:
        for name, child in item.entries.items():
            yield from manifest_lines(child, f"{path}/{name}" if path else name)


def write_manifest(directory, images):
    with open(directory / "manifest.txt", "w", encoding="ascii", newline="\n") as out:
        out.write("cimfs-manifest 1\n")
        for name, root in images:
            out.write(f"image\t{escape(name)}\n")
            # Further names behind the files they are names of.
            lines = list(manifest_lines(root))
            for line in sorted(lines, key=lambda text: text.startswith("link")):
                out.write(line + "\n")


def without_surrogates(image):
    """Unpaired surrogates can be mounted but not opened under Wine, whose files have names in UTF-8."""
    for name in [n for n in image.root.entries if any(0xD800 <= ord(c) < 0xE000 for c in n)]:
        del image.root.entries[name]
    return Image(image.root)


def make_handmade(top):
    for name, build, _ in handmade.GOOD:
        if name in HANDMADE:
            image = without_surrogates(build()) if name == "names" else build()
            image.write(top / name)
            write_manifest(top / name, [(image.name, image.root)])


# ---- written by cimtool ----


def dump_name(name):
    out = bytearray()
    for byte in name.encode("utf-8", "surrogatepass"):
        out += b"\\\\" if byte == 0x5c else f"\\x{byte:02X}".encode() if byte <= 32 else bytes([byte])
    return out.decode("utf-8", "surrogatepass")


def dump_data(stream, data_dir):
    if isinstance(stream, Sparse):
        return f"size={stream.size} data=sparse"
    data = stream if isinstance(stream, bytes) else stream.data
    if len(data) < 4096:
        return f"size={len(data)} data=base64:{base64.b64encode(data).decode()}"
    digest = hashlib.sha256(data).hexdigest()
    (data_dir / digest).write_bytes(data)
    return f"size={len(data)} data=sha256:{digest}"


def dump_time(time):
    days, rest = divmod(time, 864000000000)
    year, month, day = civil(days)
    seconds, ticks = divmod(rest, 10000000)
    return (f"{year:04}-{month:02}-{day:02}T{seconds // 3600:02}:{seconds // 60 % 60:02}:"
            f"{seconds % 60:02}.{ticks:07}Z")


def civil(days):
    import datetime
    date = datetime.date(1601, 1, 1) + datetime.timedelta(days=days)
    return date.year, date.month, date.day


def dump_lines(item, path, data_dir):
    if isinstance(item, Link):
        yield f"link {path} to=/{item.path}"
        return
    directory = isinstance(item, Dir)
    blobs = " ".join(f"{name}={base64.b64encode(blob).decode()}" for name, blob in
                     (("ea", item.ea), ("reparse", item.reparse)) if blob)
    line = f"{'directory' if directory else 'file'} {path or '/'} flags=0x{item.flags:x} "
    line += " ".join(f"{n}={dump_time(t)}" for n, t in
                     zip(("created", "written", "changed", "accessed"), item.times))
    line += f" security={base64.b64encode(item.sd).decode()}" + (" " + blobs if blobs else "")
    yield line if directory else line + " " + dump_data(item.data, data_dir)
    for name, stream in item.streams.items():
        yield f"stream {path or '/'} name={dump_name(name)} {dump_data(stream, data_dir)}"
    if directory:
        for name, child in item.entries.items():
            yield from dump_lines(child, f"{path}/{dump_name(name)}", data_dir)


def cimtool(*arguments):
    subprocess.run([TOOL, *arguments], check=True)


def create(directory, name, root):
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        data_dir = tmp / "data"
        data_dir.mkdir()
        lines = list(dump_lines(root, "", data_dir))
        lines.sort(key=lambda text: text.startswith("link "))
        (tmp / "dump").write_text("cim-dump 1\n" + "\n".join(lines) + "\n", "utf-8",
                                  "surrogatepass")
        cimtool("create", "--quiet", "--consistent", f"--from-dump={tmp / 'dump'}",
                f"--data={data_dir}", directory / name)


def make_cimtool(top):
    directory = top / "cimtool"
    directory.mkdir()
    basic = handmade.basic().root
    basic.streams = {}
    for item in (basic.entries["unsecured"],):
        item.sd = basic.entries["secured"].sd
    many = Image(Dir({f"file {i}": File(handmade.pattern(i % 90, i % 11 + 1))
                      for i in range(1500)})).root
    images = [("basic.cim", basic), ("many.cim", many)]
    for name, root in images:
        create(directory, name, root)
    fork = handmade.basic().root
    fork.streams = {}
    fork.entries["unsecured"].sd = fork.entries["secured"].sd
    cimtool("fork", "--quiet", "--consistent", "--delete=/sub/deeper", "--delete=/big.bin",
            directory / "basic.cim", "fork.cim")
    del fork.entries["sub"].entries["deeper"], fork.entries["big.bin"]
    images.append(("fork.cim", fork))
    write_manifest(directory, images)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make-images.py DIR")
    top = pathlib.Path(sys.argv[1])
    # Renamed when complete: half of them are not to be taken for all.
    new = top.with_name(f"{top.name}.{os.getpid()}")
    try:
        new.mkdir(parents=True)
        make_handmade(new)
        make_cimtool(new)
        shutil.rmtree(top, ignore_errors=True)
        new.rename(top)
    finally:
        shutil.rmtree(new, ignore_errors=True)


if __name__ == "__main__":
    main()
