#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool when the world doesn't cooperate: full disks, missing rights, signals, other writers.

What is checked each time: the exit code, one line that says why, and that nothing is left behind.
"""

import fcntl
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import time

from tooltest import (CIMTOOL, TMP, check, done, expect, files_of, need_tool, plain_user, run, same, skip,
                      tool, write)

need_tool()
MOUNT = os.path.join(os.path.dirname(CIMTOOL), "cimfs-mount")


def place(name):
    path = os.path.join(TMP, name)
    os.mkdir(path)
    return path


def one_line(result, *words):
    return len(result.errors.splitlines()) == 1 and result.errors.startswith("cimtool: ") and \
        all(word in result.errors for word in words)


src = place("src")
write(os.path.join(src, "big"), os.urandom(3 << 20))
for i in range(50):
    write(os.path.join(src, "small%d" % i), b"%d" % i)

# ---- a full disk ----

img = place("limited")


def limit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


result = tool("create", os.path.join(img, "a.cim"), src, preexec_fn=limit)
check(result.code == 1 and one_line(result, "large"), "create under a file size limit fails", result)
same(os.listdir(img), [], "and leaves nothing")
good = os.path.join(place("good"), "a.cim")
expect(0, "the same without a limit", "create", good, src)
result = tool("extract", "-C", os.path.join(TMP, "limited-out"), good, preexec_fn=limit)
check(result.code == 3 and "/big" in result.errors, "extract under the limit restores what it can", result)
check("big" not in os.listdir(os.path.join(TMP, "limited-out")) and
      len(os.listdir(os.path.join(TMP, "limited-out"))) == 50, "and no half of a file")



def no_room_for_containers(full):
    """A copy, a seal, a footer: nothing is left, and what is there stays."""
    box, fill = os.path.join(full, "c.bcim"), os.path.join(full, "fill")
    expect(0, "an image in a container", "create", "-q", "--container", "--sealable", box + "/a.cim", os.path.join(src, "small1"))
    expect(0, "another", "create", "-q", os.path.join(full, "d.cim"), os.path.join(src, "small2"))
    try:
        with open(fill, "wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 12))
    except OSError:
        pass
    before = files_of(full)
    for name, *command in (
            ("convert", good, os.path.join(full, "e.cim")), ("convert", "--container", good, os.path.join(full, "e.bcim/e.cim")),
            ("convert", good, box + "/e.cim"), ("convert", "--container", os.path.dirname(good), os.path.join(full, "e.bcim")),
            ("convert", "--flatten", good, os.path.join(full, "e.cim")),
            ("merge", os.path.join(full, "e.cim"), good), ("merge", box + "/e.cim", good),
            ("merge", "--container", os.path.join(full, "e.bcim/e.cim"), good),
            ("tombstone", box + "/a.cim", "/x"), ("seal", box), ("append-vhd-footer", box)):
        result = tool(name, *command)
        check(result.code == 1 and one_line(result, "No space left"), "%s %s on a full disk fails" % (
            name, " ".join(map(os.path.basename, command))), result)
        check(files_of(full) == before, "and leaves all as it was", sorted(set(os.listdir(full)) ^ set(before)))
    os.unlink(fill)
    root = expect(0, "with room it can be sealed", "seal", "-q", box).text.strip()
    expect(0, "and is whole", "verify", "--deep", "--root-hash=" + root, box)


full = place("full")
mounted = run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", full])
if mounted.code:
    skip("a full disk", "no tmpfs: " + mounted.errors.strip())
else:
    try:
        result = tool("create", os.path.join(full, "a.cim"), src)
        check(result.code == 1 and one_line(result, "a.cim: /big: ", "full"),
              "create on a full disk fails, and names the path inside the image", result)
        same(os.listdir(full), [], "and leaves nothing")
        result = tool("extract", "-C", os.path.join(full, "out"), good)
        check(result.code == 1 and "No space left" in result.errors and
              len(result.errors.splitlines()) == 1, "extract to a full disk fails at once", result)
        # (The directory goes too, if nothing else was restored by then.)
        check(not os.path.exists(os.path.join(full, "out/big")), "and takes the half file away")
        run(["rm", "-rf", os.path.join(full, "out")])
        result = tool("dump", "--data", os.path.join(full, "data"), good)
        check(result.code == 1 and "No space left" in result.errors, "dump --data to a full disk fails",
              result)
        same(os.listdir(os.path.join(full, "data")), [], "and leaves no half data")
        os.rmdir(os.path.join(full, "data"))
        small = place("small")
        write(os.path.join(small, "f"), os.urandom(1 << 20))
        expect(0, "a small image fits", "create", os.path.join(full, "b.cim"), small)
        deep = place("deep")
        write(os.path.join(deep, "a", "b", "big"), os.urandom(3 << 20))
        result = tool("fork", os.path.join(full, "b.cim"), "c.cim", "--add", deep + ":x")
        check(result.code == 1 and one_line(result, "c.cim: /x/a/b/big: ", "full"),
              "fork --add names it too", result)
        whole = os.path.join(place("whole"), "a.cim")
        data = os.path.join(TMP, "whole-data")
        expect(0, "an image elsewhere", "create", "-q", whole, deep)
        result = tool("create", "--from-dump=-", "--data", data, os.path.join(full, "d.cim"),
                      data=expect(0, "and its dump", "dump", "--data", data, whole).out)
        check(result.code == 1 and one_line(result, "d.cim: /a/b/big: ", "full"),
              "so does create --from-dump", result)
        before = files_of(full)
        result = tool("append", os.path.join(full, "b.cim"), src)
        check(result.code == 1 and one_line(result, "full"), "append on a full disk fails", result)
        check(files_of(full) == before, "and leaves the image as it was")
        expect(0, "which is whole", "verify", "--deep", os.path.join(full, "b.cim"))
        no_room_for_containers(full)
    finally:
        run(["umount", "-l", full])

for command in (["ls", "-R", good], ["dump", good], ["cat", good, "big"], ["info", good],
                ["stat", good, "big"], ["verify", good], ["files", os.path.dirname(good)],
                ["help"], ["ls", "--json", good], [MOUNT, "--help"], [MOUNT, "--version"]):
    with open("/dev/full", "wb") as sink:
        end = subprocess.run(command if command[0] == MOUNT else [CIMTOOL, *command], stdout=sink,
                             stderr=subprocess.PIPE, timeout=60)
    check(end.returncode == 1 and b"standard output: No space left" in end.stderr,
          "%s tells that its output was lost" % os.path.basename(command[0]), "%s %s" % (end.returncode, end.stderr))
with open("/dev/full", "wb") as sink:
    end = subprocess.run([CIMTOOL, "diff", good, good], stdout=sink, stderr=subprocess.PIPE, timeout=60)
check(end.returncode == 0, "diff with nothing to say doesn't mind", end)
unread = place("unread")


def unread_but_done(stands, *command):
    with open("/dev/full", "wb") as sink:
        end = subprocess.run([CIMTOOL, *command], cwd=unread, stdout=sink, stderr=subprocess.PIPE, timeout=60)
    check(end.returncode == 0 and b"No space left" in end.stderr and
          end.stderr.endswith(b"; " + stands.encode() + b" all the same\n"),
          "%s whose output was lost tells that, and ends as its work does" % command[0], "%s %s" % (end.returncode, end.stderr))


unread_but_done("the image is written", "create", "a.cim", os.path.join(src, "small1"))
unread_but_done("the image is written", "append", "a.cim", os.path.join(src, "small2"))
unread_but_done("the files are extracted", "extract", "-C", "out", "a.cim")
unread_but_done("what was named is removed", "rm", "a.cim")
write(os.path.join(unread, "cimtmp_0123456789abcdef_1"))
unread_but_done("the files are deleted", "files", "--orphans", "--delete", ".")
same(os.listdir(unread), ["out"], "as it is")
unread_but_done("what was converted is there", "convert", good, "b.cim")
unread_but_done("what was converted is there", "convert", "--container", "--sealable", ".", "c.bcim")
unread_but_done("the image is written", "convert", "--flatten", "b.cim", "d.cim")
unread_but_done("the image is written", "merge", "e.cim", "d.cim", "b.cim")
unread_but_done("the image is written", "tombstone", "d.cim", "/gone")
unread_but_done("the container is sealed", "seal", "c.bcim")
unread_but_done("the footer is there", "append-vhd-footer", "c.bcim")
check("Sealed:       yes" in tool("info", os.path.join(unread, "c.bcim")).text, "as it is")
for name in ("b.cim", "c.bcim/b.cim", "d.cim", "e.cim"):
    expect(0, "as it is: " + name, "verify", "--deep", os.path.join(unread, name))
same([name for name in os.listdir(unread) if name.startswith("cimtmp_")], [], "no private files")
other = os.path.join(place("other"), "a.cim")
expect(0, "another image", "create", "-q", other, os.path.join(src, "small1"))
with open("/dev/full", "wb") as sink:
    end = subprocess.run([CIMTOOL, "diff", good, other], stdout=sink, stderr=subprocess.PIPE, timeout=60)
check(end.returncode == 2 and b"standard output: No space left" in end.stderr,
      "diff whose answer was lost is trouble (2), not a difference (1)", end)

# ---- no standard streams ----

bare = place("bare")
for closed in (">&-", "<&- >&- 2>&-"):
    for command, code in (("create -q %s/a.cim %s" % (bare, src), 0), ("create %s/b.cim %s" % (bare, src), 0),
                          ("create -v %s/c.cim %s" % (bare, src), 0), ("append %s/b.cim %s" % (bare, src), 0),
                          ("verify -q --deep %s/c.cim" % bare, 0), ("extract -C %s/out %s/b.cim" % (bare, bare), 0),
                          ("diff %s/b.cim %s/c.cim" % (bare, bare), 0), ("ls %s/b.cim" % bare, 1),
                          ("rm %s/a.cim %s/b.cim %s/c.cim" % (bare, bare, bare), 0)):
        end = run(["sh", "-c", '"$0" %s %s' % (command, closed), CIMTOOL])
        told = "2>" not in closed and "-q" not in command and command[:4] != "diff"
        check(end.code == code and ("standard output: Bad file descriptor" in end.errors) == told,
              "%swith %s: exit status %d" % (command.split("/")[0], closed, code), end)
    same(os.listdir(bare), ["out"], "all is made and removed, with " + closed)
    run(["rm", "-r", os.path.join(bare, "out")])

# ---- nobody reads ----

for command in (["ls", "-R", good], ["verify", "-v", good], ["info", good]):
    there, here = os.pipe()
    os.close(there)
    end = subprocess.run([CIMTOOL, *command], stdout=here, stderr=subprocess.PIPE, timeout=60)
    os.close(here)
    same((end.returncode, end.stderr), (-signal.SIGPIPE, b""), "%s into a closed pipe ends by SIGPIPE" % command[0])

# ---- no right ----

readonly = place("readonly")
os.chmod(readonly, 0o555)
user, why = plain_user()
user.append(CIMTOOL)
if why:
    skip("rights", why)
else:
    result = run(user + ["create", os.path.join(readonly, "a.cim"), src])
    check(result.code == 1 and one_line(result), "create in a read-only directory fails", result)
    same(os.listdir(readonly), [], "and leaves nothing")
    secret = place("secret")
    open_place = place("open")
    os.chmod(open_place, 0o777)
    write(os.path.join(secret, "a"), b"a")
    write(os.path.join(secret, "key"), b"k", mode=0o000)
    result = run(user + ["create", os.path.join(open_place, "a.cim"), secret])
    check(result.code == 1 and one_line(result, "key", "Permission denied"),
          "a file that can't be read is named", result)
    same(os.listdir(open_place), [], "and nothing is left")
    os.chmod(os.path.join(secret, "key"), 0o644)
    result = run(user + ["create", "-q", os.path.join(open_place, "a.cim"), secret])
    check(result.code == 0, "somebody else's readable files are fine (no O_NOATIME)", result)
    result = run(user + ["extract", "-C", os.path.join(readonly, "out"), good])
    check(result.code == 1 and one_line(result, "Permission denied"),
          "extract into a read-only directory fails", result)
    os.chmod(readonly, 0o755)

    # An image whose files are partly somebody else's: what can't be read is no directory, and no
    # corruption.
    theirs = os.path.join(place("theirs"), "a.cim")
    os.chmod(os.path.dirname(theirs), 0o755)
    expect(0, "an image of another user", "create", "-q", theirs, secret)
    regions = sorted(n for n in os.listdir(os.path.dirname(theirs)) if n.startswith("region_"))
    held = next(n for n in regions if n.endswith("_2"))
    os.chmod(os.path.join(os.path.dirname(theirs), held), 0o000)
    result = run(user + ["cat", theirs, "a"])
    check(result.code == 1 and one_line(result, "/a: ", held, "Permission denied") and "directory" not in
          result.errors, "cat of a file whose region can't be read says so", result)
    result = run(user + ["ls", theirs])
    check(result.code == 0 and result.text == "a\nkey\n", "ls, which needs another region, works", result)
    for command in (["files", theirs], ["files", os.path.dirname(theirs)]):
        result = run(user + command)
        rows = [line for line in result.text.splitlines() if "no permission" in line]
        check(result.code == 0 and len(rows) == 1 and rows[0].split()[2] == held and
              rows[0].endswith(" (no permission) <- a.cim") and len(result.text.splitlines()) == 7,
              "files, which can't look into that one, knows it by its name", result)
    os.chmod(os.path.join(os.path.dirname(theirs), held), 0o644)
    private = os.path.join(os.path.dirname(theirs), "cimtmp_0123456789abcdef_1")
    write(private, b"x" * 1234, mode=0o000)
    result = run(user + ["files", os.path.dirname(theirs)])
    rows = [line for line in result.text.splitlines() if "cimtmp" in line]
    check(result.code == 0 and len(rows) == 1 and rows[0].split()[:2] == ["temporary", "1234"] and
          rows[0].endswith(" (no permission)"), "files shows a private file of another user", result)
    result = run(user + ["files", "--json", os.path.dirname(theirs)])
    rows = {row["name"]: row for row in map(json.loads, result.text.splitlines())}
    same([(name, row["size"]) for name, row in rows.items() if not row["readable"]],
         [(os.path.basename(private), 1234)], "--json tells which that is")
    result = run(user + ["rm", "-f", theirs])
    check(result.code == 1 and result.errors == "cimtool: remove %s: removing a.cim: Permission denied\n" % theirs,
          "rm -f of it names what it can't remove", result)
    os.chmod(theirs, 0o000)
    result = run(user + ["files", theirs])
    check(result.code == 1 and one_line(result, "a.cim", "Permission denied"),
          "an image that can't be read is named too", result)

    # One image that can't be read among others: it is listed, and since nobody knows what it needs,
    # all that isn't known to be another's stays.
    mixed = place("mixed")
    os.chmod(mixed, 0o777)
    for name in ("a.cim", "b.cim", "c.cim"):
        result = run(user + ["create", "-q", os.path.join(mixed, name), secret])
        check(result.code == 0, "an image among others: " + name, result)
    os.remove(os.path.join(mixed, "c.cim"))
    if os.geteuid() == 0:
        os.chown(os.path.join(mixed, "a.cim"), 0, 0)
    os.chmod(os.path.join(mixed, "a.cim"), 0o000)
    before = sorted(os.listdir(mixed))
    result = run(user + ["files", mixed])
    states = sorted(" ".join(line.split()[3:]) for line in result.text.splitlines())
    same((result.code, states), (0, [""] + ["(no permission)"] + ["(owner unknown)"] * 12 + ["<- b.cim"] * 6),
         "files lists what there is no right to read, and whose files are known")
    result = run(user + ["files", "--json", mixed])
    rows = {row["name"]: row for row in map(json.loads, result.text.splitlines())}
    same([row for row in rows.values() if row["orphan"]], [], "--json calls none of them an orphan")
    same([(name, row["kind"], row["size"]) for name, row in rows.items() if not row["readable"]],
         [("a.cim", "image", os.stat(os.path.join(mixed, "a.cim")).st_size)], "and says which isn't readable")
    result = run(user + ["files", os.path.join(mixed, "b.cim")])
    check(result.code == 0 and len(result.text.splitlines()) == 7, "files of another image works", result)
    for command in (["files", "--orphans", mixed], ["files", "--orphans", "--delete", mixed]):
        result = run(user + command)
        check(result.code == 4 and one_line(result, "a.cim", "no permission") and not result.text,
              "%s finds none" % command[-2], result)
    result = run(user + ["rm", os.path.join(mixed, "b.cim")])
    check(result.code == 1 and one_line(result, "a.cim can't be read, for want of permission", "--force"),
          "rm of another image is refused", result)
    same(sorted(os.listdir(mixed)), before, "and nothing is removed")
    result = run(user + ["rm", "--force", os.path.join(mixed, "b.cim")])
    before.remove("b.cim")
    same((result.code, sorted(os.listdir(mixed))), (0, before), "rm --force removes the image's file alone")
    result = run(user + ["rm", os.path.join(mixed, "a.cim")])
    check(result.code == 1 and one_line(result, "can't be read", "Permission denied", "--force"),
          "rm of that image is refused", result)
    os.chmod(os.path.join(mixed, "a.cim"), 0o644)
    result = run(user + ["rm", os.path.join(mixed, "a.cim")])
    check(result.code == 0 and len(os.listdir(mixed)) == len(before) - 7,
          "once it can be read it is removed with its own", result)

# ---- signals ----


def start(*command):
    return subprocess.Popen([CIMTOOL, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, cwd=TMP)


def wait_for(condition, process):
    """Until it holds; False if the process ended before."""
    for _ in range(3000):
        if condition():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.01)
    return False


def finish(process, name, number):
    """Ended by a signal, with one line about it."""
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return check(False, name, "it didn't end")
    return check(process.returncode == -number and not out and
                 err.decode() == "cimtool create: interrupted by %s\n" % number.name, name,
                 "exit code %s\n%s%s" % (process.returncode, out.decode(), err.decode()))


# A dump on a pipe that is never closed is a source that never ends.
dump = tool("dump", good).out
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    img = place("signal%d" % number)
    process = start("create", "--from-dump=-", os.path.join(img, "a.cim"))
    process.stdin.write(b"cim-dump 1\n")
    process.stdin.flush()
    check(wait_for(lambda: os.listdir(img), process), "a create that waits has its private files")
    process.send_signal(number)
    finish(process, "%s ends it" % number.name, number)
    same(os.listdir(img), [], "and its files are gone")

# Ctrl-C at a shell's loop: the shell goes on unless what it waits for dies by the signal.
img = place("loop")
process = subprocess.Popen(
    ["bash", "-c", 'for i in 1 2 3; do "$0" create -q --from-dump=- "$1/$i.cim"; echo $? >"$1/$i"; done', CIMTOOL, img],
    stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
process.stdin.write(b"cim-dump 1\n")
process.stdin.flush()
check(wait_for(lambda: os.listdir(img), process), "the first create of a loop has its private files")
os.killpg(process.pid, signal.SIGINT)
_, err = process.communicate(timeout=60)
same((process.returncode, err, os.listdir(img)), (-signal.SIGINT, b"cimtool create: interrupted by SIGINT\n", []),
     "Ctrl-C ends the loop")

# A large file being read.
huge = place("huge")
with open(os.path.join(huge, "f"), "wb") as f:
    f.truncate(64 << 30)
    f.seek(1 << 20)
    f.write(b"x")
img = place("signal-read")
process = start("create", os.path.join(img, "a.cim"), huge)
started = wait_for(lambda: sum(os.stat(os.path.join(img, n)).st_size for n in os.listdir(img)) >
                   8 << 20 if os.listdir(img) else False, process)
process.send_signal(signal.SIGINT)
check(started, "a create that reads 64 GiB has begun")
finish(process, "SIGINT ends it", signal.SIGINT)
same(os.listdir(img), [], "and its files are gone")

# Extracting something large.
many = place("many")
for i in range(3000):
    write(os.path.join(many, "d%d" % (i % 50), "f%d" % i), b"%d" % i * 3000)
big = os.path.join(place("bigimage"), "a.cim")
expect(0, "an image of three thousand files", "create", big, many)
out = os.path.join(TMP, "interrupted")
process = start("extract", "-C", out, big)
started = wait_for(lambda: os.path.isdir(out) and len(os.listdir(out)) > 2, process)
process.send_signal(signal.SIGTERM)
process.wait(60)
if process.returncode == -signal.SIGTERM:
    sizes_ok = True
    for top, _, names in os.walk(out):
        for name in names:
            with open(os.path.join(top, name), "rb") as f:
                sizes_ok &= f.read() == name[1:].encode() * 3000
    check(sizes_ok, "an interrupted extract leaves whole files only")
else:
    check(process.returncode == 0, "an extract that was quicker than the signal is complete",
          process.returncode)
process.communicate()

# ---- what is mounted ----

# A mount is a shared lock on the first region file of the image's own set.
img = place("mounted")
for name in ("a.cim", "other.cim", "gone.cim"):
    expect(0, "an image: " + name, "create", "-q", os.path.join(img, name), os.path.join(src, "small1"))
expect(0, "a fork", "fork", "-q", "--add", os.path.join(src, "small2") + ":/more", os.path.join(img, "a.cim"), "f.cim")
own = {}
for line in tool("files", "--json", img).text.splitlines():
    row = json.loads(line)
    own.setdefault(row["set"], []).append(row["name"])
own = {name: names for names in own.values() for name in names if name.endswith(".cim")}
os.remove(os.path.join(img, "gone.cim"))


def marked(name):
    """Mark an image as mounted; to be closed."""
    region = next(n for n in own[name] if n.startswith("region_") and n.endswith("_0"))
    file = open(os.path.join(img, region), "rb")
    fcntl.fcntl(file, 37, struct.pack("hhqqii", fcntl.F_RDLCK, 0, 1 << 62, 1, 0, 0))  # F_OFD_SETLK
    return file


def states(word):
    """The files that are listed with this word."""
    return sorted(line.split()[2] for line in tool("files", img).text.splitlines() if "(%s)" % word in line)


with marked("f.cim"):
    same(states("mounted"), sorted(own["f.cim"]), "files tells what a mounted image alone keeps")
    rows = [json.loads(line) for line in tool("files", "--json", img).text.splitlines()]
    same(sorted(row["name"] for row in rows if row["mounted"]), sorted(own["f.cim"]), "--json too")
    same(len(states("orphan")), 6, "and what nobody needs")
    result = tool("rm", "--force", os.path.join(img, "f.cim"))
    check(result.code == 1 and one_line(result, "f.cim: the image is mounted"), "it isn't removed", result)
    result = tool("append", os.path.join(img, "f.cim"), os.path.join(src, "small3"))
    check(result.code == 1 and one_line(result, "mounted"), "nor extended", result)
    result = tool("rm", os.path.join(img, "a.cim"))
    check(result.code == 1 and one_line(result, "f.cim is a fork of it"), "nor is its parent", result)
    result = expect(0, "another image is removed", "rm", "-v", os.path.join(img, "other.cim"))
    same(sorted(set(own["other.cim"]) & set(os.listdir(img))), [], "with all that is its own")
    result = expect(0, "and so are orphans", "files", "--orphans", "--delete", img)
    check(result.text.endswith("\n6 deleted, 0 in use\n"), "of which the mount needs none", result)
    expect(0, "the mounted image is whole", "verify", "--deep", os.path.join(img, "f.cim"))
    expect(0, "a third image", "create", "-q", os.path.join(img, "third.cim"), os.path.join(src, "small4"))
    # Somebody takes the mounted image's file away: now nobody knows what its mount needs.
    os.rename(os.path.join(img, "f.cim"), os.path.join(TMP, "f.cim"))
    result = tool("rm", os.path.join(img, "third.cim"))
    check(result.code == 1 and one_line(result, "in use by a mount whose image isn't here"),
          "while an image is mounted that isn't there, none is removed", result)
    expect(0, "but by force", "rm", "--force", os.path.join(img, "third.cim"))
    expect(0, "even its parent", "rm", "--force", os.path.join(img, "a.cim"))
    same(len(states("mounted")), 18, "all that is nobody's is told to be mounted")
    result = expect(0, "and nothing can be called an orphan", "files", "--orphans", "--delete", img)
    check(result.text.endswith("\n0 deleted, 18 in use\n"), "for it may need that", result)
    os.rename(os.path.join(TMP, "f.cim"), os.path.join(img, "f.cim"))
    expect(0, "it is still whole", "verify", "--deep", os.path.join(img, "f.cim"))
same(states("mounted") + states("in use"), [], "after the dismount nothing is in use")
expect(0, "and the image can be removed", "rm", os.path.join(img, "f.cim"))

# ---- a copy of the image's file: neither is the other's fork ----

img = place("copies")
a, b = os.path.join(img, "a.cim"), os.path.join(img, "b.cim")
for first, second, fork in ((a, b, False), (b, a, False), (a, b, True)):
    expect(0, "an image", "create", "-q", a, os.path.join(src, "small1"))
    shutil.copy(a, b)
    whole = files_of(img)
    if fork:
        expect(0, "a fork of both", "fork", "-q", a, "f.cim")
        result = tool("rm", second)
        check(result.code == 1 and one_line(result, "f.cim is a fork of it"), "keeps either", result)
        expect(0, "until it goes", "rm", "-q", os.path.join(img, "f.cim"))
    del whole[os.path.basename(first)]
    expect(0, "one of two over the same files goes", "rm", first)
    check(files_of(img) == whole, "alone", sorted(files_of(img)))
    expect(0, "the other is whole", "verify", "--deep", second)
    expect(0, "and goes", "rm", second)
    same(os.listdir(img), [], "with the files")
expect(0, "an image", "create", "-q", a, os.path.join(src, "small1"))
shutil.copy(a, b)
expect(0, "that is extended", "append", "-q", b, os.path.join(src, "small2"))
result = tool("rm", a)
check(result.code == 1 and one_line(result, "b.cim is a fork of it"), "is a copy no more", result)

# ---- other writers ----

img = place("busy")
expect(0, "an image", "create", "-q", os.path.join(img, "a.cim"), many)
process = start("create", "--from-dump=-", os.path.join(img, "b.cim"))
process.stdin.write(b"cim-dump 1\n")
process.stdin.flush()
wait_for(lambda: len(os.listdir(img)) > 7, process)
for command in (["create", os.path.join(img, "c.cim"), src], ["append", os.path.join(img, "a.cim"), src],
                ["fork", os.path.join(img, "a.cim"), "c.cim"], ["rm", os.path.join(img, "a.cim")],
                ["files", "--orphans", "--delete", img]):
    result = tool(*command)
    check(result.code == 1 and one_line(result, "another session is writing in the directory"),
          "%s while another writes is refused" % command[0], result)
result = expect(0, "reading is not", "verify", os.path.join(img, "a.cim"))
rows = [json.loads(line) for line in tool("files", "--json", img).text.splitlines()]
check(any(row["in_use"] for row in rows), "files shows what is in use", rows)
process.stdin.close()
process.stdin = None
process.communicate(timeout=60)
result = tool("files", "--orphans", img)
check(result.code == 0 and not result.text, "and leaves no orphan", result)

# A session that died.
process = start("create", "--from-dump=-", os.path.join(img, "d.cim"))
process.stdin.write(b"cim-dump 1\n")
process.stdin.flush()
before = len(os.listdir(img))
wait_for(lambda: len(os.listdir(img)) > before, process)
process.kill()
process.communicate()
result = expect(0, "what a killed session left are orphans", "files", "--orphans", img)
check(result.text and "(orphan)" in result.text, "by name", result)
orphans = len(result.text.splitlines())
result = expect(0, "--delete removes them", "files", "--orphans", "--delete", "--json", img)
rows = [json.loads(line) for line in result.text.splitlines()]
check(len(rows) == orphans and all(row["deleted"] for row in rows), "all of them", result)
same(tool("files", "--orphans", img).text, "", "then there are none")
expect(0, "and the image is whole", "verify", "--deep", os.path.join(img, "a.cim"))

# Consistent mode, with what a first try left in the way.
a, b = place("first"), place("second")
expect(0, "a consistent image", "create", "--consistent", os.path.join(a, "x.cim"), src)
os.unlink(os.path.join(a, "x.cim"))
expect(0, "its region files without it are no obstacle", "create", "--consistent",
       os.path.join(a, "x.cim"), src)
expect(0, "and elsewhere", "create", "--consistent", os.path.join(b, "x.cim"), src)
check(files_of(a) == files_of(b), "it comes out the same")

# A session that lives and doesn't hold the directory's lock: only its first file tells.
img = place("alive")
expect(0, "an image", "create", "-q", os.path.join(img, "a.cim"), src)
alone = os.path.join(img, "region_01234567-89ab-cdef-0123-456789abcdef_0")
write(alone, b"")
before = sorted(os.listdir(img))
with open(alone, "r+b") as f:
    fcntl.lockf(f, fcntl.LOCK_EX, 1, 1 << 62)
    for command in (["rm"], ["rm", "--force"]):
        result = tool(*command, os.path.join(img, "a.cim"))
        check(result.code == 1 and one_line(result, "session", os.path.basename(alone)),
              "%s beside a living session is refused" % " ".join(command), result)
        same(sorted(os.listdir(img)), before, "and removes nothing")
expect(0, "without it rm works", "rm", "-q", os.path.join(img, "a.cim"))
same(os.listdir(img), [os.path.basename(alone)], "and takes the image's own files only")

# ---- rm and forks ----

img = place("forks")
expect(0, "a parent", "create", "-q", os.path.join(img, "p.cim"), many)
expect(0, "a child", "fork", "-q", os.path.join(img, "p.cim"), "c.cim", "--delete", "d1")
expect(0, "a grandchild", "fork", "-q", os.path.join(img, "c.cim"), "g.cim", "--delete", "d2")
result = tool("rm", os.path.join(img, "c.cim"))
check(result.code == 1 and "g.cim" in result.errors, "a fork's parent isn't removed", result)
expect(0, "but for --force", "rm", "--force", os.path.join(img, "c.cim"))
expect(0, "which leaves the grandchild whole", "verify", "--deep", os.path.join(img, "g.cim"))
expect(0, "and so does removing the first", "rm", "-f", os.path.join(img, "p.cim"))
expect(0, "again", "verify", "--deep", os.path.join(img, "g.cim"))
expect(0, "the last one takes", "rm", os.path.join(img, "g.cim"))
same(os.listdir(img), [], "all that only it needed")

img = place("broken")
expect(0, "an image beside", "create", "-q", os.path.join(img, "a.cim"), src)
with open(os.path.join(img, "a.cim"), "rb") as f:
    header = bytearray(f.read())
header[16] = 9
with open(os.path.join(img, "broken.cim"), "wb") as f:
    f.write(header)
result = tool("rm", os.path.join(img, "a.cim"))
check(result.code == 1 and "broken.cim" in result.errors, "a broken one stops rm", result)
before = sorted(os.listdir(img))
expect(4, "and orphans are none", "files", "--orphans", "--delete", img)
same(sorted(os.listdir(img)), before, "so nothing is deleted")
expect(0, "rm --force takes the image alone", "rm", "--force", os.path.join(img, "a.cim"))
same(sorted(os.listdir(img)), [n for n in before if n != "a.cim"], "and leaves what may be needed")

# ---- progress ----

img = place("progress")
result = tool("create", "--progress=json", os.path.join(img, "a.cim"), huge, preexec_fn=lambda:
              resource.setrlimit(resource.RLIMIT_FSIZE, (300 << 20, 300 << 20)))
lines = [line for line in result.errors.splitlines() if line.startswith("{")]
check(lines and json.loads(lines[-1])["files"] == 1 and json.loads(lines[-1])["bytes"] > 100 << 20,
      "bytes are counted while a file is read, not when it is done", result.errors[-500:])
check(lines and all(set(json.loads(line)) >= {"phase", "files", "bytes"} for line in lines),
      "--progress=json writes an object a line to standard error", result.errors[:500])
result = tool("create", os.path.join(img, "b.cim"), src)
check(not result.err, "no progress line where there is no terminal", result)
result = tool("create", "--progress=none", "-q", os.path.join(img, "c.cim"), src)
check(not result.err and not result.out, "--quiet says nothing", result)
done()
