# SPDX-License-Identifier: LGPL-2.1-or-later
"""Good images, made by hand: the builder's description is what a reader must find in them.

Each function returns an Image; GOOD lists them with the findings a check must have ("note" or
"warning" and a text), no others of those severities being allowed.
"""

from imagebuilder import *  # noqa: F401,F403


def pattern(size, seed=1):
    """Bytes that repeat nowhere near."""
    out = bytearray()
    state = seed
    while len(out) < size:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        out += state.to_bytes(8, "little")
    return bytes(out[:size])


def basic(**more):
    """Every kind of item."""
    return Image(Dir({
        "empty": Dir(),
        "Hello.txt": File(b"Hello, CIM!\n", flags=READONLY | ARCHIVE),
        "zero": File(b"", flags=HIDDEN | SYSTEM),
        "big.bin": File(pattern(70000)),
        "page.bin": File(pattern(4096, 2)),
        "hole": File(Sparse(1 << 40), flags=SPARSE_FLAG),
        "many": File(b"default", streams={
            "first": b"one", "second": Stream(pattern(5000, 3)), "none": b"",
            "hollow": Sparse(123456789)}),
        "withea": File(b"ea", ea=make_ea((b"USER.ONE", b"value 1"), (b"TWO", b"", 0x80))),
        "secured": File(b"sd", sd=make_sd()),
        "unsecured": File(b"no sd", sd=None),
        "link": File(b"", reparse=make_symlink("Hello.txt")),
        "other": File(b"", reparse=make_reparse(0x00001234, b"data", bytes(range(16)))),
        "sub": Dir({
            "deeper": Dir({"deepest": Dir({"file": File(b"deep")})}, flags=HIDDEN),
            "again.txt": Link("Hello.txt"),
            "junction": Dir(reparse=make_reparse(0xA0000003, bytes(12))),
        }, sd=make_sd(), streams={"of a directory": b"directories have streams too"}),
    }, streams={"rootstream": b"of the root"}), **more)


def sparse_places():
    """Sparse streams whose offset names a place, as some writers have it."""
    return Image(Dir({
        "file": File(Sparse(1 << 30, place=True), flags=SPARSE_FLAG),
        "none": File(Sparse(0, place=True)),
        "streams": File(b"", streams={"with": Sparse(77, place=True), "without": Sparse(77)}),
    }))


def version_3():
    return basic(version=(3, 0))


def version_minor():
    return basic(version=(2, 7))


def empty():
    return Image(Dir())


def entry_sizes():
    """Records of 96, 40, 88 and 128 bytes in four tables."""
    return Image(Dir({
        "normal": File(b"normal"),
        "short": File(b"", id=1025, sd=None),
        "short2": File(b"", id=1027, flags=READONLY, sd=None),
        "noparent": File(b"no parent", id=2049, ea=make_ea((b"A", b"B"))),
        "noparentdir": Dir({"in": File(b"inside", id=2060)}, id=2050),
        "long": File(b"long", id=3073, extra=bytes(range(32))),
        "longdir": Dir({"in": File(b"inside too", id=3080, extra=b"\xff" * 32)}, id=3075),
    }), entry_sizes={1: 40, 2: 88, 3: 128})


def stream_form_2():
    return basic(stream_form=2)


def pe_images():
    """Programs stored expanded: pieces that moved up, down, and not at all."""
    data = pattern(3 * 4096 + 100, 7)
    return Image(Dir({
        "up.exe": File(Stream(data, pe=[(1024, 3072), (5000, 7288)])),
        "down.exe": File(Stream(data, pe=[(4096, 8192), (8192, (1 << 32) - 4096)])),
        "plain.exe": File(Stream(data, pe=[])),
        "tiny.exe": File(Stream(b"MZ" + bytes(62), pe=[(0, 4096)])),
        "host": File(b"", streams={"program": Stream(data[:6000], pe=[(512, 3584)])}),
    }))


def parents():
    """Objects in parent sets with one and with five regions, beside the image's own three."""
    one = RegionSet("11111111-1111-4111-8111-111111111111", (SMALL,), object_ids=False)
    five = RegionSet("22222222-2222-4222-8222-222222222222", (DATA, DATA, SMALL, METADATA, DATA),
                     object_ids=False)
    return Image(Dir({
        "in0": File(Stream(b"in the first parent", region=0)),
        "in1": File(Stream(pattern(9000, 4), region=1)),
        "in3": File(Stream(b"in the second parent", region=3)),
        "in5": File(Stream(pattern(4097, 5), region=5)),
        "own": File(b"in the image's own set"),
        "ownbig": File(pattern(8192, 6)),
        "dir": Dir({"own": File(b"below")}),
    }), parents=(one, five))


def base_region():
    """Items of which all that they lead to counts from another region, as merged images have them.
    The first set lies below all indices."""
    below = RegionSet("33333333-3333-4333-8333-333333333333", (METADATA, DATA), object_ids=False)
    stream = Stream(pattern(9000, 7), pe=[(0x400, 0x200), (0x1000, 0x400)])
    every = {"sd": make_sd(), "ea": make_ea((b"A", b"x")), "reparse": make_symlink("x")}
    return Image(Dir({
        "by1": File(b"from region 1", base=1, **every),
        "by2": File(pattern(5000, 8), base=2, streams={"s": b"a stream", "none": Sparse(70000)},
                    **every),
        "pe.exe": File(stream, base=2, streams={"pe": Stream(pattern(9000, 9), pe=[(0, 64)])}),
        "empty": File(base=2),
        "sparse": File(Sparse(1 << 33), base=2),
        "dir": Dir({"below": File(b"from region 0")}, base=2, sd=make_sd()),
        "bare": Dir(base=2, sd=make_sd()),
    }), parents=(below,))


def other_own_regions():
    """An own set of four regions, metadata last."""
    return basic(types=(DATA, SMALL, DATA, METADATA))


def one_region():
    """One region for all: readable, if not as a writer does it."""
    return Image(Dir({"file": File(b"file"), "dir": Dir({"in": File(b"in")})}), types=(METADATA,))


def unknown_fields():
    """Bits and fields that a later version may have given a meaning."""
    image = basic(trailer=b"more to come")
    image.items["Hello.txt"].flags |= 0x8040
    image.poke("record:Hello.txt", RECORD_FLAGS, "H", image.items["Hello.txt"].flags)
    image.poke("record:page.bin", RECORD_RESERVED, "H", 7)
    image.poke("image", HEADER_RESERVED2, "Q", 1)
    image.poke("region:1", REGION_RESERVED, "B", 1)
    image.poke("objectid:1", HEADER_RESERVED, "B", 1)
    image.poke("directory", TABLE_RESERVED, "I", 1)
    return image


def names():
    """Names that are odd but allowed."""
    return Image(Dir({
        "con": File(b"a device elsewhere"),
        "trailing.": File(b"dot"),
        "trailing ": File(b"space"),
        "\ud83d": File(b"a high surrogate alone"),
        "\udc00x": File(b"a low one"),
        "\U0001F600": File(b"a pair"),
        "\ue000private": File(b"private use"),
        "\u00e4\u00f6\u00fc": File(b"umlauts"),
        "\u00c5ngstr\u00f6m": File(b"more"),
        "x" * 255: File(b"the longest name"),
        "\u4e2d\u6587": Dir({"\u0444\u0430\u0439\u043b": File(b"cyrillic")}),
        "[a+b]": File(b"between the letters' cases"),
    }))


def code_point_order():
    """A directory sorted by code points, as Microsoft's reader expects it."""
    return Image(Dir({
        "\U0001F600": File(b"a pair"), "\ue000": File(b"private use"), "plain": File(b"plain"),
    }, order=code_points))


def wide():
    """Some thousand files in a directory, so several file tables."""
    entries = {"file%04d" % (i * 7919 % 3000): File(b"%d" % i) for i in range(3000)}
    entries["sub"] = Dir({"last": File(b"last")})
    return Image(Dir(entries))


def deep():
    """Directories in directories, 200 of them."""
    item = Dir({"bottom": File(b"bottom")})
    for level in range(200):
        item = Dir({"d%d" % level: item})
    return Image(item)


def shared_table():
    """Two directories that hold the same hard links may have one link table."""
    entries = {"a fairly long name %03d" % i: File(b"%d" % i) for i in range(100)}
    return Image(Dir({"one": Dir(entries), "two": Dir(share="one")}))


def shared_data():
    """Objects that many items point to."""
    image = Image(Dir({"a": File(pattern(10000)), "b": File(pattern(10000, 9)), "c": File(b"")}))
    for field in (RECORD_STREAM, RECORD_DESC):
        image.poke("record:b", field, "Q", image.peek("record:a", field, "Q"))
    image.items["b"].data = image.items["a"].data
    return image


# XXH3-128 of the data in canonical form, computed once with xxhsum -H2, and the library's tag.
DIGESTS = {
    b"Hello, CIM!\n": "b5e7ab3b8fb936bbb07165de122f041f",
    pattern(70000): "abe956c031ce20cf93c6cef4c10a13e4",
}


def our_digest(data):
    return bytes.fromhex(DIGESTS[data]) + OUR_DIGEST_TAG


def our_digests():
    """Object IDs with the library's own digests, for the deep check."""
    small, big = b"Hello, CIM!\n", pattern(70000)
    return Image(Dir({
        "small": File(Stream(small, digest=our_digest(small))),
        "big": File(Stream(big, digest=our_digest(big))),
        "foreign": File(b"a digest of another writer's"),
    }))


GOOD = [
    ("basic", basic, []),
    ("sparse-places", sparse_places, []),
    ("version-3.0", version_3, []),
    ("version-2.7", version_minor, []),
    ("empty", empty, []),
    ("entry-sizes", entry_sizes, [("note", "records can't be reached")]),
    ("stream-form-2", stream_form_2, []),
    ("pe-images", pe_images, []),
    ("parents", parents, [("note", "is missing")]),
    ("base-region", base_region, [("note", "base region index"), ("note", "is missing")]),
    ("other-own-regions", other_own_regions, []),
    ("one-region", one_region, [("warning", "in a metadata region")]),
    ("unknown-fields", unknown_fields, [
        ("note", "unknown flags 0x8040"),
        ("note", "reserved field is not zero"), ("note", "12 bytes follow the region sets"),
        ("note", "reserved field of table 0")]),
    ("names", names, []),
    ("code-point-order", code_point_order, [("warning", "not sorted by code units")]),
    ("wide", wide, []),
    ("deep", deep, []),
    ("shared-table", shared_table, []),
    ("shared-data", shared_data, []),
    ("our-digests", our_digests, []),
]
