#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
#
# scripts/check-wines with roots that are made up: nothing is downloaded, mounted or run. Its table,
# its exit status, and what stays.
. "$(dirname "$0")/../../scripts/lib/windows.bash"

if [ ! -w /dev/fuse ]; then
	skip "no /dev/fuse" "scripts/check-wines"
	tap_done
fi

# A checkout with the script and targets that do as $WRONG says.
cd "$TEST_TMP" || exit 1
mkdir -p checkout/scripts bin
cp "$TOP/scripts/check-wines" checkout/scripts/
printf '#!/bin/sh\necho setup "$@" >>"$TEST_TMP/setups"\n' >checkout/scripts/setup
chmod +x checkout/scripts/setup
cat >checkout/Makefile <<'END'
wrong = [ "$${WRONG-}" != $@ ] || exit 1
totals = echo '  "totals": { "passed": $(2), "failed": 0, "skipped": 3, "limits": 4 },' \
	>build/conformance/wine-$(1).json
demo:
	@$(wrong)
conformance:
	@mkdir -p build/conformance
	@$(call totals,x86_64,11)
	@[ -n "$${NO_I686-}" ] || $(call totals,i686,12)
	@$(wrong)
wine-tests:
	@echo "21 passed, 0 failed"
	@$(wrong)
this = $(if $(filter %disks.sh,$(FILTER)),disks,check)
check:
	@echo "$(if $(filter disks,$(this)),13,31) passed, $$([ "$${WRONG-}" = $(this) ] && echo 1 || echo 0) failed, 2 skipped"
	@[ "$${WRONG-}" != $(this) ] || exit 1
hang:
	@sleep 1000
.PHONY: demo conformance wine-tests check hang
END
echo /build/ >checkout/.gitignore
git() {
	command git -C checkout -c user.name=a -c user.email=a@b "$@" >/dev/null 2>&1
}
git init && git add -A && git commit -m a

cat >bin/mmdebstrap <<'END'
#!/bin/bash
echo "$@" >>"$TEST_TMP/roots"
[ "${WRONG-}" != root ] || exit 1
rm -rf "$TEST_TMP/made"
mkdir -p "$TEST_TMP"/made/{etc,root}
echo "${UNTIL-}" >"$TEST_TMP/made/valid-until"
tar -c -C "$TEST_TMP/made" .
END
# Runs the command where it is, with the clone as its directory.
cat >bin/unshare <<'END'
#!/bin/bash
while [[ $1 == --* ]]; do shift; done
[ "$1" = bash ] || exec "$@"
cd "${*: -2:1}/root/try/clone" && exec sh -c "${*: -1}"
END
printf '#!/bin/sh\necho "wine-1.2 (made up)"\n' >bin/wine
printf '#!/bin/sh\n' >bin/apt-config
chmod +x bin/*

# on ARGUMENTS...: the table's rows in $rows, the exit status in $status
on() {
	status=0
	PATH=$TEST_TMP/bin:$PATH checkout/scripts/check-wines "$@" >out 2>&1 || status=$?
	rows=$(sed '1,/^kind /d;/^(/d' out | sed 's/  */ /g;s/ $//')
}

# outcome STATUS ROW NAME: those of the last run
outcome() {
	is "$status: $rows" "$1: $2" "$3"
	[ "$tap_failed" = 0 ] || sed 's/^/#   /' out
}

on trixie
outcome 0 "trixie 1.2 (made up) ok 11/0/3 12/0/3 13/0/2 21/0/ -" "all is well"
is "$(cat setups)" "$(printf 'setup wines\nsetup')" "scripts/setup: here the roots' tools, there all"
on --all trixie trixie-i386
outcome 0 "trixie 1.2 (made up) ok 11/0/3 12/0/3 13/0/2 21/0/ 31/0/2
trixie-i386 1.2 (made up) ok 11/0/3 12/0/3 13/0/2 21/0/ -" "--all, two kinds: make check in one of them"
is "$(wc -l <roots)" 2 "a root is made once"
is "$(grep -c -- '--architectures=amd64,i386 .*wine32:i386' roots)" 1 "and with wine32 for i386"
is "$(find checkout/build/check-wines/*/root/{root,tmp} -mindepth 1 2>/dev/null)" "" "of the runs nothing stays in a root"
NO_I686=1 on trixie
outcome 0 "trixie 1.2 (made up) ok 11/0/3 no 32 bits 13/0/2 21/0/ -" "64 bits only are enough there"
NO_I686=1 on trixie-i386
outcome 1 "trixie-i386 1.2 (made up) ok 11/0/3 FAILED 13/0/2 21/0/ -" "but not here"
WRONG=demo on trixie
outcome 1 "trixie 1.2 (made up) FAILED 11/0/3 12/0/3 13/0/2 21/0/ -" "a demo that fails"
WRONG=conformance on trixie
outcome 1 "trixie 1.2 (made up) ok FAILED 11/0/3 FAILED 12/0/3 13/0/2 21/0/ -" \
	"a suite that ends badly, whatever it counted"
WRONG=disks on trixie
outcome 1 "trixie 1.2 (made up) ok 11/0/3 12/0/3 FAILED 13/1/2 21/0/ -" "the same of the disks"
WRONG=wine-tests on trixie
outcome 1 "trixie 1.2 (made up) ok 11/0/3 12/0/3 13/0/2 FAILED 21/0/ -" "and of the wine-tests"
WRONG=check on --all trixie
outcome 1 "trixie 1.2 (made up) ok 11/0/3 12/0/3 13/0/2 21/0/ FAILED 31/1/2" "make check fails"
UNTIL='Sat, 01 Jan 2022 00:00:00 UTC' on sid
outcome 0 "sid 1.2 (made up) ok 11/0/3 12/0/3 13/0/2 21/0/ -" "sid, signed long ago"
is "$(grep -c '2022 .*has passed' out)" 1 "and that is said"

echo "# a change" >>checkout/scripts/setup
on trixie
is "$(wc -l <roots) $(grep -c "aren't committed" out)" "3 1" "what isn't committed is not tried, and said"
git commit -am b
on trixie
is "$status $(wc -l <roots)" "0 4" "another scripts/setup: another root"
WRONG=root on bookworm
outcome 1 "bookworm - no root - - - - -" "a root that can't be made"
is "$(ls checkout/build/check-wines/bookworm)" "$(printf 'apt.conf\nroot.log')" "and nothing of it stays"

# Another run's lock.
exec 5<checkout/scripts/check-wines
flock 5
on trixie 5<&- &
for _ in {1..100}; do
	! grep -q 'waiting for another run to end$' out || break
	sleep 0.1
done
is "$(cat out)" "scripts/check-wines: waiting for another run to end" "another run is waited for"
exec 5<&-
wait $!
is "$(grep -c '^trixie .*(made up)' out)" 1 "and then it goes on"

# Stopped by Ctrl-C, as a terminal does it to the script's group.
sed -i 's/^demo:/demo: hang/' checkout/Makefile
git commit -am c
set -m
PATH=$TEST_TMP/bin:$PATH checkout/scripts/check-wines trixie >out 2>&1 &
set +m
for _ in {1..100}; do
	grep -q 'demo *$' out && break
	sleep 0.1
done
kill -INT -- -$!
status=0
wait $! || status=$?
is "$status" 130 "Ctrl-C"
is "$(find checkout/build/check-wines/trixie/root/root -mindepth 1)" "" "nothing stays then either"

on gizmo
is "$status $(grep -c gizmo out)" "2 1" "an unknown kind"
on --clean
is "$status $(ls checkout/build)" "0 " "--clean"
tap_done
