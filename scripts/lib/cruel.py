# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images made to harm: small files that lead to work or memory without end.

A function for each kind, which returns an Image (imagebuilder.py). Each shares one structure among
thousands of items, or has them lie so that what is kept of them grows out of all proportion. A few
megabytes each, made in a second, and days of work for who doesn't look.
"""

import os
import struct

from imagebuilder import (FS_COUNT, FS_DIRECTORY, LINKS, PE, METADATA, DATA, SMALL, RECORD_DESC, RECORD_EA,
                          RECORD_EA_LENGTH, RECORD_PARENT,
                          RECORD_REPARSE, RECORD_SECURITY, RECORD_STREAM, RECORD_STREAMS, RECORD_TAG,
                          FILES_PER_TABLE, Dir, File, Image, RegionSet, Stream, make_ea,
                          make_reparse, make_sd, make_sid, make_symlink)


class Cruel(Image):
    """An image to which records and tables are added in numbers that the builder has no time for."""

    def __init__(self, root, **more):
        super().__init__(root, name="x.cim", **more)
        self.added = []

    @staticmethod
    def blank():
        """The record of an empty file in the root."""
        record = bytearray(96)
        struct.pack_into("<4Q", record, 8, *[132000000000000000] * 4)
        struct.pack_into("<QQ", record, RECORD_STREAM, 2 << 48 | 40, 0)
        struct.pack_into("<I", record, RECORD_PARENT, 1)
        return record

    def record(self, **fields):
        """A new file; its FileID. fields: an offset's name -> number."""
        record = self.blank()
        for name, value in fields.items():
            at, fmt = {"stream": (RECORD_STREAM, "Q"), "desc": (RECORD_DESC, "Q"),
                       "sd": (RECORD_SECURITY, "Q"), "reparse": (RECORD_REPARSE, "Q"),
                       "streams": (RECORD_STREAMS, "Q"), "tag": (RECORD_TAG, "I"),
                       "ea": (RECORD_EA, "Q"), "ea_length": (RECORD_EA_LENGTH, "H"),
                       "parent": (RECORD_PARENT, "I"), "flags": (0, "H")}[name]
            struct.pack_into("<" + fmt, record, at, value)
        self.added.append(bytes(record))
        return max(self.records) + len(self.added)

    def table(self, names, ids):
        """A link table of files: the two fields of a record that lead to it."""
        head = 8 + 8 * len(names)
        offsets, text = [], bytearray()
        for name in names:
            offsets.append(head + len(text))
            text += struct.pack("<H", len(name)) + name.encode("utf-16-le")
        body = struct.pack("<II%dI%dI" % (len(ids), len(ids)), head + len(text), len(ids), *ids,
                           *offsets) + text
        return {"stream": self.put_metadata(body, None), "desc": LINKS << 48 | len(body)}

    def set_directory(self, path, table):
        self.poke("record:" + path, RECORD_STREAM, "QQ", table["stream"], table["desc"])

    def set_tables(self, directory):
        """The file table directory, as its entries' bytes."""
        self.poke("fs", FS_DIRECTORY, "QI", self.put_metadata(directory, "directory"),
                  len(directory) // 16)

    def finish(self, more=b""):
        """Write the records that were added behind the builder's. more: the directory's entries of
        tables behind them."""
        file, at = self.places["table:0"]
        first = max(self.records)
        records = bytes(self.files[file][at:at + 96 * first]) + b"".join(self.added)
        directory = b""
        for i in range(0, len(records), 96 * FILES_PER_TABLE):
            part = records[i:i + 96 * FILES_PER_TABLE]
            directory += struct.pack("<QHHI", self.put_metadata(part, "table:%d" % (i // (96 * FILES_PER_TABLE))),
                                     len(part) // 96, 96, 0)
        self.set_tables(directory + more)
        return self


def names(count, end=""):
    return ["f%06d%s" % (i, end) for i in range(count)]


def every_case(units):
    """All spellings of a name."""
    return ["".join("aA"[i >> unit & 1] for unit in range(units)) for i in range(1 << units)]


def in_root(image, ids, more=b""):
    """Have the root hold these and nothing else."""
    image.set_directory("", image.table(names(len(ids)), ids))
    return image.finish(more)


def dirs_share(directories, links):
    """Directories that share one table of names of one file."""
    image = Cruel(Dir({"a": File()}))
    table = image.table(names(links), [2] * links)
    return in_root(image, [image.record(**table) for _ in range(directories)])


def in_holes(image, size=1 << 40):
    """Its region files made long: what an image costs is to follow from what it holds, and a hole
    holds nothing."""
    write = image.write

    def write_long(directory):
        path = write(directory)
        for name in os.listdir(directory):
            if name.startswith("region_"):
                os.truncate(os.path.join(directory, name), size)
        return path

    image.write = write_long
    return image


def cycle(links):
    """A directory of directories that are all itself."""
    image = Cruel(Dir({"a": File()}))
    image.set_directory("", image.table(names(links), [1] * links))
    return image.finish()


def tables_overlap(tables):
    """File tables that are all the same one."""
    image = Cruel(Dir({"a": File()}))
    for _ in range(FILES_PER_TABLE - 2):
        image.record()
    image.finish()
    file, at = image.places["directory"]
    image.set_tables(bytes(image.files[file][at:at + 16]) * tables)
    return image


def spread(directories):
    """Directories whose FileIDs lie 32,768 apart."""
    image = Cruel(Dir({"a": File()}))
    for _ in range(FILES_PER_TABLE - 2):
        image.record(stream=0, desc=LINKS << 48)
    image.finish()
    file, at = image.places["directory"]
    entry = bytes(image.files[file][at:at + 16])
    ids = [3 + 32768 * i for i in range(directories)]
    image.set_directory("", image.table(names(directories), ids))
    file, at = image.places["record:"]
    root = image.files[file][at:at + 96]
    file, at = image.places["table:0"]
    image.files[file][at:at + 96] = root
    image.set_tables(entry * (32 * directories))
    return image


def deep(directories):
    """A chain of directories, deeper than any path."""
    image = Cruel(Dir({"a": File()}))
    for i in range(directories):
        table = image.table(["a"], [4 + i]) if i + 1 < directories else {"stream": 0, "desc": LINKS << 48}
        image.record(parent=2 + i if i else 1, **table)
    image.set_directory("", image.table(["a"], [3]))
    return image.finish()


def links_in_hole(links):
    """A directory of which nothing is there but how many entries it has."""
    image = Cruel(Dir({"d": Dir({"a": File()})}))
    size = 8 + 8 * links
    image.set_directory("d", {"stream": image.put_metadata(struct.pack("<II", size, links), None),
                              "desc": LINKS << 48 | size})
    return in_holes(image)


def ring(links):
    """Symlinks in a directory whose parents form a ring."""
    image = Cruel(Dir({"a": File(reparse=make_symlink("x"))}))
    fields = {"reparse": image.offset_of("reparse:a"), "tag": 0xA000000C}
    ids = [image.record(**fields) for _ in range(links)]
    ring_id = image.record(stream=0, desc=LINKS << 48, parent=3 + links + 1)
    top = image.record(parent=ring_id, **image.table(names(links), ids))
    image.set_directory("", image.table(["d"], [top]))
    return image.finish()


def streams_shared(files, streams):
    """Files that share a table of streams."""
    image = Cruel(Dir({"a": File(b"x", streams={n: b"abc" for n in names(streams)})}))
    fields = {"streams": image.offset_of("streams:a")}
    return in_root(image, [image.record(**fields) for _ in range(files)])


def pe_shared(files, mappings):
    """Files that share a PE image of many mappings."""
    image = Cruel(Dir({"a": File(Stream(bytes(32768), pe=[(4096, 0)] * mappings))}))
    fields = {"stream": image.offset_of("pe:a"), "desc": PE << 48 | 32768}
    return in_root(image, [image.record(**fields) for _ in range(files)])


def pe_streams(streams):
    """A file whose streams are all one PE image of 65,535 mappings."""
    image = Cruel(Dir({"a": File(streams={n: b"abc" for n in names(streams)}),
                       "pe": File(Stream(bytes(32768), pe=[(4096, 0)] * 65535))}))
    image.poke("streams:a", 8, "%dQ" % (2 * streams),
               *[image.offset_of("pe:pe"), PE << 48 | 32768] * streams)
    return image


def data_shared(files, size):
    """Files that share their data."""
    image = Cruel(Dir({"a": File(bytes(range(256)) * (size // 256))}))
    fields = {"stream": image.offset_of("data:a"), "desc": size}
    return in_root(image, [image.record(**fields) for _ in range(files)])


def data_in_holes(files, size):
    """Files whose data overlap in a hole."""
    image = Cruel(Dir({"a": File(bytes(range(256)) * 256)}))
    at = image.offset_of("data:a")
    ids = [image.record(stream=at + (i << 20), desc=size) for i in range(files)]
    return in_holes(in_root(image, ids), 2 * size)


def sd_shared(files):
    """Files that share a security descriptor as large as one can be."""
    image = Cruel(Dir({"a": File(sd=make_sd(aces=((0, 0, 0x1F01FF, make_sid(18)),) * 3200))}))
    fields = {"sd": image.offset_of("sd:a")}
    return in_root(image, [image.record(**fields) for _ in range(files)])


def unsorted(entries):
    """A directory in the order of code points, where names begin beyond the surrogates."""
    image = Cruel(Dir({"a": File()}))
    image.set_directory("", image.table(names(entries, "\ue000")[::-1], [2] * entries))
    return image.finish()


def spellings(bits):
    """A directory of names that differ in case alone, which stand in order."""
    image = Cruel(Dir({"a": File()}))
    every = every_case(bits)
    image.set_directory("", image.table(every, [2] * len(every)))
    return image.finish()


def short_records(tables):
    """File tables of 1,024 records of one byte each, which are all the same table."""
    image = Cruel(Dir({"a": File()}))
    place = image.offset_of("table:0")
    file, at = image.places["directory"]
    entry = bytes(image.files[file][at:at + 16])
    image.set_tables(entry + struct.pack("<QHHI", place, 1024, 1, 0) * tables)
    return image


def long_records(count):
    """Long records, each the only one of its table, and a table's worth of short ones for each: a
    merged image, where they meet, would have them all as long."""
    image = Cruel(Dir({"a": File()}))
    short = [image.record() for _ in range((FILES_PER_TABLE - 1) * count)]
    first = (max(short) + FILES_PER_TABLE - 1) // FILES_PER_TABLE
    ids, tables = [], b""
    for i in range(count):
        record = image.blank() + bytes(65535 - 96 - 1) + b"x"
        tables += struct.pack("<QHHI", image.put_metadata(record, None), 1, len(record), 0)
        ids += short[i * (FILES_PER_TABLE - 1):][:FILES_PER_TABLE - 1]
        ids.append((first + i) * FILES_PER_TABLE + 1)
    return in_root(image, ids, tables)


def overlapping_names(path, count):
    """A link table in no order whose names are all the same bytes: a directory's entries, or the
    streams of a file."""
    image = Cruel(Dir({"a": File(b"x", streams={"s": b"abc"})}))
    streams = path != ""
    value = struct.pack("<QQ", 2 << 48 | 40, 0) if streams else struct.pack("<I", 2)
    head = 8 + count * (len(value) + 4)
    names_at = [head + 2 * (i * 7919 % 32768) for i in range(count)]
    # 255 units from wherever one begins: each unit is a length and a character too.
    text = struct.pack("<33024H", *[255] * 33024)
    body = struct.pack("<II", head + len(text), count) + value * count
    body += struct.pack("<%dI" % count, *names_at) + text
    place = image.put_metadata(body, None)
    if streams:
        image.poke("record:a", RECORD_STREAMS, "Q", place)
    else:
        image.poke("record:", RECORD_STREAM, "QQ", place, LINKS << 48 | len(body))
    return image


def pe_sound(files, mappings, last=0):
    """Files that share a PE image of many sorted mappings. With a last one that leads nowhere it is
    found to be bad only at its end."""
    moved = [(4 + 4 * i, 8 if i % 2 else 0) for i in range(mappings)]
    image = Cruel(Dir({"a": File(Stream(bytes(4 * mappings + 4), pe=moved))}))
    file, at = image.places["pe:a"]
    size = 4 * mappings + 4
    # The data are long enough for the mappings that go up.
    struct.pack_into("<Q", image.files[file], at, image.put(bytes(size + 8), 1))
    struct.pack_into("<Q", image.files[file], at + 8, size + 8)
    struct.pack_into("<I", image.files[file], at + 24 + 8 * mappings - 4, last)
    fields = {"stream": image.offset_of("pe:a"), "desc": PE << 48 | size}
    return in_root(image, [image.record(**fields) for _ in range(files)])


def blobs_shared(files, kinds):
    """Files that share descriptors, EAs and reparse data, each as large as one can be, of @kinds."""
    image = Cruel(Dir({"a": File()}))
    sd = make_sd(aces=((0, 0, 0x1F01FF, make_sid(18)),) * 3200)
    ea = make_ea(*[(b"N%04d" % i, bytes(200)) for i in range(300)])
    reparse = make_reparse(0x1234, bytes(16000), bytes(range(16)))
    descriptors = [image.put_metadata(struct.pack("<H", len(sd)) + sd, None) for _ in range(kinds)]
    attributes = [image.put_metadata(ea, None) for _ in range(kinds)]
    links = [image.put_metadata(struct.pack("<H", len(reparse)) + reparse, None) for _ in range(kinds)]
    return in_root(image, [image.record(sd=descriptors[i % kinds], ea=attributes[i % kinds],
                                        ea_length=len(ea), reparse=links[i % kinds], tag=0x1234)
                           for i in range(files)])


def nested_tables(directories):
    """Link tables each of which is the end of the one before: headers where that one has FileIDs,
    name offsets and names shared by all."""
    image = Cruel(Dir({"a": File()}))
    links = 20 * directories
    head = 8 + 8 * links
    names_size = 8 * (links + 2 * directories)
    place = image.put_metadata(bytes(head + names_size), None)
    body = bytearray(head + names_size)
    for i in range(directories):
        struct.pack_into("<II", body, 8 * i, head + names_size - 8 * i, links - 2 * i)
    struct.pack_into("<%dI" % (links - 2 * directories + 2), body, 8 * directories,
                     *[2] * (links - 2 * directories + 2))
    struct.pack_into("<%dI" % links, body, 8 + 4 * links, *[head + 8 * i for i in range(links)])
    for i in range(names_size // 8):
        struct.pack_into("<H3H", body, head + 8 * i, 3, *[0x4000 + (i >> s & 127) for s in (14, 7, 0)])
    file = image.region_files[place >> 48]
    at = place & (1 << 48) - 1
    image.files[file][at:at + len(body)] = body
    return in_root(image, [image.record(stream=place + 8 * i,
                                        desc=LINKS << 48 | len(body) - 8 * i)
                           for i in range(directories)])


def regions_missing(regions):
    """A set of more region files than are there."""
    image = Cruel(Dir({"a": File()}))
    image.poke("image", 48, "H", regions)
    return image


def regions_sparse(regions):
    """Region files that are nothing but headers, but for three: one of a parent, and the others."""
    parent = RegionSet("11111111-1111-4111-8111-111111111111", (DATA,))
    return Cruel(Dir({"a": File(b"x")}), parents=(parent,),
                 types=(METADATA, DATA, SMALL) + (DATA,) * (regions - 4))


def deep_files(depth, files):
    """Files in a path as long as one can be."""
    image = Cruel(Dir({"a": File()}))
    name = "n" * 255
    ids = [image.record() for _ in range(files)]
    table = image.table(names(files), ids)
    for _ in range(depth):
        table = image.table([name], [image.record(**table)])
    image.set_directory("", table)
    return image.finish()


def merge_links(depth, links):
    """Merge links, deep in bare directories, that all lead to a file as deep."""
    image = Cruel(Dir({"a": File()}))
    target = ("b\\" * depth + "f").encode("utf-16-le")
    fields = {"stream": image.put_metadata(target, None), "desc": len(target), "flags": 0x4000}
    bare = image.table(names(links), [image.record(**fields) for _ in range(links)])
    real = image.table(["f"], [image.record()])
    for i in range(depth):
        bare_id, real_id = image.record(flags=0x1000, **bare), image.record(**real)
        if i + 1 < depth:
            bare, real = image.table(["a"], [bare_id]), image.table(["b"], [real_id])
    image.set_directory("", image.table(["a", "b"], [bare_id, real_id]))
    image.poke("image", 64, "I", 1)
    return image.finish()
