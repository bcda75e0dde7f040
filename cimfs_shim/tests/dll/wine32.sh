#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# wine32.sh - the test programs as 32-bit programs, where a 32-bit Wine is installed
. "$(dirname "$0")/../../../scripts/lib/windows.bash"

tests="t_abi t_errors t_handles t_metadata t_trace"
if [ ! -e "${WINEPREFIX:?}/drive_c/windows/syswow64/kernel32.dll" ]; then
	for test in $tests; do
		check "$test is built" test -s "$WIN32/tests/dll/$test.exe"
		skip "no 32-bit Wine" "32-bit $test"
	done
	tap_done
fi
for test in $tests; do
	mkdir "$TEST_TMP/$test"
	TEST_TMP=$TEST_TMP/$test tap_of "32-bit $test" "$WINE" "$WIN32/tests/dll/$test.exe"
done
tap_done
