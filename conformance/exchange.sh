#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
# run-tests: plain
#
# exchange.sh - images made by one implementation, checked by another, by their manifests
#
# Under Wine our DLL writes a set that cimtool checks, and checks those that were made on Linux. What
# is broken in a set must be noticed by both.
. "$(dirname "$0")/../scripts/lib/windows.bash"

cimtool=$TOP/${BUILD:-build}/cimtool
images=$TOP/build/conformance/images
exported=$TEST_TMP/exported
mkdir "$exported"
export CONFORMANCE_QUIET=1

# suite NAME WANTED-STATUS OPTION...: runs the suite; its checks become ours
suite() {
	local name=$1 want=$2 status
	shift 2
	timeout 300 conformance/run "$@" >"$TEST_TMP/out" 2>"$TEST_TMP/errors"
	status=$?
	is "$status" "$want" "$name"
	[ "$status" = "$want" ] || sed 's/^/#   /' "$TEST_TMP/out" "$TEST_TMP/errors"
}

suite "our DLL writes a set of images" 0 --export "$(dos_path "$exported")"
is "$(tail -1 "$TEST_TMP/out")" "4 passed, 0 failed, 0 skipped" "all of them"
check "cimtool finds in them what the manifest says" "$cimtool" verify --manifest="$exported/manifest.txt"
for image in everything.cim fork.cim "fork of fork.cim" empty.cim many.cim consistent.cim; do
	check "$image breaks no rule of the format" "$cimtool" verify --quiet --deep --strict "$exported/$image"
done
suite "our DLL finds in them what the manifest says" 0 --import "$(dos_path "$exported")"
is "$(tail -1 "$TEST_TMP/out")" "5 passed, 0 failed, 0 skipped" "by reading and by mounting"

for manifest in "$images"/*/manifest.txt; do
	name=$(basename "$(dirname "$manifest")")
	check "$name, made on Linux, is what its manifest says" "$cimtool" verify --manifest="$manifest"
	suite "$name, made on Linux, is so for our DLL" 0 --import "$(dos_path "$(dirname "$manifest")")"
done

# ---- what must be noticed ----

spoilt=$TEST_TMP/spoilt
# spoil WHAT SED-EXPRESSION WORDS: change the manifest of a copy; both must see a difference
spoil() {
	rm -rf "$spoilt"
	cp -r "$images/basic" "$spoilt"
	sed -i "$2" "$spoilt/manifest.txt"
	if cmp -s "$images/basic/manifest.txt" "$spoilt/manifest.txt"; then
		result 1 "$1: the manifest was changed"
		return
	fi
	said=$("$cimtool" verify --manifest="$spoilt/manifest.txt")
	is "$? $(grep -c -- "$3" <<<"$said")" "4 1" "cimtool notices $1"
	[ -n "${4-}" ] || suite "so does the suite: $1" 1 --import "$(dos_path "$spoilt")"
}
spoil "other data" '/^file.*Hello.txt/s/data=..../data=0000/' "hash of the data"
spoil "another size" '/^file.*Hello.txt/s/size=[0-9]*/size=77/' "size: "
spoil "other attributes" '/^file.*Hello.txt/s/attributes=[0-9a-f]*/attributes=2/' "attributes: "
spoil "another time" '/^file.*Hello.txt/s/written=../written=99/' "last write time: "
spoil "a file that is missing" '/^file.*Hello.txt/s/Hello.txt/Hallo.txt/' "Hallo.txt: missing"
spoil "a name that isn't told" '/^file.*zero/d' "names, the manifest has"
spoil "another kind" '/^directory\t\/empty\t/s/^directory/file/; /^file\t\/empty\t/s/$/\tsize=0\tdata=0/' "a directory"
spoil "another stream" '/^stream.*first/s/size=3/size=4/' "size: 3"
spoil "other extended attributes" '/withea/s/ea=../ea=ff/' "extended attributes: another byte" not-visible
spoil "another descriptor" '/secured/s/security=../security=02/' "security descriptor: another byte" not-visible
spoil "other reparse data" '/^file\t\/link\t/s/reparse=0c/reparse=03/' "reparse data: another byte" not-visible

# bad WHAT TEXT WORDS: no manifest; one line says what is wrong
bad() {
	printf '%b' "$2" >"$spoilt/manifest.txt"
	said=$("$cimtool" verify --manifest="$spoilt/manifest.txt" 2>&1 >/dev/null)
	is "$? $(wc -l <<<"$said") $(grep -c -- "$3" <<<"$said")" "1 1 1" "no manifest: $1"
}
head="cimfs-manifest 1\nimage\timage.cim\n"
bad "empty" "" "no manifest of this version"
bad "another text" "hello\n" "no manifest of this version"
bad "an item without an image" "cimfs-manifest 1\nfile\t/x\n" "line 2: neither an image"
bad "an unknown field" "${head}file\t/x\tcolour=1\n" "line 3: a field"
bad "a bad number" "${head}file\t/x\tsize=-1\n" "line 3: a field"
bad "a path without /" "${head}file\tx\n" "line 3: no path"
bad "a bad escape" "${head}file\t/%00\n" "line 3: no path"
bad "a link to nothing" "${head}link\t/x\n" "line 3: a link without"
bad "an image elsewhere" "cimfs-manifest 1\nimage\t../basic/image.cim\n" "line 2: no image"
bad "an image that isn't there" "cimfs-manifest 1\nimage\tnone.cim\n" "none.cim"
"$cimtool" verify --manifest="$spoilt/manifest.txt" x.cim 2>/dev/null
is "$?" 2 "an image beside --manifest is wrong usage"
tap_done
