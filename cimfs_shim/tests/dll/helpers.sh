#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
#
# helpers.sh - what CimMountImage and CimDismountImage make of what their helper does, and of letters
# and directories that aren't as usual
#
# Scripts stand in for cimfs-mount, or run it and then say something else. Volumes are copies (backend
# "extract"), which need no FUSE: a copy whose directory is gone is like a mount whose server was killed.
. "$(dirname "$0")/../../../scripts/lib/windows.bash"

BUILD=${BUILD:-build}
exe=$WIN64/tests/dll/t_mount.exe
devices=${WINEPREFIX:?}/dosdevices
REAL_HELPER=$(cd "$BUILD" && pwd)/cimfs-mount
export REAL_HELPER CIMFS_MOUNT_HELPER=$REAL_HELPER CIMFS_MOUNT_BACKEND=extract
unset CIMFS_MOUNT_LETTER CIMFS_MOUNT_LETTER_WAIT CIMFS_TRACE
if [ ! -x "$REAL_HELPER" ]; then
	skip "cimfs-mount is not built" "helpers"
	tap_done
fi

choose_guids

letters() { # "LETTER NUMBER" for each letter that leads to a volume of the tests
	find "$devices" -maxdepth 1 -name '?:' -lname '*/volume{c1f5abcd-*' -printf '%f %l\n' |
		sed -n 's/^\(.\): .*{c1f5abcd-0*\([0-9a-f]*\)-.*/\1 \2/p' | sort | paste -sd,
}

files_left() { # what the DLL leaves in the directory for temporary files
	find "$WINEPREFIX/drive_c" -iname 'cimfs-*' -printf '%f\n'
}

clean_up() {
	local n
	for n in 1 2 3; do
		"$REAL_HELPER" --wine-dismount --dosdevices "$devices" --guid "$(guid_of $n)"
	done
	rm -rf "$devices/unc/cimtest"
	rmdir "$devices/unc"
} >/dev/null 2>&1
trap clean_up EXIT

t_mount() {
	timeout 120 "$WINE" "$exe" "$@"
}

said() { # ARGUMENT...: the last line of the trace of what t_mount does
	CIMFS_TRACE=stderr t_mount "$@" >/dev/null 2>"$TEST_TMP/errors"
	tr -d '\r' <"$TEST_TMP/errors" | grep 'Cim.*Image(' | tail -n 1
}

# What the first program starts lives as long as Wine does: it must not hold a pipe of ours.
restart_wine() {
	"$WINESERVER" -k
	"$WINESERVER" -w
	"$WINESERVER" -p60
	t_mount absent 1 1
} >/dev/null 2>&1

# says CODE TEXT: the helper ends with this code, its status file holds this text ("-": there is none)
says() {
	CIMFS_MOUNT_HELPER=$TEST_TMP/says
	export HELPER_CODE=$1 HELPER_TEXT=$2
}
cat >"$TEST_TMP/says" <<'END_OF_HELPER'
#!/bin/sh
file=
while [ $# -gt 0 ]; do
	[ "$1" != --status ] || file=$2
	shift
done
case $HELPER_TEXT in -) ;; *) printf "$HELPER_TEXT" >"$file" ;; esac
exit "$HELPER_CODE"
END_OF_HELPER
# It does what it should, and says something else.
cat >"$TEST_TMP/does" <<'END_OF_HELPER'
#!/bin/sh
"$REAL_HELPER" "$@" >/dev/null 2>&1
exit 72
END_OF_HELPER
chmod +x "$TEST_TMP/says" "$TEST_TMP/does"

mkdir "$TEST_TMP/images"
dos=$(dos_path "$TEST_TMP/images")
t_mount image "$dos"

# ---- what it says --------------------------------------------------------------------------------

# answer NAME CODE TEXT WANT: the end of the trace's line of a mount
answer() {
	says "$2" "$3"
	is "$(said mount "$dos" 1 2 | sed 's/^.*, letter . = //')" "$4" "$1"
}
answer "a status and its cause" 72 'somebody has it\n' \
	"0x80070020 ERROR_SHARING_VIOLATION: somebody has it"
answer "of several lines the first is told" 72 'somebody has it\r\nnote and more\n' \
	"0x80070020 ERROR_SHARING_VIOLATION: somebody has it"
code=64
while read -r hr name; do
	code=$((code + 1))
	answer "status $((code - 64))" $code 'x' "$hr $name: x"
done <<'END_OF_STATUSES'
0x80070057 E_INVALIDARG
0x80004003 E_POINTER
0x8007000e E_OUTOFMEMORY
0x80070005 E_ACCESSDENIED
0x80070002 ERROR_FILE_NOT_FOUND
0x80070003 ERROR_PATH_NOT_FOUND
0x800700b7 ERROR_ALREADY_EXISTS
0x80070020 ERROR_SHARING_VIOLATION
0x80070026 ERROR_HANDLE_EOF
0x800701d6 ERROR_CIMFS_IMAGE_CORRUPT
0x800701d7 ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED
0x80070032 ERROR_NOT_SUPPORTED
0x80070299 ERROR_FILE_SYSTEM_LIMITATION
0x80070070 ERROR_DISK_FULL
0x800700df ERROR_FILE_TOO_LARGE
0x8007045d ERROR_IO_DEVICE
0x800704c7 ERROR_CANCELLED
END_OF_STATUSES
answer "a status without a cause" 72 '' "0x80070020 ERROR_SHARING_VIOLATION: cimfs-mount failed"
answer "and without a file" 72 - "0x80070020 ERROR_SHARING_VIOLATION: cimfs-mount failed"
answer "no status: 64, which would be success" 64 'x' \
	"0x8007045d ERROR_IO_DEVICE: cimfs-mount ended with status 64: x"
answer "no status: one more than there are" 82 'x' \
	"0x8007045d ERROR_IO_DEVICE: cimfs-mount ended with status 82: x"
answer "no status and no cause" 1 - "0x8007045d ERROR_IO_DEVICE: cimfs-mount ended with status 1"
answer "of another version" 2 'x' \
	"0x80070032 ERROR_NOT_SUPPORTED: $TEST_TMP/says is of another version than this cimfs.dll, which is $(
		"$REAL_HELPER" --version | sed 's/.* //'
	): install both anew"
answer "success, but no volume" 0 'ok extract /nowhere\n' \
	"0x8007045d ERROR_IO_DEVICE: the volume is mounted but can't be seen (ok extract /nowhere)"
long=$(printf 'ä%.0s' {1..400})
answer "a cause that is too long is cut behind a character" 72 "$long" \
	"0x80070020 ERROR_SHARING_VIOLATION: ${long:0:255}"
answer "so it is one byte further on" 72 "a$long" \
	"0x80070020 ERROR_SHARING_VIOLATION: a${long:0:255}"
is "$(files_left)" "" "no file is left of all these"

# Which form of reparse points it is asked for, by the version of Wine.
says 72 x
cat >"$TEST_TMP/says-form" <<'END_OF_HELPER'
#!/bin/sh
while [ "$1" != --reparse ]; do shift; done
echo "$2" >>"$FORMS"
exit 72
END_OF_HELPER
chmod +x "$TEST_TMP/says-form"
FORMS=$TEST_TMP/forms CIMFS_MOUNT_HELPER=$TEST_TMP/says-form t_mount versions "$dos" >/dev/null 2>&1
is "$(paste -sd' ' "$TEST_TMP/forms")" \
	"links links links links wine links wine links wine wine wine wine" \
	"reparse points: from Wine 10.19 on, and where the version can't be read, Wine's own form"

# ---- where it is looked for ------------------------------------------------------------------------

# A copy of the program and the DLL, so that what lies beside them is this test's alone.
mkdir -p "$TEST_TMP/dlls/x" "$TEST_TMP/bin" "$WINEPREFIX/cimfs/bin"
cp "$exe" "${exe%/*}/cimfs.dll" "$TEST_TMP/dlls/x"
cat >"$TEST_TMP/who" <<'END_OF_HELPER'
#!/bin/sh
while [ "$1" != --status ]; do shift; done
echo "$0" >"$2"
exit "${WHO_CODE:-72}"
END_OF_HELPER
chmod +x "$TEST_TMP/who"
places=("$devices/../cimfs/bin/cimfs-mount" "$TEST_TMP/dlls/x/cimfs-mount"
	"$TEST_TMP/dlls/x/../cimfs-mount" "$TEST_TMP/bin/cimfs-mount")
for place in "${places[@]}"; do cp "$TEST_TMP/who" "$place"; done
# A Wine that was begun with this PATH.
restart_wine
looks() { # the trace's last words of a mount without CIMFS_MOUNT_HELPER
	env -u CIMFS_MOUNT_HELPER PATH="$TEST_TMP/bin:$PATH" CIMFS_TRACE=stderr timeout 60 "$WINE" \
		"$TEST_TMP/dlls/x/t_mount.exe" mount "$dos" 1 2 2>&1 >/dev/null | tr -d '\r' |
		sed -n "s/.*CimMountImage(.* = 0x[0-9a-f]* ERROR_//p"
}
is "$(WHO_CODE=0 looks)" "IO_DEVICE: the volume is mounted but can't be seen (${places[0]})" \
	"of several helpers one is run"
for place in "${places[@]}"; do
	is "$(looks)" "SHARING_VIOLATION: $place" "the helper is found as $place"
	rm "$place"
done
is "$(looks)" "NOT_SUPPORTED: no helper cimfs-mount can be started (CIMFS_MOUNT_HELPER may name it); \
tried: ${places[0]}, ${places[1]}, ${places[2]}, cimfs-mount" "without one all that was tried is told"
rmdir "$WINEPREFIX/cimfs/bin"
CIMFS_MOUNT_HELPER=$(dos_path "$TEST_TMP/who")
is "$(said mount "$dos" 1 2 | sed 's/^.*, letter . = //')" \
	"0x80070020 ERROR_SHARING_VIOLATION: $TEST_TMP/who" "CIMFS_MOUNT_HELPER may be a Windows path"

# ---- a volume that stays, and one that goes ---------------------------------------------------------

CIMFS_MOUNT_HELPER=$REAL_HELPER
check "a volume is mounted" t_mount mount "$dos" 1 2
is "$(letters)" "y 1" "it has the letter Y"
says 72 'files are open\n'
is "$(said dismount 1 2 | sed 's/^.*) = //')" "0x80070020 ERROR_SHARING_VIOLATION: files are open" \
	"a dismount that fails tells why"
check "the volume stays" t_mount present 1 2
is "$(letters)" "y 1" "with its letter"
CIMFS_MOUNT_HELPER=/no/such/helper
is "$(said dismount 1 2 | sed 's/^.*) = //')" \
	"0x80070032 ERROR_NOT_SUPPORTED: the helper that CIMFS_MOUNT_HELPER names can't be started: /no/such/helper" \
	"without a helper a dismount fails"
is "$(letters)" "y 1" "the volume keeps its letter then, too"
CIMFS_MOUNT_HELPER=$TEST_TMP/does
is "$(said dismount 1 2 | grep -c ' = 0x80070020 ERROR_SHARING_VIOLATION: ')" 1 \
	"a dismount that fails at its end"
check "the volume is gone" t_mount absent 1 2
is "$(letters)" "" "and so is its letter"

# A mount that fails leaves no letter, nor takes one that there is.
CIMFS_MOUNT_HELPER=$REAL_HELPER
check "a volume is mounted again" t_mount mount "$dos" 1 2
says 72 'x'
t_mount mount "$dos" 2 3 >/dev/null 2>&1
is "$(letters)" "y 1" "a mount that fails leaves letters alone"
CIMFS_MOUNT_HELPER=$REAL_HELPER

# ---- letters ------------------------------------------------------------------------------------------

# The volume is no more, its letter is still there: what a killed server leaves.
lose() { # NUMBER
	rm "$devices/volume{$(guid_of "$1")}"
	chmod -R u+w "$WINEPREFIX/cimfs/volumes/$(guid_of "$1")"
	rm -r "$WINEPREFIX/cimfs/volumes/$(guid_of "$1")"
}
lose 1
is "$(letters)" "y 1" "a lost volume leaves its letter"
check "CIMFS_MOUNT_LETTER=none: another one is mounted" env CIMFS_MOUNT_LETTER=none \
	"$WINE" "$exe" mount "$dos" 2 3
is "$(letters)" "" "the stale letter is gone, without a new one"
t_mount dismount 2 3
for letter in a d g; do
	CIMFS_MOUNT_LETTER=$letter t_mount mount "$dos" 1 2
	is "$(letters)" "$letter 1" "CIMFS_MOUNT_LETTER=$letter"
	lose 1
	t_mount mount "$dos" 2 3
	is "$(letters)" "y 2" "stale, $letter: goes with the next mount"
	CIMFS_MOUNT_LETTER=$letter t_mount mount "$dos" 1 2
	is "$(letters)" "$letter 1,y 2" "and is given again"
	lose 2
	t_mount dismount 1 2
	is "$(letters)" "" "a dismount takes its own letter and a stale one"
done
t_mount mount "$dos" 1 3
is "$(letters)" "x 2,y 1" "two volumes"
lose 1
CIMFS_MOUNT_LETTER=y t_mount mount "$dos" 3 4
is "$(letters)" "x 2,y 3" "a stale letter is free for who wants it; another volume keeps its own"
t_mount dismount 2 4
is "$(letters)" "" "all gone"

# One that is wanted and somebody else's.
ln -s "$TEST_TMP" "$devices/a:"
restart_wine
for letter in a A; do
	CIMFS_MOUNT_LETTER=$letter t_mount mount "$dos" 1 2
	is "$(letters)$(readlink "$devices/a:")" "$TEST_TMP" "CIMFS_MOUNT_LETTER=$letter, which is taken"
	check "the volume is there" t_mount present 1 2
	t_mount dismount 1 2
done
rm "$devices/a:"

# What somebody else's letters lead to is theirs.
mkdir "$TEST_TMP/other"
ln -s "$TEST_TMP/other/volume{$(guid_of 1)}" "$devices/y:"
ln -s "$devices/volume{$(guid_of 1)}x" "$devices/x:"
ln -s "$devices/volume{c1f5abcd-0001-4000-8000-0000000000eg}" "$devices/w:"
ln -s "$TEST_TMP/other" "$devices/v:"
restart_wine
t_mount mount "$dos" 1 2
is "$(find "$devices" -name '[h-y]:' -printf '%f %l\n' | sed "s,$TEST_TMP,T,; s,$devices,D," | sort)" \
	"u: D/volume{$(guid_of 1)}
v: T/other
w: D/volume{c1f5abcd-0001-4000-8000-0000000000eg}
x: D/volume{$(guid_of 1)}x
y: T/other/volume{$(guid_of 1)}" "letters that are another prefix's, or lead elsewhere, stay"
t_mount dismount 1 2
is "$(find "$devices" -name '[h-y]:' -printf '%f ')" "$(find "$devices" -name '[v-y]:' -printf '%f ')" \
	"when the volume goes, too"
rm "$devices/"[v-y]:
restart_wine

# A letter that leads to the volume in another spelling, and a second one.
t_mount mount "$dos" 1 2
ln -s "$devices/volume{$(guid_of 1)}" "$devices/m:"
restart_wine
t_mount dismount 1 2
is "$(letters)" "" "a dismount takes all letters of its volume"

# ---- directories --------------------------------------------------------------------------------------

mkdir -p "$devices/unc/cimtest"
ln -s "$TEST_TMP" "$devices/unc/cimtest/share"
mounts() { # NAME DIRECTORY
	check "an image in $1" t_mount mount "$2" 1 2
	check "$1: dismounted" t_mount dismount 1 2
}
mounts "a share" '\\cimtest\share\images'
mounts "a share, with slashes" '//cimtest/share/images//'
mounts "a share, and dots" '\\cimtest\share\images\..\images\.'
mounts "a share, verbatim" '\\?\UNC\cimtest\share\images\'
mounts "a device's directory" "\\\\.\\$dos"
mounts "a verbatim directory" "\\\\?\\$dos\\"
t_mount image '\\cimtest\share' >/dev/null 2>&1
mounts "a share's root" '\\cimtest\share'
mounts "a share's root with a separator" '\\cimtest\share\'
mkdir "$TEST_TMP/drive"
ln -s "$TEST_TMP/drive" "$devices/q:"
t_mount image 'Q:\' >/dev/null 2>&1
mounts "a drive's root" 'Q:\'
rm "$devices/q:"
is "$(t_mount mount '\\cimtest\none\images' 1 2 >/dev/null; echo $?)" 3 "a share that isn't there: no such path"

# ---- memory -------------------------------------------------------------------------------------------

tap_of "a volume" "$WINE" "$WIN64/tests/dll/t_leaks.exe" volume
is "$(letters)" "" "no letter is left of it"
is "$(files_left)" "" "no file is left at the end"
tap_done
