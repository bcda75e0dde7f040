#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Hand-made images through cimtool.

Good ones: "verify" has nothing to say but what it should, and "ls", "stat" and "cat" show exactly
what the description of the image says. Malformed ones: "verify" names the rule that is broken and
ends with the right code, and no command crashes, hangs, or writes outside its target.
"""

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from imagecases import all_cases  # noqa: E402
from imagebuilder import Dir, Link, Sparse, Stream, to_units, upcased  # noqa: E402
import cases  # noqa: E402  (found through imagecases)
from tap import check, done  # noqa: E402

CIMTOOL = os.path.join(os.path.abspath(os.environ.get("BUILD", "build")), "cimtool")
TMP = os.path.abspath(os.environ["TEST_TMP"])
TIMEOUT = 60
EXIT_CODES = {"open": 4, "version": 5, "error": 4, "warning": 3, "note": 0}
# Any way to end that is no crash and no mistake in how the command was called.
ORDERLY = (0, 1, 3, 4, 5)

def run(*args):
    """(exit code, stdout, both as text); a hang has the code None, a crash, also one that only a
    sanitizer sees, a negative one."""
    try:
        end = subprocess.run([CIMTOOL, *args], stdin=subprocess.DEVNULL, timeout=TIMEOUT,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except subprocess.TimeoutExpired:
        return None, b"", "timed out after %d s" % TIMEOUT
    text = (end.stdout + end.stderr).decode("utf-8", "replace")
    if b"Sanitizer" in end.stderr or b"runtime error" in end.stderr:
        return -1000, end.stdout, end.stderr.decode("utf-8", "replace")
    return end.returncode, end.stdout, text


# ---- what a good image must show ----


def wtf8(text):
    return text.encode("utf-8", "surrogatepass")


def shown(text):
    """A name as in JSON: U+FFFD for an unpaired surrogate."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def attribute_bits(item):
    bits = 0
    for flag, bit in ((1, 1), (2, 2), (4, 4), (8, 0x20), (16, 0x200)):
        if item.flags & flag:
            bits |= bit
    if isinstance(item, Dir):
        bits |= 0x10
    if item.reparse:
        bits |= 0x400
    return bits or 0x80


def time_text(filetime):
    moment = datetime(1601, 1, 1) + timedelta(microseconds=filetime // 10)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%07dZ" % (filetime % 10000000)


def in_order(entries):
    return sorted(entries, key=lambda name: upcased(to_units(name)))


def entries_of(image, path):
    """(directory that really has the entries, its sorted names)."""
    item = image.items[path]
    if item.share is not None:
        return entries_of(image, item.share)
    order = item.order or upcased
    return path, sorted(item.entries, key=lambda name: order(to_units(name)))


def expected_list(image, path="", prefix=""):
    """What "ls -Ra --streams" shows: (path, stream or None, size, FileID or None)."""
    item = image.items[path]
    rows = [(prefix or ".", None, 0 if isinstance(item, Dir) else item.data.size, item.id)]
    for name in in_order(item.streams):
        rows.append((prefix or ".", name, item.streams[name].size, None))
    if isinstance(item, Dir):
        source, names = entries_of(image, path)
        for name in names:
            child = image.items[source].entries[name]
            child_path = child.path if isinstance(child, Link) else \
                (source + "/" + name if source else name)
            rows += expected_list(image, child_path, prefix + "/" + name if prefix else name)
    return rows


def expected_segments(image, label, stream):
    """Where the pieces of an expanded stream lie, by its description."""
    if not isinstance(stream, Stream) or stream.pe is None:
        return None
    file, place = image.places["data:" + label]
    bounds = [(0, 0)] + list(stream.pe) + [(stream.size, 0)]
    rows = []
    for (start, delta), (end, _) in zip(bounds, bounds[1:]):
        end, expanded = min(end, stream.size), start + delta & 0xFFFFFFFF
        if start < end:
            rows.append({"offset": start, "size": end - start, "expanded_offset": expanded,
                         "region": image.region_files.index(file),
                         "region_offset": place + expanded})
    return rows


def expected_stream(image, path, name):
    stream = image.items[path].streams[name]
    segments = expected_segments(image, path + ":" + name, stream)
    row = {"name": shown(name), "size": stream.size, "sparse": isinstance(stream, Sparse),
           "pe_image": segments is not None}
    return dict(row, segments=segments) if segments else row


def expected_stat(image, path):
    item = image.items[path]
    size = image.entry_sizes.get((item.id - 1) // 1024, 96)
    has_parent = size >= 92
    want = {
        "type": "directory" if isinstance(item, Dir) else "file",
        "size": 0 if isinstance(item, Dir) else item.data.size,
        "sparse": not isinstance(item, Dir) and isinstance(item.data, Sparse),
        "pe_image": not isinstance(item, Dir) and isinstance(item.data, Stream)
        and item.data.pe is not None,
        "attribute_bits": attribute_bits(item),
        "flags": item.flags,
        "file_id": item.id,
        "parent_id": image.parent_of(path, item) if has_parent else 0,
    }
    for key, value in zip(("creation", "last_write", "change", "last_access"), item.times):
        want[key] = time_text(value)
    want["security"] = item.sd.hex() if item.sd is not None else None
    want["ea"] = item.ea.hex() if item.ea else None
    want["reparse"] = item.reparse.hex() if item.reparse else None
    want["reparse_tag"] = item.known_tag if item.reparse else None
    want["segments"] = None if isinstance(item, Dir) else expected_segments(image, path, item.data)
    want["streams"] = [expected_stream(image, path, name)
                       for name in in_order(item.streams)] or None
    return want


def json_lines(raw):
    return [json.loads(line) for line in raw.decode("utf-8").splitlines()]


def check_list(name, image, path):
    code, out, text = run("ls", "-R", "-a", "--streams", "--json", path)
    want = [(shown(p), s and shown(s), size, file_id)
            for p, s, size, file_id in expected_list(image)]
    try:
        got = [(row["path"], row.get("stream"), row["size"], row.get("file_id"))
               for row in json_lines(out)]
    except (ValueError, KeyError) as error:
        got, text = None, "%s\n%s" % (error, text)
    detail = text
    if got is not None and got != want:
        detail = "\n".join("got %s, want %s" % pair for pair in zip(got, want)
                           if pair[0] != pair[1]) or "%d rows, want %d" % (len(got), len(want))
    check(code == 0 and got == want, "%s: ls shows %d items and streams" % (name, len(want)), detail)


def pick(image):
    """All items of a small image, some of a large one."""
    paths = list(image.items)
    return paths if len(paths) <= 50 else paths[:10] + paths[len(paths) // 2:][:5] + paths[-10:]


def check_stat(name, image, path):
    paths = pick(image)
    code, out, text = run("stat", "--json", path, *[wtf8("/" + p) for p in paths])
    problems = [] if code == 0 else ["exit code %s: %s" % (code, text)]
    try:
        rows = json_lines(out)
    except ValueError as error:
        rows, problems = [], problems + [str(error)]
    if len(rows) != len(paths):
        problems.append("%d items, want %d" % (len(rows), len(paths)))
    for item_path, row in zip(paths, rows):
        for key, value in expected_stat(image, item_path).items():
            if row.get(key) != value:
                problems.append("%r: %s is %r, want %r" % (item_path, key, row.get(key), value))
    check(not problems, "%s: stat tells all of %d items" % (name, len(paths)), "\n".join(problems))


def check_data(name, image, path):
    problems, count, total = [], 0, 0
    for item_path in pick(image):
        item = image.items[item_path]
        streams = {item_path + ":" + s: stream for s, stream in item.streams.items()}
        if not isinstance(item, Dir):
            streams[item_path] = item.data
        for stream_path, stream in streams.items():
            if isinstance(stream, Sparse):
                continue
            code, out, text = run("cat", path, wtf8("/" + stream_path))
            count, total = count + 1, total + len(out)
            if code != 0 or out != stream.data:
                problems.append("%r: exit code %s, %d bytes of %d; %s" % (
                    stream_path, code, len(out), len(stream.data),
                    text if code else "other bytes"))
    check(not problems, "%s: cat gives %d streams, %d bytes" % (name, count, total),
       "\n".join(problems))


def check_good(item, directory):
    image = item.build()
    path = image.write(directory)
    code, _, text = run("verify", "--verbose", "--deep", path)
    want = 3 if any(what == "warning" for what, _ in item.expect) else 0
    check(code == want, "%s: verify ends with %d" % (item.name, want), "%s: %s" % (code, text))
    for what, words in item.expect:
        check(words in text, "%s: verify has a %s '%s'" % (item.name, what, words), text)
    check_list(item.name, image, path)
    check_stat(item.name, image, path)
    check_data(item.name, image, path)
    check_dump(item.name, directory, path)
    check_told(item.name, image, path)


def stored_streams(image):
    """What has data in a region file, and what of it has a digest of the library's making."""
    for item in image.items.values():
        own = [] if isinstance(item, (Dir, Link)) else [item.data]
        for stream in own + list(item.streams.values()):
            if not isinstance(stream, Sparse) and stream.data:
                yield stream


def check_told(name, image, path):
    """The check tells what it could compare, and what it didn't look at."""
    streams = list(stored_streams(image))
    for deep in (False, True):
        code, out, text = run("verify", "--json", *["--deep"] * deep, path)
        last = json_lines(out)[-1]
        digests = sum(s.digest is not None for s in streams) if deep else 0
        check([last[k] for k in ("streams", "streams_read", "streams_digest", "metadata_digest")] ==
              [len(streams), len(streams) if deep else 0, digests, 0] and last["metadata"] > 2,
              "%s: verify%s tells how much it compared" % (name, " --deep" * deep), (code, text))
        code, _, text = run("verify", *["--deep"] * deep, path)
        what = "%d of %d streams and 0 of %d pieces of metadata had a digest" % (
            digests, len(streams), last["metadata"])
        if not deep:
            what = "not checked without --deep: "
            what += "the data of %d stream" % len(streams) if streams else "digests"
        check(what in text, "and says so", text)


# ---- malformed images ----


def listing(directory):
    """All that is below a directory but in its "target"."""
    found = []
    for top, names, files in os.walk(directory):
        if top == directory and "target" in names:
            names.remove("target")
        found += [os.path.join(top, name) for name in names + files]
    return sorted(found)


def check_dump(name, directory, path):
    """The dump of an image made from a dump is that dump."""
    data, again = os.path.join(directory, "data"), os.path.join(directory, "again")
    os.mkdir(again)
    code, first, text = run("dump", "--data", data, path)
    check(code == 0, "%s: dump" % name, text)
    dump_file = os.path.join(directory, "dump.txt")
    with open(dump_file, "wb") as f:
        f.write(first)
    image = os.path.join(again, "image.cim")
    code, _, text = run("create", "--quiet", "--from-dump", dump_file, "--data", data, image)
    check(code == 0, "%s: create --from-dump" % name, text)
    code, second, text = run("dump", "--data", data, image)
    check(code == 0 and second == first, "%s: its dump is the first dump" % name,
       text + str(second[:2000]) + str(first[:2000]))


def check_orderly(item, directory, path):
    """Nothing crashes, hangs or writes where it shouldn't."""
    target = os.path.join(directory, "target")
    problems = []
    os.mkdir(target)
    before = listing(directory)
    for command in (("info", path), ("ls", "-l", "-R", "-a", "--streams", path),
                    ("dump", path), ("extract", "-C", target, path)):
        code, _, text = run(*command)
        if code not in ORDERLY:
            problems.append("%s: exit code %s: %s" % (command[0], code, text))
    if listing(directory) != before:
        problems.append("files outside the target: %s" % sorted(
            set(listing(directory)) ^ set(before)))
    check(not problems, "%s: info, ls, dump and extract end in order" % item.name,
       "\n".join(problems))


def check_bad(item, directory):
    path = item.build().write(directory)
    options = ["--verbose"] + (["--deep"] if item.deep else [])
    code, _, text = run("verify", *options, path)
    what, words = item.expect[0]
    want = EXIT_CODES[what]
    check(code == want and words in text, "%s: verify ends with %d, says '%s'" % (
        item.name, want, words), "exit code %s\n%s" % (code, text))
    check_orderly(item, directory, path)


def check_readme():
    with open(os.path.join(HERE, "malformed", "README.md"), encoding="utf-8") as readme:
        check(readme.read() == cases.readme(), "malformed/README.md is what cases.py says",
           "run: python3 cases.py > README.md")


def main():
    if not os.path.exists(CIMTOOL):
        print("Bail out! no " + CIMTOOL)
        sys.exit(1)
    names = set()
    for kind, item in all_cases():
        directory = os.path.join(TMP, item.name)
        if item.name in names:
            check(False, "%s: the only case of its name" % item.name)
        names.add(item.name)
        if kind == "good":
            check_good(item, directory)
        else:
            check_bad(item, directory)
        shutil.rmtree(directory, ignore_errors=True)
    check_readme()
    done()


if __name__ == "__main__":
    main()
