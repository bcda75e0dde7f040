#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Test of core/gen-upcase.py: the table is the same whatever Unicode data is installed, or none."""

import os
import runpy
import subprocess
import sys
import tempfile

TOP = os.environ.get("TOP", os.getcwd())
sys.path.insert(0, os.path.join(TOP, "scripts/lib"))
sys.dont_write_bytecode = True
from tap import check, done  # noqa: E402

GENERATOR = os.path.join(TOP, "cimfs_shim/core/gen-upcase.py")
installed = runpy.run_path(GENERATOR)["installed"]
DATA = installed()


def generate(directory):
    result = subprocess.run([sys.executable, GENERATOR, directory], capture_output=True, text=True)
    return result.returncode, result.stdout, result.stderr.strip()


def read(name):
    with open(os.path.join(DATA, name), encoding="utf-8") as file:
        return file.read()


def with_data(unicode_data, ages):
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMP")) as directory:
        for name, text in (("UnicodeData.txt", unicode_data), ("DerivedAge.txt", ages)):
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(text)
        return generate(directory)


def refused(name, result, cause):
    status, out, err = result
    check(status != 0 and not out and cause in err, f"refused: {name}: {err}",
       f"status {status}, {len(out)} bytes of output, '{err}'")


with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMP")) as directory:
    places = [os.path.join(directory, name) for name in ("none", "empty", "first", "second")]
    check(installed(places) == places[0], "no data anywhere: the error is to name the first place",
       installed(places))
    for place in places[1:]:
        os.mkdir(place)
    for place in places[2:]:
        with open(os.path.join(place, "UnicodeData.txt"), "w", encoding="utf-8"):
            pass
    check(installed(places) == places[2], "the first place that has data is taken", installed(places))

data, ages = read("UnicodeData.txt"), read("DerivedAge.txt")
status, table, err = generate(DATA)
check(status == 0 and table.count("\n") > 4096, "the installed data gives a table", err)

# U+A7CE and U+A7CF are unassigned in Unicode 15.0. A later one could make a pair of them, or give
# a letter that has no capital yet (U+0237, dotless j) a new one.
newer = data.replace("0237;LATIN SMALL LETTER DOTLESS J;Ll;0;L;;;;;N;;;;;",
                     "0237;LATIN SMALL LETTER DOTLESS J;Ll;0;L;;;;;N;;;A7D2;;A7D2")
newer += ("A7CE;CAPITAL;Lu;0;L;;;;;N;;;;A7CF;\nA7CF;SMALL;Ll;0;L;;;;;N;;;A7CE;;A7CE\n"
          "A7D2;CAPITAL;Lu;0;L;;;;;N;;;;0237;\n")
newer_ages = ages + "A7CE..A7CF ; 99.0\nA7D2 ; 99.0\n"
check(newer.count("A7D2") == data.count("A7D2") + 3, "newer data with a letter's new capital is made")
check(with_data(newer, newer_ages) == (0, table, ""), "newer data gives the same table")

refused("older data",
        with_data(data, "\n".join(l for l in ages.split("\n") if "; 15.0" not in l)), "older")
letter = "00E4;LATIN SMALL LETTER A WITH DIAERESIS;"
without = "\n".join(l for l in data.split("\n") if not l.startswith(letter))
check(without != data, "data without one letter is made")
refused("data without one letter", with_data(without, ages), "digest")
moved = data.replace("00E4;LATIN SMALL LETTER A WITH DIAERESIS;Ll;0;L;0061 0308;;;;N;"
                     "LATIN SMALL LETTER A DIAERESIS;;00C4;;00C4",
                     "00E4;LATIN SMALL LETTER A WITH DIAERESIS;Ll;0;L;0061 0308;;;;N;"
                     "LATIN SMALL LETTER A DIAERESIS;;00C5;;00C5")
check(moved != data, "data in which two letters share a capital is made")
refused("data in which two letters share a capital", with_data(moved, ages), "EXCEPTIONS")
refused("no data", generate(os.path.join(DATA, "no-such-directory")), "unicode-data")
done()
