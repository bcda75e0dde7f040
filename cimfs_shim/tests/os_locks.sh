#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The byte lock of a living session (decision D36) between Wine and Linux, both ways: t_os.exe and
# t_os hold it in turn, and the other one asks. Needs the programs built and WINEPREFIX set.
. "$(dirname "$0")/../../scripts/lib/windows.bash"

native=$BUILD/tests/t_os
windows=build/win64/tests/t_os.exe

# The first line that a program prints, without the CR that Windows programs end it with.
ask() { timeout 60 "$@" </dev/null 2>/dev/null | head -n 1 | tr -d '\r'; }

# Up to 30 s, until the other process says that it holds the lock.
wait_ready() {
	tries=0
	until [ -e "$1/ready" ] || [ $tries -ge 600 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
	[ -e "$1/ready" ] || echo "# $1: the other process never said that it was ready"
}

dir=$TEST_TMP/wine
mkdir "$dir"
timeout 100 "$WINE" "$windows" hold-lock "Z:$dir" </dev/null >/dev/null 2>&1 &
wait_ready "$dir"
is "$(ask "$native" probe-lock "$dir")" locked "Linux sees a lock that Wine holds"
is "$(ask "$WINE" "$windows" probe-lock "Z:$dir")" locked "so does another process under Wine"
: >"$dir/stop"
wait $!
is "$?" 0 "the program under Wine ends"
is "$(ask "$native" probe-lock "$dir")" free "Linux sees that the lock is gone"

dir=$TEST_TMP/linux
mkdir "$dir"
timeout 100 "$native" hold-lock "$dir" </dev/null >/dev/null 2>&1 &
wait_ready "$dir"
is "$(ask "$WINE" "$windows" probe-lock "Z:$dir")" locked "Wine sees a lock that Linux holds"
is "$(ask "$native" probe-lock "$dir")" locked "so does another process on Linux"
is "$(ask "$WINE" "$windows" probe-lock "Z:$dir")" locked "asking doesn't end it"
: >"$dir/stop"
wait $!
is "$?" 0 "the program on Linux ends"
is "$(ask "$WINE" "$windows" probe-lock "Z:$dir")" free "Wine sees that the lock is gone"

# Files held alone or shared, by who deletes orphans and by who takes them into use.
for how in alone shared; do
	dir=$TEST_TMP/wine-$how
	mkdir "$dir"
	echo text >"$dir/victim"
	timeout 100 "$WINE" "$windows" hold-$how "Z:$dir" </dev/null >/dev/null 2>&1 &
	wait_ready "$dir"
	is "$(ask "$native" probe-alone "$dir")" CIM_E_SHARING "Wine holds it $how: Linux can't alone"
	[ $how = alone ] && want=CIM_E_SHARING || want=CIM_OK
	is "$(ask "$native" probe-shared "$dir")" $want "Wine holds it $how: shared by Linux: $want"
	[ $how = alone ] && kind=locked || kind=shared
	is "$(ask "$native" probe-lock "$dir")" $kind "Wine holds it $how: Linux sees how"
	: >"$dir/stop"
	wait $!
	is "$(ask "$native" probe-alone "$dir")" CIM_OK "then Linux has it alone"

	dir=$TEST_TMP/linux-$how
	mkdir "$dir"
	echo text >"$dir/victim"
	timeout 100 "$native" hold-$how "$dir" </dev/null >/dev/null 2>&1 &
	wait_ready "$dir"
	is "$(ask "$WINE" "$windows" probe-alone "Z:$dir")" CIM_E_SHARING \
		"Linux holds it $how: Wine can't alone"
	is "$(ask "$WINE" "$windows" probe-shared "Z:$dir")" $want \
		"Linux holds it $how: shared by Wine: $want"
	is "$(ask "$WINE" "$windows" probe-lock "Z:$dir")" $kind "Linux holds it $how: Wine sees how"
	: >"$dir/stop"
	wait $!
	is "$(ask "$WINE" "$windows" probe-alone "Z:$dir")" CIM_OK "then Wine has it alone"
done

# What Linux holds open is no obstacle to Wine's replacing it.
dir=$TEST_TMP/open
mkdir "$dir"
echo old >"$dir/target"
echo new >"$dir/from"
timeout 100 "$native" hold-open "$dir" </dev/null >/dev/null 2>&1 &
wait_ready "$dir"
is "$(ask "$WINE" "$windows" probe-replace "Z:$dir")" CIM_OK "Wine replaces a file that Linux has open"
is "$(cat "$dir/target")" new "it was replaced"
: >"$dir/stop"
wait $!

tap_done
