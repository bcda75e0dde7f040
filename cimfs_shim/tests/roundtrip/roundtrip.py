#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The round trip: seeded stories, told to libcim and to cimfs.dll under Wine.

For each seed: the story is told to libcim, every call is judged and every image read back and held
against the model; told again by the call that writes a stream at once, and once more over the
region files of the run before; told to cimfs.dll under Wine. All of these must come to the same
files, byte for byte, and `cimtool verify --deep` must have nothing to say. All of it ends with
the images merged. Half of the stories are told once more in a container, which is sealed in the end:
libcim's must be cimfs.dll's, byte for byte. Those of odd seeds have tombstones and merge links there.

CIM_SEED=N   begin with this seed, and use no others but those that follow it
CIM_ROUNDS=N that many seeds, for long runs
"""

import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(os.environ.get("TOP") or pathlib.Path(__file__).resolve().parents[3])
BUILD = TOP / os.environ.get("BUILD", "build")
TMP = pathlib.Path(os.environ.get("TEST_TMP") or TOP / "build/roundtrip-tmp").resolve()
sys.path.insert(0, str(TOP / "scripts/lib"))
sys.dont_write_bytecode = True
from tap import check, done, skip  # noqa: E402

NATIVE = BUILD / "tests/rt_libcim"
WINDOWS = TOP / "build/win64/tests/rt_cimfs.exe"
DLL = TOP / "build/win64/cimfs.dll"
CIMTOOL = BUILD / "cimtool"
WINE = os.environ.get("WINE")
WINE_DLLS = pathlib.Path(os.environ.get("WINEPREFIX") or "/nowhere") / "drive_c/windows/system32"
FIXED_SEEDS = [1, 2, 3, 4]
CHUNK = 1 << 20


def run(*command, timeout=300):
    """Run a program: (exit status, all that it said).

    By a file: Wine's services, which its first program starts, would keep a pipe open.
    """
    with tempfile.TemporaryFile() as file:
        more = ""
        try:
            status = subprocess.run(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=timeout,
            ).returncode
        except OSError as error:
            return 127, str(error)
        except subprocess.TimeoutExpired:
            status, more = -1, f"\nstopped after {timeout} s"
        file.seek(0)
        return status, file.read().decode(errors="replace") + more


def extents(file, size):
    """The parts of an open file that aren't holes."""
    at = 0
    while at < size:
        try:
            start = os.lseek(file.fileno(), at, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
        yield start, end
        at = end


def same_bytes(a, b):
    """Do two files hold the same? Where both have a hole, nothing is read."""
    with open(a, "rb", buffering=0) as fa, open(b, "rb", buffering=0) as fb:
        size = os.fstat(fa.fileno()).st_size
        if size != os.fstat(fb.fileno()).st_size:
            return f"{a.name}: {size} and {os.fstat(fb.fileno()).st_size} bytes"
        for start, end in [*extents(fa, size), *extents(fb, size)]:
            for at in range(start, end, CHUNK):
                length = min(CHUNK, end - at)
                if os.pread(fa.fileno(), length, at) != os.pread(fb.fileno(), length, at):
                    return f"{a.name}: differs within {at}..{at + length}"
    return ""


def same_files(a, b):
    """What tells two directories apart; nothing if they are the same."""
    names_a, names_b = ({entry.name for entry in d.iterdir()} for d in (a, b))
    lines = [f"only in {a.name}: {name}" for name in sorted(names_a - names_b)]
    lines += [f"only in {b.name}: {name}" for name in sorted(names_b - names_a)]
    lines += [same_bytes(a / name, b / name) for name in sorted(names_a & names_b)]
    if not names_a:
        lines.append(f"{a.name} is empty")
    return "\n".join(filter(None, lines))


def pe_list():
    """PE files of this machine's Wine, a fair number, as a file that both programs read."""
    # (Our own DLLs come and go with other tests.)
    files = sorted(f for f in WINE_DLLS.glob("*.dll") if not f.name.startswith("cim"))[::9]
    path = TMP / "pe-files"
    path.write_text("".join(f"{file}\n" for file in files))
    if not files:
        print(f"# no PE files in {WINE_DLLS}: stories do without")
    return path


def holes_work():
    path = TMP / "hole"
    with open(path, "wb") as file:
        file.truncate(5 << 30)
    blocks = path.stat().st_blocks
    path.unlink()
    return blocks < 1000


def fresh(name):
    path = TMP / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path


def tell_natively(seed, options):
    """The three native runs; returns the first one's directory."""
    told = fresh("libcim")
    status, said = run(NATIVE, *options, seed, told)
    check(status == 0, f"seed {seed}: libcim answers and stores as the model says", said)
    print(said.splitlines()[-1] if said else "# it said nothing")

    filled = fresh("fill")
    status, said = run(NATIVE, "--fill", *options, seed, filled)
    differs = same_files(told, filled)
    check(
        status == 0 and not differs,
        f"seed {seed}: whole streams at once come to the same files",
        said + differs,
    )

    for image in filled.glob("*.cim"):
        image.unlink()
    status, said = run(NATIVE, *options, seed, filled)
    differs = same_files(told, filled)
    check(
        status == 0 and not differs,
        f"seed {seed}: the same once more over region files that are there",
        said + differs,
    )
    shutil.rmtree(filled)
    return told


def tell_in_container(seed, options):
    """In a container, which is one file: its directory."""
    told = fresh("container")
    status, said = run(NATIVE, *options, seed, told)
    check(status == 0, f"seed {seed}: in a container: libcim answers and stores as the model says", said)
    names = sorted(path.name for path in told.iterdir())
    check(names == ["c.bcim"], f"seed {seed}: all of it is one file", str(names))
    return told


def tell_windows(seed, options, told, what="the same files"):
    name = f"seed {seed}: cimfs.dll under Wine comes to {what}"
    if not WINE:
        skip(name, "no wine (WINE is not set)")
        return
    directory = fresh("dll")
    status, said = run(
        WINE, TMP / "rt_cimfs.exe", *options, seed, "Z:" + str(directory).replace("/", "\\")
    )
    check(
        status == 0, f"seed {seed}: cimfs.dll answers, and reads, as the model says ({what})", said
    )
    differs = same_files(told, directory)
    check(not differs, name, differs)
    shutil.rmtree(directory)


def check_sets(seed, told, known):
    """A set's name is made of all that is in it, so no two stories may share one."""
    sets = {path.name[7:43] for path in told.glob("region_*")}
    shared = sets & known
    known |= sets
    check(
        sets and not shared,
        f"seed {seed}: no region set has the name of another story's",
        "\n".join(sorted(shared)) or "there is none",
    )


def check_images(seed, told, pattern="*.cim"):
    name = f"seed {seed}: cimtool verify --deep {pattern} finds nothing"
    images = sorted(told.glob(pattern))
    status, said = run(CIMTOOL, "verify", "--deep", *images)
    if status == 2:  # one image at a time, then
        results = [run(CIMTOOL, "verify", "--deep", image) for image in images]
        status = max((result[0] for result in results), default=1)
        said = "\n".join(result[1] for result in results)
    check(status == 0 and images, name, said)


def main():
    if "CIM_SEED" in os.environ or "CIM_ROUNDS" in os.environ:
        first = int(os.environ.get("CIM_SEED") or random.randrange(1 << 32))
        seeds = list(range(first, first + int(os.environ.get("CIM_ROUNDS") or 1)))
    else:
        seeds = FIXED_SEEDS + [random.randrange(1 << 32)]
    TMP.mkdir(parents=True, exist_ok=True)
    print(f"# CIM_SEED={seeds[0]} of {len(seeds)}; the last is {seeds[-1]}")
    # beside the program, so that this DLL is what it finds, whatever the prefix has
    shutil.copy(WINDOWS, TMP)
    shutil.copy(DLL, TMP)
    pe = ["--pe", pe_list()]
    big = holes_work()
    known = set()
    for number, seed in enumerate(seeds):
        options = [*pe, "--big"] if big and number == 1 else pe
        if "--big" in options:
            print(f"# seed {seed} also has a stream of more than 4 GiB")
        told = tell_natively(seed, [*options, "--merge"])
        tell_windows(seed, [*options, "--merge"], told)
        check_images(seed, told)
        check_sets(seed, told, known)
        shutil.rmtree(told)
        if number % 4 > 1:
            continue
        options = [*pe, "--merge", "--container", *(["--marks"] if seed % 2 else [])]
        told = tell_in_container(seed, options)
        tell_windows(seed, options, told, "the same container")
        check_images(seed, told, "*.bcim")
        shutil.rmtree(told)
    done()


main()
