#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# access.sh - E_ACCESSDENIED and ERROR_DISK_FULL, provoked
#
# Root may write anywhere, so "no right" needs a read-only mount or the immutable attribute; anybody
# else takes the right away from the directory. What this machine can't set up is skipped.
. "$(dirname "$0")/../../../scripts/lib/windows.bash"

exe=$WIN64/tests/dll/t_access.exe
mounted=()
immutable=()

clean_up() {
	local dir
	for dir in "${immutable[@]}"; do chattr -i "$dir"; done
	for dir in "${mounted[@]}"; do umount "$dir" || umount -l "$dir"; done
} >/dev/null 2>&1
trap clean_up EXIT

make_image() { # DIR
	mkdir -p "$1"
	timeout 60 "$WINE" "$exe" make "$(dos_path "$1")" || { echo "Bail out! no image in $1"; exit 1; }
}

# A read-only bind mount.
dir=$TEST_TMP/readonly
make_image "$dir"
if [ "$(id -u)" = 0 ] && mount --bind "$dir" "$dir" 2>/dev/null; then
	mounted+=("$dir")
	mount -o remount,ro,bind "$dir"
	tap_of "read-only mount" "$WINE" "$exe" denied "$(dos_path "$dir")"
else
	skip "no right to mount" "read-only mount"
fi

# The immutable attribute.
dir=$TEST_TMP/immutable
make_image "$dir"
if [ "$(id -u)" = 0 ] && chattr +i "$dir" 2>/dev/null; then
	immutable+=("$dir")
	tap_of "immutable directory" "$WINE" "$exe" denied "$(dos_path "$dir")"
else
	skip "this file system or user has no chattr +i" "immutable directory"
fi

# Permissions, which don't bind root.
dir=$TEST_TMP/mode
make_image "$dir"
if [ "$(id -u)" != 0 ]; then
	chmod 555 "$dir"
	tap_of "directory of mode 555" "$WINE" "$exe" denied "$(dos_path "$dir")"
	chmod 755 "$dir"
else
	skip "permissions don't bind root" "directory of mode 555"
fi

# A region file that Windows' rules keep from being opened as a file, whoever asks: a directory.
dir=$TEST_TMP/held
make_image "$dir"
for file in "$dir"/region_*_2; do rm "$file" && mkdir "$file"; done
tap_of "region file that can't be opened" "$WINE" "$exe" held "$(dos_path "$dir")"

# A small file system.
dir=$TEST_TMP/small
mkdir "$dir"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=6m none "$dir" 2>/dev/null; then
	mounted+=("$dir")
	make_image "$dir"
	tap_of "full file system" "$WINE" "$exe" full "$(dos_path "$dir")"
	dd if=/dev/zero of="$dir/ballast" bs=4096 2>/dev/null
	tap_of "no space at all" "$WINE" "$exe" nospace "$(dos_path "$dir")"
else
	skip "no right to mount" "full file system"
fi
tap_done
