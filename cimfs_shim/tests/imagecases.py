# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the hand-made images, good and malformed, for tests in other languages.

    python3 imagecases.py DIRECTORY [NAME...]

Each goes to DIRECTORY/NAME/image.cim; DIRECTORY/manifest has a line for each, fields separated by
tabs: good or bad, name, path of the image, 1 if the check must be deep, then what and text of each
finding that a check must have (see scripts/lib/handmade.py and malformed/cases.py).
"""

import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, room) for room in ("malformed", "../../scripts/lib")]

from cases import CASES, Case  # noqa: E402
from handmade import GOOD  # noqa: E402


def all_cases():
    """(kind, Case) of every image."""
    for name, build, expect in GOOD:
        yield "good", Case(name, "", expect, build, deep=True)
    for item in CASES:
        yield "bad", item


def main(directory, only):
    with open(os.path.join(directory, "manifest"), "w", encoding="utf-8") as manifest:
        for kind, item in all_cases():
            if only and item.name not in only:
                continue
            path = item.build().write(os.path.join(directory, item.name))
            fields = [kind, item.name, path, str(int(item.deep))]
            for what, text in item.expect:
                fields += [what, text]
            manifest.write("\t".join(fields) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], set(sys.argv[2:]))
