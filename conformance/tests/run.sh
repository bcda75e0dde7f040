#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: plain
#
# run.sh - the suite itself: what comes of crashes, hangs, old and broken DLLs, odd text, wrong usage
. "$(dirname "$0")/../../scripts/lib/windows.bash"

export CIMFS_MOUNT_HELPER=$TOP/${BUILD:-build}/cimfs-mount
selftest=$WIN64/conformance/selftest.exe
suite=$WIN64/conformance/cimfs-conformance.exe
ours=$WIN64/cimfs.dll
bad=$WIN64/conformance/bad.dll
json=$TEST_TMP/out.json
work=$TEST_TMP/work
BAD_REAL=$(dos_path "$ours")
export BAD_REAL

# start PROGRAM OPTION...: runs it; $status, and what it said in $TEST_TMP/out and err
start() {
	rm -f "$json"
	timeout 200 "$WINE" "$@" --work "$(dos_path "$work")" >"$TEST_TMP/out" 2>"$TEST_TMP/err" </dev/null
	status=$?
	sed -i 's/\r$//' "$TEST_TMP/out" "$TEST_TMP/err"
}

# results: "ID result" of each case of the JSON file, which is checked to be JSON
results() {
	python3 - "$json" <<'EOF'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    run = json.load(file)
for case in run["cases"]:
    print(case["id"].split("/")[1], case["result"])
EOF
}

# values CASE: "name:value" of each value that the case saw
values() {
	python3 - "$json" "$1" <<'EOF'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    run = json.load(file)
for case in run["cases"]:
    if case["id"] == "Self/" + sys.argv[2]:
        for value in case["values"]:
            print("%s:%s" % (value["name"], value["got"]))
EOF
}

volumes() { find "$WINEPREFIX/dosdevices/" -iname 'volume*' | sort; }

# For later: it takes its time.
SELFTEST_SECONDS=20 timeout 200 "$WINE" "$selftest" --dll "$ours" --timeout 15 --filter 'Self/TakesLong' \
	--work "$(dos_path "$work-slow")" >"$TEST_TMP/slow" 2>/dev/null </dev/null &
slow=$!

# ---- cases that go wrong -----------------------------------------------------------------------

before=$(volumes)
start "$selftest" --dll "$ours" --timeout 15 --json "$(dos_path "$json")" --filter 'Self/[a-z]*' \
	--filter 'Self/*'
is "$status" 1 "cases that fail make the exit status 1"
is "$(tail -1 "$TEST_TMP/out")" "9 passed, 21 failed, 0 skipped" "the last line counts"
check "the result file is JSON" python3 -m json.tool "$json" /dev/null
wanted='MustPass1 pass
MustFail fail
ChecksNothing fail
SeesNothing fail
TwoValuesOfOneName fail
Blocked blocked
Needs fail
Decided fail
LimitHolds limit
LimitPasses fail
LimitBlocked fail
LimitCrashes crash
OddText observed
OddFailure fail
AccessViolation crash
MustPass2 pass
StackOverflow crash
ExitsWithZero crash
Aborts crash
ThreadCrashes crash
CrashObserved crash
Hangs hang
TakesLong pass
MustPass3 pass
MayBreakTheDll pass
MustPass4 pass
MustPass5 pass
PeerDies fail
ExitWithPeer crash
Interleaved pass
LongPaths pass
MountsAndCrashes crash
Waits hang'
is "$(results)" "$wanted" "each case ends as it has to, and the others go on"
check "a limit that passes is told" grep -q "passed, though Wine's limits should not let it" "$TEST_TMP/out"
is "$(volumes)" "$before" "what crashed cases had mounted is dismounted"
is "$(ls "$work")" "" "and their directories are removed"

odd=$(python3 - "$json" <<'EOF'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    run = json.load(file)
values = [c for c in run["cases"] if c["id"] == "Self/OddText"][0]["values"]
got = {value["name"]: value["got"] for value in values}
print(got["all bytes"] == "".join(map(chr, range(1, 256))))
print(got['quotes " and \\ and \t tab and \n line'] == 'a "b" \\c\\ \n{},[]:')
print(got["wide"] == '<4e2d> <d800> <dc00> <d83d><de00> <ffff> "\\<0001>')
print(len(got["long"]), got[""], repr(got["empty"]))
EOF
)
is "$odd" "True
True
True
900 a value without a name ''" "each byte of a name and value comes through"

wait $slow
is "$? $(tail -1 "$TEST_TMP/slow" | tr -d '\r')" "0 1 passed, 0 failed, 0 skipped" \
	"a case that works longer than one may say nothing doesn't hang"

# ---- TAP ----------------------------------------------------------------------------------------

start "$selftest" --dll "$ours" --tap --filter 'Self/Odd*' --filter 'Self/Limit*' --filter 'Self/Must*'
is "$(grep -c '^not ok\|^ok' "$TEST_TMP/out") $(grep '^1\.\.' "$TEST_TMP/out")" "12 1..12" \
	"TAP: a line for each case, and the plan; no value makes one"
is "$(grep -vc '^not ok\|^ok\|^# \|^1\.\.12$' "$TEST_TMP/out")" 1 "TAP: nothing else but the last line"
check "TAP: a limit is a TODO" grep -q '^not ok [0-9]* - Self/LimitHolds # TODO' "$TEST_TMP/out"

# ---- mutants ------------------------------------------------------------------------------------

# Or whether a mutant is noticed would depend on how the threads of a case take turns.
echo "Self/Interleaved random-writes-lost" >"$TEST_TMP/plan"
CIMFS_MUTANT_PLAN=$(dos_path "$TEST_TMP/plan") CIMFS_MUTANT_REAL=$BAD_REAL start "$selftest" --json "$(dos_path "$json")" \
	--dll "$(dos_path "$WIN64/conformance/mutants/cimfs.dll")" --filter 'Self/Interleaved'
is "$(values Interleaved)" "lost: a40 b40" "a mutant counts the calls of each directory by themselves"

# ---- the runners --------------------------------------------------------------------------------

# A tree in which Wine is a script that notes how it was called, and nothing happens.
tree=$TEST_TMP/tree
mkdir -p "$tree"/{bin,build/conformance/mutants,build/win64/conformance/mutants,conformance/mutants}
mkdir "$tree/scripts"
cp -r "$TOP/scripts/lib" "$tree/scripts/"
cp "$TOP/conformance/run" "$tree/conformance/"
cp "$TOP/conformance/mutants/"{run,*.py} "$tree/conformance/mutants/"
for file in cimfs-mount win64/cimfs.dll win64/conformance/{cimfs-conformance.exe,mutants/cimfs.dll}; do
	echo >"$tree/build/$file"
	chmod +x "$tree/build/$file"
done
ln -s /bin/true "$tree/build/conformance/mutant-list"
cat >"$tree/bin/wine" <<'EOF'
#!/bin/sh
[ "$1" != --version ] || exec echo wine-8.0
echo "${0##*/} $*" >>calls
[ "$1" != wineboot ] || mkdir -p "$WINEPREFIX/dosdevices"
EOF
chmod +x "$tree/bin/wine"
ln -s wine "$tree/bin/wineserver"

# runner NAME LOCK PROGRAM...: two at once would work in the same place, and the first to end would
# end the other's Wine. And a new prefix is made by programs whose server then ends; if one that is to
# stay began before that, it couldn't, and all would run on servers that end when for a moment there
# is no program.
runner() {
	local name=$1 lock=$tree/build/$2
	shift 2
	rm -f "$tree/calls"
	exec 5>"$lock"
	flock 5
	(cd "$tree" && exec env -u WINEPREFIX -u WINE -u WINESERVER BUILD=build PATH="$tree/bin:$PATH" "$@") \
		>"$TEST_TMP/out" 2>&1 5>&- &
	for _ in $(seq 300); do
		[ ! -s "$TEST_TMP/out" ] || break
		sleep 0.1
	done
	check "$name: another run is waited for" grep -q 'waiting for another run to end$' "$TEST_TMP/out"
	is "$(cat "$tree/calls" 2>&1)" "cat: $tree/calls: No such file or directory" "$name: without Wine"
	exec 5>&-
	wait $!
	is "$(head -3 "$tree/calls" | tr '\n' .)" "wine wineboot -i.wineserver -w.wineserver -p600." \
		"$name: a new prefix's own server has ended before one that stays begins"
}
runner conformance/run prefix-conformance.lock conformance/run
runner conformance/mutants/run conformance/mutants/lock conformance/mutants/run none

# ---- a foreign DLL ------------------------------------------------------------------------------

start "$selftest" --dll "$bad" --filter 'Self/CrashObserved' --filter 'Self/Decided' \
	--filter 'Self/MustPass1'
is "$status $(tail -1 "$TEST_TMP/out")" "0 1 passed, 0 failed, 0 skipped" \
	"a foreign DLL fails by nothing that is only observed"
check "but a crash is told" grep -q 'Self/CrashObserved *exception 0xc0000005' "$TEST_TMP/out"

start "$suite" --dll "$bad" --json "$(dos_path "$json")" --filter 'CreateFile/Con*' --filter 'ReadFile/*' \
	--filter 'Export/*' --filter 'CreateImage2/NoFlags' \
	--filter 'AlternateStream/Content'
is "$status" 0 "a DLL with the eleven functions of 2004 passes"
check "it misses functions, by name" grep -q '^11 of 28 exports are there, not CimCreateImage2 ' "$TEST_TMP/out"
is "$(results | grep -v skip)" "Documented pass
AllOfOurs observed
Which observed
Content pass
Fork pass
Content pass" "what needs no other function is judged, by mounting"
check "the rest is skipped, with the reason" grep -q 'ReadFile/Whole *the DLL has no CimReadFile' "$TEST_TMP/out"

start "$suite" --dll "$bad" --no-mount --filter 'CreateFile/Content' --filter 'Mount/Volume'
is "$status $(tail -1 "$TEST_TMP/out")" "0 0 passed, 0 failed, 2 skipped" \
	"without mounting either, it is skipped"

# ---- broken DLLs --------------------------------------------------------------------------------

# broken HOW WANTED-RESULTS: three cases, of which two call the broken function
broken() {
	BAD=$1 start "$suite" --dll "$bad" --timeout 15 --json "$(dos_path "$json")" \
		--filter 'CreateImage/NeitherName' --filter 'CreateImage/EmptyAndNullNames' \
		--filter 'Header/MountFlags'
	is "$status $(results | tr '\n' ' ')" "1 NeitherName $2 EmptyAndNullNames $2 MountFlags pass " \
		"a DLL with \"$1\" fails where it is required, and the run goes on"
	is "$(tail -1 "$TEST_TMP/out")" "1 passed, 1 failed, 0 skipped" "and what is only observed is no failure"
}
broken crash crash
broken overflow crash
broken exit crash
broken hang hang

# What the suite says on stderr, without what Wine does.
errors() { grep '^cimfs-conformance: '; }

# refused NAME STATUS WORDS OPTION...: one line says why
refused() {
	local name=$1 want=$2 words=$3
	shift 3
	start "$suite" "$@"
	is "$status $(errors <"$TEST_TMP/err" | wc -l) $(grep -c -- "$words" "$TEST_TMP/err")" \
		"$want 1 1" "$name: status $want, one line"
	is "$(cat "$TEST_TMP/out")" "" "$name: nothing else is said"
}
BAD=load-crash refused "a DLL that crashes when it is loaded" 3 "can't be loaded" --dll "$bad"
BAD=load-hang refused "a DLL that hangs when it is loaded" 3 "can't be loaded.*hangs" --dll "$bad" --timeout 15
BAD=load-refuse refused "a DLL that refuses" 3 "it refused to start" --dll "$bad"
refused "no such DLL" 3 "isn't there" --dll "$(dos_path "$TEST_TMP/none.dll")"
refused "a DLL of 32 bits" 3 "no DLL for 64 bits" --dll "$(dos_path "$WIN32/cimfs.dll")"
echo "no DLL at all" >"$TEST_TMP/text.dll"
refused "a file that is no DLL" 3 "can't load" --dll "$(dos_path "$TEST_TMP/text.dll")"

# ---- usage --------------------------------------------------------------------------------------

refused "an unknown option" 2 "unknown argument: --bogus" --bogus
refused "a filter that matches nothing" 2 "no case matches" --filter 'Nosuch/*'
refused "a bad number" 2 "bad number" --timeout 5x
for number in x 1x -1 " 1" 1234567890 ""; do
	refused "the disk \"$number\"" 2 "bad number of a disk" --disk "$number"
done
refused "results to where there is nothing" 2 "can't write" --json "$(dos_path "$TEST_TMP/no/x.json")"
check "a directory of results is left as it is" test ! -e "$TEST_TMP/no"
work=$TEST_TMP/no/such refused "a work directory that can't be made" 2 "can't make the directory"
work=$TEST_TMP/text.dll refused "a work directory that is a file" 2 "is no directory"
work=/sys/kernel refused "a work directory that can't be written" 2 "can't write in"
mkdir "$TEST_TMP/small"
trap 'umount -l "$TEST_TMP/small" 2>/dev/null' EXIT
if mount -t tmpfs -o size=64m none "$TEST_TMP/small" 2>/dev/null; then
	work=$TEST_TMP/small refused "a full disk" 2 "less than 1 GiB"
	umount -l "$TEST_TMP/small"
else
	skip "no right to mount a file system" "a full disk"
fi
if [ "$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)" -gt 3000 ] &&
	mount -t tmpfs -o size=1100m none "$TEST_TMP/small" 2>/dev/null; then
	work=$TEST_TMP/small BAD=fill start "$suite" --dll "$bad" --filter 'CreateImage/NeitherName' \
		--filter 'Header/MountFlags'
	check "a DLL that fills the disk is stopped" grep -q "fills the disk" "$TEST_TMP/out"
	is "$(tail -1 "$TEST_TMP/out") $(ls "$TEST_TMP/small")" "1 passed, 1 failed, 0 skipped " \
		"the run goes on, and the disk is free again"
	umount -l "$TEST_TMP/small"
else
	skip "no right to mount a file system, or little memory" "a DLL that fills the disk"
fi

timeout 100 "$WINE" "$suite" --dll "$ours" --json >/dev/null 2>"$TEST_TMP/err" </dev/null
is "$? $(grep -c -- '--json needs a value' "$TEST_TMP/err")" "2 1" "an option without its value: status 2"

# A directory's trailing backslash must not quote what follows.
timeout 100 "$WINE" "$suite" --dll "$ours" --work "$(dos_path "$work")\\" --filter 'Commit/MakesTheImage' \
	>"$TEST_TMP/out" 2>/dev/null </dev/null
is "$? $(tail -1 "$TEST_TMP/out" | tr -d '\r')" "0 1 passed, 0 failed, 0 skipped" \
	"a work directory may end in a backslash"

# ---- conformance/run ----------------------------------------------------------------------------

mkdir -p "$TEST_TMP/unbuilt/build"
(cd "$TOP" && cp -r --parents conformance/run scripts/lib "$TEST_TMP/unbuilt")
touch "$TEST_TMP/unbuilt/build/cimfs-mount"
chmod +x "$TEST_TMP/unbuilt/build/cimfs-mount"
env -u BUILD -u WINEPREFIX "$TEST_TMP/unbuilt/conformance/run" --list >"$TEST_TMP/out" 2>&1
is "$? $(cat "$TEST_TMP/out")" "3 conformance/run: build/win64/cimfs.dll is not built: run make conformance" \
	"what is not built is told"
is "$(ls "$TEST_TMP/unbuilt/build")" cimfs-mount "before a Wine prefix is made"

# ---- two runs -----------------------------------------------------------------------------------

# Values that depend on the run (GUIDs, times, paths) would drown what differs between two DLLs.
runs=()
for n in 1 2; do
	timeout 300 "$WINE" "$suite" --dll "$ours" --no-mount --work "$(dos_path "$work")$n" \
		--json "$(dos_path "$TEST_TMP/run$n.json")" >/dev/null 2>"$TEST_TMP/err$n" </dev/null &
	runs+=($!)
done
wait "${runs[@]}"
said=$("$TOP/${BUILD:-build}/cimfs-compare" "$TEST_TMP/run1.json" "$TEST_TMP/run2.json" 2>&1)
is "$? $(grep ' (' <<<"$said" | sed '/^[AB]: /d')$(cat "$TEST_TMP/err1" "$TEST_TMP/err2" | errors)" "0 " "two runs have the same values in every case"

# ---- Ctrl-C -------------------------------------------------------------------------------------

mkdir -p "$TEST_TMP/precious"
echo kept >"$TEST_TMP/precious/file"
before=$(volumes)
"$WINE" "$selftest" --dll "$ours" --filter 'Self/Waits' --filter 'Self/MustPass1' \
	--work "$(dos_path "$work")" >"$TEST_TMP/out" 2>"$TEST_TMP/err" </dev/null &
pid=$!
for _ in $(seq 300); do
	[ ! -e "$work/Self_Waits/ready" ] || break
	sleep 0.1
done
check "a case waits, with an image mounted" test -e "$work/Self_Waits/ready"
ln -s "$TEST_TMP/precious" "$work/Self_Waits/link"
kill -INT "$pid"
wait "$pid"
is "$? $(grep -c interrupted "$TEST_TMP/err")" "3 1" "Ctrl-C ends the run: status 3, one line"
is "$(volumes)" "$before" "and leaves nothing mounted"
# (Wine itself can't remove a link to a directory.)
is "$(find "$work" ! -type d ! -name link)" "" "and no files"
is "$(cat "$TEST_TMP/precious/file")" "kept" "what a link led to is untouched"

tap_done
