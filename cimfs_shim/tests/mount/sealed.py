#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Sealed containers and merged images, mounted: by a root hash and without, with their sources, and with
a byte that isn't as it was."""

import os
import random
import shutil
import uuid

from mounttest import (CIMTOOL, SERVER, TMP, check, done, error_of, mount, mounts, need_server, no_fuse, read, run,
                       same, servers, skip, tool, umount, wait_until)

need_server()
BLOCK = 4096
MNT = os.path.join(TMP, "mnt")
LOG = os.path.join(TMP, "log")
WRONG = "11" * 32
os.makedirs(MNT)
A, B, M = (os.path.join(TMP, "%s.bcim/%s.cim" % (n, n)) for n in "abm")
roots = {}
for n in "abm":
    with open(os.path.join(TMP, n), "wb") as f:
        f.write(random.Random(n).randbytes(700000))
    how = ["merge", "--verified"] if n == "m" else ["create"]
    made = tool(*how, "-q", "--container", "--sealable", os.path.join(TMP, "%s.bcim/%s.cim" % (n, n)),
                *([A, B] if n == "m" else [f.name]))
    sealed = tool("seal", "-q", os.path.join(TMP, n + ".bcim"))
    check(made.code == sealed.code == 0, "%s.bcim is made and sealed" % n, (made, sealed))
    roots[n + ".bcim"] = sealed.text.strip()


def at(name):
    return os.path.join(MNT, name)


def refused(name, code, words, *command):
    result = run(command)
    lines = result.errors.splitlines()
    check(result.code == code and len(lines) == 1 and all(w in lines[0] for w in words),
          "%s: exit code %d, one clear line" % (name, code), result)
    check(not mounts(), "%s: nothing is mounted" % name, mounts())


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def unmounted(image):
    check(umount(MNT).code == 0 and wait_until(lambda: not servers(image)), "it is unmounted", servers(image))


# ---- what is refused ----

src, unsealed = os.path.join(TMP, "src"), os.path.join(TMP, "u.bcim/u.cim")
os.makedirs(src)
with open(os.path.join(src, "u"), "wb") as f:
    f.write(b"unsealed")
same(tool("create", "-q", "--container", unsealed, src).code, 0, "a container that isn't sealed")
same(tool("create", "-q", os.path.join(TMP, "d.cim"), src).code, 0, "an image in a directory")
for name, image, root, words in (("another root hash", A, WRONG, ["a.cim", "another root hash"]),
                                 ("an unsealed container", unsealed, WRONG, ["isn't sealed"]),
                                 ("a directory", os.path.join(TMP, "d.cim"), WRONG, ["no container"]),
                                 ("another container's root hash", A, roots["b.bcim"], ["another root hash"])):
    refused(name, 4, words, SERVER, "--root-hash=" + root, image, MNT)
    refused(name + ", by -o", 4, words, SERVER, image, MNT, "-o", "root_hash=" + root)
for root in ("", "1", roots["a.bcim"] + "0", roots["a.bcim"][:-1] + "x", roots["a.bcim"][:-2] + " 1", "0x" + WRONG[2:]):
    refused("%a as a root hash" % root, 2, ["--root-hash"], SERVER, "--root-hash=" + root, A, MNT)
    refused("%a as a root hash, by -o" % root, 2, ["root_hash"], SERVER, A, MNT, "-o", "root_hash=" + root)
refused("--merge with an image alone", 2, ["--merge"], SERVER, "--merge", M, MNT)
refused("sources without --merge", 2, ["an image and a directory"], SERVER, M, A, B, MNT)
refused("no merged image", 1, ["a.cim", "no merged image"], SERVER, "--merge", A, B, MNT)
refused("a source that isn't there", 1, ["none of the images given"], SERVER, "--merge", M, A, MNT)
refused("a source without a file", 1, ["no.cim"], SERVER, "--merge", M, A, os.path.join(TMP, "no.cim"), MNT)
refused("a directory as source", 1, [src, "a directory"], SERVER, "--merge", M, A, src, MNT)
refused("a merged image without its sources", 4, ["m.cim", "merged from others", "-o source=IMAGE"], SERVER, M, MNT)

why = no_fuse()
if why:
    skip("everything that is mounted", why)
    done()

# ---- one image ----

for name, *more in (("without a root hash",), ("with it", "--root-hash=" + roots["a.bcim"]),
                    ("in capitals, by -o", "-o", "root_hash=" + roots["a.bcim"].upper())):
    result = mount(A, MNT, *more)
    check(result.code == 0 and sorted(os.listdir(MNT)) == ["a"], "a sealed container is mounted, " + name, result)
    data = read(at("a"))
    same(len(data), 700000, "and read")
    unmounted(A)
    # The last whole block of the file's data, and so of region 2.
    bad = os.path.join(TMP, "a.bcim")
    where = read(bad).index(data[600000:600064])
    flip(bad, where)
    if os.path.exists(LOG):
        os.unlink(LOG)
    result = mount(A, MNT, "-o", "log=" + LOG, *more)
    check(result.code == 0, "with a changed byte too, " + name, result)
    with open(at("a"), "rb") as f:
        same(f.read(100000) == data[:100000], True, "what isn't near it is read")
        f.seek(600000)
        same(error_of(f.read, 10), "EIO", "what is in its block isn't")
        f.seek(690000)
        same(f.read() == data[690000:], True, "what is behind it is")
    with open(LOG, encoding="utf-8") as f:
        told = f.read()
    check("block %d isn't the one that was sealed" % (where // BLOCK) in told, "the log names the block", told)
    unmounted(A)
    flip(bad, where)

# ---- what "veritysetup open" shows: a device of the data, without the seal ----

with open(os.path.join(TMP, "a.bcim"), "rb") as f:
    end = int.from_bytes(f.read(BLOCK)[32:40], "little")
loop = run(["losetup", "--find", "--show", "--read-only", "--sizelimit", str(end), os.path.join(TMP, "a.bcim")])
if loop.code:
    skip("a device that ends where the seal begins", "no loop device: " + loop.errors.strip())
else:
    device = loop.text.strip()
    try:
        result = mount(device + "/a.cim", MNT)
        check(result.code == 0 and read(at("a")) == data, "a device without the seal is mounted", result)
        unmounted(device + "/a.cim")
        refused("a device without the seal, by its root hash", 4, ["seal isn't here"], SERVER,
                "--root-hash=" + roots["a.bcim"], device + "/a.cim", MNT)
        result = tool("info", device)
        check(result.code == 0 and "the seal isn't here" in result.text, "cimtool info says where it isn't", result)
    finally:
        run(["losetup", "--detach", device])

# ---- merged ----

for name, *words in (("--merge", "--merge", M, A, B, MNT), ("in another order", "--merge", M, B, A, MNT),
                     ("-o source", M, MNT, "-o", "source=%s,source=%s" % (A, B)),
                     ("with one too many", "--merge", M, A, unsealed, B, MNT),
                     ("by its root hash", "--root-hash", roots["m.bcim"], "--merge", M, A, B, MNT)):
    result = run([SERVER, *words])
    check(result.code == 0 and sorted(os.listdir(MNT)) == ["a", "b"], "a merged image is mounted: " + name, result)
    same((read(at("a")) == data, len(read(at("b")))), (True, 700000), "and read")
    same(mounts(), [(MNT, "fuse.cimfs", M)], "it is shown by its own name")
    unmounted(M)
helper = os.path.join(TMP, "mount.cimfs")
os.symlink(SERVER, helper)
result = run([helper, M, MNT, "-o", "rw,source=%s,source=%s,root_hash=%s" % (A, B, roots["m.bcim"])])
check(result.code == 0 and read(at("a")) == data, "as mount(8) has it mounted", result)
unmounted(M)
for words in ([], ["--root-hash", roots["m.bcim"]]):
    result = tool("mount", *words, "--source", A, "--source", B, M, MNT)
    check(result.code == 0 and read(at("a")) == data, "cimtool mount with sources %s" % words[:1], result)
    unmounted(M)
result = tool("mount", "--root-hash", roots["a.bcim"], A, MNT)
check(result.code == 0 and read(at("a")) == data, "cimtool mount by a root hash", result)
unmounted(A)
refused("cimtool mount by another", 4, ["another root hash"], CIMTOOL, "mount", "--root-hash", WRONG, A, MNT)
refused("a merged image by another root hash", 4, ["m.cim", "another root hash"], SERVER, "--root-hash=" + WRONG,
        "--merge", M, A, B, MNT)
result = run([SERVER, "--root-hash=" + WRONG, M, MNT])
check(result.code == 4 and "another root hash" in result.errors and "--merge" not in result.errors,
      "by which nobody is told to name its sources", result)
refused("a merged image alone", 4, ["is missing", "--merge, or -o source=IMAGE, names them"], SERVER, M, MNT)
same(tool("merge", "-q", "--container", os.path.join(TMP, "p.bcim/p.cim"), A, B).code, 0, "merges into a container")
refused("a merged image in a container that isn't sealed", 4, ["isn't sealed"], SERVER, "--root-hash=" + WRONG,
        "--merge", os.path.join(TMP, "p.bcim/p.cim"), A, B, MNT)

# ---- nobody commits over a source ----

one, two = (os.path.join(TMP, n, "s.cim") for n in ("one", "two"))
for image in (one, two):
    os.makedirs(os.path.dirname(image))
    same(tool("create", "-q", image, src).code, 0, "a source in a directory of its own")
merged = os.path.join(TMP, "merged.cim")
same(tool("merge", "-q", merged, one, two).code, 0, "merges them")
result = run([SERVER, "--merge", merged, one, two, MNT])
check(result.code == 0 and read(at("u")) == b"unsealed", "mounts them", result)
for image in (one, two):
    result = tool("append", "-q", image, src)
    check(result.code == 1 and "is mounted" in result.errors, "a commit over a source is refused meanwhile", result)
unmounted(merged)
more = os.path.join(TMP, "more")
shutil.copytree(os.path.dirname(one), more)
result = tool("append", "-q", os.path.join(more, "s.cim"), src)
check(result.code == 0, "and not over another, or afterwards", result)

# ---- as cimfs.dll asks for it ----

DOS, GUID = os.path.join(TMP, "prefix", "dosdevices"), str(uuid.uuid4())
VOLUME = os.path.join(DOS, "volume{%s}" % GUID)
INVALID, NOT_FOUND, CORRUPT = 65, 69, 74
os.makedirs(DOS)


def wine(what, *more):
    return run([SERVER, "--wine-" + what, "--dosdevices", DOS, "--guid", GUID, *more])


for code, words in ((CORRUPT, ("--root-hash", WRONG)), (INVALID, ("--root-hash", "x")), (CORRUPT, ("--image", M)),
                    (NOT_FOUND, ("--image", M, "--source", A))):
    result = wine("mount", *(("--image", A) if "--image" not in words else ()), *words)
    check(result.code == code and not os.path.lexists(VOLUME), "a volume with %s is refused" % words[0], result)
for backend in ("fuse", "extract"):
    result = wine("mount", "--backend", backend, "--image", M, "--source", A, "--source", B, "--root-hash", roots["m.bcim"])
    check(result.code == 0 and read(os.path.join(VOLUME, "a")) == data, backend + ": a verified merged volume", result)
    same(wine("dismount").code, 0, "ends")
    result = wine("mount", "--backend", backend, "--image", merged, "--source", one, "--source", two)
    check(result.code == 0 and read(os.path.join(VOLUME, "u")) == b"unsealed", backend + ": a merged volume", result)
    for image in (one, two):
        result = tool("append", "-q", image, src)
        check(result.code == 1 and "is mounted" in result.errors, "no commit over its source", result)
    same(wine("dismount").code, 0, "ends")
shutil.rmtree(os.path.dirname(two))
refused("a source that is gone", 1, ["s.cim"], SERVER, "--merge", merged, one, two, MNT)
done()
