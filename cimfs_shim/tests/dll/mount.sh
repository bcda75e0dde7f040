#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
#
# mount.sh - CimMountImage under Wine, with each way the helper has to show an image
#
# t_mount.exe and t_volume.exe look at what the conformance suite doesn't (conformance/check.sh, copy.sh).
# Here they are run, and what no program under Wine can do is done: the server is killed, all of
# Wine is, and after each part nothing may be left: no mount, no process, no link, no letter.
. "$(dirname "$0")/../../../scripts/lib/windows.bash"

BUILD=${BUILD:-build}
exe=$WIN64/tests/dll
devices=${WINEPREFIX:?}/dosdevices
export CIMFS_MOUNT_HELPER
CIMFS_MOUNT_HELPER=$(cd "$BUILD" && pwd)/cimfs-mount
unset CIMFS_MOUNT_BACKEND CIMFS_MOUNT_LETTER CIMFS_MOUNT_LETTER_WAIT
[ "$(id -u)" != 0 ] || export CIMTEST_ROOT=1
choose_guids

# What a mount leaves in this prefix: links, state, mounts and servers, one a line.
traces() {
	find "$devices" -maxdepth 1 \( -name 'volume{*' -o -name '[h-y]:' \) -printf '%f\n'
	find "$WINEPREFIX/cimfs/volumes" -mindepth 1 -maxdepth 1 -printf 'state %f\n' 2>/dev/null
	awk '{ print "mount " $5 }' /proc/self/mountinfo | grep -F "$(realpath "$WINEPREFIX")/"
	servers | sed 's/^/process /'
}

servers() { # process IDs
	grep -lzF -e "$devices" /proc/[0-9]*/cmdline 2>/dev/null | sed 's/[^0-9]//g' |
		while read -r id; do
			[ ! "/proc/$id/exe" -ef "$CIMFS_MOUNT_HELPER" ] || echo "$id"
		done
}

# A server ends a moment after its mount.
nothing_left() { # NAME
	local i now
	for ((i = 0; i < 50; i++)); do
		now=$(traces)
		[ "$now" != "$before" ] || break
		sleep 0.1
	done
	is "$now" "$before" "$1"
}

# The servers that weren't there before.
our_servers() {
	servers | grep -vxF -f <(printf 'x\n%s\n' "$before" | sed 's/^process //')
}

# A volume has a link and a directory of its state; one that was never finished only that.
clean_up() {
	find "$devices" "$WINEPREFIX/cimfs/volumes" -maxdepth 1 -name '*c1f5abcd-*' -printf '%f\n' \
		2>/dev/null | sed 's/^volume{//; s/}$//' | sort -u | while read -r guid; do
		"$CIMFS_MOUNT_HELPER" --wine-dismount --dosdevices "$devices" --guid "$guid" \
			>/dev/null 2>&1
	done
}
trap clean_up EXIT

t_mount() {
	timeout 120 "$WINE" "$exe/t_mount.exe" "$@"
}

errors() { # ARGUMENT...: what t_mount says on stderr
	t_mount "$@" >/dev/null 2>"$TEST_TMP/errors"
	cat "$TEST_TMP/errors"
}

new_dir() { # NAME
	dir=$TEST_TMP/$1
	mkdir "$dir"
	dos=$(dos_path "$dir")
}

# What the first program starts lives as long as Wine does: it must not hold a pipe of ours.
restart_wine() {
	"$WINESERVER" -k
	"$WINESERVER" -w
	"$WINESERVER" -p60
	t_mount absent 1 1
} >/dev/null 2>&1

# Kill, and wait until that is done.
end_now() { # PID...
	local pid
	kill -9 "$@"
	for pid; do
		while grep -q '^State:.[^ZX]' "/proc/$pid/status" 2>/dev/null; do sleep 0.02; done
	done
}

lose_servers() {
	local dir
	# shellcheck disable=SC2046
	end_now $(our_servers)
	traces | grep -vxF "$before" | sed -n 's/^mount //p' | while read -r dir; do
		umount -l "$dir"
	done
}

# Dismounting what a reboot has dismounted: done, or nothing to do.
dismounts_lost() { # NUMBER
	t_mount dismount "$1" $(($1 + 1)) || [ $? = 2 ]
	t_mount absent "$1" $(($1 + 1))
}

# A server that was killed, a Wine that was, a machine that was.
test_accidents() {
	local pids
	new_dir "accidents-$1"
	t_mount image "$dos"
	check "$1: a volume mounted by a process that ends" t_mount mount "$dos" 1 2
	check "$1: is there for another one" t_mount present 1 2
	restart_wine
	check "$1: and after all of Wine was killed" t_mount present 1 2
	check "$1: and can be dismounted then" t_mount dismount 1 2
	check "$1: it is gone" t_mount absent 1 2
	nothing_left "$1: nothing is left of it"
	t_mount mount "$dos" 1 3
	pids=$(our_servers)
	is "$(wc -l <<<"$pids")" 2 "$1: a process for each volume"
	# shellcheck disable=SC2086
	end_now $pids
	check "$1: a volume whose process was killed is mounted again" t_mount mount "$dos" 1 2
	check "$1: and whole" t_mount present 1 2
	check "$1: another one is dismounted" t_mount dismount 2 3
	check "$1: and so is the first" t_mount dismount 1 2
	nothing_left "$1: nothing is left of the dead ones"
	if [ "$1" = fuse ]; then
		# What a reboot leaves: links and directories, nothing mounted.
		t_mount mount "$dos" 1 3
		lose_servers
		check "after a reboot a volume is not there" t_mount absent 1 3
		check "but is mounted again" t_mount mount "$dos" 1 2
		check "and whole" t_mount present 1 2
		check "another one is cleared away" dismounts_lost 2
		check "the first is dismounted" t_mount dismount 1 2
		nothing_left "nothing is left from before the reboot"
	fi
}

test_32() {
	if [ -e "$WINEPREFIX/drive_c/windows/syswow64/kernel32.dll" ]; then
		new_dir "win32-$CIMFS_MOUNT_BACKEND"
		tap_of "32-bit" "$WINE" "$WIN32/tests/dll/t_mount.exe" all "$dos"
		nothing_left "32-bit: nothing is left"
	else
		skip "no 32-bit Wine" "32-bit t_mount"
	fi
}

test_backend() { # NAME PARTS
	export CIMFS_MOUNT_BACKEND=$1
	new_dir "$1"
	tap_of "$1" "$WINE" "$exe/t_mount.exe" "$2" "$dos"
	nothing_left "$1: nothing is left of the mounts"
	new_dir "volume-$1"
	tap_of "$1" "$WINE" "$exe/t_volume.exe" "$dos"
	nothing_left "$1: nothing is left of the volume"
	# What is listed is the same for every backend, so it is of the same image.
	listed=${listed:-$dos}
	timeout 120 "$WINE" "$exe/t_volume.exe" list "$listed" 2>/dev/null | tr -d '\r' >"$TEST_TMP/listed-$1"
	is "$(grep -c '^many.file [0-9]*.txt: attributes 20, size 1,.* links 1, volume c1f5abcd$' \
		"$TEST_TMP/listed-$1")" 2000 "$1: a volume is listed"
	nothing_left "$1: nothing is left of that volume"
	test_accidents "$1"
	[ "$2" != all ] || test_32
}

if [ ! -x "$CIMFS_MOUNT_HELPER" ]; then
	skip "cimfs-mount is not built" "mounting under Wine"
	tap_done
fi
before=$(traces)
if no_fuse=$("$TOP/scripts/lib/fuse.py"); then
	test_backend fuse all
	test_backend extract few
	is "$(diff "$TEST_TMP/listed-extract" "$TEST_TMP/listed-fuse" | head)" "" \
		"a copy shows what a mount shows: names, attributes, sizes, times, links, label, serial number"
else
	skip "$no_fuse" "fuse"
	test_backend extract all
fi

# Without FUSE, in a namespace of its own: refused (a device node can't be opened from where devices
# are not allowed), and absent.
refused() {
	unshare -m sh -c 'mount --bind /dev/fuse /dev/fuse &&
		mount -o remount,bind,nodev /dev/fuse && exec "$@"' sh "$@"
}

absent() {
	unshare -m sh -c 'dev=$TEST_TMP/dev && mkdir -p "$dev" && mount -t tmpfs none "$dev" || exit 99
		for node in null zero random urandom full tty; do
			touch "$dev/$node" && mount --bind "/dev/$node" "$dev/$node" || exit 99
		done
		mkdir "$dev/shm" "$dev/pts"
		mount --rbind "$dev" /dev && exec "$@"' sh "$@"
}

test_without() { # HOW STATUS
	local how=$1 status
	new_dir "$how"
	t_mount image "$dos"
	export CIMFS_MOUNT_BACKEND=fuse
	"$how" timeout 60 "$WINE" "$exe/t_mount.exe" mount "$dos" 1 2 >/dev/null 2>&1
	status=$?
	is "$status" "$2" "FUSE is $how: CIMFS_MOUNT_BACKEND=fuse makes that an error"
	check "FUSE is $how: nothing is there" t_mount absent 1 2
	unset CIMFS_MOUNT_BACKEND
	WINEDEBUG=fixme+cimfs "$how" timeout 60 "$WINE" "$exe/t_mount.exe" mount "$dos" 1 2 \
		>"$TEST_TMP/said" 2>&1
	is "$?" 0 "FUSE is $how: an unpacked copy stands in"
	is "$(grep -c 'unpacked copy' "$TEST_TMP/said")" 1 "FUSE is $how: one line says so"
	is "$(grep -c 'fixme:cimfs:.*unpacked copy: .*/dev/fuse' "$TEST_TMP/said")" 1 \
		"FUSE is $how: and why, in Wine's own output"
	check "FUSE is $how: the volume is there" t_mount present 1 2
	check "FUSE is $how: and is dismounted" t_mount dismount 1 2
	nothing_left "FUSE is $how: nothing is left"
}

for how in refused:5 absent:50; do
	if [ -e /dev/fuse ] && "${how%:*}" true 2>/dev/null; then
		test_without "${how%:*}" "${how#*:}"
	else
		skip "no right to mount in a namespace of one's own, or no /dev/fuse" "FUSE is ${how%:*}"
	fi
done

# What the helper says is the cause; how it was mounted is in the trace.
export CIMFS_TRACE=stderr CIMFS_MOUNT_BACKEND=extract
new_dir trace
t_mount image "$dos" 2>/dev/null
is "$(errors mount "$dos" 1 2 | grep -c 'CimMountImage(.*): ok extract /.* letter Y = 0x00000000 S_OK')" 1 \
	"the trace tells backend, place and letter"
is "$(errors mount "$dos" 1 2 | grep -c ' = 0x800700b7 ERROR_ALREADY_EXISTS: .')" 1 \
	"and the helper's words for a failure"
is "$(errors mount "$dos" 1 2 | grep -c 'cimfs-mount')" 0 \
	"which the helper itself doesn't tell the program's stderr"
is "$(CIMFS_MOUNT_HELPER=/no/such/helper errors mount "$dos" 2 3 |
	grep -c "ERROR_NOT_SUPPORTED: the helper that CIMFS_MOUNT_HELPER names can't be started: /no/such/helper")" \
	1 "a helper that is missing is named"
is "$(CIMFS_MOUNT_LETTER=z errors mount "$dos" 2 3 | grep -c 'has no drive letter: none is free')" 1 \
	"a volume without a letter has a line"
unset CIMFS_TRACE
is "$(WINEDEBUG=fixme+cimfs CIMFS_MOUNT_LETTER=z errors mount "$dos" 3 4 |
	grep -c 'fixme:cimfs:.*has no drive letter')" 1 "in Wine's own output as well"
check "dismounted" t_mount dismount 1 4
nothing_left "nothing is left of these"

# A letter's effect, for a program that asks in its first second.
check "CIMFS_MOUNT_LETTER_WAIT=1: a volume has its information as soon as it is mounted" \
	env CIMFS_MOUNT_LETTER_WAIT=1 "$WINE" "$exe/t_mount.exe" ask "$dos" 1 3
check "dismounted" t_mount dismount 1 3

# Who dismounts without Wine can't ask its mount manager.
unset CIMFS_MOUNT_BACKEND
new_dir "without wine"
t_mount image "$dos"
letter_of() { # NUMBER: the letter that leads to that volume
	find "$devices" -maxdepth 1 -name '?:' -lname "*/volume{$(guid_of "$1")}" -printf '%f\n'
}
for how in umount clean killed; do
	if [ "$how" != umount ] && [ -n "$no_fuse" ]; then
		skip "$no_fuse" "$how: letters"
		continue
	fi
	t_mount mount "$dos" 1 2
	is "$(letter_of 1)" y: "$how: a volume has the letter Y"
	case $how in
	umount)
		check "cimtool umount" "$BUILD/cimtool" umount "$(guid_of 1)"
		is "$(letter_of 1)" "" "cimtool umount: its letter is gone"
		;;
	clean)
		lose_servers
		check "cimtool mounts --clean" "$BUILD/cimtool" mounts --clean
		is "$(letter_of 1)" "" "cimtool mounts --clean: its letter is gone"
		;;
	killed) lose_servers ;;
	esac
	check "$how: another volume is mounted" t_mount mount "$dos" 2 3
	is "$(letter_of 1),$(letter_of 2)" ",y:" "$how: it has the letter now, and the first one none"
	check "$how: dismounted" t_mount dismount 2 3
	t_mount dismount 1 2
	nothing_left "$how: no letter is left"
done

# A helper of another time.
cat >"$TEST_TMP/old-helper" <<'END'
#!/bin/sh
for word; do [ "$word" != --reparse ] || { echo "unknown option" >&2; exit 2; }; done
END
chmod +x "$TEST_TMP/old-helper"
is "$(CIMFS_TRACE=stderr CIMFS_MOUNT_HELPER=$TEST_TMP/old-helper errors mount "$dos" 1 2 |
	grep -c "ERROR_NOT_SUPPORTED: $TEST_TMP/old-helper is of another version than this cimfs.dll, which is [0-9.]*: install both anew")" \
	1 "a helper that doesn't know what it is asked: that the two don't match"
nothing_left "nothing is left at the end"
tap_done
