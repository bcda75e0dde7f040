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
is "$(tail -1 "$TEST_TMP/out")" "10 passed, 0 failed, 0 skipped" "all of them"
check "cimtool finds in them what the manifest says" "$cimtool" verify --manifest="$exported/manifest.txt"
for image in everything.cim fork.cim "fork of fork.cim" empty.cim many.cim consistent.cim; do
	check "$image breaks no rule of the format" "$cimtool" verify --quiet --deep --strict "$exported/$image"
done
suite "our DLL finds in them what the manifest says" 0 --import "$(dos_path "$exported")"
is "$(tail -1 "$TEST_TMP/out")" "5 passed, 0 failed, 6 skipped" "by reading and by mounting"

# ---- layers: containers, merged and sealed images ----

layers=$exported/layers
check "cimtool finds in layers what their manifest says" "$cimtool" verify --manifest="$layers/manifest.txt"
for container in "$layers"/*.bcim; do
	sources=()
	[[ $container != *-merged.bcim ]] ||
		mapfile -t sources < <(printf -- "--source=${container%merged.bcim}%s\n" {upper.bcim/upper,middle.bcim/middle,base.bcim/base}.cim)
	check "$(basename "$container") breaks no rule" \
		"$cimtool" verify --quiet --deep --strict "${sources[@]}" "$container"
done
suite "our DLL finds in layers what their manifest says" 0 --import "$(dos_path "$layers")"
is "$(tail -1 "$TEST_TMP/out")" "11 passed, 0 failed, 0 skipped" "and makes the same merged and sealed ones of them"

# same_bytes WHAT FILE FILE
same_bytes() {
	check "the DLL's bytes are cimtool's: $1" cmp "$2" "$3"
}
made=$TEST_TMP/made
mkdir "$made"
# merge PREFIX OPTION...: of containers that the DLL made
merge() {
	local prefix=$1
	shift
	"$cimtool" merge --quiet --consistent --container "$@" "$made/$prefix.bcim/merged.cim" \
		"$layers/$prefix-upper.bcim/upper.cim" "$layers/$prefix-middle.bcim/middle.cim" "$layers/$prefix-base.bcim/base.cim"
	[[ $* != *--sealable* ]] || "$cimtool" seal --quiet "$made/$prefix.bcim" >"$made/$prefix.root"
	same_bytes "$prefix-merged.bcim" "$made/$prefix.bcim" "$layers/$prefix-merged.bcim"
}
merge file
merge sealed --sealable --verified
for name in base middle upper merged; do
	cp "$layers/sealable-sealed-$name.bcim" "$made/seal"
	root=$("$cimtool" seal --quiet "$made/seal")
	same_bytes "sealed-$name.bcim" "$made/seal" "$layers/sealed-$name.bcim"
	is "$(grep -c "container=sealed-$name.bcim.root=$root" "$layers/manifest.txt")" 1 "and so is its root hash"
	size=$(stat -c %s "$layers/file-$name.bcim")
	check "a device has the bytes of a file: $name" cmp -n "$size" "$layers/file-$name.bcim" "$layers/device-$name.bcim"
	is "$(tail -c +$((size + 1)) "$layers/device-$name.bcim" | tr -d '\0' | wc -c)" 0 "and zeros behind them"
done
"$cimtool" convert --quiet --container "$layers/converted.cim" "$made/converted.bcim/converted.cim"
same_bytes converted.bcim "$made/converted.bcim" "$layers/converted.bcim"
mkdir "$made/directory"
"$cimtool" merge --quiet --consistent "$made/directory/merged.cim" "$layers"/{upper,middle,base}.cim
for file in "$made/directory"/*; do
	same_bytes "$(basename "$file" | sed 's/_.*_/_GUID_/') of a merged image in a directory" "$file" "$layers/$(basename "$file")"
done
cp "$layers/several.bcim" "$made/several.bcim"
"$cimtool" fork --quiet --delete=/sizes "$made/several.bcim/everything.cim" again.cim &&
	"$cimtool" tombstone --quiet "$made/several.bcim/fork.cim" /Names
is "$?" 0 "cimtool forks and extends what the DLL put into a container"
check "which breaks no rule then" "$cimtool" verify --quiet --deep --strict "$made/several.bcim"
is "$("$cimtool" ls "$made/several.bcim/again.cim" | sort | tr '\n' ' ')" \
	"$("$cimtool" ls "$layers/several.bcim/everything.cim" | grep -v sizes | sort | tr '\n' ' ')" "the fork has all but what it deletes"

# ---- made on Linux ----

for manifest in "$images"/*/manifest.txt; do
	name=$(basename "$(dirname "$manifest")")
	check "$name, made on Linux, is what its manifest says" "$cimtool" verify --manifest="$manifest"
	suite "$name, made on Linux, is so for our DLL" 0 --import "$(dos_path "$(dirname "$manifest")")"
done

# ---- what must be noticed ----

spoilt=$TEST_TMP/spoilt
set=basic
# spoil WHAT SED-EXPRESSION WORDS: change the manifest of a copy of the set; both must see a difference
spoil() {
	rm -rf "$spoilt"
	cp -r "$images/$set" "$spoilt"
	sed -i "$2" "$spoilt/manifest.txt"
	if cmp -s "$images/$set/manifest.txt" "$spoilt/manifest.txt"; then
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

# Of the layers only what the expressions name is kept.
set=layers
only='1p; /^image.merged.cim.container=sealed-merged/,/^image/{/^image.[^m]/!p}; d'
spoil "other data in a merged image" "/once%0020a/s/data=..../data=0000/; $only" "hash of the data"
spoil "an item that is hidden" "s,^file./d/kept,file\t/d/gone,; $only" "d/gone: missing"
spoil "a mark that is missing" 's/.mark=opaque//; 1p; /^image.upper.cim.container=upper/,/^image/{/^image.[^u]/!p}; d' \
	"is opaque" not-visible
spoil "a mark that is shown" "s,^directory./d\t.*,tombstone\t/d,; $only" "is shown, not a mark"

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
