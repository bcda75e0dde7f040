# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds Composite Images from a description, for tests.

This shares nothing with the library: it is the format told a second time, so that a mistake
made in the C code is not made here as well. It also writes what the library's writer never does
but its reader must understand (version 3 headers, file tables with entries of other sizes, the
second form of a stream table, PE images, region sets of any make-up), and it remembers where it
put each structure, so that a test can break any single rule of the format by poking into it.

    image = Image(Dir({"hello.txt": File(b"Hello"), "sub": Dir()}))
    image.poke("record:hello.txt", RECORD_FLAGS, "H", 0x8000)
    image.write("/some/directory")

Only Python 3's standard library is used.
"""

import hashlib
import os
import struct
import uuid

# File types, region types, stream types.
FILESYSTEM, REGION, OBJECT_ID = 0, 1, 2
METADATA, DATA, SMALL = 0, 1, 2
PLAIN, LINKS, PE = 0, 1, 2
ALIGN = {METADATA: 8, DATA: 4096, SMALL: 8}
SPARSE = 1 << 56

READONLY, HIDDEN, SYSTEM, ARCHIVE, SPARSE_FLAG = 1, 2, 4, 8, 16

# Offsets in the structures, for poke().
HEADER_LENGTH, HEADER_TYPE, HEADER_RESERVED = 8, 12, 13
HEADER_MAJOR, HEADER_MINOR, HEADER_RESERVED2 = 16, 20, 24
IMAGE_SET_COUNT, IMAGE_FILESYSTEM, IMAGE_RESERVED, IMAGE_PARENTS = 48, 56, 64, 70
REGION_INDEX, REGION_TYPE, REGION_RESERVED = 32, 34, 35
OBJECT_ID_TABLE, OBJECT_ID_COUNT = 40, 44
FS_UPCASE, FS_DIRECTORY, FS_COUNT, FS_ROOT = 0, 8, 16, 20
TABLE_OFFSET, TABLE_COUNT, TABLE_ENTRY_SIZE, TABLE_RESERVED = 0, 8, 10, 12
RECORD_FLAGS, RECORD_EA_LENGTH, RECORD_TAG, RECORD_TIMES = 0, 2, 4, 8
RECORD_STREAM, RECORD_DESC, RECORD_SECURITY, RECORD_EA = 40, 48, 56, 64
RECORD_REPARSE, RECORD_STREAMS, RECORD_PARENT, RECORD_BASE = 72, 80, 88, 92
RECORD_RESERVED = 94
LINKS_LENGTH, LINKS_COUNT, LINKS_VALUES = 0, 4, 8
PE_DATA, PE_DATA_LENGTH, PE_IMAGE_LENGTH, PE_COUNT, PE_FLAGS, PE_MAPPINGS = 0, 8, 16, 20, 22, 24

FILES_PER_TABLE = 1024
OUR_DIGEST_TAG = b"XXH3-128"

# 2001-02-03 04:05:06 UTC and later, as FILETIMEs; every file gets times that differ.
BASE_TIME = 126256107060000000


def to_units(text):
    """The UTF-16 code units of a str; lone surrogates stay what they are."""
    raw = text.encode("utf-16-le", "surrogatepass")
    return list(struct.unpack("<%dH" % (len(raw) // 2), raw))


def make_upcase():
    """Upper case of the BMP by Python's own Unicode data; only one unit to one unit."""
    table = []
    for unit in range(65536):
        upper = unit
        if not 0xD800 <= unit <= 0xDFFF:
            text = chr(unit).upper()
            if len(text) == 1 and ord(text) < 65536 and len(text.upper()) == 1:
                upper = ord(text)
        table.append(upper)
    return table


UPCASE = make_upcase()


def upcased(units):
    return [UPCASE[unit] for unit in units]


def code_points(units):
    """Sort key by code points; a lone surrogate stands for itself."""
    raw = struct.pack("<%dH" % len(units), *upcased(units))
    return [ord(c) for c in raw.decode("utf-16-le", "surrogatepass")]


# ---- metadata buffers ----

NULL_DACL = bytes([1, 0, 4, 0x80]) + bytes(16)


def make_sid(*subs, authority=5):
    return bytes([1, len(subs), 0, 0, 0, 0, 0, authority]) + struct.pack("<%dI" % len(subs), *subs)


def make_sd(owner=make_sid(32, 544), group=make_sid(18), aces=((0, 0, 0x1F01FF, make_sid(18)),)):
    """A self-relative descriptor with a DACL of (type, flags, mask, SID)."""
    body = b""
    for kind, flags, mask, sid in aces:
        body += struct.pack("<BBHI", kind, flags, 8 + len(sid), mask) + sid
    dacl = struct.pack("<BBHHH", 2, 0, 8 + len(body), len(aces), 0) + body
    owner_at, group_at = 20, 20 + len(owner)
    dacl_at = group_at + len(group)
    head = struct.pack("<BBHIIII", 1, 0, 0x8004, owner_at, group_at, 0, dacl_at)
    return head + owner + group + dacl


def make_ea(*attributes):
    """FILE_FULL_EA_INFORMATION of (name, value[, flags])."""
    out = b""
    for number, attribute in enumerate(attributes):
        name, value = attribute[0], attribute[1]
        flags = attribute[2] if len(attribute) > 2 else 0
        entry = struct.pack("<BBH", flags, len(name), len(value)) + name + b"\0" + value
        if number + 1 == len(attributes):
            out += struct.pack("<I", 0) + entry
        else:
            size = (4 + len(entry) + 3) & ~3
            out += struct.pack("<I", size) + entry.ljust(size - 4, b"\0")
    return out


def make_symlink(target, flags=1):
    """A symlink's reparse buffer (tag 0xA000000C); relative by default."""
    raw = target.encode("utf-16-le")
    body = struct.pack("<HHHHI", len(raw), len(raw), 0, len(raw), flags) + raw + raw
    return struct.pack("<IHH", 0xA000000C, len(body), 0) + body


def make_reparse(tag, body, guid=None):
    """Any other reparse buffer; one whose tag isn't Microsoft's has a GUID."""
    return struct.pack("<IHH", tag, len(body), 0) + (guid or b"") + body


# ---- the description ----


class Item:
    """What files and directories have in common.

    times: creation, last write, change, last access. id: FileID, else the next free one.
    parent: FileID written into the record, else the right one. tag: reparse tag in the record,
    else the buffer's own. extra: what follows byte 96 in a longer record.
    """

    def __init__(self, flags=0, times=None, sd=NULL_DACL, ea=None, reparse=None, streams=None,
                 id=None, parent=None, tag=None, base=0, extra=b""):
        self.flags, self.times, self.sd, self.ea = flags, times, sd, ea
        self.reparse, self.streams, self.id, self.parent = reparse, streams or {}, id, parent
        self.tag, self.base, self.extra = tag, base, extra


def counted(offset, base):
    """A RegionOffset as it stands in an item with a BaseRegionIndex."""
    return offset - (base << 48) if offset else 0


class Stream:
    """The bytes of a stream. region: image-wide index, else by size. digest: 24 bytes in place
    of a foreign one. pe: list of (file offset, delta) to store it expanded."""

    def __init__(self, data=b"", region=None, digest=None, pe=None, slack=0):
        self.data, self.region, self.digest, self.pe, self.slack = data, region, digest, pe, slack
        self.size = len(data)


class Sparse:
    """A stream of which nothing is stored. place: its offset names a place all the same."""

    def __init__(self, size, place=False):
        self.size, self.place = size, place


class File(Item):
    def __init__(self, data=b"", **more):
        super().__init__(**more)
        self.data = data if isinstance(data, (Stream, Sparse)) else Stream(data)


class Dir(Item):
    """order: a key to sort entries by in place of the right one, on lists of code units.
    share: path of another directory whose link table this one uses."""

    def __init__(self, entries=None, order=None, share=None, **more):
        super().__init__(**more)
        self.entries, self.order, self.share = entries or {}, order, share


class Link:
    """One more name of the file at a path (of an earlier item, "dir/name")."""

    def __init__(self, path):
        self.path = path


class RegionSet:
    def __init__(self, guid, types=(METADATA, DATA, SMALL), object_ids=True):
        self.guid, self.types, self.object_ids = uuid.UUID(guid), list(types), object_ids
        self.first = 0


OWN_GUID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


class Image:
    """Builds all at once; `files` then holds name -> bytearray, `places` label -> (file, offset).

    entry_sizes: {table: bytes}. stream_form: 1 or 2. Labels: "image", "region:N", "objectid:N"
    (image-wide), "fs", "upcase", "directory", "table:N", and by path ("" is the root) "record:P",
    "data:P", "sd:P", "ea:P", "reparse:P", "links:P", "streams:P", "pe:P", "name:P"; a stream's
    path is P:NAME.
    """

    def __init__(self, root, name="image.cim", guid=OWN_GUID, version=(2, 0), parents=(),
                 types=(METADATA, DATA, SMALL), entry_sizes=None, stream_form=1, trailer=b"",
                 upcase=None):
        self.root, self.name, self.version, self.trailer = root, name, version, trailer
        self.own = RegionSet(guid, types)
        self.sets = list(parents) + [self.own]
        self.entry_sizes, self.stream_form = entry_sizes or {}, stream_form
        self.upcase = upcase or UPCASE
        self.files, self.places, self.items, self.ids = {}, {}, {}, {}
        self.region_files, self.region_types, self.object_ids = [], [], []
        self.blobs = {}
        self.make_regions()
        self.number_items()
        self.put_items()
        self.put_tables()
        self.put_header()
        self.put_object_ids()

    # -- files --

    def common(self, length, kind):
        return struct.pack("<8sIB3xII8x", b"cimfile0", length, kind, *self.version)

    def make_regions(self):
        for region_set in self.sets:
            region_set.first = len(self.region_files)
            for index, kind in enumerate(region_set.types):
                name = "region_%s_%d" % (region_set.guid, index)
                header = self.common(40, REGION) + struct.pack("<HB5x", index, kind)
                self.files[name] = bytearray(header)
                self.places["region:%d" % len(self.region_files)] = (name, 0)
                self.region_files.append(name)
                self.region_types.append(kind)
                self.object_ids.append([])

    def region_of(self, kind):
        """The own set's first region of a kind, or its first of all."""
        for index, own_kind in enumerate(self.own.types):
            if own_kind == kind:
                return self.own.first + index
        return self.own.first

    def put(self, data, region, label=None, digest=None, align=None, slack=0):
        """Append an object to a region; its RegionOffset."""
        name = self.region_files[region]
        content = self.files[name]
        align = align or ALIGN[self.region_types[region]]
        content.extend(bytes(-len(content) % align + slack))
        offset = len(content)
        content.extend(data)
        if label is not None:
            self.places[label] = (name, offset)
        if digest is None:
            digest = hashlib.sha256(data).digest()[:24]
        self.object_ids[region].append((len(data), digest, offset))
        return region << 48 | offset

    def put_metadata(self, data, label):
        return self.put(data, self.region_of(METADATA), label)

    def put_shared(self, data, label):
        """Metadata stored once for all who have the same."""
        if data not in self.blobs:
            self.blobs[data] = self.put_metadata(data, label)
        offset = self.blobs[data]
        self.places[label] = (self.region_files[offset >> 48], offset & (1 << 48) - 1)
        return offset

    # -- items --

    def number_items(self):
        self.walk(self.root, "")
        taken = {item.id for item in self.items.values() if item.id}
        next_id = 1
        for path, item in self.items.items():
            if not item.id:
                while next_id in taken:
                    next_id += 1
                taken.add(next_id)
                item.id = next_id
            self.ids[path] = item.id

    def walk(self, item, path):
        if isinstance(item, Link):
            return
        self.items[path] = item
        for name, child in getattr(item, "entries", {}).items():
            self.walk(child, path + "/" + name if path else name)

    def put_stream(self, stream, label, base=0):
        """A Stream: offset and descriptor. base: of its item, from which count a PE image's data."""
        if isinstance(stream, Sparse):
            offset = self.region_of(SMALL) << 48 | 40 if stream.place else 0
            return offset, SPARSE | PLAIN << 48 | stream.size
        if stream.pe is not None:
            return self.put_pe(stream, label, base)
        if not stream.data:
            return self.region_of(SMALL) << 48 | 40, 0
        region = stream.region
        if region is None:
            region = self.region_of(SMALL if stream.size < 4096 else DATA)
        offset = self.put(stream.data, region, "data:" + label, stream.digest,
                          slack=stream.slack)
        return offset, stream.size

    def put_pe(self, stream, label, base):
        expanded = bytearray()
        bounds = [(0, 0)] + list(stream.pe) + [(len(stream.data), 0)]
        for (start, delta), (end, _) in zip(bounds, bounds[1:]):
            end = min(end, len(stream.data))
            place = start + delta & 0xFFFFFFFF
            if start < end:
                expanded.extend(bytes(max(0, place + end - start - len(expanded))))
                expanded[place:place + end - start] = stream.data[start:end]
        region = self.region_of(DATA) if stream.region is None else stream.region
        data = self.put(bytes(expanded), region, "data:" + label, stream.digest)
        head = struct.pack("<QQIHH", counted(data, base), len(expanded), len(stream.data), len(stream.pe), 1)
        for mapping in stream.pe:
            head += struct.pack("<II", *mapping)
        offset = self.put_metadata(head, "pe:" + label)
        return offset, PE << 48 | stream.size

    def put_links(self, entries, label, path, separator, order=None, form=1):
        """A link table of [(name, value bytes)]; returns (offset, length)."""
        entries = [(to_units(name), name, value) for name, value in entries]
        entries.sort(key=lambda entry: (order or upcased)(entry[0]))
        size = len(entries[0][2])
        head = 8 + len(entries) * (size + 4)
        names, values, offsets = b"", b"", b""
        name_at = []
        for units, name, value in entries:
            values += value
            offsets += struct.pack("<I", head + len(names))
            name_at.append((path + separator + name if path or separator == ":" else name,
                            head + len(names)))
            names += struct.pack("<H%dH" % len(units), len(units), *units)
        table = struct.pack("<II", head + len(names), len(entries)) + values + offsets + names
        front = struct.pack("<I", len(table)) if form == 2 else b""
        offset = self.put_metadata(front + table, label)
        file, at = self.places[label]
        for name, name_offset in name_at:
            self.places["name:" + name] = (file, at + len(front) + name_offset)
        return offset, len(table)

    def id_of(self, item, path):
        """FileID of an entry: its own, or that of a link's target."""
        return self.ids[item.path] if isinstance(item, Link) else self.ids[path]

    def put_directory(self, item, path):
        if item.share is not None:
            return self.streams[item.share]
        if not item.entries:
            return 0, LINKS << 48
        entries = []
        for name, child in item.entries.items():
            child_id = self.id_of(child, path + "/" + name if path else name)
            entries.append((name, struct.pack("<I", child_id)))
        offset, length = self.put_links(entries, "links:" + path, path, "/", item.order)
        return offset, LINKS << 48 | length

    def parent_of(self, path, item):
        if item.parent is not None:
            return item.parent
        return self.ids[path.rpartition("/")[0]]

    def put_items(self):
        self.streams, self.records = {}, {}
        for number, (path, item) in enumerate(self.items.items()):
            security = ea = reparse = table = tag = 0
            if item.sd is not None:
                security = self.put_shared(struct.pack("<H", len(item.sd)) + item.sd, "sd:" + path)
            if item.ea:
                ea = self.put_shared(item.ea, "ea:" + path)
            if item.reparse:
                reparse = self.put_shared(struct.pack("<H", len(item.reparse)) + item.reparse,
                                          "reparse:" + path)
                tag = struct.unpack_from("<I", item.reparse)[0]
            if item.streams:
                entries = []
                for name, stream in item.streams.items():
                    if isinstance(stream, bytes):
                        stream = item.streams[name] = Stream(stream)
                    offset, desc = self.put_stream(stream, path + ":" + name, item.base)
                    entries.append((name, struct.pack("<QQ", counted(offset, item.base), desc)))
                table, _ = self.put_links(entries, "streams:" + path, path, ":",
                                          form=self.stream_form)
            if isinstance(item, Dir):
                self.streams[path] = self.put_directory(item, path)
            else:
                self.streams[path] = self.put_stream(item.data, path, item.base)
            if item.times is None:
                item.times = tuple(BASE_TIME + number * 40000000 + i * 10000000 for i in range(4))
            item.known_tag = tag if item.tag is None else item.tag
            self.records[item.id] = (path, struct.pack(
                "<HHI4Q", item.flags, len(item.ea or b""), item.known_tag, *item.times) +
                struct.pack(
                    "<QQQQQQIHH", counted(self.streams[path][0], item.base),
                    self.streams[path][1],
                    *(counted(offset, item.base) for offset in (security, ea, reparse, table)),
                    self.parent_of(path, item), item.base, 0) + item.extra)

    # -- tables and headers --

    def put_tables(self):
        last = max(self.records)
        directory = b""
        for number in range((last - 1) // FILES_PER_TABLE + 1):
            size = self.entry_sizes.get(number, 96)
            ids = [i for i in self.records if (i - 1) // FILES_PER_TABLE == number]
            count = (max(ids) - 1) % FILES_PER_TABLE + 1 if ids else 0
            table = bytearray(count * size)
            for file_id in ids:
                at = (file_id - 1) % FILES_PER_TABLE * size
                table[at:at + size] = self.records[file_id][1][:size].ljust(size, b"\0")
            offset = self.put_metadata(bytes(table), "table:%d" % number) if count else 0
            for file_id in ids:
                file, at = self.places["table:%d" % number]
                self.places["record:" + self.records[file_id][0]] = (
                    file, at + (file_id - 1) % FILES_PER_TABLE * size)
            directory += struct.pack("<QHH4x", offset, count, size)
        self.table_count = len(directory) // 16
        upcase = self.put_metadata(struct.pack("<65536H", *self.upcase), "upcase")
        tables = self.put_metadata(directory, "directory")
        self.filesystem = self.put_metadata(
            struct.pack("<QQII", upcase, tables, self.table_count, self.ids[""]), "fs")

    def put_header(self):
        def pack_set(region_set):
            return region_set.guid.bytes_le + struct.pack("<H6x", len(region_set.types))

        parents = self.sets[:-1]
        header = self.common(72 + 24 * len(parents), FILESYSTEM) + pack_set(self.own)
        header += struct.pack("<Q6xH", self.filesystem, len(parents))
        header += b"".join(pack_set(parent) for parent in parents)
        self.files[self.name] = bytearray(header + self.trailer)
        self.places["image"] = (self.name, 0)

    def put_object_ids(self):
        for region_set in self.sets:
            for index, kind in enumerate(region_set.types):
                region = region_set.first + index
                entries = sorted(self.object_ids[region])
                header = self.common(48, OBJECT_ID) + struct.pack("<HB5xII", index, kind, 48,
                                                                 len(entries))
                name = "objectid_%s_%d" % (region_set.guid, index)
                self.places["objectid:%d" % region] = (name, 0)
                if region_set.object_ids:
                    self.files[name] = bytearray(header + b"".join(
                        struct.pack("<Q24sQ", *entry) for entry in entries))

    # -- breaking it --

    def peek(self, label, offset, fmt):
        file, at = self.places[label]
        return struct.unpack_from("<" + fmt, self.files[file], at + offset)[0]

    def poke(self, label, offset, fmt, *values):
        """Overwrite bytes at an offset behind a label; the file grows if it must."""
        file, at = self.places[label]
        raw = struct.pack("<" + fmt, *values)
        content = self.files[file]
        content.extend(bytes(max(0, at + offset + len(raw) - len(content))))
        content[at + offset:at + offset + len(raw)] = raw
        return self

    def truncate(self, label, size):
        file, at = self.places[label]
        del self.files[file][at + size:]
        return self

    def remove(self, label):
        del self.files[self.places[label][0]]
        return self

    def offset_of(self, label):
        """RegionOffset of what is at a label."""
        file, at = self.places[label]
        return self.region_files.index(file) << 48 | at

    def value_of(self, path, name):
        """Offset of the value of an entry behind "links:PATH"."""
        order = [n for n in self.items[path].entries]
        order.sort(key=lambda n: upcased(to_units(n)))
        return LINKS_VALUES + 4 * order.index(name)

    def name_offset_of(self, path, name):
        """Offset of the name offset of an entry behind "links:PATH"."""
        count = len(self.items[path].entries)
        return LINKS_VALUES + 4 * count + self.value_of(path, name) - LINKS_VALUES

    def write(self, directory):
        os.makedirs(directory, exist_ok=True)
        for name, content in self.files.items():
            with open(os.path.join(directory, name), "wb") as out:
                out.write(content)
        return os.path.join(directory, self.name)
