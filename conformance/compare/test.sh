#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
#
# test.sh - cimfs-compare: what counts as a difference, how it is told, what is no result file
. "$(dirname "$0")/../../scripts/lib/windows.bash"

compare=$TOP/${BUILD:-build}/cimfs-compare

# run DLL-IS-OURS CASE...: a result file; a case is "ID RESULT [NAME=GOT[=WANT]]..."
run() {
	local ours=$1 case words field first=1 inner
	shift
	printf '{"format":"cimfs-conformance 1","system":{"windows":"10.0.1","architecture":"x86_64"},'
	printf '"dll":{"ours":%s,"exports":{"CimCreateImage":true,"CimReadFile":%s}},"cases":[' "$ours" "$ours"
	for case; do
		read -ra words <<<"$case"
		[ $first ] || printf ','
		first=
		printf '{"id":"%s","statement":"says \\"so\\"","provenance":"%s","source":"D1",' \
			"${words[0]}" "${PROVENANCE:-DECISION}"
		printf '"required":true,"result":"%s","new-member":[{"a":[1,2]}],"values":[' "${words[1]}"
		inner=
		for field in "${words[@]:2}"; do
			IFS== read -r name got want <<<"$field"
			printf '%s{"name":"%s","got":"%s"' "$inner" "$name" "$got"
			[ -z "$want" ] || printf ',"want":"%s","right":false' "$want"
			printf '}'
			inner=,
		done
		printf ']}'
	done
	printf ']}\n'
}

a=$TEST_TMP/a.json
b=$TEST_TMP/b.json
last() { tail -1 <<<"$said"; }

# judged STATUS LAST-LINE NAME
judged() {
	said=$("$compare" "$a" "$b" 2>&1)
	is "$? $(last)" "$1 $2" "$3"
}

run true "G/One pass hr=1" "G/Two observed x=2" >"$a"
cp "$a" "$b"
judged 0 "2 cases the same, 0 different, 0 only in A, 0 only in B" "equal runs have no difference"

run true "G/Two pass x=2=2" "G/One fail hr=1=7" >"$b"
judged 0 "2 cases the same, 0 different, 0 only in A, 0 only in B" \
	"equal values are no difference, whatever was required, in any order"

run false "G/One observed hr=5=1" "G/Two observed x=2" >"$b"
judged 1 "1 cases the same, 1 different, 0 only in A, 0 only in B" "another value is a difference"
check "and both values are told" grep -q "A 1" <<<"$said"
check "the other one, too" grep -q "B 5" <<<"$said"
check "and what was expected, by whom" grep -q "G/One (DECISION D1): says \"so\"" <<<"$said"
check "an export that only one has is named" grep -q "export CimReadFile: only in A" <<<"$said"

run true "G/One pass hr=1 more=1" "G/Two observed x=2" >"$b"
judged 1 "1 cases the same, 1 different, 0 only in A, 0 only in B" "a value seen in one run alone is a difference"
run true "G/One skip" "G/Two observed x=2" >"$b"
judged 1 "1 cases the same, 1 different, 0 only in A, 0 only in B" "a case skipped in one run is a difference"
run true "G/One crash hr=1" "G/Two observed x=2" >"$b"
judged 1 "1 cases the same, 1 different, 0 only in A, 0 only in B" "a crash is a difference"
run true "G/Two observed x=2" "G/Zoo pass a=1" >"$b"
judged 1 "1 cases the same, 0 different, 1 only in A, 1 only in B" "cases that only one run has are counted"

report=$("$compare" --markdown "$a" "$b")
is "$?" 1 "the Markdown report has the same exit status"
check "and a row for the case" grep -q '^| G/Zoo | says "so" (D1) | (no such case) | pass |$' <<<"$report"
check "and the counts by provenance" grep -q '^| DECISION | 1 | 0 | 1 | 1 |' <<<"$report"

# trouble NAME WORDS ARGUMENT...
trouble() {
	local name=$1 words=$2
	shift 2
	said=$("$compare" "$@" 2>&1 >/dev/null)
	is "$?" 2 "$name: exit status 2"
	is "$(wc -l <<<"$said") $(grep -c -- "$words" <<<"$said")" "1 1" "$name: one line says why"
}
trouble "one file" "two files are needed" "$a"
trouble "three files" "more than two" "$a" "$a" "$a"
trouble "an unknown option" "unknown option" --mark "$a" "$a"
trouble "no such file" "can't be read" "$a" "$TEST_TMP/none"
echo '{"format":' >"$TEST_TMP/cut"
trouble "a cut file" "is no JSON" "$TEST_TMP/cut" "$a"
echo '{"format": "something"}' >"$TEST_TMP/other"
trouble "another JSON file" "is no result" "$TEST_TMP/other" "$a"
echo '{"format": "cimfs-conformance 1", "cases": 5}' >"$TEST_TMP/five"
trouble "a file without cases" "holds no cases" "$TEST_TMP/five" "$a"
if [ -e /dev/full ]; then
	"$compare" "$a" "$b" >/dev/full 2>/dev/null
	is "$?" 2 "a full disk is noticed"
fi
tap_done
