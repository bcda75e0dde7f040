#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Golden images of our own writer: the same dump gives the same bytes, today and in ten years.

ours/NAME.dump is made into NAME.cim in consistent mode; every file of the image must have the
SHA-256 that ours/SHA256SUMS holds, and the image's dump must be the dump it was made from. Where a
dump is too long to keep it is made here. A fork and an extension of every-kind.cim are made too.

Of every-kind.cim the files themselves are kept as well, in ours/every-kind/: whatever becomes of the
writer, this image, as an early version of it wrote it, has to be readable where it lies, and what the
writer makes now is compared with it byte for byte, so that a change shows where it begins.

A change of the bytes is a change of what users get from `cimtool create --consistent`: only a new version of
the format that is written, or a change of what an append or a fork is to hold, may justify
`golden.py --update`, which writes SHA256SUMS and the kept files anew.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts/lib"))
sys.dont_write_bytecode = True
from tap import check, done  # noqa: E402

KEPT = "every-kind"
HERE = pathlib.Path(__file__).resolve().parent / "ours"
TOOL = pathlib.Path(os.environ.get("BUILD", "build")).resolve() / "cimtool"
BIG = b"".join(b"%06d\n" % i for i in range(1000))  # what every-kind.dump names by its hash
NULL_DACL = "AQAEgAAAAAAAAAAAAAAAAAAAAAA="
ZERO = " ".join(f"{t}=1601-01-01T00:00:00.0000000Z"
                for t in ("created", "written", "changed", "accessed"))


def two_tables():
    """1,100 files: the second file table is partly filled."""
    rows = ["cim-dump 1", f"directory / flags=0x0 {ZERO} security={NULL_DACL}"]
    rows += [f"file /f{i:04} flags=0x0 {ZERO} security={NULL_DACL} size={i} data=sparse"
             if i else f"file /f0000 flags=0x0 {ZERO} security={NULL_DACL} size=0 data=base64:"
             for i in range(1100)]
    return "\n".join(rows) + "\n"


def run(*args):
    return subprocess.run([TOOL, *args], capture_output=True, text=True)


def sums(directory):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(directory.iterdir())}


def make(tmp, name, dump):
    """Make NAME.cim in a directory of its own; returns the directory."""
    directory = tmp / name
    data = tmp / "data"
    directory.mkdir()
    data.mkdir(exist_ok=True)
    (data / hashlib.sha256(BIG).hexdigest()).write_bytes(BIG)
    text = tmp / f"{name}.dump"
    text.write_text(dump)
    image = directory / f"{name}.cim"
    r = run("create", "--quiet", "--consistent", f"--from-dump={text}", f"--data={data}", image)
    check(r.returncode == 0, f"{name}: the image is made", r.stderr)
    r = run("dump", f"--data={tmp / 'data2'}", image)
    check(r.stdout == dump, f"{name}: its dump is the dump it was made from", r.stdout + r.stderr)
    return directory


def steps(tmp):
    """All golden images: {directory's name: {file: digest}}."""
    found = {}
    for dump in sorted(HERE.glob("*.dump")):
        found[dump.stem] = sums(make(tmp, dump.stem, dump.read_text()))
    found["two-tables"] = sums(make(tmp, "two-tables", two_tables()))

    directory = make(tmp, "chain", (HERE / "every-kind.dump").read_text())
    source = tmp / "source"
    source.mkdir()
    (source / "new").write_bytes(BIG)       # known data: nothing is stored
    (source / "other").write_bytes(b"other")
    for name in ("new", "other", "."):
        os.utime(source / name, (1000000000, 1000000000))
    for command, *rest in (("append", directory / "chain.cim", source),
                           ("fork", "--delete=/B/deep", f"--add={source}:/B/added",
                            "--mtime=@1000000001", directory / "chain.cim", "fork.cim")):
        r = run(command, "--quiet", "--consistent", *rest)
        check(r.returncode == 0, f"chain: cimtool {command}", r.stderr)
    found["chain"] = sums(directory)
    for image in sorted(tmp.glob("*/*.cim")):
        r = run("verify", "--deep", image)
        check(r.returncode == 0, f"{image.parent.name}/{image.name}: verify --deep", r.stdout + r.stderr)
    return found


def contents(directory):
    return {p.name: p.read_bytes() for p in sorted(directory.iterdir())}


def difference(a, b):
    """The first place in which two files differ."""
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"{len(a)} and {len(b)} bytes, different from {at:#x} on: {a[at:at + 16].hex()} {b[at:at + 16].hex()}"


def compare_kept(made):
    """What the writer makes now with the files that are kept."""
    now, kept = contents(made), contents(HERE / KEPT)
    check(sorted(now) == sorted(kept), f"{KEPT}: the files are those that are kept", [sorted(kept), sorted(now)])
    for name in sorted(kept):
        check(now.get(name) == kept[name], f"{KEPT}: byte for byte, {name}",
           difference(kept[name], now.get(name, b"")))


def read_kept(tmp):
    """The kept image is sound, and holds what its dump says."""
    before = contents(HERE / KEPT)
    image = HERE / KEPT / f"{KEPT}.cim"
    r = run("verify", "--deep", image)
    check(r.returncode == 0 and "(0 errors, 0 warnings" in r.stdout, "the kept image is sound", r.stdout + r.stderr)
    r = run("dump", f"--data={tmp / 'data-kept'}", image)
    check(r.returncode == 0 and r.stdout == (HERE / f"{KEPT}.dump").read_text(), "its dump is as ever",
       r.stdout + r.stderr)
    data = contents(tmp / "data-kept") if (tmp / "data-kept").is_dir() else {}
    check(data == {hashlib.sha256(BIG).hexdigest(): BIG}, "and so are its larger data", sorted(data))
    check(contents(HERE / KEPT) == before, "nobody wrote where it lies", sorted(contents(HERE / KEPT)))


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMP")) as name:
        tmp = pathlib.Path(name)
        found = steps(tmp)
        if sys.argv[1:] == ["--update"]:
            shutil.rmtree(HERE / KEPT, ignore_errors=True)
            shutil.copytree(tmp / KEPT, HERE / KEPT)
        compare_kept(tmp / KEPT)
        read_kept(tmp)
    lines = [f"{digest}  {name}/{file}" for name, files in sorted(found.items())
             for file, digest in files.items()]
    kept = HERE / "SHA256SUMS"
    if sys.argv[1:] == ["--update"]:
        kept.write_text("\n".join(lines) + "\n")
    want = kept.read_text().splitlines()
    for line in want:
        check(line in lines, f"the bytes of {line.split()[1]}", "want " + line + "\nhave " + "\nhave ".join(
            h for h in lines if h.split()[1].split("/")[0] == line.split()[1].split("/")[0]))
    extra = [h for h in lines if h.split()[1] not in {w.split()[1] for w in want}]
    check(not extra, "there are no files besides", "\n".join(extra))
    done()


if __name__ == "__main__":
    main()
