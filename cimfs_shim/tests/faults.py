#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
"""scripts/faults in a toy tree: a file with a fault of each kind, a test that is weak and one that is strong; and
with a toy of Wine, a file of the DLL's."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, "scripts/lib")
sys.dont_write_bytecode = True
from tap import check, done, same  # noqa: E402

TOP = pathlib.Path(os.environ.get("TOP", os.getcwd()))
TREE = pathlib.Path(os.environ["TEST_TMP"]) / "tree"
TOY = "cimfs_shim/core/toy.c"

MAKEFILE = """
B := build
list-tests:
	@for t in weak strong; do echo "native:$(B)/tests/$$t: $(B)/tests/$$t"; done
	@echo "wine:$(B)/tests/ofdll: $(B)/tests/ofdll"
$(B)/tests/ofdll: cimfs_shim/tests/ofdll.c cimfs_shim/dll/toy.c
	mkdir -p $(@D)
	$(CC) $(OPT) -o $@ $^
$(B)/tests/%: cimfs_shim/tests/%.c $(B)/toy.o
	mkdir -p $(@D)
	$(CC) $(OPT) $(LDFLAGS) -o $@ $^
$(B)/toy.o: cimfs_shim/core/toy.c
	mkdir -p $(@D)
	$(CC) $(OPT) -c -o $@ $<
"""
TOY_TEXT = """#include <errno.h>
#include <assert.h>
#define LIMIT 7 /* 1 < 2 */
#define DECLARE(x) int x = 0
// a < b
static int calls;
static int small[4] = {3, 5};
struct pair {
	int both[2];
};
void note(void)
{
	calls++;
}
int is_big(int n)
{
	assert(n < 1000 && sizeof(small) == 16);
	return n >= 10;
}
int status(int n)
{
	if (n < 0)
		return EINVAL;
	note();
	return calls == LIMIT && n == small[1];
}
int forever(int n)
{
	for (;;) {
		if (n-- == 1)
			break;
	}
	return 0;
}
const char *unreached(void)
{
	return forever(9) ? "1 < 2" : 0;
}
int declared(void)
{
	DECLARE(x);
	return x;
}
"""
CHECK = """#include <stdio.h>
#include <errno.h>
int is_big(int), status(int), forever(int), declared(void);
int main(void)
{
	int good = %s;
	printf("%%s 1 - it is\\n1..1\\n", good ? "ok" : "not ok");
	return !good;
}
"""
WEAK = "is_big(15) && !is_big(5) && !forever(1) && !declared() && !status(3)"
# The seventh time it's one.
STRONG = "is_big(10) && status(-1) == EINVAL && !status(5) && " + 5 * "status(5) + " + "status(5) == 1"
DLL_TEXT = """int first(int n)
{
	return n >= 10;
}
int second(int n)
{
	return n >= 10;
}
"""
OF_DLL = CHECK.replace("is_big(int), ", "first(int), second(int), ") % "first(10) && second(15) && !second(5)"
# The first program of a server starts a service, without which none works.
WINE = """#!/bin/sh
case $1 in
--version) echo wine-1; exit ;;
wineboot) mkdir -p "$WINEPREFIX/dosdevices"; exit ;;
esac
if [ ! -e "$WINEPREFIX/server" ]; then
	(cd "$WINEPREFIX" && exec setsid sleep 1000) >/dev/null 2>&1 &
	echo $! >"$WINEPREFIX/server"
	until [ "$(readlink /proc/$!/exe)" = "$(readlink -f "$(command -v sleep)")" ]; do sleep 0.1; done
fi
readlink "/proc/$(cat "$WINEPREFIX/server")/cwd" >/dev/null && exec "$@"
"""
WINESERVER = """#!/bin/sh
[ "$1" != -k ] || { kill "$(cat "$WINEPREFIX/server")"; rm -f "$WINEPREFIX/server"; } 2>/dev/null
"""
# What the rules make of the toy: line, rule, what comes in.
WANT = """
7 constant (3
7 constant (5
18 comparison >
18 constant (10
22 check (n < 0), 0
22 comparison <=
22 constant 1
23 status return (?!EINVAL)
24 call (void)0
25 comparison !=
25 constant (LIMIT
25 logic ||
25 comparison !=
25 constant (1
30 check (n-- == 1), 0
30 comparison !=
30 constant (1
33 constant return 1
37 constant forever((9
37 constant : 1
41 call (void)0
"""


def write(name, text):
    path = TREE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def faults(*args):
    """Status and output of scripts/faults."""
    run = subprocess.run(["scripts/faults", "--jobs=1", "--patience=1", *args], cwd=TREE, text=True,
                         capture_output=True, check=False)
    return run.returncode, run.stdout + run.stderr


def make_tree():
    (TREE / "scripts").mkdir(parents=True)
    for name in ("faults", "run-tests"):
        shutil.copy(TOP / "scripts" / name, TREE / "scripts")
    shutil.copytree(TOP / "scripts/lib", TREE / "scripts/lib")
    write("Makefile", MAKEFILE)
    write(TOY, TOY_TEXT)
    write("cimfs_shim/tests/weak.c", CHECK % WEAK)
    write("cimfs_shim/tests/strong.c", CHECK % "1")


def rules():
    status, out = faults("--list", "--all", "core")
    same(status, 0, "the faults are listed")
    lines = re.findall(r"^%s:(\d+) \S+ (\S+)\n\t.*\n\t(.*)$" % TOY, out, re.M)
    want = [line.split(" ", 2) for line in WANT.strip().splitlines()]
    same([(n, rule) for n, rule, _ in lines], [(n, rule) for n, rule, _ in want],
         "each rule makes the faults it should, none in comments, strings, macros, asserts and sizes")
    check("\n\tif (n < 0) return EINVAL;\n" in out, "a line that only returns is shown with the one above", out)
    for (n, rule, after), (_, _, part) in zip(lines, want):
        found = re.search(part, after) if "?!" in part else part in after
        check(found, "line %s, %s: %s" % (n, rule, part), after)


    write(TOY, "/* The same, further on. */\n" + TOY_TEXT)
    same(re.findall("^\t.*\n\t.*$", faults("--list", "--all", "core")[1], re.M), re.findall("^\t.*\n\t.*$", out, re.M),
         "lines above change no fault")
    write(TOY, TOY_TEXT)


def samples():
    one, other = (faults("--list", "--per-file=4", "--seed=%d" % seed, "core")[1] for seed in (1, 2))
    same(faults("--list", "--per-file=4", "--seed=1", "core")[1], one, "a seed's sample is the same again")
    check(one.splitlines()[1:] != other.splitlines()[1:], "another seed's is another", one)
    same(len(set(re.findall(r"^%s:\d+ \S+ (\S+)" % TOY, one, re.M))), 4, "four faults are of four rules")


def outcome(place):
    status, out = faults("--at=core/toy.c:" + place)
    return status, [re.sub(r".*-> .*?: (?=noticed|NOT|no test|doesn't|equivalent)", "", line)
                    for line in out.splitlines() if line.startswith("core/toy.c:")]


def trials():
    weak, strong = "noticed by weak", "noticed by strong"
    same(outcome("18:comparison"), (1, ["NOT NOTICED (1 tests ran)"]),
         "a fault at a border passes the weak test unnoticed")
    write("cimfs_shim/tests/strong.c", CHECK % STRONG)
    same(outcome("18:comparison"), (0, [strong]), "the strong one notices it, as soon as it is there")
    same(outcome("22:check"), (0, [strong]), "and a check that is left out")
    same(outcome("23:status"), (0, [strong]), "and another status")
    same(outcome("24:call"), (0, [strong]), "and a call that is left out")
    same(outcome("25:logic"), (0, [strong]), "and && that became ||")
    same(outcome("33:constant"), (0, [weak]), "what the weak one notices needs no other")
    same(outcome("7:constant"), (1, ["NOT NOTICED (2 tests ran)", strong]), "a table's fault is tried by what reaches the file")
    same(outcome("30:check"), (0, [weak + " (time limit)"]), "a test that hangs has noticed")
    same(outcome("37:constant"), (1, ["no test reaches it"] * 2), "what no test reaches is told")
    same(outcome("41:call"), (0, ["doesn't build"]), "what doesn't build is told")


def wine():
    for name, text in {"wine": WINE, "wineserver": WINESERVER}.items():
        write("bin/" + name, text)
        os.environ[name.upper()] = str(TREE / "bin" / name)
        (TREE / "bin" / name).chmod(0o755)
    write("cimfs_shim/dll/toy.c", DLL_TEXT)
    write("cimfs_shim/tests/ofdll.c", OF_DLL)
    status, out = faults("--at=dll/toy.c:3:comparison", "--at=dll/toy.c:7:comparison")
    same((status, re.findall("noticed by ofdll|NOT NOTICED", out)), (1, ["noticed by ofdll", "NOT NOTICED"]),
         "after a fault that is noticed Wine's services are there again")
    same(list(TREE.glob("build/faults/*/build/prefix-check/server")), [], "and gone at the end")


def equivalents():
    write("scripts/faults.equivalent", "core/toy.c is_big comparison\n\treturn n >= 10;\n\treturn n > 10;\n= a toy\n")
    write(TOY, "\n" + TOY_TEXT)
    same(outcome("19:comparison"), (0, ["equivalent (a toy)"]), "an equivalent is known on another line, too")
    status, out = faults("--at=core/toy.c:19:comparison", "--at=core/toy.c:26:logic")
    check("core: 1 of 1 noticed (100.0 %); 1 equivalent" in out, "and left out of the percentage", out)
    write("scripts/faults.equivalent", "core/* * comparison\n\treturn n *;\n\t*\n= many toys\n")
    same(outcome("19:comparison"), (0, ["equivalent (many toys)"]), "one for many is for any text in place of a *")


def stale():
    one = "core/toy.c is_big comparison\n\treturn n >= 10;\n\treturn n > 10;\n= a toy\n"
    many = "core/* * comparison\n\treturn n *;\n\t*\n= many toys\n"
    write("scripts/faults.equivalent", one + many)
    same(faults("--stale"), (0, ""), "entries that fit a fault are not stale")
    write("scripts/faults.equivalent", one.replace(" 10", " 11") + one + many + many.replace("return n", "return m"))
    same(faults("--stale"), (1, "stale in faults.equivalent: core/toy.c is_big comparison\n\treturn n >= 11;\n"
                                "\treturn n > 11;\nstale in faults.equivalent: core/* * comparison\n\treturn m *;\n\t*\n"),
         "those that fit none are told")
    status, out = faults("--at=core/toy.c:19:comparison")
    same((status, out.count("stale")), (0, 2), "by each run, whose status stays its own")
    write("scripts/faults.equivalent", one)
    write(TOY, TOY_TEXT.replace("n >= 10", "n > 9"))
    same(faults("--stale")[0], 1, "an entry is stale when its line has changed")
    write(TOY, "\n" + TOY_TEXT)


def this_tree():
    out = subprocess.run([TOP / "scripts/faults", "--stale"], text=True, capture_output=True, check=False)
    same((out.returncode, out.stdout + out.stderr), (0, ""), "no entry of scripts/faults.equivalent is stale")


def main():
    make_tree()
    rules()
    samples()
    trials()
    wine()
    equivalents()
    stale()
    this_tree()
    same((TREE / TOY).read_text(), "\n" + TOY_TEXT, "the file is what it was")
    same(faults("core/none.c")[0], 2, "a file that isn't there ends with status 2")
    done()


if __name__ == "__main__":
    main()
