#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
# run-tests: plain
#
# export.sh - what scripts/export-wine writes is complete, in Wine's form, compiles and works
#
# Three builds of the exported sources: with mingw's headers for both architectures, and with Wine's
# own headers, import libraries and tools, as in Wine's tree. The DLL of the last one then has to
# pass cimfs.c under Wine.
. "$(dirname "$0")/../scripts/lib/windows.bash"

unset CIMFS_MOUNT_LETTER WINETEST_PLATFORM CIMFS_TRACE
export_wine=$TOP/scripts/export-wine
tree=$TEST_TMP/tree
dll=$tree/dlls/cimfs
headers=/usr/include/wine/wine

cd "$TEST_TMP" || exit 1

# ---- the command ---------------------------------------------------------------------------------

check "it exports" "$export_wine" "$tree"
"$export_wine" "$TEST_TMP/again" >/dev/null
check "twice the same" diff -r "$tree" "$TEST_TMP/again"

said() { # STATUS TEXT NAME ARGUMENT...: it ends with that status and says that
	local status=$1 text=$2 name=$3 output got=0
	shift 3
	output=$("$export_wine" "$@" 2>&1) || got=$?
	is "$got" "$status" "$name: status"
	check "$name: says so" grep -qF -- "$text" <<<"$output"
}
touch "$TEST_TMP/file"
said 1 "is not empty (--force" "a directory with something in it" "$tree"
check "which it left alone" diff -r "$tree" "$TEST_TMP/again"
said 1 "is not a directory" "a file in its place" "$TEST_TMP/file"
said 1 "can't read" "no xxhash.h" --xxhash "$TEST_TMP/none" "$TEST_TMP/none"
said 1 "is not xxHash" "another file as xxhash.h" --xxhash "$TEST_TMP/file" "$TEST_TMP/none"
said 2 "required: DIR" "no directory"
said 2 "unrecognized arguments" "an unknown option" --nonsense "$TEST_TMP/none"
said 2 "one line" "a copyright that would end the comment" --copyright 'x */' "$TEST_TMP/none"
check "nothing was written by those" test ! -e "$TEST_TMP/none"
said 0 "Usage: scripts/export-wine" "--help" --help
mkdir -p "$TEST_TMP/again/dlls/other"
touch "$TEST_TMP/again/dlls/cimfs/old.c" "$TEST_TMP/again/dlls/other/main.c"
rm "$TEST_TMP/again/dlls/cimfs/path.c"
said 0 "old.c is not part of the export" "--force names what is older" --force "$TEST_TMP/again"
rm "$TEST_TMP/again/dlls/cimfs/old.c"
rm -r "$TEST_TMP/again/dlls/other"
check "--force writes all into a tree that is there" diff -r "$tree" "$TEST_TMP/again"
"$export_wine" --copyright "2031 Jane Doe for Example" "$TEST_TMP/jane" >/dev/null
is "$(grep -rL 'Copyright 2031 Jane Doe for Example' "$TEST_TMP/jane" | sed 's|.*/||' | LC_ALL=C sort |
	tr '\n' ' ')" "Makefile.in Makefile.in cimfs.spec xxhash.h " "--copyright is in every file of ours"

# What stops it, in a copy of the sources.
copy=$TEST_TMP/copy
mkdir -p "$copy/cimfs_shim"
cp -r "$TOP/cimfs_shim/"{core,os,dll} "$copy/cimfs_shim"
cp -r "$TOP/include" "$TOP/scripts" "$TOP/Makefile" "$TOP/wine-tests" "$copy"
export_wine=$copy/scripts/export-wine
said 0 "files in" "from a copy of the sources" "$TEST_TMP/copied"
check "which gives the same" diff -r "$tree" "$TEST_TMP/copied"
sed -i 1d "$copy/cimfs_shim/core/path.c"
said 1 "path.c doesn't begin with its SPDX line" "a source without a licence" "$TEST_TMP/none"
cp "$TOP/cimfs_shim/core/path.c" "$copy/cimfs_shim/core"
cp "$TOP/cimfs_shim/core/path.c" "$copy/cimfs_shim/dll"
said 1 "two rooms have a file path.c" "two sources of one name" "$TEST_TMP/none"
rm "$copy/cimfs_shim/dll/path.c"
sed -i 's/UINT32 bufferSize/DOUBLE bufferSize/' "$copy/include/cimfs.h"
said 1 "CimWriteStream has an argument of type 'DOUBLE'" "a type that a spec can't tell" "$TEST_TMP/none"
cp "$TOP/include/cimfs.h" "$copy/include"
sed -i 's/^    CimWriteStream@12$/    CimWriteStreams@12/' "$copy/cimfs_shim/dll/cimfs.def"
said 1 "doesn't declare CimWriteStreams" "an export that the header lacks" "$TEST_TMP/none"
cp "$TOP/cimfs_shim/dll/cimfs.def" "$copy/cimfs_shim/dll"
sed -i 's/ CimLookupFile(/ CimLookupFiles(/' "$copy/cimfs_shim/dll/write.c"
said 1 "no source has CimLookupFile" "an export that no source has" "$TEST_TMP/none"
cp "$TOP/cimfs_shim/dll/write.c" "$copy/cimfs_shim/dll"
sed -i '$d' "$copy/cimfs_shim/core/sort.c"
said 1 "sort.c: this has no end" "a source that was cut off" "$TEST_TMP/none"
export_wine=$TOP/scripts/export-wine

# ---- the files -----------------------------------------------------------------------------------

mapfile -t ours < <(cd "$tree" && find . -name '*.[ch]' | grep -v '/xxhash\.h$' | LC_ALL=C sort)
check "there is something in it" [ "${#ours[@]}" -gt 40 ]

# The notice, by the words that the licence wants; the file's first comment holds it all.
notice() {
	sed -n '1,/\*\//p' "$1" | tr -s ' *\n' ' ' | grep -q "^/ .* Copyright [^/]* This library is free \
software; you can redistribute it and/or modify it under the terms of the GNU Lesser General Public \
License as published by the Free Software Foundation; either version 2.1 of the License, or (at your \
option) any later version. .* MERCHANTABILITY .* along with this library; "
}
bad=
for file in "${ours[@]}"; do
	notice "$tree/$file" || bad+="$file "
done
is "$bad" "" "every file has the licence's notice at its top"
is "$(grep -rl SPDX "$tree")" "" "no SPDX line is left"
check "xxhash.h has a licence of its own" grep -q 'BSD 2-Clause' "$dll/xxhash.h"
is "$(cd "$tree" && grep -nP '\t' "${ours[@]}" | head -3)" "" "no tabs in the sources"
is "$(cd "$tree" && grep -nE '^[^"]*(^|[^:"])//' "${ours[@]}" | head -3)" "" "no // comments"
is "$(cd "$tree" && grep -nE '.{101}' "${ours[@]}" | grep -v upcase_table | head -3)" "" \
	"no line over 100 columns"
is "$(cd "$tree" && grep -rnE ' +$' . | grep -v xxhash.h | head -3)" "" "no space at a line's end"

# What is included in quotes is there; what is there is included.
is "$(cd "$dll" && sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' ./*.[ch] | sort -u |
	while read -r file; do
		[ -e "$file" ] || [ -e "$tree/include/$file" ] || echo "$file"
	done)" "" "every header is there"
is "$(cd "$dll" && for file in *.h; do
	grep -q "^#include \"$file\"" ./*.[ch] || echo "$file"
done)" "" "no header is there that nobody includes"

# Makefile.in lists what is there.
is "$(sed -n '/^SOURCES/,$s/^\t\([^ ]*\).*/\1/p' "$dll/Makefile.in")" \
	"$(cd "$dll" && printf '%s\n' *.c | LC_ALL=C sort)" "Makefile.in: the sources"
is "$(grep ' = ' "$dll/Makefile.in" | sed '/^SOURCES/d' | tr -s ' ')" "MODULE = cimfs.dll
IMPORTLIB = cimfs
IMPORTS = advapi32 bcrypt
VER_FILEDESCRIPTION_STR = \"Wine Composite Image File System\"" "Makefile.in: the module"
is "$(tr -s ' \n\\\t' ' ' <"$dll/tests/Makefile.in")" \
	"TESTDLL = cimfs.dll IMPORTS = advapi32 SOURCES = cimfs.c " "tests/Makefile.in"
is "$(cd "$dll/tests" && echo *)" "Makefile.in cimfs.c" "tests: the files"

# The tests are the file that we run, but for the header and the blanks of function pointers.
is "$(sed '1,/^#include <stdarg/{/^#include <stdarg/!d}' "$dll/tests/cimfs.c" | tr -d ' \n')" \
	"$(sed '1,/^ \*\/$/d' "$TOP/wine-tests/cimfs.c" | tr -d ' \n')" "tests/cimfs.c is wine-tests/cimfs.c"
is "$(cd "$tree" && grep -nE '\w\((WINAPI|__cdecl) ?\*|(WINAPI|__cdecl) \* ' "${ours[@]}" | head -3)" "" \
	"function pointers are laid out as Wine does it"

# ---- cimfs.spec and cimfs.def --------------------------------------------------------------------

# The bytes that a line's arguments take: 8 for int64, 4 for all others.
bytes_of_spec() {
	sed -n 's/^@ stdcall \(Cim[A-Za-z0-9]*\)(\(.*\))$/\1 \2/p' "$1" | awk '{
		bytes = 0
		for (i = 2; i <= NF; i++)
			bytes += $i == "int64" ? 8 : 4
		print $1 "@" bytes }' | LC_ALL=C sort
}
wanted=$(sed -n 's/^ *\(Cim.*@.*\)/\1/p' "$TOP/cimfs_shim/dll/cimfs.def" | LC_ALL=C sort)
is "$(bytes_of_spec "$dll/cimfs.spec")" "$wanted" "cimfs.spec: names and bytes are those of cimfs.def"
is "$(grep -c . "$dll/cimfs.spec")" "$(wc -l <<<"$wanted")" "cimfs.spec: nothing else in it"
is "$(awk -F'[ (]' '{ print $3 }' "$dll/cimfs.spec")" \
	"$(awk -F'[ (]' '{ print $3 }' "$dll/cimfs.spec" | LC_ALL=C sort)" "cimfs.spec: sorted"
is "$(grep -cE '\((ptr|wstr|long|int64)?( (ptr|wstr|long|int64))*\)$' "$dll/cimfs.spec")" \
	"$(wc -l <<<"$wanted")" "cimfs.spec: types that winebuild knows"
if command -v winebuild >/dev/null; then
	is "$(winebuild -m32 --def -E "$dll/cimfs.spec" | sed -n '/PRIVATE/d; s/^ *\(Cim[^ ]*\) .*/\1/p' |
		LC_ALL=C sort)" "$wanted" "winebuild reads the spec as cimfs.def"
else
	skip "no winebuild" "winebuild reads the spec as cimfs.def"
fi
sed '1iEXPORTS' <<<"$wanted" >"$TEST_TMP/32.def"
sed 's/@.*//' "$TEST_TMP/32.def" >"$TEST_TMP/64.def"

# ---- it compiles ---------------------------------------------------------------------------------

names_of() { # DLL
	pe_headers "$1" | pe_exports
}

# compile OUT COMPILER FLAGS...: all sources, two at a time
compile() {
	local out=$1
	shift
	mkdir -p "$out"
	(cd "$dll" && printf '%s\n' *.c | xargs -P2 -I{} "$@" -I. -I../../include -c -o "$out/{}.o" {})
}

# (unwind tables would hold each function)
apart=(-ffunction-sections -fno-asynchronous-unwind-tables)
for bits in 64 32; do
	tool=$([ $bits = 64 ] && echo x86_64 || echo i686)-w64-mingw32
	out=$TEST_TMP/mingw$bits
	check "mingw, $bits bits: compiles without a warning" compile "$out" "$tool-gcc" -std=gnu11 -O2 \
		-Wall -Wextra -Wdeclaration-after-statement -Werror -D__USE_MINGW_ANSI_STDIO=1 \
		"${apart[@]}" -fno-inline -fno-ipa-cp
	# Functions that nothing calls are the linker's to find; one that is nobody's shows that it does.
	echo 'int nobody(void) { return 0; }' | "$tool-gcc" "${apart[@]}" -c -x c -o "$out/nobody.c.o" -
	linked=$("$tool-gcc" -shared -static-libgcc -Wl,--kill-at,--gc-sections,--print-gc-sections \
		-o "$out/cimfs.dll" "$out"/*.o "$TEST_TMP/$bits.def" -ladvapi32 -lbcrypt 2>&1)
	result $? "mingw, $bits bits: links"
	is "$(sed -n "s/.*'\.text\$\(.*\)' in file '.*\.c\.o'.*/\1/p" <<<"$linked")" nobody \
		"mingw, $bits bits: no function is there that nothing calls"
	is "$(names_of "$out/cimfs.dll")" "$(names_of "$TOP/build/win$bits/cimfs.dll")" \
		"mingw, $bits bits: the exports are those of our DLL"
	check "mingw, $bits bits: the tests compile" "$tool-gcc" -std=gnu11 -O1 -Wall -Wextra -Werror \
		-I "$tree/include" -I "$TOP/wine-tests" -c -o "$out/test.o" "$dll/tests/cimfs.c"
	rm -f "$out"/*.o
done

# ---- as in Wine's tree ---------------------------------------------------------------------------

if ! command -v winegcc >/dev/null || [ ! -d "$headers/msvcrt" ]; then
	skip "no winegcc or Wine's headers" "Wine's own headers and tools"
	tap_done
fi
out=$TEST_TMP/wine
wine_flags=(-isystem "$headers/msvcrt" -isystem "$headers/windows" -I "$headers/.." -D__WINESRC__
	-D_UCRT -O2 -fno-strict-aliasing -Wall -Wdeclaration-after-statement -Wempty-body
	-Wignored-qualifiers -Winit-self -Wpacked-not-aligned -Wshift-overflow=2 -Wstrict-prototypes
	-Wtype-limits -Wunused-but-set-parameter -Wvla -Wwrite-strings -Wpointer-arith -Wlogical-op
	-Wabsolute-value -Werror)
check "Wine's headers: compiles with Wine's warnings" compile "$out" x86_64-w64-mingw32-gcc \
	"${wine_flags[@]}"
check "winegcc: links by the spec" winegcc -b x86_64-w64-mingw32 -mno-cygwin -shared \
	-o "$out/cimfs.dll" "$dll/cimfs.spec" "$out"/*.o -ladvapi32 -lbcrypt -lwinecrt0 -lucrtbase -lkernel32 -lntdll
is "$(names_of "$out/cimfs.dll")" "$(names_of "$WIN64/cimfs.dll")" \
	"winegcc: the exports are those of our DLL"
check "Wine's headers: the tests compile" x86_64-w64-mingw32-gcc "${wine_flags[@]}" \
	-I "$tree/include" -I "$TOP/wine-tests" -c -o "$out/test.o" "$dll/tests/cimfs.c"

# And that DLL is as good as ours.
export CIMFS_MOUNT_HELPER CIMFS_MOUNT_BACKEND=fuse
CIMFS_MOUNT_HELPER=$(cd "$TOP/${BUILD:-build}" && pwd)/cimfs-mount
cp "$WIN64/wine-tests/cimfs_test.exe" "$out"
output=$(timeout 120 "$WINE" "$out/cimfs_test.exe" 2>/dev/null | tr -d '\r')
is "$(grep -E 'Test failed|succeeded inside' <<<"$output")" "" "cimfs.c passes with it"
check "cimfs.c ran to its end" grep -qE ' [0-9]{3,} tests executed \(.* 0 failures\)' <<<"$output"
tap_done
