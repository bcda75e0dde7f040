#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# link.sh - a client links against each import library, and the 64-bit one runs
. "$(dirname "$0")/../../../scripts/lib/windows.bash"

for arch in x86_64 i686; do
	dir=$WIN64
	[ $arch = i686 ] && dir=$WIN32
	for library in "-L$dir -lcimfs" "$dir/cimfs.lib"; do
		exe=$TEST_TMP/$arch-${library##*/}.exe
		exe=${exe// /_}
		# shellcheck disable=SC2086
		check "$arch: client.c links with ${library##*[/ ]}" $arch-w64-mingw32-gcc -municode \
			-D__USE_MINGW_ANSI_STDIO=1 -I "$TOP/include" -o "$exe" "$TOP/cimfs_shim/tests/dll/client.c" $library
		is "$(pe_headers "$exe" | pe_imports | sed -n 's/^cimfs\.dll //p')" \
			"$(printf 'Cim%s\n' CloseImage CloseStream CommitImage CreateFile CreateHardLink \
				CreateImage ReadFile WriteStream)" \
			"$arch: it imports undecorated names from cimfs.dll (${library##*[/ ]})"
	done
done

mkdir "$TEST_TMP/app" "$TEST_TMP/app/images"
cp "$TEST_TMP/x86_64-cimfs.lib.exe" "$TEST_TMP/app/client.exe"
cp "$WIN64/cimfs.dll" "$TEST_TMP/app"
output=$(timeout 60 "$WINE" "$TEST_TMP/app/client.exe" "$(dos_path "$TEST_TMP/app/images")" 2>/dev/null |
	tr -d '\r')
is "$(tail -1 <<<"$output")" "hello 0x00000000" "the client, linked with cimfs.lib, runs"
is "$(head -1 <<<"$output")" "$(dos_path "$TEST_TMP/app/cimfs.dll")" \
	"with the DLL that lies beside it"
tap_done
