#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
#
# captured.sh - what the tests make of a Wine program whose services live on and who isn't alone on stderr
#
# The first program of a prefix starts Wine's services, which keep its stderr open. Here a script does
# as such a program does; whoever waits for the end of its stderr waits until the service gives up.
. "$(dirname "$0")/../../../scripts/lib/windows.bash"

export TEST_TMP
cat >"$TEST_TMP/program" <<'END'
#!/bin/sh
{
	for _ in $(seq 300); do
		[ ! -e "$TEST_TMP/end-$1" ] || exit
		sleep 0.2
	done
	echo >"$TEST_TMP/gave-up-$1"
} </dev/null >/dev/null &
printf 'wine: says something, ' >&2
echo "ok 1 - a"
echo "ok 2 - b"
echo 1..2
END
chmod +x "$TEST_TMP/program"

went_on() { # NUMBER NAME
	check "$2: nobody has waited for the service" [ ! -e "$TEST_TMP/gave-up-$1" ]
	echo >"$TEST_TMP/end-$1"
}

check "a program" "$TEST_TMP/program" 1
went_on 1 "check"
tap_of "a program" "$TEST_TMP/program" 2
went_on 2 "tap_of"

# No other way of taking the output may be let in: stderr in a pipe, or as part of a text.
taken='(\$WIN[E]"|\bt_moun[t]|(^|[^[:alnum:]_])win[e]) .*2>&1'
err='2>''&1' # (so that this script isn't one)
check "the guard notices it" grep -qE "$taken" <<<"output=\$(timeout 60 \"\$WINE\" program $err)"
is "$(cd "$TOP" && grep -nE "$taken" cimfs_shim/tests/*.sh cimfs_shim/tests/*/*.sh \
	conformance/*.sh conformance/*/*.sh conformance/run wine-tests/*.sh scripts/demo |
	grep -vE '>(/dev/null|"[^"]*") 2>&1')" "" "no script takes stderr of a Wine program in a pipe"
tap_done
