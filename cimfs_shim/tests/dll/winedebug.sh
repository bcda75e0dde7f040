#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# winedebug.sh - calls are shown by Wine's own debug channel "cimfs"
. "$(dirname "$0")/../../../scripts/lib/windows.bash"

run() { # WINEDEBUG NAME
	mkdir "$TEST_TMP/$2"
	WINEDEBUG=$1 timeout 60 "$WINE" "$WIN64/tests/dll/client.exe" "$(dos_path "$TEST_TMP/$2")" \
		>/dev/null 2>"$TEST_TMP/errors"
	tr -d '\r' <"$TEST_TMP/errors" | grep ':cimfs:'
}

output=$(run -all,+cimfs trace)
is "$(grep -c 'trace:cimfs:' <<<"$output")" 7 "WINEDEBUG=+cimfs: seven successful calls"
check "the first of them" grep -q 'trace:cimfs:.*CimCreateImage(.* = 0x00000000 S_OK$' <<<"$output"
check "the failed call, with image, path and cause" grep -q \
	'warn:cimfs:.*CimCreateHardLink(.* = 0x80070003 ERROR_PATH_NOT_FOUND: .*client.cim.*missing' \
	<<<"$output"
output=$(run -all,warn+cimfs warn)
is "$(wc -l <<<"$output")" 1 "WINEDEBUG=warn+cimfs: the failed call only"
is "$(run -all none)" "" "WINEDEBUG=-all: nothing"
is "$(run -all,+cimfs,-cimfs off)" "" "-cimfs: nothing"

# A call longer than Wine's buffer for a line.
long=$TEST_TMP/$(printf 'd%.0s' {1..200})/$(printf 'e%.0s' {1..200})/$(printf 'f%.0s' {1..200})
mkdir -p "$long"
output=$(WINEDEBUG=-all,+cimfs timeout 60 "$WINE" "$WIN64/tests/dll/client.exe" \
	"$(dos_path "$long")" 2>"$TEST_TMP/errors")
check "lines longer than Wine's buffer do no harm" grep -q 'hello 0x00000000' <<<"$output"
check "and are shown to their end" grep -q 'trace:cimfs:.* left = 0x00000000 S_OK.\?$' "$TEST_TMP/errors"
tap_done
