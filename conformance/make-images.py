#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""make-images.py DIR - images made on Linux, and what they hold, for cimfs-conformance --import

Three kinds, each set in a directory of its own with its manifest.txt (conformance/cases/manifest.h):

- images that the tests' own builder puts together byte by byte (scripts/lib): both forms
  of stream tables, version 3, PE images, parents;
- the same trees and more, written by cimtool, with a fork and an extension;
- layers, written by cimtool: with tombstones, merge links and opaque directories, merged, in
  containers, sealed. (Only our own readers know how these are stored.)

The manifests come from the descriptions the images are made from, never from what a reader says.
"""
import base64
import copy
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


class Tombstone:
    """Hides what layers below have."""


class MergeLink(Link):
    """Becomes a link when layers are merged."""


class Bare:
    """A directory that is only there for the marks in it."""

    def __init__(self, entries):
        self.entries = entries


class Opaque(Dir):
    """Hides what layers below have in theirs."""


def mark_lines(item, path):
    if isinstance(item, Tombstone):
        yield f"tombstone\t/{escape(path)}"
    elif isinstance(item, MergeLink):
        yield f"merge-link\t/{escape(path)}\tto=/{escape(item.path)}"
    else:
        for name, child in item.entries.items():
            yield from mark_lines(child, f"{path}/{name}")


MARKS = (Tombstone, MergeLink, Bare)


def manifest_lines(item, path=""):
    if isinstance(item, MARKS):
        yield from mark_lines(item, path)
        return
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
    line += "\tmark=opaque" if isinstance(item, Opaque) else ""
    yield line if directory else line + "\t" + describe_data(item.data)
    for name, stream in item.streams.items():
        if path:  # the API can't name a stream of the root
            yield f"stream\t/{escape(path)}\tname={escape(name)}\t{describe_data(stream)}"
    if directory:
        for name, child in item.entries.items():
            yield from manifest_lines(child, f"{path}/{name}" if path else name)


class Told:
    """An image of a set: more is said of it, as fields, and of what it is merged of."""

    def __init__(self, name, root, sources=(), **fields):
        self.name, self.root, self.sources = name, root, sources
        self.fields = {key: value for key, value in fields.items() if value}

    def head(self):
        yield "\t".join(["image", escape(self.name)] + [f"{key}={value}" for key, value in self.fields.items()])
        for source in self.sources:
            place = source.fields.get("container")
            yield f"source\t{escape(source.name)}" + (f"\tcontainer={place}" if place else "")

    def path(self):
        return pathlib.Path(self.fields.get("container", "")) / self.name


def write_manifest(directory, images):
    with open(directory / "manifest.txt", "w", encoding="ascii", newline="\n") as out:
        out.write("cimfs-manifest 1\n")
        for image in images:
            told = image if isinstance(image, Told) else Told(*image)
            root = told.root
            out.write("\n".join(told.head()) + "\n")
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


def dump_marks(item, path):
    if isinstance(item, Tombstone):
        yield f"tombstone {path}"
    elif isinstance(item, MergeLink):
        yield f"merge-link {path} to=/{dump_name(item.path)}"
    else:
        for name, child in item.entries.items():
            yield from dump_marks(child, f"{path}/{dump_name(name)}")


def dump_lines(item, path, data_dir):
    if isinstance(item, MARKS):
        yield from dump_marks(item, path)
        return
    if isinstance(item, Link):
        yield f"link {path} to=/{dump_name(item.path)}"
        return
    directory = isinstance(item, Dir)
    blobs = " ".join(f"{name}={base64.b64encode(blob).decode()}" for name, blob in
                     (("ea", item.ea), ("reparse", item.reparse)) if blob)
    line = f"{'directory' if directory else 'file'} {path or '/'} flags=0x{item.flags:x} "
    line += " ".join(f"{n}={dump_time(t)}" for n, t in
                     zip(("created", "written", "changed", "accessed"), item.times))
    line += f" security={base64.b64encode(item.sd).decode()}" + (" " + blobs if blobs else "")
    line += " mark=opaque" if isinstance(item, Opaque) else ""
    yield line if directory else line + " " + dump_data(item.data, data_dir)
    for name, stream in item.streams.items():
        yield f"stream {path or '/'} name={dump_name(name)} {dump_data(stream, data_dir)}"
    if directory:
        for name, child in item.entries.items():
            yield from dump_lines(child, f"{path}/{dump_name(name)}", data_dir)


def cimtool(*arguments):
    return subprocess.run([TOOL, *arguments], check=True, stdout=subprocess.PIPE).stdout.decode().strip()


def create(directory, name, root, *options):
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        data_dir = tmp / "data"
        data_dir.mkdir()
        lines = list(dump_lines(root, "", data_dir))
        lines.sort(key=lambda text: text.startswith("link "))
        (tmp / "dump").write_text("cim-dump 1\n" + "\n".join(lines) + "\n", "utf-8",
                                  "surrogatepass")
        cimtool("create", "--quiet", "--consistent", f"--from-dump={tmp / 'dump'}",
                f"--data={data_dir}", *options, directory / name)


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


# ---- layers ----


def layers():
    """Each over the one behind it."""
    pattern = handmade.pattern
    upper = Dir({
        "d": Dir({"gone": Tombstone(), "linked too": Link("shadowed"), "merge link": MergeLink("merge link")},
                 flags=handmade.HIDDEN),
        "nowhere": Bare({"at all": Tombstone()}),
        "bare": Bare({"merge link": MergeLink("d/of the middle")}),
        "opaque": Opaque({"new": File(b"new")}, sd=handmade.make_sd()),
        "shadowed": File(b"of the upper", flags=handmade.READONLY),
        "once a directory": File(b"now a file"),
        "twice a directory": Dir({"new": File(pattern(3000, 4))}),
        "merge link": MergeLink("target")})
    middle = Dir({
        "d": Dir({"of the middle": File(pattern(4096, 5))}, flags=handmade.SYSTEM),
        "shadowed": File(b"of the middle"), "twice a directory": File(b"a file")})
    base = Dir({
        "d": Dir({"gone": File(b"gone"), "kept": File(pattern(5000, 6)), "linked": Link("target")}),
        "bare": Dir({"kept": File(b"kept")}, flags=handmade.ARCHIVE),
        "opaque": Dir({"old": File(b"old")}), "shadowed": File(b"of the base"),
        "once a directory": Dir({"old": File(b"old")}), "twice a directory": Dir({"old": File(b"old")}),
        "target": File(pattern(70000, 7), flags=handmade.ARCHIVE, streams={"stream": b"of the target"})})
    return [described(layer, 100 * number) for number, layer in enumerate((upper, middle, base))]


def described(item, number=0):
    """With times for all that has some; the builder, which gives them else, knows no marks."""
    def visit(item):
        nonlocal number
        if isinstance(item, (Dir, File)):
            number += 1
            item.times = tuple(126256107060000000 + number * 10000019 + i for i in range(4))
        for child in getattr(item, "entries", {}).values():
            visit(child)
    visit(item)
    return item


def lay(under, over):
    """A directory over what lies below it, which may be None or no directory."""
    hides = isinstance(over, Opaque) or (under is not None and not isinstance(under, Dir))
    known = dict(under.entries) if isinstance(under, Dir) and not hides else {}
    for name, item in over.entries.items():
        below = known.get(name)
        if isinstance(item, Tombstone):
            known.pop(name, None)
        elif isinstance(item, Dir) or (isinstance(item, Bare) and isinstance(below, Dir)):
            known[name] = lay(below, item)
        elif not isinstance(item, Bare):
            known[name] = item
    merged = copy.copy(under if isinstance(over, Bare) else over)
    merged.entries = known
    if hides:
        merged.__class__ = Opaque
    return merged


def resolved(root):
    """With its merge links as links to the files that they lead to."""
    def find(path):
        item = root
        for name in path.split("/"):
            item = item.entries[name]
        return find(item.path) if isinstance(item, Link) else path

    def visit(directory):
        for name, item in directory.entries.items():
            if isinstance(item, Link):
                directory.entries[name] = Link(find(item.path))
            elif isinstance(item, Dir):
                visit(item)
    visit(root)
    return root


LAYERS = ("upper", "middle", "base")


def merged_tree():
    tree = None
    for layer in reversed(layers()):
        tree = lay(tree, layer)
    return resolved(tree)


def make_stack(directory, container_of, sealed=False):
    """The layers and the merged image, each where container_of(name) says; what is told of them."""
    told, sources = [], []
    for name, root in (*reversed(tuple(zip(LAYERS, layers()))), ("merged", merged_tree())):
        image = Told(f"{name}.cim", root, container=container_of(name))
        options = ["--container"] if container_of(name) else []
        options += ["--sealable"] if sealed else []
        if name == "merged":
            image.sources = list(sources)
            cimtool("merge", "--quiet", "--consistent", *options, *(["--verified"] if sealed else []),
                    directory / image.path(), *(directory / source.path() for source in image.sources))
        else:
            create(directory, image.path(), root, *options)
        if sealed:
            container = image.fields["container"]
            shutil.copyfile(directory / container, directory / f"sealable-{container}")
            told.append(Told(image.name, root, image.sources, container=f"sealable-{container}", sealed=container))
            image.fields["root"] = cimtool("seal", "--quiet", directory / container)
        told.append(image)
        sources.insert(0, image)
    return told


def make_several(directory):
    """Images in one container: one extended, a fork, one without an item."""
    told = [Told(name, layers()[2], container="several.bcim") for name in ("base.cim", "fork.cim", "empty.cim")]
    base, fork, empty = told
    create(directory, base.path(), base.root, "--container")
    cimtool("tombstone", "--quiet", "--consistent", directory / base.path(), "/shadowed")
    base.root.entries["shadowed"] = Tombstone()
    cimtool("fork", "--quiet", "--consistent", "--delete=/opaque/old", "--delete=/d", directory / base.path(), "fork.cim")
    fork.root = copy.deepcopy(base.root)
    del fork.root.entries["d"], fork.root.entries["opaque"].entries["old"]
    empty.root = described(Dir())
    create(directory, empty.path(), empty.root)
    return told


def make_layers(top):
    directory = top / "layers"
    directory.mkdir()
    told = make_several(directory)
    told += make_stack(directory, lambda name: None)
    told += make_stack(directory, lambda name: "all.bcim")
    apart = make_stack(directory, lambda name: f"{name}.bcim")
    sealed = make_stack(directory, lambda name: f"sealed-{name}.bcim", True)
    for merged in apart[-1], sealed[-1]:
        merged.fields["again"] = 1
    cimtool("convert", "--quiet", "--container", directory / "base.cim", directory / "converted.bcim/base.cim")
    converted = Told("base.cim", layers()[2], container="converted.bcim")
    write_manifest(directory, told + apart + sealed + [converted])


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
        make_layers(new)
        shutil.rmtree(top, ignore_errors=True)
        new.rename(top)
    finally:
        shutil.rmtree(new, ignore_errors=True)


if __name__ == "__main__":
    main()
