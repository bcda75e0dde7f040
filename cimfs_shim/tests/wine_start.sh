#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: plain
#
# What a test starts under Wine can't end before its first instruction: neither its addresses nor those
# of what it starts are randomised (WINE_UNDER, scripts/lib/wine.sh).
. "$(dirname "$0")/../../scripts/lib/windows.bash"

if [ -z "$WINE_UNDER" ]; then
	skip "setarch -R is forbidden here, or not there" "Wine's processes"
	tap_done
fi
# With the first program come Wine's services, each started by another Windows program.
timeout 120 "$WINE" cmd /c exit >/dev/null 2>&1 </dev/null
for dir in /proc/[0-9]*; do
	if grep -qs '\.exe$' "$dir/comm" && grep -qsz "^WINEPREFIX=$WINEPREFIX\$" "$dir/environ"; then
		name=$(cat "$dir/comm") && word=$(cat "$dir/personality") || continue # it has ended
		echo "$name $((0x$word >> 18 & 1))" # ADDR_NO_RANDOMIZE
	fi
done 2>/dev/null >"$TEST_TMP/processes"
check "Wine's services run" grep -q '^services' "$TEST_TMP/processes"
is "$(grep -v ' 1$' "$TEST_TMP/processes")" "" "none of Wine's processes has randomised addresses"
tap_done
