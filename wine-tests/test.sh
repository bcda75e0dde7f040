#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
#
# test.sh - cimfs_test.exe under Wine against our DLL, and wine/test.h against testh.exe
#
# A program in Wine's style prints a line for what failed and one with the counts at the end; here
# that becomes TAP: a check for each failure, with its file and line, and one for the whole. It may
# mount (that's why it runs alone), and must leave nothing behind.
. "$(dirname "$0")/../scripts/lib/windows.bash"

BUILD=${BUILD:-build}
: "${WINEPREFIX:?}"
export CIMFS_MOUNT_HELPER
CIMFS_MOUNT_HELPER=$(cd "$BUILD" && pwd)/cimfs-mount
export CIMFS_MOUNT_BACKEND=fuse
unset CIMFS_MOUNT_LETTER CIMFS_MOUNT_LETTER_WAIT WINETEST_PLATFORM WINETEST_DEBUG CIMFS_TRACE

# run COMMAND...: $output and $status of a test program
run() {
	output=$(timeout 120 "$WINE" "$@" 2>"$TEST_TMP/errors")
	status=$?
	output=${output//$'\r'/}
}

# The last line's numbers: tests, todo, failures, skipped
COUNTS='^[0-9a-f]{4,}:[a-z]+: ([0-9]+) tests executed \(([0-9]+) marked as todo, ([0-9]+) failures\), ([0-9]+) skipped\.$'

# judge NAME: make TAP of what run() has run
judge() {
	local name=$1 line last
	local -a counts=()
	last=${output##*$'\n'}
	if [[ $last =~ $COUNTS ]]; then
		counts=("${BASH_REMATCH[@]:1}")
	fi
	while IFS= read -r line; do
		case $line in
		*": Test failed: "* | *": Test succeeded inside todo block: "*)
			result 1 "$name: $line"
			;;
		*": Tests skipped: "*) skip "${line#*: Tests skipped: }" "$name: ${line%%: Tests skipped*}" ;;
		*": Test marked todo: "*) ;;
		*) echo "# $line" ;;
		esac
	done <<<"$output"
	if [ ${#counts[@]} = 0 ]; then
		result 1 "$name: the program did not come to its end (status $status)"
		sed 's/^/#   /' "$TEST_TMP/errors"
		return
	fi
	check "$name: ${counts[0]} tests, ${counts[1]} todo, ${counts[2]} failures, ${counts[3]} skipped" \
		[ "${counts[2]}" = 0 ]
	is "$status" "$((counts[2] < 255 ? counts[2] : 255))" "$name: the exit status is the failures' number"
	check "$name: there is something in it" [ "${counts[0]}" -gt 100 ]
}

# What a run may leave: directories in the prefix's Temp, volumes, mounts.
traces() {
	find "$WINEPREFIX"/drive_c/users/*/*emp "$WINEPREFIX/drive_c/windows/temp" -maxdepth 1 \
		-iname 'cim*.tmp' 2>/dev/null
	find "$WINEPREFIX/dosdevices" -maxdepth 1 \( -name 'volume{*' -o -name '[h-y]:' \)
	awk '{ print $5 }' /proc/self/mountinfo | grep -F "$(realpath "$WINEPREFIX")/"
}

nothing_left() { # NAME
	local i
	for ((i = 0; i < 50; i++)); do
		[ "$(traces)" != "$before" ] || break
		sleep 0.1
	done
	is "$(traces)" "$before" "$1"
}

before=$(traces)

# ---- wine/test.h ---------------------------------------------------------------------------------

# What testh.exe prints, but for line numbers: once judged as on Wine, once as on Windows.
common() {
	cat <<'END'
testh.c: Test failed: Got 7, 0x80070057.
other.c: Test failed: Elsewhere.
testh.c: L"a\"\\\00e4" (null) "b\x0a"
testh.c: {12345678-0abc-000d-0102-0304050607ff} 50000000000
testh.c: Test failed: outer 1: inner: Two contexts.
testh.c: Test failed: outer 1: One context.
testh.c: Test failed: No context.
END
}

wanted_wine() {
	common
	cat <<'END'
testh.c: Test marked todo: A todo.
testh.c: Test succeeded inside todo block: A todo that works.
testh.c: Test failed: A todo for another case.
testh.c: Test marked todo: A todo for this case.
testh.c: Test marked todo: First in a block.
testh.c: Test marked todo: Second, in two.
testh.c: Test marked todo: Third.
testh.c: Test failed: In an if.
testh.c: Tests skipped: A skip.
testh.c: Test failed: A skip on Windows.
testh.c: Test failed: Broken.
XXXX:testh: 21 tests executed (5 marked as todo, 10 failures), 1 skipped.
status 10
END
}

wanted_windows() {
	common
	cat <<'END'
testh.c: Test failed: A todo.
testh.c: Test failed: A todo for another case.
testh.c: Test failed: A todo for this case.
testh.c: Test failed: First in a block.
testh.c: Test failed: Second, in two.
testh.c: Test failed: Third.
testh.c: Test failed: In an if.
testh.c: Tests skipped: A skip.
testh.c: Tests skipped: A skip on Windows.
XXXX:testh: 20 tests executed (0 marked as todo, 12 failures), 2 skipped.
status 12
END
}

without_lines() {
	sed -E 's/^([a-z]+\.c):[0-9]+:/\1:/; s/^[0-9a-f]{4,}:/XXXX:/' <<<"$output"
	echo "status $status"
}

run "$WIN64/wine-tests/testh.exe"
is "$(without_lines)" "$(wanted_wine)" "wine/test.h: what each macro does on Wine"
line=$(grep -n 'Got %d, %#lx' "$TOP/wine-tests/testh.c" | cut -d: -f1)
check "wine/test.h: a failure's line" grep -q "^testh.c:$line: Test failed: Got 7" <<<"$output"
check "wine/test.h: ok_'s line" grep -q '^other.c:12: ' <<<"$output"
WINETEST_DEBUG=0 run "$WIN64/wine-tests/testh.exe"
is "$(without_lines)" "$(wanted_wine | grep -v -e 'L"a' -e ': {1234' -e 'marked todo' -e skipped:)" \
	"wine/test.h: WINETEST_DEBUG=0 shows failures only"
WINETEST_PLATFORM=windows run "$WIN64/wine-tests/testh.exe"
is "$(without_lines)" "$(wanted_windows)" "wine/test.h: what each macro does on Windows"
run "$WIN64/wine-tests/testh.exe" testh many
is "$status" 255 "wine/test.h: 300 failures are the status 255"
check "wine/test.h: and all are counted" grep -q ' 300 failures' <<<"$output"
run "$WIN64/wine-tests/testh.exe" testh fine
is "$(without_lines)" "XXXX:testh: 1 tests executed (0 marked as todo, 0 failures), 0 skipped.
status 0" "wine/test.h: no failure is the status 0"
# (version by version; nothing said: that of this Wine)
versions() {
	run "$WIN64/wine-tests/testh.exe" testh versions
	without_lines
}
younger="testh.c: Test marked todo: Since 9.5: what failed.
testh.c: Test succeeded inside todo block: Since 9.5: what didn't.
XXXX:testh: 3 tests executed (1 marked as todo, 1 failures), 0 skipped.
status 1"
older="testh.c: Test failed: Since 9.5: what failed.
XXXX:testh: 3 tests executed (0 marked as todo, 1 failures), 0 skipped.
status 1"
for version in 1.0 8.0 9.4 "9.4 (Debian 9.4~repack-1)" 9.4-rc2; do
	is "$(WINETEST_WINE=$version versions)" "$younger" "wine/test.h: what is younger than Wine $version is todo there"
done
for version in 9.5 "9.5 (Debian 9.5-1)" 9.10 10.0 11.10-12-gabcdef; do
	is "$(WINETEST_WINE=$version versions)" "$older" "wine/test.h: and must work on Wine $version"
done
is "$(WINETEST_WINE=8.0 WINETEST_PLATFORM=windows versions)" "$older" "wine/test.h: and on Windows"
this=$("$WINE" --version 2>/dev/null | tr -d '\r')
is "$(versions)" "$(WINETEST_WINE=${this#wine-} versions)" "wine/test.h: $this is told by itself"
run "$WIN64/wine-tests/testh.exe" other
is "${output%%:*} $status" "Usage 1" "wine/test.h: a test that isn't there"
run "$WIN64/wine-tests/testh.exe" testh crash
is "${output%% at*} $([ "$status" != 0 ] && echo failed)" \
	"testh.c:$(grep -n '"Fine' "$TOP/wine-tests/testh.c" | cut -d: -f1): this was the last check; then exception c0000005 failed" \
	"wine/test.h: a crash shows where, and is no success"

# ---- cimfs.c -------------------------------------------------------------------------------------

# todo_wine is for the closed list of what Wine's file layer can't show, nothing else.
is "$(awk '/^static .*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.* \*?/, "", name) }
	/todo_wine/ && !/^ \*/ { print name }' "$TOP/wine-tests/cimfs.c" | sort -u)" \
	"$(printf '%s\n' is_mounted_ test_volume_{attributes,ea,management,readonly,security,streams,times})" \
	"todo_wine stands only where Wine's own limits are"
# And what wine/test.h says of older Wines is of checks that are there.
is "$(sed -n 's/^ *{"cimfs", "\([^"]*\)".*/\1/p' "$TOP/wine-tests/wine/test.h" |
	while IFS= read -r message; do
		grep -qF "\"$message" "$TOP/wine-tests/cimfs.c" || echo "$message"
	done)" "" "wine/test.h names no check that isn't there"

run "$WIN64/wine-tests/cimfs_test.exe"
judge "64-bit"
if no_fuse=$("$TOP/scripts/lib/fuse.py"); then
	is "$(grep -E "Can't mount here|Mounting: got" <<<"$output")" "" "64-bit: the mount tests have run"
	check "64-bit: and Wine's limits were looked at" grep -q 'marked todo' <<<"$output"
else
	skip "$no_fuse" "64-bit: the mount tests have run"
fi
nothing_left "64-bit: nothing is left"

# On Windows what is marked todo must work: none of it may be excused there.
# (No mount at all is a todo on Wine, and may be so on Windows.)
todos=$(grep ': Test marked todo: ' <<<"$output" | grep -vc ': Mounting: got')
WINETEST_PLATFORM=windows run "$WIN64/wine-tests/cimfs_test.exe"
failures=$(grep -c ': Test failed: ' <<<"$output")
# Those whose Windows answer may be one of two (broken) are fine then.
is "$failures" "$((todos > 2 ? todos - 2 : todos))" "judged as on Windows, what was todo fails"
nothing_left "judged as on Windows: nothing is left after failures"

# Where nothing can mount, that is something to do on Wine, and fine on Windows: in each test that mounts.
CIMFS_MOUNT_HELPER=$TEST_TMP/none run "$WIN64/wine-tests/cimfs_test.exe"
is "$status $(grep -c 'marked todo: Mounting: got hr 0x80070032' <<<"$output")" "0 4" \
	"without a helper the mount is a todo on Wine"
CIMFS_MOUNT_HELPER=$TEST_TMP/none WINETEST_PLATFORM=windows run "$WIN64/wine-tests/cimfs_test.exe"
is "$status $(grep -c "skipped: Can't mount here, hr 0x80070032" <<<"$output")" "0 4" \
	"and skipped on Windows"

# Alone, without our DLL beside it: Wine has none.
cp "$WIN64/wine-tests/cimfs_test.exe" "$TEST_TMP"
run "$TEST_TMP/cimfs_test.exe"
is "$status" 1 "without a cimfs.dll it fails on Wine"
WINETEST_PLATFORM=windows run "$TEST_TMP/cimfs_test.exe"
is "$status $(grep -c ' 1 skipped' <<<"$output")" "0 1" "and is skipped on a Windows without it"

# A spoilt DLL: a DLL of the system's, under our name, has none of the functions.
cp "$WINEPREFIX/drive_c/windows/system32/version.dll" "$TEST_TMP/cimfs.dll"
run "$TEST_TMP/cimfs_test.exe"
is "$status $(grep -c 'CimCreateImage is missing' <<<"$output")" "1 1" "a DLL without the functions fails"

if [ -e "$WINEPREFIX/drive_c/windows/syswow64/kernel32.dll" ]; then
	run "$WIN32/wine-tests/cimfs_test.exe"
	judge "32-bit"
	nothing_left "32-bit: nothing is left"
else
	check "32-bit: it is built" test -s "$WIN32/wine-tests/cimfs_test.exe"
	skip "no 32-bit Wine" "32-bit: run"
fi

# It imports what Windows ships, nothing of a compiler's.
for arch in win64 win32; do
	is "$(pe_headers "$TOP/build/$arch/wine-tests/cimfs_test.exe" | pe_imports | cut -d' ' -f1 | uniq |
		tr '\n' ' ')" "advapi32.dll kernel32.dll msvcrt.dll " "$arch: imports"
done
tap_done
