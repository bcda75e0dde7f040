#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool on images in a container: CONTAINER/NAME where an image is meant, CONTAINER where a directory.

Where a container is made, that is compared with the bytes of an empty one, which stand here as container.md says.
"""

import json
import os
import re
import resource
import shutil
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tooltest  # noqa: E402
from tooltest import TMP, check, done, expect, same, skip, tool  # noqa: E402

BLOCK = 4096


def empty():
    header = struct.pack("<8s6I", b"cimcont0", BLOCK, BLOCK, 1, 0, 0, 0).ljust(496, b"\0")
    header += bytes.fromhex("cdf923a7fe3e1d30c1a7dbf267502472")
    record = struct.pack("<4Q", 1, 3 * BLOCK, 8, 4 * BLOCK)
    record += bytes.fromhex("2c0a8a99dc147d5445c3b49d035665b2" "5cac23b2fe829e2eafd316abd44ad776")
    return header.ljust(BLOCK, b"\0") + record.ljust(3 * BLOCK, b"\0")


def put(name, data):
    path = os.path.join(TMP, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    return path


def get(name):
    with open(os.path.join(TMP, name), "rb") as file:
        return file.read()


BIG = b"".join(b"%d\n" % i for i in range(60000))
put("src/big", BIG)
put("src/dir/small", b"text\n")
put("more/added", b"another\n")

# Making, reading
result = tool("create", "c.bcim/base.cim", "src")
check(result.code == 1 and "there is no directory and no container c.bcim (--container makes one)" in result.errors,
      "no container is made unless that is said", result)
result = tool("create", "--container", "c.bcim/base.cim", "src/none")
check(result.code == 1 and not os.path.exists(os.path.join(TMP, "c.bcim")),
      "one that was made goes with an image that isn't", result)
expect(0, "create --container makes one", "create", "--container", "c.bcim/base.cim", "src")
same(get("c.bcim")[:BLOCK], empty()[:BLOCK], "with the header that is written down")
expect(0, "and takes one that is there", "create", "--container", "c.bcim/more.cim", "more")
expect(0, "of which one image goes", "rm", "c.bcim/more.cim")
put("c.bcim", empty())
expect(0, "files of an empty container", "files", "c.bcim")
expect(0, "create in a container", "create", "c.bcim/base.cim", "src")
same(sorted(os.listdir(TMP)), ["c.bcim", "more", "src"], "all of it is in the one file")
same(len(get("c.bcim")) % BLOCK, 0, "which has whole blocks")
same(expect(0, "ls", "ls", "-R", "c.bcim/base.cim").text.split(),
     ["big", "dir", "dir/small"], "what it lists")
same(expect(0, "cat", "cat", "c.bcim/BASE.CIM", "big").out, BIG, "the data, by its name in any case")
expect(0, "verify", "verify", "--deep", "c.bcim/base.cim")
check("Region set:" in expect(0, "info", "info", "c.bcim/base.cim").text, "info tells of its set")
check("image header" in expect(0, "dump --struct", "dump", "--struct", "c.bcim/base.cim").text,
      "dump shows its structures")
os.symlink("c.bcim", os.path.join(TMP, "link"))
expect(0, "by a link to the container", "verify", "link/base.cim")
expect(0, "by its absolute path", "stat", os.path.join(TMP, "c.bcim/base.cim"), "big")

# Extending, forking
expect(0, "append", "append", "c.bcim/base.cim", "more")
expect(0, "fork", "fork", "c.bcim/base.cim", "child.cim", "--delete", "dir/small")
result = tool("fork", "c.bcim/base.cim", "BASE.cim")
check(result.code == 1 and "taken" in result.errors, "a fork of the same name in another case", result)
result = tool("fork", "c.bcim/base.cim", os.path.join(TMP, "out.cim"))
check(result.code and "lies in the directory of its parent" in result.errors,
      "a fork lies where its parent is", result)
same(expect(1, "diff", "diff", "c.bcim/base.cim", "c.bcim/child.cim").text,
     "- /dir/small (5 bytes)\n", "what the fork lacks")
text = expect(0, "files of an image", "files", "c.bcim/child.cim").text
same(sum(line.startswith("region") for line in text.split("\n")), 9, "it needs three sets")
result = tool("create", "c.bcim/child.cim", "src")
check(result.code == 1 and "taken" in result.errors, "a name that is taken", result)

# The same as in a directory
expect(0, "create in a directory", "create", "plain.cim", "src")
expect(0, "fork there", "fork", "c.bcim/base.cim", "same.cim", "--delete", "added")
same(expect(0, "diff with a directory's", "diff", "plain.cim", "c.bcim/same.cim").text, "",
     "no difference")
expect(0, "rm of that one", "rm", "c.bcim/same.cim")

# Where an image is meant, a container is none; verify checks what is in it
NAME_ONE = "a container; an image in it is named c.bcim/NAME.cim"
for args, code in [(["ls", "c.bcim"], 1), (["stat", "c.bcim", "/"], 1), (["cat", "c.bcim", "/big"], 1),
                   (["extract", "-C", "out", "c.bcim"], 1), (["dump", "c.bcim"], 1), (["dump", "--struct", "c.bcim"], 1),
                   (["diff", "c.bcim", "plain.cim"], 2), (["diff", "plain.cim", "c.bcim"], 2), (["append", "c.bcim", "more"], 1),
                   (["fork", "c.bcim", "x.cim"], 1), (["tombstone", "c.bcim", "/x"], 1), (["rm", "c.bcim"], 1),
                   (["merge", "x.cim", "c.bcim"], 1), (["verify", "--source=c.bcim", "plain.cim"], 1),
                   (["create", "c.bcim", "src"], 1), (["merge", "c.bcim", "plain.cim"], 1)]:
    result = tool(*args)
    check(result.code == code and result.errors.count("\n") == 1 and NAME_ONE in result.errors,
          " ".join(args) + " tells how an image in a container is named", result)
    # A '/' at the end makes no image of it; who makes or changes one says what he says of a directory.
    result = tool(*[arg.replace("c.bcim", "c.bcim/") for arg in args])
    check((NAME_ONE if result.code == code else "names a directory, not an image" if args[0] != "fork" else "names of image files")
          in result.errors and result.code, "nor is it c.bcim/: " + " ".join(args), result)
result = tool("create", "src", "more")
check(result.code == 1 and "a directory; an image is named by its file, such as src/NAME.cim" in result.errors,
      "so does create of an image in a directory", result)
for args, name in ((["ls", "%s"], "ls"), (["info", "%s"], "info"), (["verify", "%s"], "verify"), (["extract", "-C", "out", "%s"], "extract"),
                   (["diff", "plain.cim", "%s"], "diff"), (["files", "%s"], "files")):
    for image, within in (("plain.cim", "/dir/none"), ("plain.cim", "/"), ("c.bcim/base.cim", "/big"), ("./c.bcim/base.cim", "/dir/x/")):
        result = tool(*[arg.replace("%s", image + within) for arg in args])
        check(result.code in (1, 2) and result.errors.count("\n") == 1 and not result.text and
              "%s is an image: a path in it, such as %s, is an argument of its own\n" % (image, within) in result.errors,
              "%s of %s tells how a path in it is named" % (name, image + within), result)
for image, within in (("plain.cim", "/dir/none"), ("plain.cim", "/"), ("c.bcim/base.cim", "/big")):
    result = tool("rm", "--force", image + within)
    check(result.code == 1 and result.errors.count("\n") == 1 and tool("ls", image).code == 0 and
          "%s is an image, which is removed as a whole: %s is a path in it\n" % (image, within) in result.errors,
          "rm of %s tells that it is about the whole image" % (image + within), result)
result = tool("ls", "c.bcim/none.cim/x")
check(result.code == 1 and "argument of its own" not in result.errors, "of none nothing is said", result)
for name in ("files", "rm"):
    result = tool(name, "c.bcim/none.cim")
    check(result.code == 1 and "c.bcim/none.cim: no such image in the container\n" in result.errors, name + " of none", result)
for args in (["info", "--json", "c.bcim"], ["verify", "c.bcim"], ["files", "c.bcim"], ["ls", "c.bcim/base.cim"]):
    texts = {}
    for spelt in ("c.bcim", "c.bcim/", "c.bcim//", "./c.bcim"):
        result = expect(0, args[0] + " " + spelt, *[arg.replace("c.bcim", spelt) for arg in args])
        texts[spelt] = re.sub(r"(\./)?c\.bcim/*", "c.bcim/", result.text)
    same(set(texts.values()), {texts["c.bcim"]}, "%s: however the container is spelt" % args[0])
for spelt in ("v.bcim", "v.bcim/", "v.bcim//"):
    expect(0, "create --container", "create", "--container", "--sealable", "v.bcim/a.cim", "src")
    expect(0, "append-vhd-footer " + spelt, "append-vhd-footer", spelt)
    result = tool("seal", spelt)
    same((result.code, result.errors.count("the VHD footer")), (0, 1), "seal %s tells that a footer went" % spelt)
    same(re.findall(r"v\.bcim/*", result.text), ["v.bcim"] * 3, "and names the file")
    expect(0, "convert to " + spelt, "convert", "c.bcim", spelt.replace("v", "w"), "--container")
    expect(0, "append-vhd-footer", "append-vhd-footer", "w.bcim")
    result = expect(0, "convert to one with a footer", "convert", "v.bcim", spelt.replace("v", "w"))
    same(result.errors.count("the VHD footer"), 1, "convert to %s tells that a footer went" % spelt)
    os.unlink(os.path.join(TMP, "v.bcim"))
    os.unlink(os.path.join(TMP, "w.bcim"))
same(re.findall(r"^(\S+): (\w+) ", expect(0, "verify of all", "verify", "--deep", "c.bcim").text, re.M),
     [("c.bcim/base.cim", "ok"), ("c.bcim/child.cim", "ok")], "is of each image in it")
same(expect(0, "verify -v", "verify", "-v", "c.bcim").text.count("its seal"), 0, "of a seal nothing is said where there is none")
put("empty.bcim", empty())
result = tool("verify", "empty.bcim")
check(result.code == 1 and "there is no image in it" in result.errors, "of none nothing is said to be well", result)
put("broken.bcim", get("c.bcim")[:BLOCK] + bytes(2 * BLOCK) + get("c.bcim")[3 * BLOCK:])
result = tool("verify", "--json", "broken.bcim")
same((result.code, [json.loads(line).get("result") for line in result.text.splitlines()]), (4, [None, "corrupt"]),
     "a container that can't be read is a finding")
damaged = bytearray(get("c.bcim"))
at = damaged.index(BIG[:BLOCK])
damaged[at] ^= 1
put("damaged.bcim", damaged)
result = tool("verify", "--deep", "damaged.bcim")
same((result.code, re.findall(r"^(\S+): (corrupt|ok) ", result.text, re.M)),
     (4, [("damaged.bcim/base.cim", "corrupt"), ("damaged.bcim/child.cim", "corrupt")]), "nor is a byte that is another")

# Removing
result = tool("rm", "c.bcim/base.cim")
check(result.code and "fork of it" in result.errors, "a fork keeps its parent", result)
expect(0, "rm of the fork", "rm", "c.bcim/child.cim")
expect(0, "rm", "rm", "c.bcim/base.cim")
same(expect(0, "files", "files", "c.bcim").text, "", "nothing is left in the container")
result = tool("rm", "c.bcim/base.cim")
check(result.code and "no such image" in result.errors, "rm of what isn't there", result)
size = len(get("c.bcim"))
expect(0, "orphans", "files", "--orphans", "--delete", "c.bcim")
same(len(get("c.bcim")), size, "looking for orphans changes nothing")

# A VHD footer is behind the container, so it goes when that is written again
def with_footer():
    with open(os.path.join(TMP, "c.bcim"), "ab") as file:
        file.write(b"conectix".ljust(512, b"\0"))


FOOTER = "the VHD footer behind the container is cut off"
with_footer()
size = len(get("c.bcim"))
check(FOOTER not in expect(0, "files before a footer", "files", "c.bcim").errors, "and who only reads leaves it alone")
same(len(get("c.bcim")), size, "footer and all")
for name, *args in [("create", "create", "c.bcim/v.cim", "more"), ("append", "append", "c.bcim/v.cim", "src"),
                    ("fork", "fork", "c.bcim/v.cim", "w.cim"), ("rm", "rm", "c.bcim/w.cim"),
                    ("files --delete", "files", "--orphans", "--delete", "c.bcim")]:
    check(FOOTER in expect(0, name + " before a footer", *args).errors, name + " tells that the footer goes")
    same(len(get("c.bcim")) % BLOCK, 0, "and it is gone")
    with_footer()
result = tool("append", "c.bcim/v.cim", "src", preexec_fn=lambda: resource.setrlimit(
    resource.RLIMIT_FSIZE, (len(get("c.bcim")),) * 2))
check(result.code == 1 and FOOTER in result.errors, "it is told where the disk is full, too", result)
put("tail/disk.vhd", bytes(BLOCK - 512) + b"conectix".ljust(512, b"\0"))
expect(0, "create of a VHD's end", "create", "--container", "tail.bcim/base.cim", "tail")
check(not expect(0, "append to it", "append", "tail.bcim/base.cim", "more").errors, "data is no footer")
expect(0, "rm of the last", "rm", "c.bcim/v.cim")

# What goes wrong
os.mkdir(os.path.join(TMP, "directory"))
for args, code, words in [
        (["--container", "x.cim"], 2, "'x.cim' names no container: it is to be CONTAINER/NAME"),
        (["--container", "c.bcim"], 2, "'c.bcim' is the container: an image in it is named c.bcim/NAME.cim"),
        (["none/x.cim"], 1, "there is no directory and no container none (--container makes one)"),
        (["--container", "directory/x.cim"], 1, "a directory, where a container is wanted"),
        (["--container", "none/x.bcim/x.cim"], 1, "No such file or directory"),
        (["--container", "src/big/x.cim"], 4, "it is no container"),
        (["--block", "c.bcim/x.cim"], 1, "c.bcim is no block device (--container is for a file)"),
        (["--block", "directory/x.cim"], 1, "directory is no block device (--block is for one)"),
        (["--block", "none/x.cim"], 1, "No such file or directory"),
        (["--container", "--block", "c.bcim/x.cim"], 2, "--container is for a file, --block for a device: not both"),
        (["--force", "c.bcim/x.cim"], 2, "--force works with --block only")]:
    result = tool("create", *args, "src")
    check(result.code == code and words in result.errors, "create %s: exit status %d" % (" ".join(args), code), result)
same(os.listdir(os.path.join(TMP, "directory")), [], "nothing is left of these")
for name, content, code, words in [
        ("other", b"no container at all", 1, "Not a directory"),
        ("cut", get("c.bcim")[:BLOCK + 100], 4, "cut short"),
        ("broken", get("c.bcim")[:BLOCK] + bytes(2 * BLOCK) + get("c.bcim")[3 * BLOCK:], 4,
         "neither of the container's two commit records holds")]:
    put(name, content)
    for args in [["info", name + "/x.cim"], ["verify", name + "/x.cim"],
                 ["create", name + "/x.cim", "src"]]:
        result = tool(*args)
        check(result.code == code and words in result.errors,
              "%s in %s: exit status %d" % (args[0], name, code), result)
    same(get(name), content, "%s stays as it is" % name)
result = tool("info", "c.bcim/none.cim")
check(result.code == 1 and "o such file" in result.errors, "no such image", result)
result = tool("info", "none.bcim/x.cim")
check(result.code == 1 and "No such file" in result.errors, "no such container", result)
os.rename(os.path.join(TMP, "c.bcim"), os.path.join(TMP, "src/c.bcim"))
result = tool("create", "src/c.bcim/x.cim", "src")
check(result.code == 1 and "container is part of the source" in result.errors,
      "a container that is part of the source", result)
expect(0, "or excluded", "create", "--exclude", "c.bcim", "src/c.bcim/x.cim", "src")


def with_device(size):
    """A block device of that size, its path; None if there can't be one."""
    path = put("device.img", b"")
    os.truncate(path, size)
    made = tooltest.run(["losetup", "--find", "--show", path]) if shutil.which("losetup") else None
    return made.text.strip() if made and made.code == 0 else None


def on_device(device):
    with open(device, "wb") as file:
        file.write(b"a partition table, it may be")
    result = tool("create", "--container", device + "/base.cim", "more")
    check(result.code == 1 and "is a block device, which --block is for" in result.errors, "--container of a device", result)
    result = tool("create", "--block", device + "/base.cim", "more")
    check(result.code == 4 and get("device.img")[:12] == b"a partition ", "a device that holds something is left alone",
          result)
    for args in (["create", "--block", device + "/base.cim", "more"], ["convert", "--block", "plain.cim", device + "/base.cim"]):
        result = tool(*args)
        check(result.code == 4 and result.errors.endswith("the device holds something that is no container; "
                                                          "--force makes one, and that is lost\n"),
              args[0] + " tells what makes one all the same", result)
    check(get("device.img")[:12] == b"a partition ", "by telling it nothing is made", get("device.img")[:12])
    expect(0, "create on a device", "create", "--block", "--force", device + "/base.cim", "more")
    same(get("device.img")[:BLOCK], empty()[:BLOCK], "its header")
    expect(0, "create on one that has images", "create", "--block", device + "/next.cim", "more")
    expect(0, "of which one goes", "rm", device + "/next.cim")
    expect(0, "append there", "append", device + "/base.cim", "src", "--exclude", "c.bcim")
    same(tool("cat", device + "/base.cim", "big").out, BIG, "the data on a device")
    expect(0, "verify there", "verify", "--deep", device + "/base.cim")
    same(expect(0, "files there", "files", device).text.count("base.cim\n"), 13, "of one image")
    put("random/data", os.urandom(5 << 20))
    result = tool("create", device + "/full.cim", "random")
    check(result.code == 1 and "disk is full" in result.errors, "a device that is too small", result)
    expect(0, "and holds what it held", "verify", "--deep", device + "/base.cim")
    used = os.open(device, os.O_RDWR | os.O_EXCL)  # as who mounts it does
    result = tool("append", device + "/base.cim", "more")
    check(result.code == 1 and "the device is in use" in result.errors and "another session" in result.errors, "a device that is in use is not written", result)
    expect(0, "but read", "ls", device + "/base.cim")
    os.close(used)
    expect(0, "rm there", "rm", device + "/base.cim")


device = with_device(4 << 20)
if device:
    try:
        on_device(device)
    finally:
        tooltest.run(["losetup", "--detach", device])
else:
    skip("on a block device", "there is no loop device to be had")
done()
