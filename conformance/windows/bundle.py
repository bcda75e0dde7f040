#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Make cimfs-conformance-windows.zip, what a Windows machine needs to judge its cimfs.dll.

Usage: conformance/windows/bundle.py OUT.zip

Takes what "make" built. The same inputs give the same bytes: fixed order, times and permissions, and
nothing of this machine. Run from the top directory.
"""

import pathlib
import sys
import zipfile

HERE = pathlib.Path("conformance/windows")
BUILD = pathlib.Path("build")
ARCHITECTURES = {"x86_64": "win64", "i686": "win32"}
TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can have


def text(path):
    """For Windows: lines end with CR LF. ASCII, for Windows PowerShell 5.1 takes a script without a
    byte order mark as the machine's own code page."""
    data = path.read_bytes()
    if not data.isascii():
        sys.exit(f"bundle: {path} is not ASCII")
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def fixed_files():
    """What every bundle has: {name in the zip: bytes}."""
    files = {
        "run.ps1": text(HERE / "run.ps1"),
        "steps.txt": text(HERE / "steps.txt"),
        "README-WINDOWS.txt": text(HERE / "README-WINDOWS.txt"),
        "LICENSE.txt": text(pathlib.Path("COPYING")),
    }
    for arch, directory in ARCHITECTURES.items():
        built = BUILD / directory
        for program in ("conformance/cimfs-conformance.exe", "conformance/cimfs-compare.exe",
                        "wine-tests/cimfs_test.exe"):
            path = built / program
            files[f"{arch}/{path.name}"] = path.read_bytes()
        files[f"ours/{arch}/cimfs.dll"] = (built / "cimfs.dll").read_bytes()
        # Once more beside our DLL: Windows looks there first for one that is loaded by name.
        files[f"ours/{arch}/cimfs_test.exe"] = files[f"{arch}/cimfs_test.exe"]
    return files


def images():
    """The sets of images made on Linux, each a directory with its manifest."""
    directory = BUILD / "conformance/images"
    for one in directory.iterdir():
        if not (one / "manifest.txt").exists():
            sys.exit(f"bundle: {one}/manifest.txt is missing")
    return {f"images/{path.relative_to(directory).as_posix()}": path.read_bytes()
            for path in directory.rglob("*") if path.is_file()}


def all_files():
    return {**fixed_files(), **images()}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = pathlib.Path(sys.argv[1])
    try:
        files = all_files()
    except OSError as error:
        sys.exit(f"bundle: {error.filename}: {error.strerror}")
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".tmp")
    with zipfile.ZipFile(part, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, TIME)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, files[name], zipfile.ZIP_DEFLATED, 9)
    part.replace(out)
    print(f"{out}: {len(files)} files, {out.stat().st_size} bytes")


main()
