#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write the upcase table of new images, as a C source, to standard output.

The table tells the upper case of each of the 65,536 UTF-16 code units. The format wants what
ntdll's RtlUpcaseUnicodeChar answers, and that is Unicode's simple upper case (field 12 of
UnicodeData.txt) of characters of the BMP, with one rule on top: the mapping is kept only where it
can be undone, that is where the upper case's own simple lower case is the character again. A file
system needs pairs; where several characters share one upper case, only one of them is its lower
case and the others stay themselves. EXCEPTIONS lists all those, so that nobody has to take the
rule's word for it: the generator fails if the rule and the list ever differ.

The data comes from the distribution's package (PLACES). Characters younger than Unicode 15.0 are left out,
whatever version is installed, and the finished table is compared with its known digest: images
must not depend on the machine on which the library was built.

What is known of Windows itself: its table is that of an older Unicode, and differs with the
release. The test t_upcase compares with Wine's ntdll. Since an image carries its table, a
difference costs nothing but the order in which later scripts' names are sorted.

Usage: gen-upcase.py [DIRECTORY-OF-UNICODE-DATA]
"""

import hashlib
import os
import sys

# Where distributions keep the data: Debian; Fedora and openSUSE; Arch.
PLACES = ("/usr/share/unicode", "/usr/share/unicode/ucd", "/usr/share/unicode-character-database")
NEWEST = (15, 0)
SHA256 = "1de7ad3f18b843489709032bf23f9d25e74dfb0bced9c0fa258392f54b09061f"

# Character, the upper case that is not used, and why.
EXCEPTIONS = [
    (0x00B5, 0x039C, "micro sign: mu's upper case belongs to U+03BC"),
    (0x0131, 0x0049, "dotless i: I belongs to i"),
    (0x017F, 0x0053, "long s: S belongs to s"),
    (0x01C5, 0x01C4, "title case of a digraph: its capital belongs to U+01C6"),
    (0x01C8, 0x01C7, "title case of a digraph: its capital belongs to U+01C9"),
    (0x01CB, 0x01CA, "title case of a digraph: its capital belongs to U+01CC"),
    (0x01F2, 0x01F1, "title case of a digraph: its capital belongs to U+01F3"),
    (0x0345, 0x0399, "combining ypogegrammeni: Iota belongs to U+03B9"),
    (0x03C2, 0x03A3, "final sigma: Sigma belongs to U+03C3"),
    (0x03D0, 0x0392, "beta symbol: Beta belongs to U+03B2"),
    (0x03D1, 0x0398, "theta symbol: Theta belongs to U+03B8"),
    (0x03D5, 0x03A6, "phi symbol: Phi belongs to U+03C6"),
    (0x03D6, 0x03A0, "pi symbol: Pi belongs to U+03C0"),
    (0x03F0, 0x039A, "kappa symbol: Kappa belongs to U+03BA"),
    (0x03F1, 0x03A1, "rho symbol: Rho belongs to U+03C1"),
    (0x03F5, 0x0395, "lunate epsilon: Epsilon belongs to U+03B5"),
    (0x1C80, 0x0412, "rounded ve: VE belongs to U+0432"),
    (0x1C81, 0x0414, "long-legged de: DE belongs to U+0434"),
    (0x1C82, 0x041E, "narrow o: O belongs to U+043E"),
    (0x1C83, 0x0421, "wide es: ES belongs to U+0441"),
    (0x1C84, 0x0422, "tall te: TE belongs to U+0442"),
    (0x1C85, 0x0422, "three-legged te: TE belongs to U+0442"),
    (0x1C86, 0x042A, "tall hard sign: HARD SIGN belongs to U+044A"),
    (0x1C87, 0x0462, "tall yat: YAT belongs to U+0463"),
    (0x1C88, 0xA64A, "unblended uk: UK belongs to U+A64B"),
    (0x1E9B, 0x1E60, "long s with dot above: its capital belongs to U+1E61"),
    (0x1FBE, 0x0399, "prosgegrammeni: Iota belongs to U+03B9"),
]


def fail(text):
    sys.exit(f"gen-upcase.py: {text}")


def lines(directory, name):
    """The fields of a data file's lines, comments and blanks left out."""
    try:
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            for line in file:
                line = line.split("#")[0].strip()
                if line:
                    yield [field.strip() for field in line.split(";")]
    except OSError as error:
        fail(f"{error} (Debian package unicode-data; run scripts/setup native)")


def installed(places=PLACES):
    """The first of places that has the data, or just the first."""
    return next((place for place in places
                 if os.path.exists(os.path.join(place, "UnicodeData.txt"))), places[0])


def known_characters(directory):
    """The code points of the BMP that were assigned up to Unicode NEWEST."""
    known = set()
    versions = set()
    for where, version in lines(directory, "DerivedAge.txt"):
        version = tuple(int(part) for part in version.split("."))
        versions.add(version)
        first, _, last = where.partition("..")
        if version <= NEWEST:
            known.update(range(int(first, 16), min(int(last or first, 16), 0xFFFF) + 1))
    if NEWEST not in versions:
        fail(f"the data in {directory} is older than Unicode {NEWEST[0]}.{NEWEST[1]}")
    return known


def case_mappings(directory):
    """Simple upper and lower case, {code point: code point}, of the BMP's known characters."""
    known = known_characters(directory)
    upper, lower = {}, {}
    for fields in lines(directory, "UnicodeData.txt"):
        code = int(fields[0], 16)
        for mapping, text in ((upper, fields[12]), (lower, fields[13])):
            if text and code in known and int(text, 16) in known:
                mapping[code] = int(text, 16)
    return upper, lower


def make_table(directory):
    upper, lower = case_mappings(directory)
    table = list(range(0x10000))
    left_out = []
    for code, capital in sorted(upper.items()):
        if lower.get(capital) == code:
            table[code] = capital
        else:
            left_out.append((code, capital))
    if left_out != [(code, capital) for code, capital, _ in EXCEPTIONS]:
        fail("the characters that share an upper case are not those of EXCEPTIONS: "
             + " ".join(f"{code:04X}" for code, _ in left_out))
    if any(table[code] != code for code in range(0xD800, 0xE000)):
        fail("a surrogate has an upper case")
    if any(table[table[code]] != table[code] for code in range(0x10000)):
        fail("an upper case has an upper case of its own")
    digest = hashlib.sha256(b"".join(code.to_bytes(2, "little") for code in table)).hexdigest()
    if digest != SHA256:
        fail(f"the table's digest is {digest}, not {SHA256}")
    return table


def main():
    table = make_table(sys.argv[1] if len(sys.argv) > 1 else installed())
    print("/* Made by cimfs_shim/core/gen-upcase.py from Unicode's data. Not to be edited. */")
    print("#include <stdint.h>\n")
    print("extern const uint16_t cim_upcase_default[65536];\n")
    print("/* 16 entries a line. */")
    print("const uint16_t cim_upcase_default[65536] = {")
    for row in range(0, 0x10000, 16):
        print(",".join(str(code) for code in table[row:row + 16]) + ",")
    print("};")


if __name__ == "__main__":
    main()
