#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The demo in small: pack.exe on a tree that has a bit of everything, then cimtool, packed.py and
# mnt.exe. And the two that compare: they must find what is then changed behind their back.
export WINEDEBUG=-all
. "$(dirname "$0")/../../../scripts/lib/windows.bash"
. "$TOP/conformance/clients/c/tree.bash"

cd "$TOP" || exit 1
BUILD=${BUILD:-build}
export BUILD WINEPREFIX=${WINEPREFIX:-$TOP/build/prefix-check}
packed=conformance/clients/c/packed.py

# ok STATUS NAME: a check, with what the last program said where it failed
ok() {
	result "$@"
	[ "$1" = 0 ] || head -n 30 "$TEST_TMP/said" | sed 's/^/#   /'
}

said() {
	timeout 300 "$@" >"$TEST_TMP/said" 2>&1 </dev/null
}

if [ -n "$WINE_MISSING" ]; then
	skip "$WINE_MISSING" "the demo"
	tap_done
fi

# ---- a tree that has a bit of everything, and real programs

source=$TEST_TMP/source
make_tree "$source"
can_hide=$?
cp -r "$WINEPREFIX/drive_c/windows/system32/drivers" "$source/drivers" 2>/dev/null

# ---- pack, verify, compare

cp build/win64/clients/pack.exe build/win64/clients/mnt.exe build/win64/cimfs.dll "$TEST_TMP/"
images=$TEST_TMP/images
said "$WINE" "$TEST_TMP/pack.exe" --source "$(dos_path "$source")" --images "$(dos_path "$images")" \
	--name small.cim --delete 'b\c'
ok $? "pack.exe packs, extends and forks"
bytes=$(sed -n 's/^packed .* \([0-9]*\) bytes in .*/\1/p' "$TEST_TMP/said")

for image in small.cim small_fork.cim; do
	said "$BUILD/cimtool" verify --deep "$images/$image"
	ok $? "cimtool verify --deep $image"
done

compare() {
	said "$packed" "$images/manifest.tsv" "$source" "$images" "${1-small.cim}"
}

compare
ok $? "both images equal the source and what pack.exe noted"
! grep '^CHANGED' "$TEST_TMP/said"
ok $? "and in the source nothing has changed"
grep -q '^compared [1-9]' "$TEST_TMP/said"
ok $? "something was compared"
grep -q '2 further hard links' "$TEST_TMP/said"
ok $? "the source's hard links were kept as such"
if [ $can_hide = 0 ]; then
	grep -q '^file.b.hidden.00000026' "$images/manifest.tsv"
	ok $? "pack.exe saw a hidden system file"
else
	skip "no user attributes here" "pack.exe saw a hidden system file"
fi

# ---- the same through mounted volumes

CIMFS_MOUNT_HELPER=$(cd "$BUILD" && pwd)/cimfs-mount
export CIMFS_MOUNT_HELPER

mounted() {
	said "$WINE" "$TEST_TMP/mnt.exe" --source "$(dos_path "$source")" \
		--images "$(dos_path "$images")" --name small.cim --program "${1-}"
}

volumes_left() {
	find "$WINEPREFIX/dosdevices" -name 'volume{*'
	grep -F "$(realpath "$WINEPREFIX")/" /proc/self/mountinfo
}

mounted
ok $? "mnt.exe finds both images equal to the source, through volumes"
[ "$(grep -c '^small.*: mounted in .* [1-9][0-9]* files,.* bytes compared' "$TEST_TMP/said")" = 2 ]
ok $? "something was compared in each"
grep -q "^small.cim: .* $((bytes + 2 * 4097)) bytes compared" "$TEST_TMP/said"
ok $? "mnt.exe compares as many bytes as pack.exe packed, and those of each hard link"
volumes_left >"$TEST_TMP/said"
[ ! -s "$TEST_TMP/said" ]
ok $? "nothing stays mounted"
mounted 'no such program.exe'
[ $? = 1 ] && grep -q 'CreateProcess.*0x80070002' "$TEST_TMP/said"
ok $? "mnt.exe says which function failed"
volumes_left >"$TEST_TMP/said"
[ ! -s "$TEST_TMP/said" ]
ok $? "and nothing stays mounted then"

# ---- the same in one file, sealed

container=$TEST_TMP/one.bcim
in_container() { # PROGRAM OPTION...
	said "$WINE" "$TEST_TMP/$1.exe" --source "$(dos_path "$source")" --images "$(dos_path "$images")" \
		--container "$(dos_path "$container")" --name small.cim "${@:2}"
}

in_container pack --delete 'b\c'
ok $? "pack.exe packs, extends and forks in a container, and seals it"
said "$BUILD/cimtool" verify --deep --root-hash="$(sed -n 's/^seal\tsmall.cim\t//p' "$container.tsv")" \
	"$container"
[ $? = 0 ] && [ "$(grep -c "^$container/small.*: ok " "$TEST_TMP/said")" = 2 ]
ok $? "cimtool verify --deep finds both images as they were sealed"
said "$packed" "$container.tsv" "$source" "$container" small.cim
ok $? "they equal the source and what pack.exe noted"
cp "$container.tsv" "$TEST_TMP/kept.tsv"
in_container pack --delete 'b\c'
[ $? = 1 ] && cmp -s "$container.tsv" "$TEST_TMP/kept.tsv"
ok $? "a second time pack.exe fails, and leaves the manifest of the first"
in_container mnt --program ''
[ $? = 0 ] && [ "$(grep -c '^small.*: refused with another root hash (0x800701D6)' "$TEST_TMP/said")" = 2 ] &&
	[ "$(grep -c "^small.cim: .* $((bytes + 2 * 4097)) bytes compared" "$TEST_TMP/said")" = 1 ]
ok $? "mnt.exe mounts them by the root hash, by no other, and finds every file equal"
cp "$container" "$TEST_TMP/kept.bcim"
python3 - "$source/b/size 4097" "$container" <<'END'
import sys
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "r+b") as container:
    data = container.read()
    at = data.index(source.read())
    container.seek(at)
    container.write(bytes([data[at] ^ 1]))
END
ok $? "a byte of a file is changed in the container"
in_container mnt --program ''
[ $? = 1 ] && grep -q '^DIFFERENT small.cim' "$TEST_TMP/said"
ok $? "mnt.exe notices a byte that isn't as it was sealed"
mv "$TEST_TMP/kept.bcim" "$container"
sed -i '/^seal\t/s/[^f]$/f/;t;/^seal\t/s/f$/0/' "$container.tsv"
in_container mnt --program ''
[ $? = 1 ] && grep -q 'CimMountVerifiedImage.*0x800701D6' "$TEST_TMP/said" &&
	! grep -q '[[:blank:]][[:cntrl:]]*$' "$TEST_TMP/said"
ok $? "and a seal that isn't the one that pack.exe noted"
volumes_left >"$TEST_TMP/said"
[ ! -s "$TEST_TMP/said" ]
ok $? "nothing stays mounted"

# ---- a source that has changed since it was packed

printf 'X' | dd of="$source/b/size 196625" bs=1 conv=notrunc status=none
echo new >"$source/b/c/new"
mv "$source/b/c/d" "$TEST_TMP/gone"
touch "$source"
told='b.c has changed|b.size 196625 has changed|b.c.d is gone|b.c.new: in the source, but was not packed'
compare
[ $? = 0 ] && [ "$(grep -cE "^CHANGED .*($told|source/ has changed)" "$TEST_TMP/said")" = 5 ]
ok $? "packed.py tells what has changed in the source since, and holds the image to what pack.exe read"
mounted
[ $? = 0 ] && ! grep '^DIFFERENT' "$TEST_TMP/said" &&
	[ "$(grep -c '^CHANGED small.cim: ' "$TEST_TMP/said")" = 5 ] &&
	grep -qF 'CHANGED small_fork.cim: \: the source has changed since' "$TEST_TMP/said"
ok $? "mnt.exe does the same, and calls the root by a name"
cp "$images/manifest.tsv" "$TEST_TMP/manifest"
sed -i 's/^\(dir\t\t[0-9a-f]*\t0\t[0-9]*\t\)[0-9]*/\11/' "$images/manifest.tsv"
compare
[ $? = 1 ] && grep -q '^DIFFERENT /: last write time' "$TEST_TMP/said"
ok $? "packed.py still notices an image that has not what pack.exe read"
mounted
[ $? = 1 ] && grep -qF 'DIFFERENT small.cim: \: another time of writing' "$TEST_TMP/said"
ok $? "so does mnt.exe"
cp "$TEST_TMP/manifest" "$images/manifest.tsv"
rm "$source/b/c/new"
mv "$TEST_TMP/gone" "$source/b/c/d"
# From here on the source is at fault: as if all of it were older than the packing.
sed -i 's/^phase\tpack\t.*/phase\tpack\t9000000000000000000/' "$images/manifest.tsv"

# ---- does the comparison notice?

# notices NAME: it must now answer 1, by a line that holds $2
notices() {
	compare
	if [ $? = 1 ] && grep -q "^DIFFERENT.*$2" "$TEST_TMP/said"; then
		ok 0 "packed.py notices $1"
	else
		ok 1 "packed.py notices $1"
	fi
}

cp -a "$source/b/size 4096" "$TEST_TMP/kept"
printf 'X' | dd of="$source/b/size 4096" bs=1 seek=4000 conv=notrunc status=none
touch -r "$TEST_TMP/kept" "$source/b/size 4096"
notices "a byte of a source file" "size 4096: data"
mounted
[ $? = 1 ] && [ "$(grep -c '^DIFFERENT.*size 4096: other bytes' "$TEST_TMP/said")" = 2 ]
ok $? "mnt.exe notices it too, in both volumes"
grep -q '^DIFFERENT small.cim.*size 4096: CimReadFile tells other bytes' "$TEST_TMP/said"
ok $? "and without a volume"
touch "$source/b/size 0"
notices "a source file's new time" "size 0: last write"
chmod 644 "$source/b/fixed"
notices "a source file that isn't read-only any more" "fixed: read-only"
echo new >"$source/b/new"
notices "a file that was not packed" "b/new: in the source"
mounted
[ $? = 1 ] && grep -q '^DIFFERENT small.cim: .b.new: is missing' "$TEST_TMP/said"
ok $? "mnt.exe notices it too"
rm "$source/b/new"
sed -i 's/^\(stream\t.*\tfirst\t\)69/\168/' "$images/manifest.tsv"
notices "a stream with other bytes" "size 4096: alternate stream: other bytes"
mounted
[ $? = 1 ] && [ "$(grep -c '^DIFFERENT.*size 4096:first: other bytes in the stream' "$TEST_TMP/said")" = 2 ]
ok $? "mnt.exe notices it too, in both volumes"
sed -i 's/^\(file\tb\\largest\t\)[0-9a-f]*/\100000023/' "$images/manifest.tsv"
notices "other attributes in the manifest" "largest: attributes"
sed -i '/^file\tb\\size 1048577\t/d' "$images/manifest.tsv"
notices "an item that nobody put into the image" "size 1048577: nobody"
# the sets of the extension and of the fork have empty data regions: a header of 40 bytes
find "$images" -name 'region_*_1' -size -64c -exec truncate -s +65536 {} +
notices "a renamed copy that cost data" "renamed copy of 3145728 bytes cost data"
cp -al "$images" "$TEST_TMP/swapped"
rm "$TEST_TMP/swapped/small_fork.cim"
cp "$images/small.cim" "$TEST_TMP/swapped/small_fork.cim"
images=$TEST_TMP/swapped
notices "a fork in which nothing was deleted" "small_fork.cim: b/c: nobody"

# ---- usage

said "$WINE" "$TEST_TMP/pack.exe" --help
ok $? "pack.exe --help"
said "$WINE" "$TEST_TMP/pack.exe" --nonsense
[ $? = 2 ]
ok $? "pack.exe refuses an unknown option with status 2"
said "$WINE" "$TEST_TMP/pack.exe" --step nonsense
[ $? = 2 ]
ok $? "and an unknown step"
said "$WINE" "$TEST_TMP/pack.exe" --source 'C:\no such directory' --images "$(dos_path "$images")" \
	--name other.cim
[ $? = 1 ] && grep -q 'CreateFile.*no such directory.*0x80070002' "$TEST_TMP/said"
ok $? "pack.exe says which function failed, on what, and why"
for option in --images --container; do
	said "$WINE" "$TEST_TMP/pack.exe" --source 'C:\no such directory' --images "$(dos_path "$TEST_TMP/none")" \
		"$option" "$(dos_path "$TEST_TMP/none")"
	[ $? = 1 ] && grep -q 'CreateFile.*no such directory.*0x80070002' "$TEST_TMP/said" && [ ! -e "$TEST_TMP/none" ]
	ok $? "without a source nothing is made of $option"
done
said "$WINE" "$TEST_TMP/pack.exe" --source "$(dos_path "$source")" --images "$(dos_path "$images")" \
	--name small.cim
[ $? = 1 ] && grep -q 'CimCreateImage(small.cim): 0x80070050' "$TEST_TMP/said"
ok $? "pack.exe doesn't replace an image that is there"
said "$WINE" "$TEST_TMP/mnt.exe" --help
ok $? "mnt.exe --help"
said "$WINE" "$TEST_TMP/mnt.exe" --nonsense
[ $? = 2 ]
ok $? "mnt.exe refuses an unknown option with status 2"
said "$packed"
[ $? = 2 ]
ok $? "packed.py without arguments says how it is used"

tap_done
