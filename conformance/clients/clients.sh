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

gate() { # WHAT STATUS VERSION...
	set_version "${@:3}"
	go_client gate >"$TEST_TMP/said"
	is "$?" "$2" "the Go client's gate: $1"
}
gate "a prefix as Wine makes it is too old" 3 '"6.1"' '"7601"' -
gate "Server 2022 before its update is too old" 3 '"10.0"' '"20348"' dword:000007ee
gate "Server 2022 with its update" 0 '"10.0"' '"20348"' dword:000007ef
gate "what came between them and 2025 is too old" 3 '"10.0"' '"22621"' dword:0000ffff
gate "Server 2025" 0 '"10.0"' '"26100"' -

are_sound() { # NAME IMAGE...
	local name=$1 image
	for image in "${@:2}"; do
		check "$name: cimtool verify --deep ${image##*/}" "$BUILD/cimtool" verify --deep "$image"
	done
}

test_go() { # NAME OPTION...
	local name="Go client, $1" dir=$TEST_TMP/go-$1
	shift
	mkdir "$dir" "$dir/images" "$dir/expected"
	part() { # PART ARGUMENT...
		cd "$TEST_TMP/app" || exit 1
		tap_of "$name" "$WINE" go-client.exe "${@:2}" "$1" ${part_dir:+"$part_dir"}
		cd "$TOP" || exit 1
	}
	local part_dir image
	part_dir=$(dos_path "$dir/images")
	part write "$@" -expect "$(dos_path "$dir/expected")"
	are_sound "$name" "$dir/images"/*.cim
	for image in "$dir/images"/*.cim; do
		check "$name: ${image##*/} holds all that was put in" "$TOP/conformance/clients/images.py" \
			"$BUILD/cimtool" "$dir/expected/${image##*/}.json" "$image"
	done
	part mount "$@"
	part leave "$@"
	part_dir='' part found "$@"
	part destroy "$@"
	is "$(ls -A "$dir/images")" "" "$name: Linux sees no file either"
	is "$(volumes)" "$before" "$name: nothing stays mounted"
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
	test_c fuse win64
	test_c32 fuse
else
	skip "$no_fuse" "the clients with FUSE"
fi
export CIMFS_MOUNT_BACKEND=extract
test_go copy -copy
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
