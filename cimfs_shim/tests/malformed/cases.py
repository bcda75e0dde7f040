# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images that break one rule of the format each: the rule, how it is broken, what must happen.

CASES lists them. `expect` is a list of (what, text): ("open", text): the image can't be opened,
CIM_E_CORRUPT; ("version", text): the same with CIM_E_VERSION; ("error" | "warning" | "note", text):
a check finds that. `text` stands in the message. "python3 cases.py" prints README.md, whose table
is this list; a test compares them.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../scripts/lib"))

from handmade import *  # noqa: E402,F401,F403
from handmade import basic, entry_sizes, our_digests, pattern, pe_images, wide  # noqa: E402

CASES = []


class Case:
    def __init__(self, name, how, expect, build, deep=False):
        self.name, self.how, self.expect, self.build, self.deep = name, how, expect, build, deep


def case(name, how, *expect, deep=False):
    def add(build):
        CASES.append(Case(name, how, list(expect), build, deep))
        return build
    return add


def poked(name, how, expect, label, offset, fmt, *values, base=basic, deep=False):
    """A case that is one poke into an image."""
    CASES.append(Case(name, how, [expect], lambda: base().poke(label, offset, fmt, *values), deep))


def cut(name, how, expect, label, size):
    CASES.append(Case(name, how, [expect], lambda: basic().truncate(label, size)))


def gone(name, how, expect, label):
    CASES.append(Case(name, how, [expect], lambda: basic().remove(label)))


def flat(entries, **more):
    return Image(Dir(entries, **more))


FAR = 1 << 40  # a byte offset past the end of any file here
NO_REGION = 99 << 48 | 4096

# ---- the filesystem file ----

poked("image-magic", "the filesystem file's magic is wrong", ("open", "begin"), "image", 0, "8s",
      b"cimfile1")
cut("image-cut-common", "the filesystem file ends in the common header", ("open", "too few"),
    "image", 20)
cut("image-cut", "the filesystem file ends before its parent count", ("open", "cut short"),
    "image", 60)
cut("image-empty", "the filesystem file is empty", ("open", "too few"), "image", 0)
poked("image-parents-cut", "more parent sets are announced than are there", ("open", "cut short"),
      "image", IMAGE_PARENTS, "H", 5)
poked("image-type", "the filesystem file calls itself a region file", ("open", "type 1"),
      "image", HEADER_TYPE, "B", REGION)
poked("image-version-1", "version 1.0", ("version", "1.0"), "image", HEADER_MAJOR, "II", 1, 0)
poked("image-version-4", "version 4.2", ("version", "4.2"), "image", HEADER_MAJOR, "II", 4, 2)
poked("image-header-length", "the header length isn't that of the header",
      ("warning", "header length 40 instead of 72"), "image", HEADER_LENGTH, "I", 40)
poked("image-no-regions", "the image's own set has no regions", ("open", "no regions"),
      "image", IMAGE_SET_COUNT, "H", 0)
poked("image-filesystem-zero", "the filesystem object's offset is 0", ("open", "header"),
      "image", IMAGE_FILESYSTEM, "Q", 0)
poked("image-filesystem-region", "the filesystem object is in a region that isn't there",
      ("open", "no region"), "image", IMAGE_FILESYSTEM, "Q", NO_REGION)
poked("image-filesystem-outside", "the filesystem object lies past the end of its region",
      ("open", "doesn't hold"), "image", IMAGE_FILESYSTEM, "Q", FAR)


@case("image-too-many-regions", "two parents of 65,535 regions each", ("open", "regions are more"))
def _():
    image = basic()
    image.poke("image", IMAGE_PARENTS, "H", 2)
    return image.poke("image", 72, "16sH6x16sH6x", b"a" * 16, 65535, b"b" * 16, 65535)


@case("image-too-long", "the filesystem file is longer than any can be", ("open", ""))
def _():
    return basic(trailer=bytes(72 + 65535 * (24 + 56) + 1))


@case("set-twice", "a region set is named twice", ("warning", "is named twice"))
def _():
    return basic(parents=(RegionSet(OWN_GUID),))


@case("filesystem-unaligned", "the filesystem object isn't on a multiple of 8",
      ("warning", "not aligned"))
def _():
    image = basic()
    file, at = image.places["fs"]
    offset = image.put(bytes(image.files[file][at:at + 24]), 0, align=8, slack=4)
    return image.poke("image", IMAGE_FILESYSTEM, "Q", offset)


@case("filesystem-in-data", "the filesystem object is in a data region",
      ("warning", "metadata in a data region"))
def _():
    image = basic()
    file, at = image.places["fs"]
    offset = image.put(bytes(image.files[file][at:at + 24]), 1)
    return image.poke("image", IMAGE_FILESYSTEM, "Q", offset)


# ---- region files ----

gone("region-missing-metadata", "the metadata region file is missing", ("open", "missing"),
     "region:0")
gone("region-missing-data", "the data region file is missing", ("error", "is missing"), "region:1")
cut("region-cut-header", "a region file is shorter than its header", ("error", "is shorter"),
    "region:1", 39)
cut("region-cut-data", "a region file ends in the middle of a file's data",
    ("error", "doesn't lie within"), "region:1", 50000)
cut("region-cut-metadata", "the metadata region ends early", ("open", "doesn't hold"),
    "region:0", 3000)
poked("region-magic", "a region file's magic is wrong", ("error", "wrong magic"),
      "region:1", 0, "8s", b"cimfile1")
poked("region-file-type", "a region file calls itself an object ID file",
      ("error", "wrong file type"), "region:1", HEADER_TYPE, "B", OBJECT_ID)
poked("region-version", "a region file is of version 5.0", ("error", "unknown version 5.0"),
      "region:1", HEADER_MAJOR, "I", 5)
poked("region-version-differs", "a region file is of another version than the image",
      ("note", "version 3.0, the image is of 2.0"), "region:1", HEADER_MAJOR, "I", 3)
poked("region-header-length", "a region file's header length is wrong",
      ("warning", "header length 48 instead of 40"), "region:1", HEADER_LENGTH, "I", 48)
poked("region-index", "a region file has another file's index", ("error", "wrong index 2"),
      "region:1", REGION_INDEX, "H", 2)
poked("region-type", "a region file is of an unknown region type", ("error", "region type 7"),
      "region:1", REGION_TYPE, "B", 7)
poked("region-reserved", "a reserved field of a region file isn't zero",
      ("note", "reserved field is not zero"), "region:2", REGION_RESERVED, "B", 1)

# ---- object ID files ----

gone("objectid-missing", "an object ID file of the image's own set is missing",
     ("warning", "is missing"), "objectid:1")
cut("objectid-cut", "an object ID file is shorter than its header", ("error", "is shorter"),
    "objectid:1", 47)
poked("objectid-magic", "an object ID file's magic is wrong", ("error", "wrong magic"),
      "objectid:1", 0, "8s", b"objectid")
poked("objectid-file-type", "an object ID file calls itself a region file",
      ("error", "wrong file type"), "objectid:1", HEADER_TYPE, "B", REGION)
poked("objectid-version", "an object ID file is of version 1.0", ("error", "unknown version 1.0"),
      "objectid:1", HEADER_MAJOR, "I", 1)
poked("objectid-header-length", "an object ID file's header length is wrong",
      ("warning", "header length 40 instead of 48"), "objectid:1", HEADER_LENGTH, "I", 40)
poked("objectid-index", "an object ID file has another file's index", ("error", "wrong index 0"),
      "objectid:1", REGION_INDEX, "H", 0)
poked("objectid-type", "an object ID file is of an unknown region type", ("error", "region type 3"),
      "objectid:1", REGION_TYPE, "B", 3)
poked("objectid-type-differs", "an object ID file and its region differ in type",
      ("error", "region type 2, its region file is of 1"), "objectid:1", REGION_TYPE, "B", SMALL)
poked("objectid-table-header", "the table of object IDs begins in the header",
      ("error", "the table of"), "objectid:1", OBJECT_ID_TABLE, "I", 40)
poked("objectid-table-outside", "the table of object IDs ends past the file",
      ("error", "the table of"), "objectid:1", OBJECT_ID_TABLE, "I", 50)
poked("objectid-count", "there are more object IDs than fit", ("error", "the table of"),
      "objectid:1", OBJECT_ID_COUNT, "I", 0xFFFFFFFF)
poked("objectid-entry-header", "an object ID's object lies in the region's header",
      ("error", "doesn't lie within its region file"), "objectid:1", 48 + 32, "Q", 16)
poked("objectid-entry-outside", "an object ID's object lies past the region's end",
      ("error", "doesn't lie within its region file"), "objectid:1", 48 + 32, "Q", FAR)
poked("objectid-entry-huge", "an object ID's offset is no offset in a region",
      ("error", "doesn't lie within its region file"), "objectid:1", 48 + 32, "Q", 1 << 63)
poked("objectid-entry-length", "an object ID's object ends past the region's end",
      ("error", "doesn't lie within its region file"), "objectid:1", 48, "Q", 1 << 63)


@case("objectid-unsorted", "object IDs aren't sorted by length", ("warning", "aren't sorted"))
def _():
    image = basic()
    name = image.places["objectid:2"][0]
    table = image.files[name]
    table[48:128] = table[88:128] + table[48:88]
    return image


@case("objectid-overlap", "object IDs of more bytes than the region has",
      ("warning", "they overlap"))
def _():
    image = Image(Dir({"a": File(pattern(50000)), "b": File(pattern(60000, 2))}))
    return image.poke("objectid:1", 48, "Q", 60000).poke("objectid:1", 80, "Q", 4096).poke(
        "objectid:1", 48 + 72, "Q", 4096)


poked("data-digest", "a byte of a file is another than when it was digested",
      ("error", "don't match their digest"), "data:big", 5000, "B", 0, base=our_digests, deep=True)


@case("data-digest-orphan", "an object that nothing refers to doesn't match its digest",
      ("error", "an object doesn't match its digest"), deep=True)
def _():
    image = our_digests()
    return image.poke("record:big", RECORD_STREAM, "QQ", 0, SPARSE | 70000).poke(
        "data:big", 0, "B", 255)


# ---- the filesystem object and the upcase table ----

poked("fs-no-tables", "there are no file tables", ("open", "root"), "fs", FS_COUNT, "I", 0)
poked("fs-too-many-tables", "there are more file tables than FileIDs can name",
      ("open", "file tables"), "fs", FS_COUNT, "I", 0xFFFFFFFF)
poked("fs-directory-outside", "the file table directory lies past the end of its region",
      ("open", "doesn't hold"), "fs", FS_DIRECTORY, "Q", FAR)
poked("fs-directory-region", "the file table directory is in a region that isn't there",
      ("open", "no region"), "fs", FS_DIRECTORY, "Q", NO_REGION)
poked("fs-root-zero", "the root's FileID is 0", ("open", "root"), "fs", FS_ROOT, "I", 0)
poked("fs-root-beyond", "the root's FileID is beyond the file tables", ("open", "root"),
      "fs", FS_ROOT, "I", 5000)
poked("fs-root-unused", "the root's FileID is beyond the files of its table",
      ("error", "isn't in the file tables"), "fs", FS_ROOT, "I", 1000)


@case("fs-root-file", "the root is a file", ("error", "is not a directory"))
def _():
    image = basic()
    return image.poke("fs", FS_ROOT, "I", image.ids["Hello.txt"])


poked("upcase-outside", "the upcase table lies past the end of its region",
      ("error", "doesn't lie within"), "fs", FS_UPCASE, "Q", FAR)
poked("upcase-region", "the upcase table is in a region that isn't there",
      ("error", "names region 99"), "fs", FS_UPCASE, "Q", NO_REGION)
poked("upcase-zero", "the upcase table's offset is 0", ("error", "doesn't lie within"),
      "fs", FS_UPCASE, "Q", 0)
poked("upcase-surrogates", "a surrogate has an upper case",
      ("error", "1 surrogates don't map to themselves"), "upcase", 2 * 0xD83D, "H", 0xD83E)
poked("upcase-ascii", "'q' has another upper case", ("warning", "1 ASCII characters"),
      "upcase", 2 * ord("q"), "H", ord("R"))
poked("upcase-restless", "an upper case has an upper case of its own",
      ("warning", "U+0431 first"), "upcase", 2 * 0x411, "H", 0x412)

# ---- the file tables ----

poked("table-count", "a file table has 1,025 files", ("error", "more than 1024"),
      "directory", TABLE_COUNT, "H", 1025)
poked("table-entry-size-zero", "a file table's entry size is 0", ("error", "entry size"),
      "directory", TABLE_ENTRY_SIZE, "H", 0)
poked("table-entry-size-short", "a file table's entries are too short for a record",
      ("warning", "too short for a record"), "directory", 16 + TABLE_ENTRY_SIZE, "H", 32,
      base=entry_sizes)
poked("table-zero", "a file table with files has offset 0", ("error", "but no offset"),
      "directory", TABLE_OFFSET, "Q", 0)
poked("table-region", "a file table is in a region that isn't there", ("error", "names region 99"),
      "directory", TABLE_OFFSET, "Q", NO_REGION)
poked("table-outside", "a file table lies past the end of its region",
      ("error", "doesn't lie within"), "directory", TABLE_OFFSET, "Q", FAR)
poked("table-end-outside", "a file table ends past its region", ("error", "doesn't lie within"),
      "directory", TABLE_ENTRY_SIZE, "H", 0xFFFF)


@case("table-overlap", "two file tables are one", ("error", "overlap another"))
def _():
    image = wide()
    return image.poke("directory", 16 + TABLE_OFFSET, "Q", image.offset_of("table:0"))


@case("table-overlap-directory", "a file table lies on the file table directory",
      ("error", "overlap another"))
def _():
    image = wide()
    return image.poke("directory", 32 + TABLE_OFFSET, "QHH", image.offset_of("directory"), 1, 40)


def moved_table(region, **more):
    image = basic()
    file, at = image.places["table:0"]
    size = image.peek("directory", TABLE_COUNT, "H") * 96
    offset = image.put(bytes(image.files[file][at:at + size]), region, **more)
    return image.poke("directory", TABLE_OFFSET, "Q", offset)


@case("table-unaligned", "a file table isn't on a multiple of 8", ("warning", "not aligned"))
def _():
    return moved_table(0, align=8, slack=2)


@case("table-in-data", "a file table is in a data region", ("warning", "metadata in a data region"))
def _():
    return moved_table(1)


# ---- records: streams ----

poked("stream-type", "a stream is of an unknown type", ("error", "unknown stream type 3"),
      "record:Hello.txt", RECORD_DESC, "Q", 3 << 48 | 12)
poked("stream-reserved", "reserved bits of a stream are set", ("note", "reserved bits"),
      "record:Hello.txt", RECORD_DESC, "Q", 1 << 60 | 12)
poked("stream-region", "a file's data are in a region that isn't there",
      ("error", "names region 99"), "record:Hello.txt", RECORD_STREAM, "Q", NO_REGION)
poked("stream-outside", "a file's data lie past the end of their region",
      ("error", "doesn't lie within"), "record:Hello.txt", RECORD_STREAM, "Q", 2 << 48 | FAR)
poked("stream-end-outside", "a file's data end past their region",
      ("error", "doesn't lie within"), "record:Hello.txt", RECORD_DESC, "Q", (1 << 48) - 1)
poked("stream-in-header", "a file's data begin in the region's header",
      ("error", "doesn't lie within"), "record:Hello.txt", RECORD_STREAM, "Q", 2 << 48 | 32)
poked("stream-zero", "a file with data has offset 0", ("error", "doesn't lie within"),
      "record:Hello.txt", RECORD_STREAM, "Q", 0)
poked("stream-empty-nowhere", "a stream of length 0 has offset 0",
      ("warning", "whose offset names no place"), "record:zero", RECORD_STREAM, "Q", 0)
poked("stream-sparse-nowhere", "a sparse stream has an offset past the end of its region",
      ("note", "sparse stream whose offset names no place"),
      "record:hole", RECORD_STREAM, "Q", 2 << 48 | FAR)
poked("base-region-outside", "a base region index leads to a region that the image doesn't have",
      ("error", "names region"), "record:Hello.txt", RECORD_BASE, "H", 3)
poked("base-region-past-all", "a base region index leads past the last region there can be",
      ("error", "leads past the last region"), "record:Hello.txt", RECORD_BASE, "H", 0xFFFF)
poked("stream-unaligned", "data in the data region aren't on a multiple of 4096",
      ("warning", "isn't a multiple of 4096"), "record:page.bin", RECORD_STREAM, "Q",
      1 << 48 | 8192 + 8)


@case("stream-in-metadata", "a file's data are in the metadata region",
      ("warning", "file data in a metadata region"))
def _():
    return flat({"file": File(Stream(b"data", region=0))})


# ---- records: descriptor, EAs, reparse data ----

poked("sd-revision", "a security descriptor's revision is 2",
      ("error", "not a valid self-relative"), "sd:secured", 2, "B", 2)
poked("sd-owner", "a security descriptor's owner lies outside it",
      ("error", "not a valid self-relative"), "sd:secured", 2 + 4, "I", 4000)
poked("sd-empty", "a security descriptor has no bytes", ("error", "not a valid self-relative"),
      "sd:secured", 0, "H", 0)
poked("sd-outside", "a security descriptor lies past the end of its region",
      ("error", "doesn't lie within"), "record:secured", RECORD_SECURITY, "Q", FAR)
poked("sd-region", "a security descriptor is in a region that isn't there",
      ("error", "names region 99"), "record:secured", RECORD_SECURITY, "Q", NO_REGION)


@case("sd-end-outside", "a security descriptor ends past its region",
      ("error", "doesn't lie within"))
def _():
    image = basic()
    offset = image.put(b"\xff\xff" + NULL_DACL, 0)
    return image.poke("record:secured", RECORD_SECURITY, "Q", offset)


@case("sd-unaligned", "a security descriptor isn't on a multiple of 8", ("warning", "not aligned"))
def _():
    image = basic()
    offset = image.put(b"\x14\0" + NULL_DACL, 0, align=8, slack=4)
    return image.poke("record:secured", RECORD_SECURITY, "Q", offset)


poked("ea-chain", "an entry of an EA list leads outside it", ("error", "not a valid chain"),
      "ea:withea", 0, "I", 4000)
poked("ea-name", "an EA has no name", ("error", "not a valid chain"), "ea:withea", 5, "B", 0)
poked("ea-no-offset", "a record has EAs but no offset of them", ("error", "but no offset"),
      "record:withea", RECORD_EA, "Q", 0)
poked("ea-no-length", "a record has an offset of EAs but no bytes", ("note", "but 0 bytes"),
      "record:withea", RECORD_EA_LENGTH, "H", 0)
poked("ea-outside", "EAs lie past the end of their region", ("error", "doesn't lie within"),
      "record:withea", RECORD_EA, "Q", FAR)
poked("ea-length", "an EA list is shorter than its entries", ("error", "not a valid chain"),
      "record:withea", RECORD_EA_LENGTH, "H", 10)
poked("reparse-length", "a reparse buffer's length field isn't its length",
      ("error", "not a valid reparse buffer"), "reparse:link", 2 + 4, "H", 5)
poked("reparse-short", "a reparse buffer has 4 bytes", ("error", "not a valid reparse buffer"),
      "reparse:link", 0, "H", 4)
poked("reparse-tag", "the record's reparse tag isn't the buffer's",
      ("error", "the record says 0xA0000003"), "record:link", RECORD_TAG, "I", 0xA0000003)
poked("reparse-none", "a record has a reparse tag but no data", ("warning", "but no reparse data"),
      "record:zero", RECORD_TAG, "I", 0xA000000C)
poked("reparse-outside", "reparse data lie past the end of their region",
      ("error", "doesn't lie within"), "record:link", RECORD_REPARSE, "Q", FAR)
poked("parent-wrong", "a directory's parent is another directory", ("error", "wrong parent"),
      "record:sub/deeper", RECORD_PARENT, "I", 1)
poked("parent-root", "the root isn't its own parent", ("error", "wrong parent"),
      "record:", RECORD_PARENT, "I", 2)

# ---- link tables ----

poked("links-zero", "a directory with entries has offset 0", ("error", "but no offset"),
      "record:sub", RECORD_STREAM, "Q", 0)
poked("links-region", "a link table is in a region that isn't there", ("error", "names region 99"),
      "record:sub", RECORD_STREAM, "Q", NO_REGION)
poked("links-outside", "a link table lies past the end of its region",
      ("error", "doesn't lie within"), "record:sub", RECORD_STREAM, "Q", FAR)
poked("links-sparse", "a directory's stream is sparse", ("error", "sparse"),
      "record:sub", RECORD_DESC, "Q", SPARSE | LINKS << 48 | 60)
poked("links-empty-sparse", "an empty directory's stream is sparse", ("error", "sparse"),
      "record:empty", RECORD_DESC, "Q", SPARSE | LINKS << 48)
poked("links-empty-offset", "an empty directory has an offset", ("note", "an offset"),
      "record:empty", RECORD_STREAM, "Q", 40)
poked("links-length-more", "a link table is longer than its directory's stream",
      ("error", "a link table of 5000 bytes"), "links:sub", LINKS_LENGTH, "I", 5000)
poked("links-count", "a link table has more links than fit", ("error", "can't have 4294967295"),
      "links:sub", LINKS_COUNT, "I", 0xFFFFFFFF)


@case("links-length-less", "a link table is shorter than its directory's stream",
      ("error", "the directory's stream has"))
def _():
    image = basic()
    desc = image.peek("record:sub", RECORD_DESC, "Q")
    return image.poke("record:sub", RECORD_DESC, "Q", desc + 8)


@case("links-stream-short", "a directory's stream is shorter than a link table's header",
      ("error", "it can't be read"))
def _():
    return basic().poke("record:sub", RECORD_DESC, "Q", LINKS << 48 | 4)


@case("links-in-data", "a link table is in a data region", ("warning", "metadata in a data region"))
def _():
    image = basic()
    file, at = image.places["links:sub"]
    size = image.peek("record:sub", RECORD_DESC, "Q") & 0xFFFFFFFF
    offset = image.put(bytes(image.files[file][at:at + size]), 1)
    return image.poke("record:sub", RECORD_STREAM, "Q", offset)


def sub_poked(name, how, expect, offset_of, fmt, value):
    """A poke into a field of the root's link table that belongs to "page.bin"."""
    def build():
        image = basic()
        return image.poke("links:", getattr(image, offset_of)("", "page.bin"), fmt, value)
    CASES.append(Case(name, how, [expect], build))


sub_poked("link-name-in-arrays", "a name's offset leads into the table's own arrays",
          ("error", "doesn't lie among the names"), "name_offset_of", "I", 8)
sub_poked("link-name-outside", "a name's offset leads out of the table",
          ("error", "doesn't lie among the names"), "name_offset_of", "I", 0xFFFFFF00)
sub_poked("link-id-zero", "a link's FileID is 0", ("error", "no such FileID: 0"),
          "value_of", "I", 0)
sub_poked("link-id-beyond", "a link's FileID is beyond the file tables",
          ("error", "no such FileID: 123456"), "value_of", "I", 123456)
sub_poked("link-id-unused", "a link's FileID is beyond the files of its table",
          ("error", "no such FileID: 1000"), "value_of", "I", 1000)
sub_poked("link-cycle-root", "a directory contains the root", ("error", "directory met twice"),
          "value_of", "I", 1)
poked("link-name-empty", "a name has no units", ("error", "a name of 0 units"),
      "name:page.bin", 0, "H", 0)
poked("link-name-long", "a name has 256 units", ("error", "a name of 256 units"),
      "name:page.bin", 0, "H", 256)
poked("link-name-cut", "a name ends outside its table", ("error", "ends outside the table"),
      "name:zero", 0, "H", 200)
poked("link-unsorted", "names aren't sorted", ("error", "not sorted"), "name:many", 2, "H",
      ord("z"))
poked("link-duplicate-case", "two names differ in case only", ("error", "duplicate name"),
      "name:Beta", 2, "4H", *b"ALPH",
      base=lambda: flat({"alph": File(b"1"), "Beta": File(b"2")}))
poked("link-duplicate", "a name is there twice", ("error", "duplicate name"),
      "name:beta", 2, "4H", *b"alph",
      base=lambda: flat({"alph": File(b"1"), "beta": File(b"2")}))


@case("link-cycle", "a directory contains its own parent", ("error", "directory met twice"))
def _():
    image = basic()
    return image.poke("links:sub/deeper", image.value_of("sub/deeper", "deepest"), "I",
                      image.ids["sub"])


@case("link-directory-twice", "a directory has two names", ("error", "directory met twice"))
def _():
    image = basic()
    return image.poke("links:", image.value_of("", "zero"), "I", image.ids["sub"])


@case("link-table-shared", "two directories share a link table that holds a directory",
      ("error", "met twice"))
def _():
    entries = {"a fairly long name %03d" % i: File(b"%d" % i) for i in range(100)}
    entries["dir"] = Dir({"in": File(b"in")})
    return flat({"one": Dir(entries), "two": Dir(share="one")})


@case("link-overlap", "one name lies within another", ("warning", "1 names overlap"))
def _():
    # U+0021 is 33: the tail of the first name can be read as a name of 33 units.
    long, short = "a!" + "b" * 33, "b" * 33
    image = flat({long: File(b"1"), short: File(b"2")})
    return image.poke("links:", image.name_offset_of("", short), "I",
                      image.peek("links:", image.name_offset_of("", long), "I") + 4)


@case("link-many-errors", "a table breaks rule after rule", ("error", "too many errors"))
def _():
    image = flat({"%03d" % i: File(b"") for i in range(100)})
    for i in range(100):
        image.poke("name:%03d" % i, 0, "H", 0)
    return image


@case("path-too-long", "a path of more than 32,767 units", ("error", "a path of"))
def _():
    item = Dir({"end": File(b"end")})
    for level in range(130):
        item = Dir({("%03d" % level) * 85: item})
    return Image(item)


for mark, title in ((0, "NUL"), (31, "U+001F"), (ord("/"), "'/'"), (ord("\\"), "'\\'"),
                    (ord(":"), "':'"), (ord("*"), "'*'"), (ord("?"), "'?'"), (ord('"'), "'\"'"),
                    (ord("<"), "'<'"), (ord(">"), "'>'"), (ord("|"), "'|'")):
    poked("link-character-%02x" % mark, "a name holds %s" % title.replace("|", "&#124;"),
          ("warning", "forbidden character, U+%04X" % mark), "name:only", 4, "H", mark,
          base=lambda: flat({"only": File(b"only")}))
poked("link-dot", "a name is \".\"", ("warning", "can't be \".\""), "name:x", 2, "H", ord("."),
      base=lambda: flat({"x": File(b"x")}))
poked("link-dot-dot", "a name is \"..\"", ("warning", "can't be \".\""), "name:xx", 2, "2H", *b"..",
      base=lambda: flat({"xx": Dir({"out": File(b"out")})}))

# ---- stream tables ----

poked("streams-region", "a stream table is in a region that isn't there",
      ("error", "names region 99"), "record:many", RECORD_STREAMS, "Q", NO_REGION)
poked("streams-outside", "a stream table lies past the end of its region",
      ("error", "doesn't lie within"), "record:many", RECORD_STREAMS, "Q", FAR)
poked("streams-count", "a stream table has more streams than fit", ("error", "it can't be read"),
      "streams:many", LINKS_COUNT, "I", 0xFFFFFFF)
poked("streams-length", "a stream table ends past its region", ("error", "it can't be read"),
      "streams:many", LINKS_LENGTH, "I", 0xFFFFFFF0)
poked("streams-name", "a stream has no name", ("error", "a name of 0 units"),
      "name:many:first", 0, "H", 0)
poked("streams-unsorted", "streams aren't sorted", ("error", "not sorted"), "name:many:first", 2,
      "H", ord("z"))
poked("streams-duplicate", "two streams differ in case only", ("error", "duplicate name"),
      "name:f:two", 2, "3H", *b"ONE",
      base=lambda: flat({"f": File(b"", streams={"one": b"1", "two": b"2"})}))
poked("streams-character", "a stream's name holds a colon", ("warning", "U+003A"),
      "name:many:first", 4, "H", ord(":"))
# Values are in stored order: first, hollow, none, second.
poked("streams-data-outside", "an alternate stream's data lie past the end of their region",
      ("error", "doesn't lie within"), "streams:many", 8, "Q", 2 << 48 | FAR)
poked("streams-link-table", "an alternate stream is a link table",
      ("error", "can't be a link table"), "streams:many", 16, "Q", LINKS << 48 | 3)
poked("streams-type", "an alternate stream is of an unknown type", ("error", "unknown stream type"),
      "streams:many", 16, "Q", 200 << 48 | 3)

# ---- PE images ----


def pe_poked(name, how, expect, label, offset, fmt, *values):
    poked(name, how, expect, label, offset, fmt, *values, base=pe_images)


pe_poked("pe-descriptor-outside", "a PE image's descriptor lies past the end of its region",
         ("error", "doesn't lie within"), "record:up.exe", RECORD_STREAM, "Q", FAR)
pe_poked("pe-sparse", "a PE image is sparse", ("error", "can't be sparse"),
         "record:up.exe", RECORD_DESC, "Q", SPARSE | PE << 48 | 100)
pe_poked("pe-data-outside", "a PE image's data lie past the end of their region",
         ("error", "doesn't lie within"), "pe:up.exe", PE_DATA, "Q", 1 << 48 | FAR)
pe_poked("pe-data-length", "a PE image's data end past their region",
         ("error", "doesn't lie within"), "pe:up.exe", PE_DATA_LENGTH, "Q", FAR)
pe_poked("pe-data-short", "a PE image has less data than its mappings reach",
         ("error", "outside the expanded data"), "pe:up.exe", PE_DATA_LENGTH, "Q", 5000)
pe_poked("pe-count", "a PE image's mappings end past their region", ("error", "doesn't lie within"),
         "pe:host:program", PE_COUNT, "H", 65535)
pe_poked("pe-delta", "a mapping leads outside the data", ("error", "outside the expanded data"),
         "pe:up.exe", PE_MAPPINGS + 4, "I", 0x40000000)
pe_poked("pe-unsorted", "mappings aren't sorted by file offset", ("error", "not sorted"),
         "pe:up.exe", PE_MAPPINGS + 8, "I", 512)
pe_poked("pe-flags", "a PE image has unknown flags", ("note", "unknown flags 0x81"),
         "pe:up.exe", PE_FLAGS, "H", 0x81)
pe_poked("pe-size", "a PE image is larger than 4 GiB", ("error", ""),
         "record:up.exe", RECORD_DESC, "Q", PE << 48 | 1 << 40)


@case("pe-data-in-metadata", "a PE image's data are in the metadata region",
      ("warning", "file data in a metadata region"))
def _():
    return flat({"p.exe": File(Stream(pattern(6000), pe=[(4096, 0)], region=0))})


# ---- marks ----

BARE, TOMBSTONE, MERGE_LINK = 0x1000, 0x2000, 0x4000


def marked(root):
    """An image whose header says that flags of records are marks."""
    return Image(root).poke("image", 64, "I", 1)


def marked_case(name, how, expect, entries, **more):
    """A case that is one image with marks; the rest of it is sound."""
    def build():
        sound = {"t": File(b"", flags=TOMBSTONE), "m": File("a\\b".encode("utf-16-le"), flags=MERGE_LINK),
                 "b": Dir({"t": File(b"", flags=TOMBSTONE)}, flags=BARE), "o": Dir({}, flags=TOMBSTONE)}
        return marked(Dir({**sound, **entries}, **more))
    CASES.append(Case(name, how, [expect], build))


poked("marks-no-marks", "a merged image by its header, in which no flag has a meaning",
      ("note", "unknown flags"), "image", 64, "I", 2)
poked("marks-unmarked", "a tombstone's flag in an image without marks", ("note", "unknown flags 0x2000"),
      "record:zero", RECORD_FLAGS, "H", TOMBSTONE)
marked_case("marks-tombstone-data", "a tombstone has data", ("error", "a tombstone has data"),
            {"x": File(b"data", flags=TOMBSTONE)})
marked_case("marks-tombstone-stream", "a tombstone has a stream", ("error", "a tombstone has data"),
            {"x": File(b"", flags=TOMBSTONE, streams={"s": b"data"})})
marked_case("marks-both", "a tombstone is a merge link at once", ("error", "it is a merge link at once"),
            {"x": File(b"", flags=TOMBSTONE | MERGE_LINK)})
marked_case("marks-bare-file", "a file is bare", ("error", "a file can't be bare"),
            {"x": File(b"", flags=BARE)})
marked_case("marks-link-directory", "a directory is a merge link",
            ("error", "a directory can't be a merge link"), {"x": Dir({}, flags=MERGE_LINK)})
marked_case("marks-bare-root", "the root is bare", ("error", "the root can't be bare"), {}, flags=BARE)
marked_case("marks-bare-file-in", "a file is in a bare directory",
            ("error", "an item that isn't hidden is in a bare directory"),
            {"x": Dir({"f": File(b"data")}, flags=BARE)})
marked_case("marks-bare-directory-in", "a directory is in a bare directory",
            ("error", "an item that isn't hidden is in a bare directory"),
            {"x": Dir({"d": Dir({}, flags=TOMBSTONE)}, flags=BARE)})
marked_case("marks-link-empty", "a merge link without a target", ("error", "target has 0 bytes"),
            {"x": File(b"", flags=MERGE_LINK)})
marked_case("marks-link-shared", "two merge links share a wrong target", ("error", "it is that of another item"),
            {"x": File(b"", flags=MERGE_LINK), "y": File(b"", flags=MERGE_LINK)})
marked_case("marks-link-odd", "a merge link's target has half a character", ("error", "target has 3 bytes"),
            {"x": File(b"a\0b", flags=MERGE_LINK)})
marked_case("marks-link-long", "a merge link's target is longer than a path",
            ("error", "target has 65536 bytes"), {"x": File(b"a\0" * 32768, flags=MERGE_LINK)})
marked_case("marks-link-no-path", "a merge link's target is no path", ("error", "target is no path"),
            {"x": File("a\\\\b".encode("utf-16-le"), flags=MERGE_LINK)})
marked_case("marks-link-stream", "a merge link's target is a stream", ("error", "target is no path"),
            {"x": File("a:b".encode("utf-16-le"), flags=MERGE_LINK)})
marked_case("marks-link-root", "a merge link's target is the root", ("error", "leads to the root"),
            {"x": File("\\".encode("utf-16-le"), flags=MERGE_LINK)})


README_HEAD = """<!-- Made by cases.py: change that, then "python3 cases.py > README.md". -->

# Malformed images

One image for each rule of the format that a file can break. `cases.py` builds them from the
test-side builder (`scripts/lib/imagebuilder.py`); nothing is stored. What must happen:

* **refused**: the image can't be opened; the commands of `cimtool` end with exit code 4, or 5 where
  the version is unknown.
* **error**: `cimtool verify` names the rule and ends with 4; everything else in the image can still
  be read.
* **warning**, **note**: `cimtool verify` says so; the image can be read.

In every case no command may crash, hang, or write outside the directory it was told. Where it says
*deep*, only `verify --deep` can see it.

| name | how it is broken | what must happen |
| --- | --- | --- |
"""

WORDS = {"open": "refused", "version": "refused, unknown version"}


def readme():
    rows = ""
    for item in CASES:
        what, text = item.expect[0]
        must = WORDS.get(what, what) + (": `…%s…`" % text if text else "")
        rows += "| %s | %s | %s%s |\n" % (item.name, item.how, must,
                                          " (deep)" if item.deep else "")
    return README_HEAD + rows


if __name__ == "__main__":
    sys.stdout.write(readme())
