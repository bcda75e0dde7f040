# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The Test Anything Protocol in bash. Source it, call the checks, end with "tap_done".
set -u

unset CDPATH
TOP=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
TEST_TMP=${TEST_TMP:-$(mktemp -d)}

tap_said=$TEST_TMP/.said
tap_run=0
tap_failed=0

# result STATUS NAME: one check, passed if STATUS is 0
result() {
	tap_run=$((tap_run + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_run - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_run - $2"
	fi
}

# check NAME COMMAND...: the command succeeds; what it prints is shown if it doesn't. Its status.
check() {
	local name=$1 status=0
	shift
	("$@") >"$tap_said" 2>&1 || status=$?
	result "$status" "$name"
	[ "$status" = 0 ] || { echo "status $status" && cat "$tap_said"; } | sed 's/^/#   /'
	return "$status"
}

# is GOT WANT NAME: two texts are equal
is() {
	if [ "$1" = "$2" ]; then
		result 0 "$3"
	else
		result 1 "$3"
		diff <(printf '%s\n' "$1") <(printf '%s\n' "$2") | sed 's/^/#   got < want >: /'
	fi
}

skip() { # WHY NAME
	tap_run=$((tap_run + 1))
	echo "ok $tap_run - $2 # SKIP $1"
}

# tap_of NAME COMMAND...: run a program that speaks TAP and make its checks this script's
tap_of() {
	local name=$1 line why planned=
	local seen=0
	shift
	timeout 120 "$@" >"$tap_said" 2>"$tap_said.errors"
	while IFS= read -r line; do
		line=${line%$'\r'}
		case $line in
		"ok "*" # SKIP "*)
			seen=$((seen + 1))
			why=${line#* # SKIP }
			line=${line%% # SKIP *}
			skip "$why" "$name: ${line#*- }"
			;;
		"ok "*) seen=$((seen + 1)); result 0 "$name: ${line#*- }" ;;
		"not ok "*) seen=$((seen + 1)); result 1 "$name: ${line#*- }" ;;
		1..*) planned=${line#1..} ;;
		*) printf '%s\n' "# ${line#\# }" ;;
		esac
	done <"$tap_said"
	sed -e 's/^/# /' -e '$a\' "$tap_said.errors"
	is "$seen" "${planned:-a plan}" "$name: ran to its end"
}

tap_done() {
	[ "$tap_failed" = 0 ] || echo "# $tap_failed of $tap_run failed"
	echo "1..$tap_run"
	[ "$tap_failed" = 0 ]
	exit
}
