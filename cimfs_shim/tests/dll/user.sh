#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
#
# user.sh - CimMountImage under Wine for an unprivileged user, in a prefix of his own
#
# The other tests of mounting run as whoever runs the tests, which is often root. Here root becomes
# nobody, who mounts through fusermount3; where /dev/fuse is root's alone, a node of the test's own
# stands in its place, in a mount namespace that nobody else sees. A second one, which nobody may not
# open, shows that a copy takes the mount's place. Only here does the test see that a copy refuses to
# be written, for nothing refuses root.
#
#   user.sh                what run-tests runs
#   user.sh enter MODE COMMAND...
#                          (root) become that user, with a /dev/fuse of that mode
#   user.sh may|may-not    (the user) the checks with, and without, the right to open /dev/fuse
#   user.sh suite BACKEND  (the user) what the conformance suite says of volumes
. "${TOP:-$(dirname "$0")/../../..}/scripts/lib/windows.bash"

NOBODY=65534
home=$TEST_TMP/home
helper=$home/cimfs-mount
self=$home/tests/user.sh
[ "$(id -u)" != $NOBODY ] || tap_said=$home/said-last

if [ "${1-}" = enter ]; then
	mode=$2
	shift 2
	# shellcheck disable=SC2016
	exec unshare -m sh -ec '
		[ -e "$1" ] || mknod -m "$0" "$1" c 10 229
		mount --bind "$1" /dev/fuse
		shift
		exec "$@"' "$mode" "$TEST_TMP/fuse-$mode" \
		setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups \
		env -u DISPLAY -u XDG_RUNTIME_DIR -u CIMFS_MOUNT_BACKEND -u CIMFS_MOUNT_LETTER -u CIMFS_MOUNT_LETTER_WAIT \
		-u CIMTEST_ROOT \
		HOME="$home" WINEPREFIX="$home/prefix" WINEDEBUG=-all CIMFS_MOUNT_HELPER="$helper" \
		WINEDLLOVERRIDES="winemenubuilder.exe,mscoree,mshtml=" TOP="$home" TEST_TMP="$TEST_TMP" \
		"$@"
fi

# ---- as the user -----------------------------------------------------------------------------------

# What mounting leaves: links, state, mounts, and processes of the helper.
traces() {
	local exe
	find "$WINEPREFIX/dosdevices" \( -name 'volume*' -o -name '[h-y]:' \) -printf '%f\n'
	find "$WINEPREFIX" -maxdepth 1 -name cimfs -printf '%f\n'
	grep -F "$(realpath "$WINEPREFIX")/" /proc/self/mountinfo
	for exe in /proc/[0-9]*/exe; do
		[ ! "$exe" -ef "$helper" ] || echo "process $exe"
	done
}

nothing_left() { # NAME
	local i now
	for ((i = 0; i < 50; i++)); do
		now=$(traces)
		[ -n "$now" ] || break
		sleep 0.1
	done
	is "$now" "" "$1"
}

new_dir() { # NAME
	dir=$home/$1
	mkdir "$dir"
	dos=$(dos_path "$dir")
}

volume_works() { # BACKEND NAME
	[ "$1" = auto ] || export CIMFS_MOUNT_BACKEND=$1
	tap_of "$2" "$self" suite "$1"
	new_dir "volume-$2"
	tap_of "$2" "$WINE" "$home/tests/t_volume.exe" "$dos"
	unset CIMFS_MOUNT_BACKEND
	nothing_left "$2: nothing is left"
}

end_wine() {
	"$WINESERVER" -k
	"$WINESERVER" -w
} 2>/dev/null

case ${1-} in
suite)
	copy=() filters=()
	[ "$2" != extract ] || copy=(--copy)
	for id in Mount/{Volume,GuidInUse,ForkOfAMountedImage,CommitAfterDismount} Dismount/{Twice,OpenHandles} \
		Volume/{O,Read,NeverWritten,StreamsBy,LoadL,CreateP,Attributes,Times,Names,Dir,NotF,HardL,Symb,LongP,Noth}'*'; do
		filters+=(--filter "$id")
	done
	"$WINE" "$home/tests/cimfs-conformance.exe" --dll "$home/tests/cimfs.dll" --tap "${filters[@]}" |
		"$home/tests/limits.py" "${copy[@]}"
	exit
	;;
may)
	trap end_wine EXIT
	is "$(id -u)" $NOBODY "the user is nobody"
	volume_works fuse mount
	volume_works extract copy
	tap_done
	;;
may-not)
	trap end_wine EXIT
	new_dir denied
	"$WINE" "$home/tests/t_mount.exe" image "$dos"
	CIMFS_MOUNT_BACKEND=fuse timeout 60 "$WINE" "$home/tests/t_mount.exe" mount "$dos" 1 2 >/dev/null 2>&1
	is "$?" 5 "CIMFS_MOUNT_BACKEND=fuse: ERROR_ACCESS_DENIED"
	nothing_left "which leaves nothing"
	WINEDEBUG=fixme+cimfs timeout 60 "$WINE" "$home/tests/t_mount.exe" mount "$dos" 1 2 \
		>"$home/said" 2>&1
	is "$?" 0 "an unpacked copy stands in"
	is "$(grep -c 'fixme:cimfs:.*unpacked copy: .*no right to open /dev/fuse' "$home/said")" 1 \
		"and a line says why"
	check "the volume is there" timeout 60 "$WINE" "$home/tests/t_mount.exe" present 1 2
	check "and is dismounted" timeout 60 "$WINE" "$home/tests/t_mount.exe" dismount 1 2
	nothing_left "nothing is left"
	tap_done
	;;
esac

# ---- as root -------------------------------------------------------------------------------------

# What the user needs, with a way there that is open to all: not in a checkout in root's home.
can_be_user() {
	local said
	if [ "$(id -u)" != 0 ]; then
		echo "not root, who can become another user"
	elif ! command -v fusermount3 >/dev/null || ! command -v setpriv >/dev/null; then
		echo "no fusermount3 (Debian package fuse3) or no setpriv"
	elif ! setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups test -x "$helper"; then
		echo "user nobody can't reach $home"
	elif ! said=$("$self" enter 666 true 2>&1); then
		echo "no node of the test's own can stand in for /dev/fuse: $said"
	elif ! said=$("$self" enter 666 "$home/scripts/lib/fuse.py" 2>&1); then
		echo "user nobody can't mount: $said"
	elif ! said=$("$self" enter 666 "$home/scripts/lib/wine.sh" --print 2>&1); then
		echo "user nobody has no Wine: $said"
	fi
}

mkdir -p "$home"/{tests,prefix,scripts/lib}
cp "${BUILD:-build}/cimfs-mount" "$helper"
cp "$WIN64"/tests/dll/{t_mount,t_volume}.exe "$WIN64"/tests/dll/*.dll "$WIN64/conformance/cimfs-conformance.exe" \
	"$TOP/conformance/limits.py" "$TOP/cimfs_shim/tests/dll/user.sh" "$home/tests"
cp "$TOP"/scripts/lib/{{tap,windows}.bash,wine.sh,fuse.py} "$home/scripts/lib"
[ "$(id -u)" != 0 ] || chown -R $NOBODY:$NOBODY "$home"
why=$(can_be_user | tr '\n' ' ')
if [ -n "$why" ]; then
	skip "$why" "mounting under Wine as an unprivileged user"
	tap_done
fi

# Wine's server has a directory in /tmp for each user.
sockets=/tmp/.wine-$NOBODY
[ ! -e "$sockets" ] || sockets=
end_all() {
	setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups env HOME="$home" WINEPREFIX="$home/prefix" \
		"$WINESERVER" -k 2>/dev/null
	[ -z "$sockets" ] || rm -rf "$sockets"
}
trap end_all EXIT

as_user() { # MODE WHAT
	# A file, not a pipe, which Wine's server could hold.
	"$self" enter "$1" bash -c '"$WINE" wineboot -i >/dev/null 2>&1; exec "$0" "$@"' "$self" "$2" \
		>"$TEST_TMP/$2" 2>&1
	tap_of "a user who $2 open /dev/fuse" cat "$TEST_TMP/$2"
}

as_user 666 may
as_user 600 may-not
tap_done
