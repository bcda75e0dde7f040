#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
#
# exports.sh - the DLL files themselves: exports, arguments, imports, headers, reproducibility
#
# The two lists are the API's, written down here once more on purpose: they are not made from the
# .def files that they check.
. "$(dirname "$0")/../../../scripts/lib/windows.bash"

# Name, and bytes of arguments on a 32-bit stack.
CIMFS="
CimAddFsToMergedImage 8
CimAddFsToMergedImage2 12
CimCloseImage 4
CimCloseStream 4
CimCommitImage 4
CimConvertBlockImage 12
CimCreateAlternateStream 20
CimCreateFile 16
CimCreateHardLink 12
CimCreateImage 16
CimCreateImage2 20
CimCreateMergeLink 12
CimCreateMergedFile 20
CimDeletePath 8
CimDismountImage 4
CimGetFileStatBasicInformation 12
CimGetFileStatBasicInformation2 16
CimGetVerificationInformation 28
CimLookupFile 12
CimMergeMountImage 16
CimMergeMountVerifiedImage 24
CimMountImage 16
CimMountVerifiedImage 24
CimReadFile 36
CimReadFile2 40
CimSealImage 16
CimTombstoneFile 8
CimWriteStream 12
"
CIMWRITER="
CimAddFsToMergedImage
CimAddFsToMergedImage2
CimCloseImage
CimCloseStream
CimCommitImage
CimCreateAlternateStream
CimCreateFile
CimCreateHardLink
CimCreateImage
CimCreateImage2
CimCreateMergeLink
CimDeletePath
CimGetVerificationInformation
CimSealImage
CimTombstoneFile
CimWriteStream
"

sorted() {
	LC_ALL=C sort | grep -v '^$'
}

for arch in win64 win32; do
	dir=$TOP/build/$arch
	is "$(pe_headers "$dir/cimfs.dll" | pe_exports)" "$(awk '{ print $1 }' <<<"$CIMFS" | sorted)" \
		"$arch cimfs.dll exports exactly the API's names"
	is "$(pe_headers "$dir/cimwriter.dll" | pe_exports)" "$(sorted <<<"$CIMWRITER")" \
		"$arch cimwriter.dll exports exactly the writer's names"
	for dll in cimfs cimwriter; do
		file=$dir/$dll.dll
		headers=$(pe_headers "$file")
		is "$(pe_imports <<<"$headers" | cut -d' ' -f1 | uniq)" \
			"$(printf '%s\n' advapi32.dll bcrypt.dll kernel32.dll msvcrt.dll)" \
			"$arch $dll.dll imports only DLLs that Windows and Wine ship"
		is "$(sed -n 's/^Time\/Date\t*//p' <<<"$headers" | head -1)" "Thu Jan  1 00:00:00 1970" \
			"$arch $dll.dll has no time stamp"
		for flag in DYNAMIC_BASE NX_COMPAT $([ $arch = win64 ] && echo HIGH_ENTROPY_VA); do
			check "$arch $dll.dll: $flag" grep -q "$flag" <<<"$headers"
		done
		check "$arch $dll.dll: no path of this machine in it" \
			bash -c "! grep -aqF '$TOP' '$file'"
	done
done

# What the 32-bit compiler made of each declaration: _Name@BYTES.
is "$(i686-w64-mingw32-nm "$WIN32"/cimfs_shim/dll/*.o |
	sed -n 's/.* T _\(Cim[A-Za-z0-9]*\)@\([0-9]*\)$/\1 \2/p' | sorted)" \
	"$(sorted <<<"$CIMFS")" "bytes of arguments of each 32-bit function"
is "$(i686-w64-mingw32-nm "$WIN32/libcimfs.a" |
	sed -n 's/.* T _\(Cim[A-Za-z0-9]*\)@\([0-9]*\)$/\1 \2/p' | sorted)" \
	"$(sorted <<<"$CIMFS")" "the 32-bit import library has the decorated names"
is "$(x86_64-w64-mingw32-nm "$WIN64/libcimfs.a" | sed -n 's/.* T \(Cim[A-Za-z0-9]*\)$/\1/p' |
	sorted)" "$(awk '{ print $1 }' <<<"$CIMFS" | sorted)" \
	"the 64-bit import library has the plain names"

# Linked a second time by the Makefile's own commands, at another second of the clock.
for arch in win64 win32; do
	mkdir -p "$TEST_TMP/$arch"
	for dll in cimfs cimwriter; do
		target=build/$arch/$dll.dll
		again=$TEST_TMP/$arch/$dll.dll
		make -C "$TOP" -n -W "cimfs_shim/dll/$dll.def" "$target" 2>/dev/null |
			grep -v printf | grep -E -e "-o $target |-p .*$dll.dll" |
			sed "s|$target|$again|g; s|cd build/$arch|cd $TEST_TMP/$arch|" >"$TEST_TMP/link"
		is "$(wc -l <"$TEST_TMP/link")" 4 "$arch $dll.dll: the commands that link it"
		sleep 1.1
		check "$arch $dll.dll: links again" bash -ec "cd '$TOP'; . '$TEST_TMP/link'"
		check "$arch $dll.dll: the same bytes" cmp "$again" "$TOP/$target"
		check "$arch $dll.dll.debug: the same bytes" cmp "$again.debug" "$TOP/$target.debug"
	done
done
tap_done
