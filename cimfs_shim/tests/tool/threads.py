#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool --threads=N: whatever N is, the images, trees, reports and exit codes are the same.

A random tree (CIM_SEED) of all kinds of items is packed, extended, restored and compared with one,
two and eight threads, with all that can be told told (--verbose).
"""

import base64
import hashlib
import os
import random
import re
import resource
import signal
import stat
import subprocess
import time

from tooltest import CIMTOOL, TMP, check, done, expect, files_of, need_tool, run, same, tool, write

need_tool()
COUNTS = (1, 2, 8)
SEED = int(os.environ.get("CIM_SEED") or random.SystemRandom().randrange(1 << 32))
print("# CIM_SEED=%d" % SEED)
rng = random.Random(SEED)
WHEN = 1700000000 * 10 ** 9


def place(name):
    path = os.path.join(TMP, name)
    os.makedirs(path)
    return path


def steady(result, *names):
    """A result's text without what differs between runs: times and the names of places."""
    text = "%s\n%s\n%s" % (result.code, result.text, result.errors)
    text = re.sub(r"\d+\.\d seconds", "N seconds", text)
    for name in names:
        text = text.replace(name, "PLACE")
    return text


def first_difference(texts):
    """Of texts that should be alike: the first line in which one differs from the first text."""
    lines = [text.splitlines() for text in texts]
    for i in range(max(map(len, lines))):
        row = [line[i] if i < len(line) else "(end)" for line in lines]
        if len(set(row)) > 1:
            return "line %d:\n%s" % (i + 1, "\n".join(row))
    return "none"


def all_same(texts, name):
    check(len(set(texts)) == 1, name, first_difference(texts))


def snapshot(top):
    """path -> all that a restored tree shows of an item."""
    found, inodes = {}, {}
    for directory, dirs, names in os.walk(top):
        dirs.sort()
        for name in [""] + [d for d in dirs if os.path.islink(os.path.join(directory, d))] + sorted(names):
            path = os.path.join(directory, name) if name else directory
            st = os.lstat(path)
            row = [stat.S_IFMT(st.st_mode), st.st_mode & 0o222, st.st_mtime_ns]
            # The target itself and files that are streams get no times.
            if path == top or ":" in name:
                row.pop()
            if stat.S_ISLNK(st.st_mode):
                row.append(os.readlink(path))
            elif stat.S_ISREG(st.st_mode):
                first = inodes.setdefault(st.st_ino, os.path.relpath(path, top))
                with open(path, "rb") as f:
                    row += [first, hashlib.sha256(f.read()).hexdigest(), st.st_size]
            if not stat.S_ISLNK(st.st_mode):
                row += sorted((n, os.getxattr(path, n)) for n in os.listxattr(path)
                              if n.startswith("user."))
            found[os.path.relpath(path, top)] = row
    return found


def make_tree(top):
    """A few hundred items of every kind."""
    dirs, files = [top], []
    for i in range(40):
        path = os.path.join(rng.choice(dirs), "d%02d" % i)
        os.mkdir(path)
        dirs.append(path)
    contents = [rng.randbytes(rng.choice((0, 1, 100, 4096, 70000))) for _ in range(30)]
    for i in range(400):
        path = os.path.join(rng.choice(dirs), "f%03d" % i)
        write(path, rng.choice(contents) if rng.random() < .5
              else rng.randbytes(rng.randrange(1, 9000)), mode=rng.choice((0o644, 0o644, 0o444)),
              mtime=WHEN + i * 10 ** 9)
        files.append(path)
        if rng.random() < .1:
            os.chmod(path, 0o644)
            os.setxattr(path, "user.note%d" % i, b"x" * rng.randrange(1, 50))
            os.setxattr(path, "user.DOSATTRIB", b"0x2")
    for i in range(5):
        path = os.path.join(rng.choice(dirs), "large%d" % i)
        write(path, rng.randbytes(rng.randrange(1 << 20, 3 << 20)), mtime=WHEN + i * 100)
        files.append(path)
    for i in range(40):
        os.link(rng.choice(files), os.path.join(rng.choice(dirs), "hard%02d" % i))
        os.symlink(rng.choice(("f001", "..", "/d00", "no/where")),
                   os.path.join(rng.choice(dirs), "soft%02d" % i))
    for i in range(5):
        os.mkfifo(os.path.join(rng.choice(dirs), "fifo%d" % i))
        path = os.path.join(rng.choice(dirs), "hole%d" % i)
        with open(path, "wb") as f:
            f.truncate(1 << 20)
            f.seek(300000)
            f.write(b"data" * (i % 2))
        os.utime(path, ns=(WHEN, WHEN))
    deep = top
    for i in range(90):
        deep = os.path.join(deep, "deep")
        os.mkdir(deep)
        write(os.path.join(deep, "here"), b"%d" % i, mtime=WHEN)
    for directory in dirs + [deep]:
        os.utime(directory, ns=(WHEN, WHEN))


src = place("src")
make_tree(src)
more = place("more")
write(os.path.join(more, "d00", "new"), b"new")
for i in range(100):
    write(os.path.join(more, "many", "n%02d" % i), rng.randbytes(500))

# ---- writing ----

images, said = [], []
for n in COUNTS:
    img = place("img%d" % n)
    a = os.path.join(img, "a.cim")
    parts = [tool("create", "-v", "--consistent", "--threads=%d" % n, a, src),
             tool("append", "-v", "--consistent", "--threads=%d" % n, a, more),
             tool("fork", "-v", "--consistent", "--threads=%d" % n, a, "b.cim", "--add", more + ":x")]
    images.append(files_of(img))
    said.append("\n".join(steady(part, img) for part in parts))
same([line for line in said[0].splitlines() if re.fullmatch(r"-?\d+", line)], ["3", "0", "0"],
     "a tree is packed, with warnings, extended and forked")
check("fifo" in said[0] and "user.note" in said[0], "the warnings name what isn't kept", said[0])
for n, image in zip(COUNTS[1:], images[1:]):
    same(sorted(image), sorted(images[0]), "%d threads: an image's files have the same names" % n)
    same([name for name in image if image[name] != images[0].get(name)], [],
         "%d threads: and the same bytes" % n)
all_same(said, "what is told is the same, in the same order")
good = os.path.join(TMP, "img8", "a.cim")
expect(0, "the image made by eight is whole", "verify", "--deep", good)

bad = place("bad")
for i in range(300):
    write(os.path.join(bad, "a", "f%03d" % i), rng.randbytes(3000))
os.mkfifo(os.path.join(bad, "a", "fifo"))
write(os.path.join(bad, "b", "wrong?name"))
write(os.path.join(bad, "b", "Same"))
write(os.path.join(bad, "b", "same"))
said = []
for n in COUNTS:
    img = place("bad%d" % n)
    result = tool("create", "-v", "--threads=%d" % n, os.path.join(img, "a.cim"), bad)
    said.append(steady(result, img))
    same((result.code, os.listdir(img)), (1, []), "%d threads: a failure leaves nothing" % n)
all_same(said, "and the same is told before it")

# ---- last access ----

# To follow a link is to read it, and to list a directory too: none of that may be seen in an image,
# whoever comes first. Each link leads to the next, the last one through a directory that is a link.
chain = place("chain")
os.makedirs(os.path.join(chain, "sub", "end"))
links = {"l%02d" % i: "l%02d" % (i + 1) for i in range(29)}
links.update({"l29": "/sub/via/../a/end/", "sub/via": "./end", "sub/a": "../sub", "file": "l30/x",
              "l30": "sub/none", "loop": "../loop", "long": "l%02d" % 0 + "/." * 100})
for name, target in links.items():
    os.symlink(target, os.path.join(chain, name))
names = [*links, "sub", "sub/end", "."]


def accessed(path, *names):
    """Which of them have another last access than they had."""
    return [name for name in names if os.lstat(os.path.join(path, name)).st_atime_ns != WHEN]


said, found = [], []
for n in COUNTS:
    for name in names:
        os.utime(os.path.join(chain, name), ns=(WHEN, WHEN), follow_symlinks=False)
    image = os.path.join(place("img-chain%d" % n), "a.cim")
    expect(0, "links to links, with %d threads" % n, "create", "--all-times", "--threads=%d" % n,
           image, chain)
    said.append(re.sub("changed=[^ ]*", "", tool("dump", image).text))
    found.append([line.split()[1] for line in said[-1].splitlines()
                  if "accessed=" in line and "accessed=2023-11-14T22:13:20.0000000Z" not in line])
    same(accessed(chain, "sub", "sub/end", "."), [], "its directories were listed without a trace")
same(found, [[]] * len(COUNTS), "an image has the last access of before")
all_same(said, "and is the same with any number of threads")
plain = os.path.join(place("img-chain"), "a.cim")
expect(0, "links to links, without their times", "create", plain, chain)
kinds = [{line.split()[1]: line.split()[0] for line in text.splitlines()[1:]}
         for text in (said[0], tool("dump", plain).text)]
same(kinds[0], kinds[1], "which of them lead to directories is found out alike")
same([name for name in ("l00", "l29", "sub/via", "sub/a", "file", "l30", "loop", "long")
      if kinds[0]["/" + name] == "directory"], ["l00", "l29", "sub/via", "sub/a", "long"],
     "and those are the ones that do")

# ---- reading ----

expect(3, "an image with streams", "create", "-q", "--streams-interface=xattr", "--all-times",
       os.path.join(place("streams"), "a.cim"), src)
for name, image, options in (
        ("extract", good, []),
        ("extract as ntfs-3g wants it", os.path.join(TMP, "streams", "a.cim"),
         ["--streams-interface=windows"]),
        ("extract of parts", good, ["d0*", "deep/deep", "d00/new"]),
        ("extract over what is there", good, ["--overwrite"])):
    said, trees = [], []
    for n in COUNTS:
        out = os.path.join(TMP, "out")
        if "--overwrite" in options:
            tool("extract", "-q", "-C", out, good)
        paths = [o for o in options if not o.startswith("--")]
        result = tool("extract", "-v", "--threads=%d" % n, "-C", out,
                      *[o for o in options if o.startswith("--")], image, *paths)
        check(result.code in (0, 3), "%s with %d threads" % (name, n), result)
        said.append(steady(result))
        trees.append(snapshot(out))
        run(["rm", "-rf", out])
    all_same(said, "%s: the same is told" % name)
    for n, tree in zip(COUNTS[1:], trees[1:]):
        same(sorted(item for item in {**tree, **trees[0]} if tree.get(item) != trees[0].get(item)),
             [], "%s: the tree is the same with %d threads" % (name, n))
    if name == "extract":
        want = snapshot(src)
        same([path for path in want if stat.S_ISREG(want[path][0]) and
              want[path][2:6] != trees[-1].get(path, [])[2:6]], [],
             "each file's bytes are the source's, its times, and its names one file")


def limit_size():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


def limit_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))


said = []
for n in COUNTS:
    out = os.path.join(TMP, "limited")
    said.append(steady(tool("extract", "-v", "--threads=%d" % n, "-C", out, good,
                            preexec_fn=limit_size)))
    check(not any(re.fullmatch("large.", name) for _, _, names in os.walk(out) for name in names),
          "%d threads: files over a limit are not there" % n, run(["find", out, "-name", "large*"]))
    run(["rm", "-rf", out])
check(said[0].startswith("3\n") and "File too large" in said[0], "they are reported", said[0])
all_same(said, "the same files with any number of threads")

said = []
for n in COUNTS:
    out = place("taken%d" % n)
    write(os.path.join(out, "many", "n50"), b"mine")
    result = tool("extract", "-v", "--threads=%d" % n, "-C", out, good, "many", "f*")
    said.append(steady(result, out))
    with open(os.path.join(out, "many", "n50"), "rb") as f:
        same(f.read(), b"mine", "%d threads: a file in the way stays" % n)
check(said[0].startswith("1\n") and "/many/n50: " in said[0], "and is the error", said[0])
all_same(said, "which is the same")

result = tool("extract", "-q", "--threads=8", "-C", os.path.join(TMP, "few"), good,
              preexec_fn=limit_files)
check(result.code in (0, 3), "extract with eight threads and few open files", result)
result = tool("create", "-q", "--threads=8", os.path.join(place("few-img"), "a.cim"), src,
              preexec_fn=limit_files)
check(result.code in (0, 3), "create with eight threads and few open files", result)

other = place("other")
run(["cp", "-a", src + "/.", other])
for path in sorted(p for p in snapshot(src) if re.search(r"/f\d+$", p))[::3]:
    os.chmod(os.path.join(other, path), 0o644)
    with open(os.path.join(other, path), "ab") as f:
        f.write(b"!")
run(["rm", "-rf", os.path.join(other, "deep", "deep", "deep")])
b = os.path.join(place("img-other"), "a.cim")
expect(3, "another image", "create", "-q", b, other)
for option in ([], ["--json"]):
    results = [tool("diff", "--threads=%d" % n, *option, good, b) for n in COUNTS]
    check(results[0].code == 1 and len(results[0].text.splitlines()) > 50, "diff tells many things",
          results[0])
    all_same([steady(result) for result in results], "and the same in the same order")
results = [tool("dump", "--threads=%d" % n, good) for n in COUNTS]
same(results[0].code, 0, "dump")
all_same([steady(result) for result in results], "is the same too")

# More text for one item than may wait in the queue.
head = "security=none"
stamp = " ".join("%s=2024-01-01T00:00:00.0000000Z" % key
                 for key in ("created", "written", "changed", "accessed"))
lines = ["cim-dump 1", "directory / flags=0x0 %s %s" % (stamp, head)]
for name in ("/one", "/two"):
    lines.append("file %s flags=0x0 %s %s size=3 data=base64:YWJj" % (name, stamp, head))
    lines += ["stream %s name=s%03d size=3000 data=base64:%s" %
              (name, i, base64.b64encode(rng.randbytes(3000)).decode()) for i in range(60)]
text = ("\n".join(lines) + "\n").encode()
long = os.path.join(place("img-long"), "a.cim")
expect(0, "an image with many streams", "create", "-q", "--from-dump=-", long, data=text)
for n in COUNTS:
    result = tool("dump", "--threads=%d" % n, long)
    check(result.out == text, "%d threads: the dump is whole" % n,
          first_difference([text.decode(), result.text]))

# ---- the option ----

for word in ("0", "-1", "257", "two", "", "2x"):
    result = tool("extract", "--threads=" + word, good)
    check(result.code == 2 and len(result.errors.splitlines()) == 1 and "1 to 256" in result.errors,
          "--threads=%s is a usage error" % word, result)
for command in (["ls", good], ["info", good], ["verify", good], ["cat", good, "many/n01"],
                ["stat", good, "many"], ["files", os.path.dirname(good)], ["version"]):
    expect(0, "%s takes --threads" % command[0], command[0], "--threads=3", *command[1:])


def threads_of(process, enough):
    """How many threads a process has; it is given time to come to @enough."""
    deadline = time.monotonic() + 60
    while True:
        count = len(os.listdir("/proc/%d/task" % process.pid))
        if count >= enough or time.monotonic() > deadline:
            return count
        time.sleep(.01)


# Nobody reads the differences, so diff stands still in the middle of them.
wide = place("wide")
for i in range(3000):
    write(os.path.join(wide, "%04d%s" % (i, "x" * 100)))
w = os.path.join(place("img-wide"), "a.cim")
expect(0, "an image of many long names", "create", "-q", w, wide)
with open(CIMTOOL, "rb") as program:
    more = b"__tsan_init" in program.read()  # ThreadSanitizer adds one to the others
for n, want in ((1, 1), (4, 5 + more)):
    with subprocess.Popen([CIMTOOL, "diff", "--threads=%d" % n, w, b], stdout=subprocess.PIPE) as process:
        process.stdout.read(1)
        same(threads_of(process, want), want, "--threads=%d is %d threads" % (n, want))
        process.kill()

# ---- signals ----

large = place("large")
for i in range(60):
    write(os.path.join(large, "d%d" % (i % 7), "f%02d" % i), rng.randbytes(4 << 20))
image = os.path.join(place("img-large"), "a.cim")
expect(0, "an image of many large files", "create", "-q", image, large)
for command, where in (
        (["create", os.path.join(place("stopped"), "a.cim"), large], os.path.join(TMP, "stopped")),
        (["extract", "-C", place("stopped-out"), image], os.path.join(TMP, "stopped-out"))):
    process = subprocess.Popen([CIMTOOL, command[0], "--threads=4", *command[1:]],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not process.poll() and not os.listdir(where):
        time.sleep(.001)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    if process.returncode == 0:
        check(out, "%s was quicker than the signal" % command[0], err)
        continue
    same((process.returncode, err), (-signal.SIGINT, b"cimtool %s: interrupted by SIGINT\n" % command[0].encode()),
         "%s stops at a signal" % command[0])
    if command[0] == "create":
        same(os.listdir(where), [], "and leaves nothing")
    else:
        same([os.path.join(d, name) for d, _, names in os.walk(where) for name in names
              if os.path.getsize(os.path.join(d, name)) != 4 << 20], [], "and leaves no half file")
done()
