#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the corpora of the fuzz targets, out of the hand-made and golden images and dumps.

    corpus.py DIRECTORY

DIRECTORY/TARGET gets an input a file; those that once failed, in found/TARGET, are copied there too.
bundle.c describes the inputs that hold files. What makes images large, the upcase table and
contents that look random, is told in a few bytes there, so that an input has some KB.
"""

import os
import random
import shutil
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path.insert(0, TESTS)

from imagecases import all_cases  # noqa: E402
from imagebuilder import UPCASE  # noqa: E402

GOLDEN = os.path.join(TESTS, "golden", "ours")
LARGEST = 16384
TABLE = struct.pack("<65536H", *UPCASE)


def random_run(content, at):
    """How many bytes from there on are handmade.pattern()'s."""
    length = 8
    word = int.from_bytes(content[at:at + 8], "little")
    while True:
        word = (word * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        if content[at + length:at + length + 8] != word.to_bytes(8, "little"):
            return length
        length += 8


def zero_run(content, at):
    end = at
    while end < len(content) and not content[end]:
        end += 1
    return end - at


def short(content, at):
    """(a record that stands for what begins there, the bytes it stands for), or None."""
    if content.startswith(TABLE, at):
        return b"U", len(TABLE)
    run = zero_run(content, at)
    if run >= 64:
        return b"Z" + run.to_bytes(3, "little"), run
    run = random_run(content, at) if at % 4 == 0 else 0
    if run >= 32:
        return b"L" + run.to_bytes(3, "little") + content[at:at + 8], run
    return None


def file_records(name, content):
    out = b"F%c%s" % (len(name), name)
    at = start = 0
    while at <= len(content):
        found = short(content, at) if at < len(content) else (b"", 1)
        if found or at - start == 0xffff:
            if at > start:
                out += b"B" + struct.pack("<H", at - start) + content[start:at]
            out += found[0] if found else b""
            at += found[1] if found else 0
            start = at
        if not found:
            at += 1
    return out


def bundle(directory):
    """The files of a directory, its image called as the targets open it; None if it's too large."""
    out = b""
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if os.path.getsize(path) > 1 << 19:
            return None
        with open(path, "rb") as f:
            out += file_records(b"i.cim" if name.endswith(".cim") else name.encode(), f.read())
    return out if len(out) <= LARGEST else None


def bundles():
    """(name, bundle) of all that are small enough."""
    golden = [name for name in sorted(os.listdir(GOLDEN)) if os.path.isdir(os.path.join(GOLDEN, name))]
    for name in golden:
        yield "golden-" + name, bundle(os.path.join(GOLDEN, name))
    with tempfile.TemporaryDirectory() as tmp:
        for _, item in all_cases():
            path = item.build().write(os.path.join(tmp, item.name))
            yield item.name, bundle(os.path.dirname(path))
            shutil.rmtree(os.path.dirname(path))


def container(files, holes=False):
    """A container of these, {name: content}; its digests are the target's to make."""
    block = 4096
    place, table, data = 3 * block, b"", b""
    names = sorted(files, key=lambda name: name.encode("utf-16-be"))
    size = 8 + sum(16 + 2 * len(name) + 16 * (2 if holes else 1) for name in names)
    place += -(-size // block) * block
    for name in names:
        content = files[name]
        content += bytes(-len(content) % block)
        extents = []
        if holes and len(content) > block:
            extents.append((place, block))
            data += content[:block]
            place += block
            content = content[block:]
        if content:
            extents.append((place, len(content)))
            data += content
            place += len(content)
        while len(extents) < (2 if holes else 1):
            extents.append((0, block))
        table += struct.pack("<QIHH", len(files[name]), len(extents), len(name), 0)
        table += name.encode("utf-16-le") + b"".join(struct.pack("<QQ", *e) for e in extents)
    table = struct.pack("<II", len(names), 0) + table
    header = struct.pack("<8s6I", b"cimcont0", block, block, 1, 0, 0, 0).ljust(block, b"\0")
    record = struct.pack("<4Q", 1, 3 * block, len(table), place).ljust(2 * block, b"\0")
    return header + record + table + bytes(-len(table) % block) + data


def containers():
    yield "empty", container({}), 0
    yield "small", container({"A": b"", "b": b"text"}), 1
    with tempfile.TemporaryDirectory() as tmp:
        for number, (_, item) in enumerate(all_cases()):
            if number % 5:
                continue
            directory = os.path.dirname(item.build().write(os.path.join(tmp, item.name)))
            files = {}
            for name in os.listdir(directory):
                with open(os.path.join(directory, name), "rb") as f:
                    files[name] = f.read()
            shutil.rmtree(directory)
            if sum(map(len, files.values())) < 400 << 10:
                yield item.name, container(files, number % 2), number


def steps(seed):
    """What to do with an image: anything, the same each time."""
    chosen = random.Random(seed)
    what = bytes(chosen.randrange(256) for _ in range(20 + seed * 37 % 200))
    return b"P" + struct.pack("<H", len(what)) + what


def dumps():
    for name in sorted(os.listdir(GOLDEN)):
        if name.endswith(".dump"):
            with open(os.path.join(GOLDEN, name), "rb") as f:
                text = f.read()
            yield name, text
            yield name + ".utf16", ("\ufeff" + text.decode().replace("\n", "\r\n")).encode("utf-16-le")


def corpora():
    """(target, name, input)"""
    for number, (name, content) in enumerate(bundles()):
        if content is None:
            continue
        yield "image", name, content
        yield "session", name, content + steps(number)
        yield "mount", name, content + steps(number)
        if number % 2:
            yield "merged", name, content + steps(number)
        elif number % 4:
            yield "merged", "sealed-" + name, content + b"P\x0c\0" + bytes([2 + number // 4 % 2]) + steps(number)[3:14]
    yield "session", "nothing", steps(1)
    for name, content, number in containers():
        content = file_records(b"c.bcim", content)
        if len(content) <= LARGEST:
            yield "container", name, content + b"P\5\0\0" + struct.pack("<HH", number * 97, number)
            chosen = random.Random(number)
            changes = b"".join(struct.pack("<I", chosen.randrange(2 ** 32)) for _ in range(number % 4))
            yield "container", "sealed-" + name, content + struct.pack("<cHB", b"P", 1 + len(changes), 16) + changes
    for name, text in dumps():
        yield "dump", name, text
    for seed in range(6):
        yield "story", "seed-%d" % seed, bytes([seed])
        yield "story", "steps-%d" % seed, bytes([seed]) + steps(seed)[3:]


def main(directory):
    for target, name, content in corpora():
        os.makedirs(os.path.join(directory, target), exist_ok=True)
        with open(os.path.join(directory, target, name), "wb") as out:
            out.write(content)
    found = os.path.join(HERE, "found")
    if os.path.isdir(found):
        shutil.copytree(found, directory, dirs_exist_ok=True)


if __name__ == "__main__":
    main(sys.argv[1])
