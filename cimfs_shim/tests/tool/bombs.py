#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Images made to harm (scripts/lib/cruel.py): what each command may cost that meets one. No more than
5 s of the processor, and 64 MiB and four times what the image's files hold; and the answer is the
right one, or an error that says why there is none."""

import base64
import errno
import glob
import os
import re
import resource
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../mount"))
from mounttest import PACK, SERVER, mount, no_fuse, servers, umount, wait_until  # noqa: E402
from tooltest import CIMTOOL, TMP, check, done, same, skip  # noqa: E402
import cruel  # noqa: E402
from imagebuilder import NULL_DACL, make_ea, make_sd, make_sid  # noqa: E402

# (Counting what runs takes its own time, ten to fifteen times as much, and so do sanitizers.)
SECONDS = 60 if os.environ.get("COVERAGE") else 20 if os.environ.get("SANITIZE") else 5
SHARED = "too many items share what they lead to"
STRUCTURES = "its structures overlap"
LONG = "a path of "
# Sanitizers take their own memory.
WEIGHED = not os.environ.get("SANITIZE")

# A row: how the image is made; then what runs over it, each with its exit code and what stderr says.
# X is the image, C the container that it is in, Y a copy of it, M one that is merged of both, T a directory that isn't there yet, S one with names to add,
# Z a fork or a copy, F one that is written anew.
ALL = {"ls": ["ls", "-lR", "X"], "info": ["info", "X"], "verify": ["verify", "X"],
       "dump": ["dump", "X"], "diff": ["diff", "X", "X"], "diff of a copy": ["diff", "X", "Y"],
       "extract": ["extract", "-q", "-C", "T", "X"], "ls --streams": ["ls", "-R", "--streams", "X"],
       "dump --struct": ["dump", "--struct", "X"], "dump --raw": ["dump", "--raw", "X"], "append": ["append", "-q", "X", "S"],
       "merge": ["merge", "-q", "M", "X", "Y"], "convert": ["convert", "-q", "X", "Z"], "ls --all": ["ls", "-laR", "X"],
       "flatten": ["convert", "-q", "--flatten", "X", "F"], "stat": ["stat", "X", "/"], "files": ["files", "X"], "fork": ["fork", "-q", "X", "Z"],
       "rm": ["rm", "-q", "Z"], "extract the root": ["extract", "-q", "-C", "T", "X", "/"],
       "extract all but": ["extract", "-q", "--exclude", "nothing", "-C", "T", "X"],
       "extract each": ["extract", "-q", "-C", "T", "X", "/*"],
       "extract of each": ["extract", "-q", "-C", "T", "X", "/f*/f000001"],
       "extract one": ["extract", "-q", "-C", "T", "X", "/f000001", "f000002/f*01"],
       "extract deep": ["extract", "-q", "-C", "T", "X", "/*" * 1000],
       "verify --deep": ["verify", "--deep", "X"], "files of the container": ["files", "C"], "info of the container": ["info", "C"],
       "files --orphans": ["files", "--orphans", "C"], "files --orphans --delete": ["files", "-q", "--orphans", "--delete", "C"],
       "rm in the container": ["rm", "-f", "X"]}
# What looks at no more than it needs, of any of them.
ANY = {"stat": (0, ""), "files": (0, ""), "fork": (0, ""), "append": (0, ""), "rm": (0, ""), "merge": (0, ""), "convert": (0, ""),
       "flatten": (0, "")}
IMAGES = {
    "dirs_share": (lambda: cruel.dirs_share(20000, 2000),
                   {"flatten": (4, SHARED), "ls": (4, SHARED), "info": (4, SHARED), "verify": (0, ""), "dump": (4, SHARED),
                    "diff": (2, SHARED), "diff of a copy": (2, SHARED),
                    "dump --struct": (4, SHARED), "extract": (4, SHARED),
                    "extract the root": (4, SHARED), "extract all but": (4, SHARED),
                    "extract each": (4, SHARED), "extract of each": (4, SHARED),
                    "extract one": (3, ""), "merge": (4, SHARED)}),
    "dirs_share_holes": (lambda: cruel.in_holes(cruel.dirs_share(20000, 2000)),
                         {"ls": (4, SHARED), "info": (4, SHARED), "verify": (0, ""),
                          "dump": (4, SHARED), "extract": (4, SHARED), "dump --struct": (4, SHARED),
                          "merge": (4, SHARED), "flatten": (4, SHARED)}),
    "links_in_hole": (lambda: cruel.links_in_hole(1 << 27),
                      {"ls": (4, SHARED), "info": (4, SHARED), "verify": (4, ""),
                       "dump": (4, SHARED), "extract": (4, SHARED), "merge": (4, SHARED),
                       "flatten": (4, SHARED)}),
    "cycle": (lambda: cruel.cycle(1000),
              {"flatten": (4, "a second time"), "ls": (4, "a second time"), "verify": (4, ""), "extract deep": (4, SHARED),
               "merge": (4, "a second time")}),
    "tables_overlap": (lambda: cruel.tables_overlap(100000),
                       {"ls": (0, ""), "info": (0, ""), "verify": (4, ""), "dump": (0, ""),
                        "diff": (0, ""), "diff of a copy": (0, "")}),
    "spread": (lambda: cruel.spread(60000),
               {"flatten": (4, SHARED), "ls": (0, ""), "info": (0, ""), "verify": (4, ""), "dump": (4, SHARED),
                "diff": (2, SHARED), "diff of a copy": (2, SHARED),
                "dump --struct": (4, STRUCTURES), "dump --raw": (4, STRUCTURES)}),
    "deep": (lambda: cruel.deep(40000),
             {"flatten": (4, "too long, all together"), "ls": (4, LONG), "info": (4, LONG), "verify": (4, ""), "dump": (4, LONG),
              "diff": (2, LONG), "diff of a copy": (2, LONG), "dump --struct": (4, LONG),
              "merge": (4, LONG)}),
    "deep_files": (lambda: cruel.deep_files(120, 10000),
                   {"ls": (0, ""), "verify": (4, ""), "dump --struct": (0, ""),
                    "dump --raw": (0, "")}),
    "streams_shared": (lambda: cruel.streams_shared(20000, 2000),
                       {"flatten": (4, SHARED), "ls --streams": (4, SHARED), "info": (4, SHARED), "verify": (0, ""),
                        "dump": (4, SHARED), "diff": (2, SHARED), "diff of a copy": (2, SHARED),
                        "extract": (4, SHARED)}),
    "pe_shared": (lambda: cruel.pe_shared(20000, 65535),
                  {"flatten": (4, SHARED), "ls": (0, ""), "info": (0, ""), "verify": (4, ""), "dump": (0, ""),
                   "diff": (0, ""), "diff of a copy": (0, ""), "extract": (4, SHARED)}),
    "pe_sound": (lambda: cruel.pe_sound(5000, 65535),
                 {"flatten": (4, SHARED), "ls": (0, ""), "verify": (0, ""), "dump": (0, ""), "diff of a copy": (0, ""),
                  "extract": (4, SHARED), "dump --struct": (0, "")}),
    "pe_bad": (lambda: cruel.pe_sound(5000, 65535, 1 << 31),
               {"flatten": (4, "leads 4 bytes"), "ls": (0, ""), "verify": (4, ""), "dump": (4, "leads 4 bytes"),
                "extract": (4, SHARED), "dump --struct": (4, "")}),
    "pe_streams": (lambda: cruel.pe_streams(20000),
                   {"flatten": (4, SHARED), "ls --streams": (0, ""), "info": (0, ""), "dump": (0, ""), "diff": (0, ""),
                    "diff of a copy": (0, ""), "extract": (4, SHARED)}),
    "data_shared": (lambda: cruel.data_shared(20000, 64 << 20),
                    {"verify": (0, ""), "verify --deep": (0, ""), "dump": (0, ""), "diff": (0, ""), "diff of a copy": (0, ""),
                     "extract": (1, "No space left")}),
    "data_in_holes": (lambda: cruel.data_in_holes(2000, 1 << 42),
                      {"ls": (0, ""), "info": (0, ""), "verify": (0, ""), "verify --deep": (0, "")}),
    "sd_shared": (lambda: cruel.sd_shared(150000),
                  {"ls": (0, ""), "verify": (0, ""), "dump": (0, ""), "diff": (0, ""),
                   "diff of a copy": (0, "")}),
    "blobs_shared": (lambda: cruel.blobs_shared(10000, 65),
                     {"ls": (0, ""), "verify": (0, ""), "diff of a copy": (0, ""),
                      "dump --struct": (0, "")}),
    "nested_tables": (lambda: cruel.nested_tables(2000),
                      {"flatten": (4, SHARED), "verify": (4, ""), "dump": (4, SHARED), "dump --struct": (4, ""),
                       "merge": (4, "there is no file")}),
    "regions_missing": (lambda: cruel.regions_missing(65533),
                        {"convert": (4, "is missing"), "verify": (4, ""), "info": (3, ""), "ls": (0, ""), "files": (4, ""),
                         "dump --struct": (4, ""), "merge": (1, "more regions than")}),
    "short_records": (lambda: cruel.short_records(1000),
                      {"ls": (0, ""), "verify": (4, ""), "dump": (0, ""),
                       "dump --struct": (4, STRUCTURES)}),
    "long_records": (lambda: cruel.long_records(60),
                     {"ls": (0, ""), "info": (0, ""), "verify": (0, ""), "verify --deep": (0, ""), "dump": (0, ""),
                      "diff of a copy": (0, ""), "dump --struct": (0, ""), "dump --raw": (0, ""),
                      "merge": (4, "far too long"), "flatten": (3, "of a later version (and 59 more)")}),
    "names_overlap": (lambda: cruel.overlapping_names("", 400000),
                      {"flatten": (4, "overlap"), "info": (0, ""), "verify": (4, ""), "dump": (4, "overlap"),
                       "diff": (2, "overlap"), "append": (4, "names of a directory overlap"),
                       "dump --struct": (4, STRUCTURES), "merge": (1, "in other letters")}),
    "stream_names_overlap": (lambda: cruel.overlapping_names("a", 400000),
                             {"flatten": (4, "overlap"), "info": (0, ""), "verify": (4, ""), "dump": (4, "overlap"),
                              "diff of a copy": (2, "overlap")}),
    "many_streams": (lambda: cruel.streams_shared(1, 100000),
                     {"info": (0, ""), "verify": (0, ""), "dump": (0, ""),
                      "diff of a copy": (0, "")}),
    "unsorted": (lambda: cruel.unsorted(200000),
                 {"ls": (0, ""), "dump": (0, "")}),
    "spellings": (lambda: cruel.spellings(16),
                  {"ls": (0, ""), "verify": (4, ""), "dump --struct": (0, ""),
                   "append": (4, "has one name twice"), "merge": (1, "in other letters")}),
    "merge_links": (lambda: cruel.merge_links(8000, 20000),
                    {"flatten": (4, "too long, all together"), "dump": (4, SHARED), "ls --all": (4, SHARED), "diff": (0, ""), "diff of a copy": (0, ""),
                     "ls": (0, ""), "verify": (4, ""), "dump --struct": (0, "")}),
}
# What is written for each item that has it, however often.
HONEST = {("data_shared", "flatten"), ("data_in_holes", "flatten")}
# What is out of proportion as a whole: there is nothing that could be made first.
ALL_OR_NOTHING = ("dirs_share", "cycle")
# What a session makes meets no end, however much of it is shared.
def farm():
    """Directories that are hard links of one another, of files with equal data."""
    top = os.path.join(TMP, "farm")
    for d in range(100):
        os.makedirs("%s/d%03d" % (top, d))
        for f in range(200):
            path = "%s/d%03d/%s%03d" % (top, d, "f" * 100, f)
            if d:
                os.link("%s/d000/%s%03d" % (top, "f" * 100, f), path)
            else:
                with open(path, "wb") as out:
                    out.write(bytes(range(256)) * 256)
    return top


def cimtool(*argv):
    same(subprocess.run([CIMTOOL, *argv], check=False).returncode, 0, "cimtool " + argv[0])


def make_farm(path):
    cimtool("create", "-q", path, farm())


def make_files(path):
    """A hundred thousand files, each with a descriptor and EAs of its own, as small as they can be."""
    null_dacl = "security=" + base64.b64encode(NULL_DACL).decode()
    times = " ".join(t + "=2026-01-02T03:04:05.0000000Z" for t in
                     ("created", "written", "changed", "accessed"))
    with open(os.path.join(TMP, "files.dump"), "w", encoding="ascii") as out:
        out.write("cim-dump 1\n" + "directory / flags=0x0 %s %s\n" % (times, null_dacl))
        for d in range(100):
            out.write("directory /d%02d flags=0x0 %s %s\n" % (d, times, null_dacl))
            for f in range(1000):
                number = d * 1000 + f
                sd = make_sd(owner=make_sid(number), group=make_sid(18), aces=())
                ea = make_ea((b"A", b"%05d" % number))
                out.write("file /d%02d/f%03d flags=0x0 %s security=%s ea=%s size=5 data=base64:%s\n" % (
                    d, f, times, *(base64.b64encode(x).decode() for x in (sd, ea, b"%05d" % number))))
    cimtool("create", "-q", "--from-dump", os.path.join(TMP, "files.dump"), path)


def make_forks(path):
    """Sixty forks, each of the one before."""
    top = os.path.dirname(path)
    with open(os.path.join(TMP, "added"), "wb") as out:
        out.write(b"x" * 5000)
    cimtool("create", "-q", top + "/0.cim", os.path.join(TMP, "added"))
    for i in range(60):
        with open(os.path.join(TMP, "added"), "ab") as out:
            out.write(b"%d" % i)
        cimtool("fork", "-q", "--add", "%s:/added%d" % (os.path.join(TMP, "added"), i),
                "%s/%d.cim" % (top, i), path if i == 59 else "%s/%d.cim" % (top, i + 1))


def make_regions(path):
    """Thousands of region files, nearly all of them with nothing in them."""
    cruel.regions_sparse(8192).write(os.path.dirname(path))


# What is sound, and how often something is shared or how many there are: no command finds it too
# much.
ALWAYS = ["ls", "info", "verify", "dump", "diff", "dump --struct", "dump --raw", "stat", "files"]
SOUND = {"farm": (make_farm, ALWAYS + ["diff of a copy", "extract"]),
         "files": (make_files, ALWAYS + ["diff of a copy", "append", "fork", "rm"]),
         "forks": (make_forks, ALWAYS + ["diff of a copy", "append"]),
         "regions": (make_regions, ALWAYS)}

# What a mount shows of it: what is asked, and the answer.
LINKS = "links can't be counted"
MOUNTS = {
    "dirs_share": (lambda at: (os.stat(at).st_nlink, os.stat(at + "/f000000/f000001").st_nlink),
                   (20002, 20000 * 2000), ""),
    "tables_overlap": (lambda at: os.stat(at + "/a").st_nlink, 1, ""),
    "spread": (lambda at: os.stat(at).st_nlink, 1, LINKS),
    # Names where no binary search finds them, looked up one by one, and as many that aren't there.
    "unsorted": (lambda at: (looked_up(at, cruel.names(30000, "\ue000")),
                             looked_up(at, cruel.names(30000, "\ue001"))), (30000, 0), ""),
    "long_records": (lambda at: (len(listed(at)), sum(broken(at + "/" + name) for name in listed(at))),
                     (60 * 1024, 0), ""),
    "links_in_hole": (lambda at: (listed(at), listed(at + "/d")), (["d"], "EIO"),
                      "the name of link 0 can't be at offset 0"),
    "spellings": (lambda at: looked_up(at, cruel.every_case(16)[::3]), 21846, ""),
    "ring": (lambda at: sum(broken(at + "/d/" + n) for n in os.listdir(at + "/d")), 30000,
             "its parents don't lead to the root"),
}


def listed(at):
    """The names in a directory, or why there are none."""
    try:
        return os.listdir(at)
    except OSError as error:
        return errno.errorcode[error.errno]


def looked_up(at, names):
    """How many of them are there."""
    return sum(not broken(at + "/" + name) for name in names)


def broken(path):
    try:
        os.lstat(path)
    except OSError:
        return True
    return False


def make(name, function):
    """Write an image and a copy. In a process of its own: what this one holds would count as held by
    all that it starts."""
    child = os.fork()
    if not child:
        try:
            path = function().write(os.path.join(TMP, name))
            subprocess.run(["cp", "-r", "--sparse=auto", os.path.dirname(path),
                            os.path.join(TMP, name + "-copy")], check=True)
            os._exit(0)
        finally:
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("no image " + name)
    return os.path.join(TMP, name, "x.cim")


def room(path):
    """What may be used for an image, in KiB."""
    place = os.path.dirname(path)
    stats = [os.stat(file) for file in ([place] if os.path.isfile(place) else glob.glob(place + "/*"))]
    size = sum(min(stat.st_size, 512 * stat.st_blocks) for stat in stats)
    return (64 << 10) + 4 * size // 1024


def limit_cpu():
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))


def costs(command):
    """Run it with no more than the processor time it may have: exit code, KiB, what it said."""
    with open(os.path.join(TMP, "stderr"), "wb+") as err:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=err, preexec_fn=limit_cpu, cwd=TMP)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        err.seek(0)
        return child.returncode, used, err.read(100000).decode("utf-8", "replace")


def run_row(image, path, command, want):
    words = {"X": path, "Y": path.replace("/" + image + "/", "/%s-copy/" % image),
             "C": os.path.dirname(path), "Z": os.path.join(os.path.dirname(path), "z.cim"), "F": os.path.join(os.path.dirname(path), "f.cim"),
             "M": os.path.join(os.path.dirname(path), "m.cim"), "T": os.path.join(TMP, "target"),
             "S": os.path.join(TMP, "source")}
    code, used, said = costs([CIMTOOL, *[words.get(word, word) for word in command[1]]])
    name = "%s: %s" % (image, command[0])
    seconds = used.ru_utime + used.ru_stime
    check(code == want[0] and want[1] in said, name + ": its answer",
          "exit code %s after %.1f s, want %s with %r\n%s" % (code, seconds, *want, said[:500]))
    if WEIGHED:
        check(used.ru_maxrss <= room(path), name + ": its memory",
              "%d KiB of %d" % (used.ru_maxrss, room(path)))
    print("# %s: %.2f s, %d MiB" % (name, seconds, used.ru_maxrss >> 10))
    if image in ALL_OR_NOTHING and command[0].startswith("extract") and want[0] == 4:
        check(not os.path.exists(words["T"]), name + ": nothing is made")
    shutil.rmtree(words["T"], ignore_errors=True)
    if command[0] in ("convert", "flatten") and os.path.exists(words[command[1][-1]]):
        os.unlink(words[command[1][-1]])


def cost_of(pid):
    """Seconds of the processor and KiB at most of a process that runs."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    with open("/proc/%d/status" % pid, encoding="ascii", errors="replace") as f:
        peak = int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), peak


def run_mount(image, path, ask, want, said):
    at, log = os.path.join(TMP, "mnt"), os.path.join(TMP, image + ".log")
    name = image + " mounted"
    result = mount(path, at, "-o", "log=" + log, preexec_fn=limit_cpu)
    if not check(result.code == 0, name, result):
        return
    same(ask(at), want, name + ": what it shows")
    with open(log, encoding="utf-8") as f:
        told = f.read()
    check(said in told if said else not told, name + ": the log tells of it", told[:500])
    seconds, peak = cost_of(servers(path)[0])
    print("# %s: %.2f s, %d MiB" % (name, seconds, peak >> 10))
    if WEIGHED:
        check(peak <= room(path), name + ": its memory", "%d KiB of %d" % (peak, room(path)))
    same(umount(at).code, 0, name + ": and it ends")
    wait_until(lambda: not servers(path))


def main():
    why = None if os.path.exists(SERVER) else "no cimfs-mount"
    why = why or no_fuse()
    if why:
        skip("images made to harm, mounted", why)
    # Three hundred names that another writer would sort elsewhere.
    for i in range(300):
        os.makedirs(os.path.join(TMP, "source", "%03d\ue000" % i), exist_ok=True)
    only = sys.argv[1:]
    for image in list(IMAGES) + [name for name in MOUNTS if name not in IMAGES]:
        if only and image not in only:
            continue
        function, rows = IMAGES.get(image) or ONLY_MOUNTED[image]
        path = make(image, function)
        for command, want in rows.items():
            run_row(image, path, (command, ALL[command]), want)
        if image in MOUNTS and not why:
            run_mount(image, path, *MOUNTS[image])
        for command, want in ANY.items():
            if command not in rows and (image, command) not in HONEST:
                run_row(image, path, (command, ALL[command]), want)
        shutil.rmtree(os.path.dirname(path))
        shutil.rmtree(os.path.join(TMP, image + "-copy"))
    for image, (function, commands) in SOUND.items():
        if not only or image in only:
            try_sound(image, function, commands, why)
    if not only or "names" in only:
        try_names()
    done()


def try_sound(image, function, commands, why):
    path = os.path.join(TMP, image + "-image", "x.cim")
    os.mkdir(os.path.dirname(path))
    function(path)
    if "diff of a copy" in commands:
        shutil.copytree(os.path.dirname(path), os.path.join(TMP, image + "-image-copy"))
    for command in commands:
        run_row(image + "-image", path, (command, ALL[command]), (0, ""))
    if image == "farm" and not why:
        run_mount("farm-image", path, lambda at: {os.stat(where + "/" + name).st_nlink
                                                  for where, _, names in os.walk(at)
                                                  for name in names}, {100}, "")
    shutil.rmtree(os.path.dirname(path))
    shutil.rmtree(os.path.join(TMP, image + "-image-copy"), ignore_errors=True)


def try_names():
    """One image among 1.6 million files without a byte, whose names are all that the container has; or
    among files that no image needs."""
    top = os.path.join(TMP, "names")
    os.mkdir(top)
    cimtool("create", "-q", os.path.join(top, "x.cim"), os.path.join(TMP, "source"))
    others = [name for name in os.listdir(top) if name != "x.cim"]
    subprocess.run([PACK, "--names=1600000", os.path.join(TMP, "names.bcim"), top, *others, "x.cim"],
                   check=True)
    for command in ("files of the container", "info of the container", "files", "verify", "dump",
                    "rm in the container"):
        run_row("names", os.path.join(TMP, "names.bcim", "x.cim"), (command, ALL[command]), (0, ""))
    os.unlink(os.path.join(TMP, "names.bcim"))
    subprocess.run([PACK, "--orphans=150000", os.path.join(TMP, "orphans.bcim"), top, *others, "x.cim"],
                   check=True)
    for command in ("files --orphans", "files --orphans --delete", "append", "files of the container"):
        run_row("orphans", os.path.join(TMP, "orphans.bcim", "x.cim"), (command, ALL[command]), (0, ""))
    os.unlink(os.path.join(TMP, "orphans.bcim"))


ONLY_MOUNTED = {"ring": (lambda: cruel.ring(30000), {})}

main()
