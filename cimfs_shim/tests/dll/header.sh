#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
#
# header.sh - cimfs.h compiles wherever somebody may include it
#
# C and C++ in several standards, 32 and 64 bit, before and after windows.h, for old and new target
# versions, with and without annotations, packed and beside a newer SDK's own definitions. The
# offsets of all structures are assertions in the header itself.
. "$(dirname "$0")/../../../scripts/lib/windows.bash"

cd "$TEST_TMP" || exit 1

# Every declaration used once; the flags of the API in C and C++.
cat >use.h <<'END'
static inline HRESULT use(void)
{
    static const CimFsImagePath images[2] = {{L"d", L"n"}, {L"d", L"n"}};
    static const GUID guid = {0, 0, 0, {0}};
    CIMFS_FILE_METADATA metadata;
    FILE_STAT_BASIC_INFORMATION info;
    CIMFS_IMAGE_HANDLE image = NULL;
    CIMFS_STREAM_HANDLE stream = NULL;
    UINT64 a, b, c;
    UINT32 sealed;
    BOOLEAN exists;
    BYTE hash[32];
    HRESULT hr = 0;

    memset(&metadata, 0, sizeof(metadata));
    hr |= CimCreateImage(L"d", NULL, L"n", &image);
    hr |= CimCreateImage2(L"d", CIM_CREATE_CONSISTENT_CIMS, NULL, L"n", &image);
    hr |= CimCreateFile(image, L"f", &metadata, &stream);
    hr |= CimCreateAlternateStream(image, L"f:s", 5, &stream);
    hr |= CimCreateHardLink(image, L"l", L"f");
    hr |= CimWriteStream(stream, "x", 1);
    CimCloseStream(stream);
    hr |= CimDeletePath(image, L"l");
    hr |= CimLookupFile(image, L"l", &exists);
    hr |= CimCommitImage(image);
    CimCloseImage(image);
    hr |= CimReadFile(L"d\\n", L"f", 0, hash, 32, &a, &b);
    hr |= CimGetFileStatBasicInformation(L"d\\n", L"f", &info);
    hr |= CimMountImage(L"d", L"n", CIM_MOUNT_CACHE_REGIONS, &guid);
    hr |= CimDismountImage(&guid);
    hr |= CimConvertBlockImage(L"d", L"n", L"e");
    hr |= CimAddFsToMergedImage(image, L"p");
    hr |= CimAddFsToMergedImage2(image, L"p", CIM_MERGE_SINGLE_FILE);
    hr |= CimCreateMergedFile(image, L"p", hash, hash, 1);
    hr |= CimTombstoneFile(image, L"p");
    hr |= CimCreateMergeLink(image, L"p", L"q");
    hr |= CimMergeMountImage(2, images, CIM_MOUNT_SINGLE_FILE, &guid);
    hr |= CimSealImage(L"p", &a, &b, hash);
    hr |= CimGetVerificationInformation(L"p", &sealed, &a, &b, &c, hash, NULL);
    hr |= CimMountVerifiedImage(L"d", L"n", CIM_MOUNT_BLOCK_CIM, &guid, 32, hash);
    hr |= CimMergeMountVerifiedImage(2, images, CIM_MOUNT_BLOCK_CIM, &guid, 32, hash);
    hr |= CimReadFile2(L"d\\n", L"f", 0, hash, 32, &a, &b, CIM_READ_SINGLE_FILE);
    hr |= CimGetFileStatBasicInformation2(L"d\\n", L"f", &info, CIM_READ_NONE);
    return hr;
}
#ifdef __cplusplus
#ifdef DEFINE_ENUM_FLAG_OPERATORS
static inline CIM_MOUNT_IMAGE_FLAGS combine(void)
{
    return CIM_MOUNT_CHILD_ONLY | CIM_MOUNT_ENABLE_DAX;
}
#endif
#endif
END
{ echo '#include <cimfs.h>'; echo '#include <string.h>'; echo '#include "use.h"'; } >first.c
{ echo '#include <string.h>'; echo '#include <windows.h>'; echo '#include <cimfs.h>'
  echo '#include <cimfs.h>'; echo '#include "use.h"'; } >after.c
{ echo '#include <winsock2.h>'; echo '#include <windows.h>'; echo '#include <winternl.h>'
  echo '#include <cimfs.h>'; echo '#include <string.h>'; echo '#include "use.h"'; } >others.c
{ echo '#pragma pack(1)'; cat first.c; } >packed.c
# A newer SDK: it defines the structure, for targets that are new enough. (mingw-w64 14 does, and its
# usual target is.)
cat >newer.c <<'END'
#include <windows.h>
#if !defined(NTDDI_WIN11_ZN) || NTDDI_VERSION < NTDDI_WIN11_ZN
#undef NTDDI_WIN11_ZN
#define NTDDI_WIN11_ZN 0x0A00000E
#undef NTDDI_VERSION
#define NTDDI_VERSION 0x0A000010
typedef struct _FILE_STAT_BASIC_INFORMATION {
    LARGE_INTEGER FileId, CreationTime, LastAccessTime, LastWriteTime, ChangeTime, AllocationSize,
        EndOfFile;
    DWORD FileAttributes, ReparseTag, NumberOfLinks, DeviceType, DeviceCharacteristics, Reserved;
    LARGE_INTEGER VolumeSerialNumber;
    FILE_ID_128 FileId128;
} FILE_STAT_BASIC_INFORMATION, *PFILE_STAT_BASIC_INFORMATION;
#endif
#include <cimfs.h>
#include <string.h>
#include "use.h"
END
# The same SDK, for an older target: it defines nothing.
cat >older.c <<'END'
#define _WIN32_WINNT 0x0A00
#define NTDDI_VERSION 0x0A000000
#include <windows.h>
#undef NTDDI_WIN11_ZN
#define NTDDI_WIN11_ZN 0x0A00000E
#include <cimfs.h>
#include <string.h>
#include "use.h"
END
# A compiler without any annotation.
{ echo '#include <windows.h>'; for m in _In_ _Out_ _In_opt_ _In_reads_ _In_reads_bytes_ \
	_Out_writes_bytes_ _Out_opt_ _Field_size_bytes_; do echo "#undef $m"; done
  echo '#include <cimfs.h>'; echo '#include <string.h>'; echo '#include "use.h"'; } >nosal.c

compile() { # NAME COMPILER FLAGS... FILE
	local name=$1
	shift
	check "$name" "$@" -Wall -Wextra -Werror -I "$TOP/include" -I . -c -o /dev/null
}

for arch in x86_64 i686; do
	gcc=$arch-w64-mingw32-gcc
	gxx=$arch-w64-mingw32-g++
	for file in first after others packed newer older nosal; do
		for std in c99 c11 gnu17; do
			compile "$arch C $std: $file.c" $gcc -std=$std $file.c
		done
	done
	for define in WIN32_LEAN_AND_MEAN NTDDI_VERSION=0x06010000 _WIN32_WINNT=0x0601 \
		_WIN32_WINNT=0x0602 NTDDI_VERSION=0x0A000000 UNICODE COBJMACROS; do
		compile "$arch C: -D$define" $gcc -std=c11 -pedantic -D$define first.c
	done
	# Another compiler's opinion.
	if command -v clang >/dev/null; then
		for file in first newer; do
			compile "$arch clang C: $file.c" clang --target=$arch-w64-mingw32 -std=c11 \
				-Wpragma-pack $file.c
			compile "$arch clang C++: $file.c" clang --target=$arch-w64-mingw32 -std=c++17 \
				-Wpragma-pack -x c++ $file.c
		done
	else
		skip "no clang" "$arch clang"
	fi
	if ! command -v $gxx >/dev/null; then
		skip "no $gxx" "$arch C++"
		continue
	fi
	for file in first after others packed newer older nosal; do
		for std in c++11 c++17 gnu++20; do
			compile "$arch C++ $std: $file.c" $gxx -std=$std -x c++ $file.c
		done
	done
	compile "$arch C++: WIN32_LEAN_AND_MEAN" $gxx -std=c++11 -DWIN32_LEAN_AND_MEAN -x c++ first.c
	compile "$arch C++98: without its assertions" $gxx -std=gnu++98 -Wno-long-long -x c++ first.c
done

# The header leaves nothing behind but its names.
left=$(printf '#include <cimfs.h>\n' | x86_64-w64-mingw32-gcc -I "$TOP/include" -E -dM - |
	sed -n 's/^#define \(CIMFS[A-Z_]*\).*/\1/p' | LC_ALL=C sort | tr '\n' ' ')
is "$left" "CIMFSAPI CIMFSAPI_ CIMFS_H " "macros that the header leaves defined"

# A wrong offset would be noticed.
sed 's/UINT32 Attributes;/UINT64 Attributes, More;/' "$TOP/include/cimfs.h" >cimfs.h
check "a changed structure doesn't compile" bash -c \
	"! x86_64-w64-mingw32-gcc -std=c11 -I. -c -o /dev/null first.c"
tap_done
