#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
#
# install.sh - scripts/install-wine puts the DLLs into a prefix and takes them out again
#
# On made-up prefixes first, as one needs nothing but the directories and the registry file; then on
# a real one, in which a program finds the DLL.
. "$(dirname "$0")/../../../scripts/lib/windows.bash"

script=$TOP/scripts/install-wine

new_prefix() { # NAME ARCH [DIR...]
	local prefix=$TEST_TMP/$1 dir
	mkdir -p "$prefix/drive_c/windows/system32"
	printf 'WINE REGISTRY Version 2\n\n#arch=%s\n' "$2" >"$prefix/system.reg"
	shift 2
	for dir in "$@"; do mkdir -p "$prefix/drive_c/windows/$dir"; done
}

files() { # NAME
	(cd "$TEST_TMP/$1/drive_c/windows" && find . -type f | LC_ALL=C sort | tr '\n' ' ')
}

install() { # NAME OPTION...
	local prefix=$TEST_TMP/$1
	shift
	WINEPREFIX=$prefix "$script" "$@" >"$TEST_TMP/out" 2>"$TEST_TMP/err"
}

fails() { # NAME OPTION...: with one line on stderr
	! install "$@" && [ "$(wc -l <"$TEST_TMP/err")" = 1 ]
}

new_prefix both win64 syswow64
check "a 64-bit prefix with syswow64" install both
is "$(files both)" "./system32/cimfs.dll ./syswow64/cimfs.dll " "both DLLs are there"
check "the 64-bit one in system32" cmp "$WIN64/cimfs.dll" \
	"$TEST_TMP/both/drive_c/windows/system32/cimfs.dll"
check "the 32-bit one in syswow64" cmp "$WIN32/cimfs.dll" \
	"$TEST_TMP/both/drive_c/windows/syswow64/cimfs.dll"
check "a second time" install both
is "$(files both)" "./system32/cimfs.dll ./syswow64/cimfs.dll " "nothing else has come"
check "--with-cimwriter" install both --with-cimwriter
is "$(files both)" \
	"./system32/cimfs.dll ./system32/cimwriter.dll ./syswow64/cimfs.dll ./syswow64/cimwriter.dll " \
	"and cimwriter.dll"
check "--uninstall" install both --uninstall
is "$(files both)" "" "nothing is left, cimwriter.dll included"
check "--uninstall again" install both --uninstall

new_prefix only64 win64
check "a 64-bit prefix without syswow64" install only64
is "$(files only64)" "./system32/cimfs.dll " "the 64-bit DLL alone"

new_prefix only32 win32
check "a 32-bit prefix" install only32
check "has the 32-bit DLL in system32" cmp "$WIN32/cimfs.dll" \
	"$TEST_TMP/only32/drive_c/windows/system32/cimfs.dll"

# A DLL of somebody else.
new_prefix foreign win64
echo "somebody else's" >"$TEST_TMP/foreign/drive_c/windows/system32/cimfs.dll"
check "another cimfs.dll is not replaced" fails foreign
is "$(cat "$TEST_TMP/foreign/drive_c/windows/system32/cimfs.dll")" "somebody else's" "it is there"
check "nor removed" fails foreign --uninstall
check "--force replaces it" install foreign --force
check "by ours" cmp "$WIN64/cimfs.dll" "$TEST_TMP/foreign/drive_c/windows/system32/cimfs.dll"
check "--uninstall then" install foreign --uninstall
is "$(cat "$TEST_TMP/foreign/drive_c/windows/system32/cimfs.dll")" "somebody else's" \
	"puts the other one back"

mkdir -p "$TEST_TMP/noprefix/drive_c"
check "what is no prefix is refused in one line" fails noprefix
check "so is what doesn't exist" fails missing
check "and an unknown option" fails both --no-such-option
check "--help" install both --help
check "--help tells the options" grep -q -e --with-cimwriter "$TEST_TMP/out"

# A path with spaces; a relative one.
new_prefix "a b" win64
check "a prefix with a space in its path" install "a b"
new_prefix relative win64
check "a relative WINEPREFIX" bash -c "cd '$TEST_TMP' && WINEPREFIX=relative '$script'"
is "$(files relative)" "./system32/cimfs.dll " "is where it is meant"

# An installed copy: the script and, beside it, lib/cimfs.
root=$TEST_TMP/usr
mkdir -p "$root/bin" "$root/lib/cimfs/x86_64-windows" "$root/lib/cimfs/i686-windows"
cp "$script" "$root/bin/cimfs-install-wine"
cp "$WIN64"/*.dll "$root/lib/cimfs/x86_64-windows"
cp "$WIN32"/*.dll "$root/lib/cimfs/i686-windows"
new_prefix installed win64 syswow64
check "from an installed copy" env WINEPREFIX="$TEST_TMP/installed" "$root/bin/cimfs-install-wine"
is "$(files installed)" "./system32/cimfs.dll ./syswow64/cimfs.dll " "the same files"

# The helper in lib/cimfs goes along; this one is a stand-in that notes what it is asked.
cat >"$root/lib/cimfs/cimfs-mount" <<'END'
#!/bin/sh
echo "$*" >>"$(dirname "$0")/asked"
rm -rf "$3/volume{$5}" "$3/../cimfs/volumes/$5"
END
chmod +x "$root/lib/cimfs/cimfs-mount"
prefix=$TEST_TMP/installed
installed() { WINEPREFIX=$prefix "$root/bin/cimfs-install-wine" "$@" 2>"$TEST_TMP/err"; }
installed --bogus
is "$(cut -d: -f1 "$TEST_TMP/err")" cimfs-install-wine "an error is by the name it was called by"
check "with the helper" installed
check "which is in the prefix" test -x "$prefix/cimfs/bin/cimfs-mount"
check "a second time" installed
guid=00000000-1111-2222-3333-444444444444
mkdir -p "$TEST_TMP/volume" "$prefix/dosdevices"
ln -s ../drive_c "$prefix/dosdevices/c:"
ln -s "$TEST_TMP/volume" "$prefix/dosdevices/volume{$guid}"
ln -s "$prefix/dosdevices/volume{$guid}" "$prefix/dosdevices/y:"
refused() { ! installed --uninstall && grep -q "volume {$guid} is mounted" "$TEST_TMP/err"; }
check "--uninstall is refused while a volume is mounted" refused
check "and removes nothing then" test -e "$prefix/drive_c/windows/system32/cimfs.dll"
check "--uninstall --force" installed --uninstall --force
is "$(cat "$prefix/cimfs/bin/asked")" \
	"--wine-dismount --dosdevices $prefix/dosdevices --guid $guid" "has the helper dismount it"
is "$(ls "$prefix/dosdevices")" "c:" "its link and its letter are gone, C: is not"
rm "$prefix/cimfs/bin/asked"
check "installed again" installed
ln -s "$TEST_TMP/nowhere" "$prefix/dosdevices/volume{$guid}"
check "a volume whose server is gone doesn't stop --uninstall" installed --uninstall
is "$(ls "$prefix/dosdevices")" "c:" "its link is gone"
rm -f "$prefix/cimfs/bin/asked"
check "installed again, after that" installed
mkdir -p "$prefix/cimfs/volumes/$guid/mnt/root"
check "a volume that was never finished doesn't stop --uninstall either" installed --uninstall
is "$(cat "$prefix/cimfs/bin/asked")" \
	"--wine-dismount --dosdevices $prefix/dosdevices --guid $guid" "it has the helper dismounted it"
check "its state is gone" test ! -e "$prefix/cimfs/volumes/$guid"
check "installed for a volume that stays" installed
sed -i 's/^rm .*/exit 69/' "$root/lib/cimfs/cimfs-mount"
cp "$root/lib/cimfs/cimfs-mount" "$prefix/cimfs/bin"
mkdir -p "$prefix/cimfs/volumes/$guid"
being_mounted() { ! installed --uninstall && grep -q "volume {$guid} is being mounted" "$TEST_TMP/err"; }
check "--uninstall is refused while a volume is being mounted" being_mounted
check "and removes nothing then either" test -e "$prefix/drive_c/windows/system32/cimfs.dll"
mv "$root/lib/cimfs/cimfs-mount" "$TEST_TMP/aside"
rm "$prefix/cimfs/bin/cimfs-mount"
mkdir -p "$prefix/cimfs/volumes/$guid/mnt/root/sub"
chmod 500 "$prefix/cimfs/volumes/$guid/mnt/root"
check "without a helper --uninstall takes remains away by itself" installed --uninstall
check "all of them" test ! -e "$prefix/cimfs/volumes"
mv "$TEST_TMP/aside" "$root/lib/cimfs/cimfs-mount"
rm -f "$prefix/cimfs/bin/asked"
rmdir "$prefix/cimfs/bin" "$prefix/cimfs"
check "installed once more" installed
check "--uninstall" installed --uninstall
check "takes the helper's directory along" test ! -e "$prefix/cimfs"
rm "$root/lib/cimfs/cimfs-mount"
without() { installed && grep -q 'no cimfs-mount' "$TEST_TMP/err"; }
check "without a helper it says so" without
rm -r "$root/lib/cimfs"
check "a copy without its DLLs says so" bash -c \
	"! WINEPREFIX='$TEST_TMP/installed' '$root/bin/cimfs-install-wine' 2>'$TEST_TMP/err' &&
	[ \$(wc -l <'$TEST_TMP/err') = 1 ]"

# The real thing.
mkdir "$TEST_TMP/app"
cp "$WIN64/tests/dll/client.exe" "$TEST_TMP/app"
run_client() {
	local dir=$TEST_TMP/app/images-$1
	mkdir "$dir"
	timeout 60 "$WINE" "$TEST_TMP/app/client.exe" "$(dos_path "$dir")" 2>/dev/null | tr -d '\r'
}
if [ -n "$(find "${WINEPREFIX:?}/drive_c/windows" -name cimfs.dll)" ]; then
	skip "the prefix has a cimfs.dll already" "a program in a real prefix"
else
	is "$(run_client before | grep -c hello)" 0 "before, a program that needs cimfs.dll fails"
	check "a real prefix" "$script"
	output=$(run_client after)
	is "$(tail -1 <<<"$output")" "hello 0x00000000" "then it runs"
	is "$(head -1 <<<"$output" | tr '[:upper:]' '[:lower:]')" 'c:\windows\system32\cimfs.dll' \
		"with the DLL in system32"
	check "--uninstall" "$script" --uninstall
	is "$(run_client removed | grep -c hello)" 0 "and fails again after --uninstall"
	is "$(find "$WINEPREFIX/drive_c/windows" -name 'cimfs*' -o -name 'cimwriter*')" "" \
		"nothing of ours is left in the prefix"
fi
tap_done
