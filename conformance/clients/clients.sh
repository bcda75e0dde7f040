#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
# run-tests: plain
#
# clients.sh - programs that use cimfs.dll as those in the field do, under Wine, with the DLL installed
#
# The Go client loads the DLL from the system directory and asks for the build of Windows, so here
# the prefix is got ready as a user would: scripts/install-wine, and a build in the registry. The
# clients compare what volumes show with what they put in; what Wine's own file layer
# doesn't show is then looked at in the images themselves. Afterwards the prefix is as it was.
. "$(dirname "$0")/../../scripts/lib/windows.bash"
. "$TOP/conformance/clients/c/tree.bash"

BUILD=${BUILD:-build}
devices=${WINEPREFIX:?}/dosdevices
clients=$WIN64/clients
key='HKEY_LOCAL_MACHINE\Software\Microsoft\Windows NT\CurrentVersion'
export CIM_SEED=${CIM_SEED:-$(date +%s)}
unset CIMFS_MOUNT_BACKEND CIMFS_MOUNT_LETTER CIMFS_MOUNT_LETTER_WAIT CIMFS_MOUNT_HELPER
echo "# CIM_SEED=$CIM_SEED"

# ---- the prefix ----------------------------------------------------------------------------------

value() { # NAME: as a .reg file has it, "-" if there is none
	timeout 60 "$WINE" reg query "$key" /v "$1" /reg:64 2>/dev/null | tr -d '\r' | awk -v name="$1" '
		$1 == name && $2 == "REG_SZ" { sub(/.*REG_SZ */, ""); found = "\"" $0 "\"" }
		$1 == name && $2 == "REG_DWORD" { sub(/.*0x/, ""); found = "dword:" $0 }
		END { print found ? found : "-" }'
}

# set_version VERSION BUILD REVISION, each as value() prints it; where the Go client, of 64 bits, looks
set_version() {
	printf 'REGEDIT4\n\n[%s]\n"CurrentVersion"=%s\n"CurrentBuild"=%s\n"CurrentBuildNumber"=%s\n"UBR"=%s\n' \
		"$key" "$1" "$2" "$2" "$3" >"$TEST_TMP/version.reg"
	timeout 60 "$WINE" reg import "$(dos_path "$TEST_TMP/version.reg")" /reg:64 >/dev/null
}

volumes() {
	find "$devices" -maxdepth 1 \( -name 'volume{*' -o -name '[h-y]:' \) -printf '%f\n' | sort
	awk '{ print "mount " $5 }' /proc/self/mountinfo | grep -F "$(realpath "$WINEPREFIX")/"
}

clean_up() {
	local name guid
	# A build of Windows in the tests' prefix must not depend on whether this test was run.
	set_version "${old_version[@]}"
	for name in $(volumes | grep -vxF -e "$before" | grep '^volume{'); do
		guid=${name#*\{}
		"$TOP/build/cimfs-mount" --wine-dismount --dosdevices "$devices" --guid "${guid%\}}" \
			2>/dev/null
	done
	rm -f "$devices"/physicaldrive39[0-9][0-9]
	"$TOP/scripts/install-wine" --uninstall >/dev/null
}

# A run that was killed may have left the DLL.
"$TOP/scripts/install-wine" --uninstall --force >/dev/null
before=$(volumes)
old_version=("$(value CurrentVersion)" "$(value CurrentBuildNumber)" "$(value UBR)")
case "${old_version[*]}" in
'"'*' "'*'" '*) ;;
*)
	echo "Bail out! no version of Windows in the registry: ${old_version[*]}"
	exit 1
	;;
esac
trap clean_up EXIT
check "install-wine" "$TOP/scripts/install-wine"
if [ "$tap_failed" != 0 ]; then
	echo "Bail out! without the DLL there is nothing to test"
	exit 1
fi

# ---- the Go client -------------------------------------------------------------------------------

# Beside the program lies another cimfs.dll, which it must not load.
mkdir "$TEST_TMP/app"
cp "$clients/go-client.exe" "$WIN64/cimfs.dll" "$TEST_TMP/app/"
# It walks a volume as soon as it is mounted, as using-wine.md 5 says of such programs; and of the volume that has
# no letter yet, Wine tells another serial number than a moment later, by which Go 1.22 tells files apart.
export CIMFS_MOUNT_LETTER_WAIT=1

go_client() {
	(cd "$TEST_TMP/app" && timeout 120 "$WINE" go-client.exe "$@" 2>"$TEST_TMP/stderr")
}

gate() { # WHAT STATUS VERSION..., with options of the client's in gate_options
	set_version "${@:3}"
	go_client "${gate_options[@]}" gate >"$TEST_TMP/said"
	is "$?" "$2" "the Go client's gate: $1"
}
gate_options=()
gate "a prefix as Wine makes it is too old" 3 '"6.1"' '"7601"' -
gate "Server 2022 before its update is too old" 3 '"10.0"' '"20348"' dword:000007ee
gate "Server 2022 with its update" 0 '"10.0"' '"20348"' dword:000007ef
gate "what came between them and 2025 is too old" 3 '"10.0"' '"22621"' dword:0000ffff
gate "Server 2025" 0 '"10.0"' '"26100"' -
gate_options=(-block file)
gate "Server 2025 has no containers" 3 '"10.0"' '"27765"' -
gate "what came then has" 0 '"10.0"' '"27766"' -
gate_options=(-block file -verified)
gate "but doesn't seal them" 3 '"10.0"' '"27799"' -
gate "what came then does, and our DLL has all that this needs" 0 '"10.0"' '"27800"' -

are_sound() { # NAME IMAGE...
	local name=$1 image
	for image in "${@:2}"; do
		check "$name: cimtool verify --deep ${image##*/}" "$BUILD/cimtool" verify --deep "$image"
	done
}

part() { # NAME PART OPTION..., for the directory part_dir
	cd "$TEST_TMP/app" || exit 1
	tap_of "$1" "$WINE" go-client.exe "${@:3}" "$2" ${part_dir:+"$part_dir"}
	cd "$TOP" || exit 1
}

mounted_and_destroyed() { # NAME OPTION...
	part "$1" mount "${@:2}"
	part "$1" leave "${@:2}"
	part_dir='' part "$1" found "${@:2}"
	part "$1" destroy "${@:2}"
	is "$(ls -A "$dir/images")" "" "$1: Linux sees no file either"
	is "$(volumes)" "$before" "$1: nothing stays mounted"
}

test_go() { # NAME OPTION...
	local name="Go client, $1" dir=$TEST_TMP/go-$1 part_dir image
	shift
	mkdir "$dir" "$dir/images" "$dir/expected"
	part_dir=$(dos_path "$dir/images")
	part "$name" write "$@" -expect "$(dos_path "$dir/expected")"
	are_sound "$name" "$dir/images"/*.cim
	for image in "$dir/images"/*.cim; do
		check "$name: ${image##*/} holds all that was put in" "$TOP/conformance/clients/images.py" \
			"$BUILD/cimtool" "$dir/expected/${image##*/}.json" "$image"
	done
	mounted_and_destroyed "$name" "$@"
}

# Where the Go client has an image: NUMBER of the layer, "layer" or "merged".
image_of() {
	case $places-$2 in
	file-*) echo "$dir/images/${layers[$1]}/$2.bcim/$2.cim" ;;
	device-layer) echo "$devices/physicaldrive$((3900 + 2 * $1))/layer.cim" ;;
	device-merged) echo "$devices/physicaldrive$((3901 + 2 * $1))/merged.cim" ;;
	shared-layer) echo "$dir/images/layers.bcim/${layers[$1]}.cim" ;;
	shared-merged) echo "$dir/images/layers.bcim/${layers[$1]}-merged.cim" ;;
	esac
}

is_sound_container() { # NAME CONTAINER CHECKSUM [SOURCE...]
	local name="$1: cimtool verify --deep of ${2##*/}" source options=()
	for source in "${@:4}"; do options+=(--source="$source"); done
	if [ -e "$3" ]; then
		options+=(--root-hash="$(cat "$3")")
		name+=", with the hash beside it"
	fi
	check "$name" "$BUILD/cimtool" verify --deep "${options[@]}" "$2"
}

# A merged image, and the layers that it was made of, hold what the client's model says.
stack_is_sound() { # NAME
	local i sources=() given=() merged at=$dir/images
	for i in "${!layers[@]}"; do
		sources=("$(image_of "$i" layer)" "${sources[@]}")
		is_sound_container "$1" "${sources[0]%/*}" "$at/${layers[i]}/integrity_checksum"
		check "$1: ${layers[i]} holds all that was put in" "$TOP/conformance/clients/images.py" \
			"$BUILD/cimtool" "$dir/expected/${layers[i]}.json" "${sources[0]}"
		[ "$i" != 0 ] || continue
		merged=$(image_of "$i" merged)
		[ "$places" = shared ] || given=("${sources[@]}") # those beside an image are found
		is_sound_container "$1" "${merged%/*}" "$at/${layers[i]}/merged_integrity_checksum" "${given[@]}"
		check "$1: merged, it holds what layers make of each other" \
			"$TOP/conformance/clients/images.py" "$BUILD/cimtool" \
			"$dir/expected/${layers[i]}-merged.json" "$merged" "${given[@]}"
	done
}

# The hashes of a layer don't tell where it lies, nor what wrote it.
same_hashes() { # NAME
	local file name
	for file in "$dir"/images/*/*integrity_checksum; do
		[ -e "$file" ] || continue # nothing is sealed
		name=${file#"$dir/images/"}
		if [ -e "$TEST_TMP/$name" ]; then
			check "$1: $name is what it was elsewhere" cmp "$file" "$TEST_TMP/$name"
		else
			mkdir -p "$TEST_TMP/${name%/*}"
			cp "$file" "$TEST_TMP/$name"
		fi
	done
}

test_blocks() { # NAME PLACES OPTION...
	local name="Go client, $1" dir=$TEST_TMP/blocks-$1 places=$2 part_dir
	local layers=(base child grandchild)
	set -- -block "$2" "${@:3}"
	mkdir "$dir" "$dir/images" "$dir/expected"
	part_dir=$(dos_path "$dir/images")
	part "$name" write "$@" -expect "$(dos_path "$dir/expected")"
	stack_is_sound "$name"
	same_hashes "$name"
	mounted_and_destroyed "$name" "$@"
	is "$(find "$devices" -name 'physicaldrive39*')" "" "$name: no device stays either"
}

# As shipped with a program, cimwriter.dll lies beside it.
test_blocks_by_cimwriter() {
	cp "$WIN64/cimwriter.dll" "$TEST_TMP/app/"
	test_blocks "$@" -writer
	rm "$TEST_TMP/app/cimwriter.dll"
}

# ---- the pair in C -------------------------------------------------------------------------------

# A step at a time, as Microsoft's sample has it: after each what there is by now is mounted, dismounted,
# and then extended or forked. In the fork a file is deleted whose second name stays.
test_c() { # NAME WIDTH
	local name="pack.exe and mnt.exe, $1" programs=$TOP/build/$2/clients images=$TEST_TMP/c-$1 step
	program() {
		timeout 120 "$WINE" "$programs/$1.exe" --source "$(dos_path "$tree")" \
			--images "$(dos_path "$images")" --name sample.cim "${@:2}" </dev/null
	}
	for step in pack extend fork; do
		check "$name: $step" program pack --step $step --file 'b\largest' --delete 'b\largest'
		check "$name: volumes hold what there is after \"$step\"" program mnt --program ''
	done
	are_sound "$name" "$images"/sample{,_fork}.cim
	check "$name: the images hold what the tree has and pack.exe noted" \
		"$TOP/conformance/clients/c/packed.py" "$images/manifest.tsv" "$tree" "$images" sample.cim
	is "$(volumes)" "$before" "$name: nothing stays mounted"
}

test_c32() { # NAME
	if [ -e "$WINEPREFIX/drive_c/windows/syswow64/kernel32.dll" ]; then
		test_c "$1-32" win32
	else
		skip "no 32-bit Wine" "pack.exe and mnt.exe, $1, 32-bit"
	fi
}

tree=$TEST_TMP/tree
make_tree "$tree" || echo "# no user attributes here, so no file is hidden"
if no_fuse=$("$TOP/scripts/lib/fuse.py"); then
	export CIMFS_MOUNT_BACKEND=fuse
	test_go fuse
	test_blocks files-fuse file
	test_blocks one-file-fuse shared
	test_blocks verified-files-fuse file -verified
	test_blocks_by_cimwriter verified-devices-fuse device -verified
	test_c fuse win64
	test_c32 fuse
else
	skip "$no_fuse" "the clients with FUSE"
fi
export CIMFS_MOUNT_BACKEND=extract
test_go copy -copy
test_blocks devices-copy device -copy
test_c copy win64

# ---- the Go program itself -----------------------------------------------------------------------

# Built at another place it has the same bytes. Needs the Makefiles and these sources alone; the cache
# spares it the standard library.
elsewhere=$TEST_TMP/else\ where
mkdir -p "$elsewhere/conformance" "$elsewhere/build/go"
(cd "$TOP" && find Makefile cimfs_shim conformance wine-tests \( -name Makefile -o -name rules.mk \) \
	-exec cp --parents {} "$elsewhere" \;)
cp -r "$TOP/conformance/clients" "$elsewhere/conformance/"
ln -s "$TOP/build/go/cache" "$elsewhere/build/go/cache"
check "the Go client is built elsewhere, without the network" env -u MAKEFLAGS -u MAKELEVEL \
	make -s -C "$elsewhere" build/win64/clients/go-client.exe
check "and is the same" cmp "$elsewhere/build/win64/clients/go-client.exe" "$clients/go-client.exe"
tap_done
