#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""What programs that are linked with libcim.so rely on is as abi.txt has it.

That is the soname, the functions with their versions and types, the place of each field (of a
function in a structure, its type, too), and the values of the enumerators. Whoever changes the list
on purpose writes it anew with --write: lines that are added need a new version in libcim.map, and
lines that go or change a new soname. That holds from the first release on; until then nobody relies
on anything, and the list may change. A structure's bytes may grow at any time where libcim.h says
that it grows.
"""

import os
import re
import shlex
import subprocess
import sys

TOP = os.environ.get("TOP", os.getcwd())
sys.path.insert(0, os.path.join(TOP, "scripts/lib"))
sys.dont_write_bytecode = True
from tap import check, done, skip  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
CC = shlex.split(os.environ.get("CC", "gcc"))
INCLUDE = os.path.join(TOP, "include")
LIST = os.path.join(TOP, "cimfs_shim/tests/abi.txt")


def run(argv, **more):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **more).stdout


def preprocessed():
    headers = "".join('#include "%s"\n' % h for h in sorted(os.listdir(INCLUDE))
                      if h.startswith("libcim"))
    return headers, run(CC + ["-E", "-P", "-I", INCLUDE, "-x", "c", "-"], input=headers)


def types(text):
    """The declarations of the functions, and of the pointers to functions in structures."""
    for struct, body in re.findall(r"struct (cim_\w+) \{(.*?)\n\};", text, re.S):
        for field in re.findall(r"[\w ]+\**\(\*\w+\)\([^;]*\);", body):
            yield "type struct %s, %s" % (struct, " ".join(field.split()))
    for function in re.findall(r"__attribute__\(\(visibility\(\"default\"\)\)\)([^;]*);", text):
        yield "type " + " ".join(function.split())


def functions():
    lib = os.path.join(BUILD, "libcim.so")
    soname = re.search(r"SONAME\s+(\S+)", run(["objdump", "-p", lib])).group(1)
    names = run(["nm", "-D", "--defined-only", "--with-symbol-versions", lib]).split("\n")
    return ["soname " + soname] + ["function " + n.split()[2] for n in names if " T " in n]


def measured(text):
    """C expressions, each with what it is called in the list."""
    for struct, body in re.findall(r"struct (cim_\w+) \{(.*?)\n\};", text, re.S):
        yield "sizeof(struct %s)" % struct, "struct %s, bytes" % struct
        body = re.sub(r"\)\s*\(.*?\);", ");", body, flags=re.S)  # a function's arguments
        for field in re.findall(r"(\w+)\)?(?:\[[^]]*\])?;", body):
            yield "offsetof(struct %s, %s)" % (struct, field), "struct %s, %s" % (struct, field)
    for body in re.findall(r"enum \w* ?\{(.*?)\}", text, re.S):
        for name in re.findall(r"\b(CIM_\w+)\b(?=\s*[,=}]|\s*$)", body):
            yield name, "enumerator " + name


def layouts(headers, text):
    program = "#include <stdio.h>\n" + headers + "int main(void)\n{\n"
    for expression, name in measured(text):
        program += '\tprintf("%s %%llu\\n", (unsigned long long)%s);\n' % (name, expression)
    tmp = os.path.join(os.environ.get("TEST_TMP", BUILD), "abi")
    run(CC + ["-w", "-I", INCLUDE, "-x", "c", "-o", tmp, "-"], input=program + "}\n")
    return run([tmp]).splitlines()


if sys.maxsize < 2 ** 32:
    skip("the list", "it is that of 64-bit systems")
    done()
HEADERS, TEXT = preprocessed()
found = functions() + sorted(types(TEXT)) + layouts(HEADERS, TEXT)
if "--write" in sys.argv:
    with open(LIST, "w", encoding="ascii") as file:
        file.write("".join(line + "\n" for line in found))
    sys.exit()
with open(LIST, encoding="ascii") as file:
    recorded = file.read().splitlines()
for kind in ("soname", "function", "type", "struct", "enumerator"):
    was = {line for line in recorded if line.startswith(kind)}
    now = {line for line in found if line.startswith(kind)}
    check(len(was) >= 1, "%s: recorded (%d)" % (kind, len(was)))
    check(not was - now, "%s: nothing is gone or changed, which needs a new soname" % kind,
          "\n".join(sorted(was - now)))
    check(not now - was, "%s: nothing is new, which needs a new version in libcim.map" % kind,
          "\n".join(sorted(now - was)))
done()
