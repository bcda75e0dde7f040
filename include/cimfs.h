/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cimfs.h - the Windows API for Composite Images, for callers of cimfs.dll
 *
 * A Composite Image (CIM) is a directory tree stored as a few flat files in one directory. This
 * header declares what cimfs.dll exports: names, types and values are those of the headers that
 * three generations of the Windows SDK shipped and, for functions that no SDK declares, those that
 * Microsoft's own open clients use; every word of the descriptions is ours. It can be used in C
 * and C++, with mingw-w64 and MSVC, for 32 and 64 bit, against this project's DLL or Microsoft's.
 *
 * Conventions
 *
 * - A function answers S_OK (exactly 0) or a failure HRESULT; GetLastError() means nothing here.
 *   Failures that stand for a Win32 error are HRESULT_FROM_WIN32(it). Besides the errors listed
 *   with a function any may return E_OUTOFMEMORY, HRESULT_FROM_WIN32 of the Win32 error of a file
 *   operation that failed (ERROR_DISK_FULL, ERROR_ACCESS_DENIED, ...), and, where an image is
 *   read, HRESULT_FROM_WIN32(ERROR_CIMFS_IMAGE_CORRUPT) or, for a format version not known,
 *   HRESULT_FROM_WIN32(ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED).
 * - Strings are NUL-terminated UTF-16 and stay the caller's, as do all buffers: nothing that a
 *   caller passes is kept after the call. A NULL where a string or a structure is needed as input
 *   is E_INVALIDARG, where a result is to be stored E_POINTER.
 * - Outputs (handles, counters, structures) are cleared when a function fails.
 * - Paths inside an image are relative to its root and separated by '\'. One leading '\' is
 *   allowed; a trailing one, an empty component, ".", "..", '/', the characters * ? " < > | and
 *   those below 32, a component over 255 or a path over 32,767 code units are E_INVALIDARG. Names
 *   are found without regard to case and keep the case they were given in.
 * - Sizes and offsets are bytes. Times are 100 ns units since 1601-01-01 UTC, as in FILETIME.
 * - Handles are names, not pointers and not kernel handles: one that is NULL, closed or invented
 *   is E_INVALIDARG. All functions may be called from any thread; calls on one image wait for
 *   each other.
 *
 * Source of a behaviour: the pages of the Windows SDK documentation ("cimfs.h", linked under
 * https://learn.microsoft.com/windows/win32/api/cimfs/) for what is said of the eleven functions
 * of Windows 10 2004; where those are silent the note says "clients" (what Microsoft's published
 * clients rely on) or "ours" (this project's decision; cimfs_shim/doc/decisions.md has them all).
 */
#ifndef CIMFS_H
#define CIMFS_H

#include <windows.h>
#include <stddef.h>

#if !defined(WINAPI_FAMILY_PARTITION) || WINAPI_FAMILY_PARTITION(WINAPI_PARTITION_DESKTOP)

/* Win32 errors of this API, which SDKs' winerror.h has and older ones (mingw-w64 10) lack. */
#ifndef ERROR_CIMFS_IMAGE_CORRUPT
#define ERROR_CIMFS_IMAGE_CORRUPT 470L
#endif
#ifndef ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED
#define ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED 471L
#endif

/* How functions are declared. The DLL itself sets these to see its own return types. */
#ifndef CIMFSAPI
#ifdef STDAPI
#define CIMFSAPI	STDAPI
#define CIMFSAPI_(type) STDAPI_(type)
#elif defined(__cplusplus)
#define CIMFSAPI	extern "C" HRESULT WINAPI
#define CIMFSAPI_(type) extern "C" type WINAPI
#else
#define CIMFSAPI	extern HRESULT WINAPI
#define CIMFSAPI_(type) extern type WINAPI
#endif
#endif

/* Annotations for Microsoft's analysers where their header is there, nothing where it isn't. They
 * are undefined again at the end. */
#if defined(_In_) && defined(_Out_) && defined(_In_opt_) && defined(_In_reads_bytes_) && \
	defined(_In_reads_) && defined(_Out_writes_bytes_) && defined(_Out_opt_)
#define CIMFS_IN_	      _In_
#define CIMFS_IN_OPT_	      _In_opt_
#define CIMFS_IN_READS_(n)    _In_reads_(n)
#define CIMFS_IN_BYTES_(n)    _In_reads_bytes_(n)
#define CIMFS_OUT_	      _Out_
#define CIMFS_OUT_OPT_	      _Out_opt_
#define CIMFS_OUT_BYTES_(n)   _Out_writes_bytes_(n)
#define CIMFS_FIELD_BYTES_(n) _Field_size_bytes_(n)
#else
#define CIMFS_IN_
#define CIMFS_IN_OPT_
#define CIMFS_IN_READS_(n)
#define CIMFS_IN_BYTES_(n)
#define CIMFS_OUT_
#define CIMFS_OUT_OPT_
#define CIMFS_OUT_BYTES_(n)
#define CIMFS_FIELD_BYTES_(n)
#endif
#ifndef _Field_size_bytes_
#undef CIMFS_FIELD_BYTES_
#define CIMFS_FIELD_BYTES_(n)
#endif

#if defined(__cplusplus) && (__cplusplus >= 201103L || (defined(_MSC_VER) && _MSC_VER >= 1900))
#define CIMFS_ASSERT_(name, condition) static_assert(condition, #name)
#elif !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define CIMFS_ASSERT_(name, condition) _Static_assert(condition, #name)
#else
#define CIMFS_ASSERT_(name, condition) typedef char cimfs_assert_##name[(condition) ? 1 : -1]
#endif
/* A size or an offset on 64 and on 32 bits. */
#ifdef _WIN64
#define CIMFS_SIZE_(type, size64, size32) CIMFS_ASSERT_(type##_size, sizeof(type) == (size64))
#define CIMFS_OFFSET_(type, field, offset64, offset32) \
	CIMFS_ASSERT_(type##_##field, offsetof(type, field) == (offset64))
#else
#define CIMFS_SIZE_(type, size64, size32) CIMFS_ASSERT_(type##_size, sizeof(type) == (size32))
#define CIMFS_OFFSET_(type, field, offset64, offset32) \
	CIMFS_ASSERT_(type##_##field, offsetof(type, field) == (offset32))
#endif

#pragma pack(push, 8)

/* --------------------------------------------------------------------------------------------
 * Types
 */

/** CIMFS_IMAGE_HANDLE - a session that makes, extends or forks an image; never NULL when valid */
DECLARE_HANDLE(CIMFS_IMAGE_HANDLE);

/** CIMFS_STREAM_HANDLE - the one open stream of a session; never NULL when valid */
DECLARE_HANDLE(CIMFS_STREAM_HANDLE);

/**
 * CIM_MOUNT_IMAGE_FLAGS - how CimMountImage() mounts
 *
 * The first five were documented or in headers by Windows 11, the rest later. CHILD_ONLY is
 * documented as ignored; ENABLE_DAX, CACHE_FILES, CACHE_REGIONS and DO_NOT_SHARE_CACHE are hints
 * without a visible effect (ours).
 */
typedef enum CIM_MOUNT_IMAGE_FLAGS {
	CIM_MOUNT_IMAGE_NONE = 0x00,
	CIM_MOUNT_CHILD_ONLY = 0x01,
	CIM_MOUNT_ENABLE_DAX = 0x02,
	CIM_MOUNT_CACHE_FILES = 0x04,
	CIM_MOUNT_CACHE_REGIONS = 0x08,
	CIM_MOUNT_BLOCK_CIM = 0x10,   /* the container is a block device */
	CIM_MOUNT_SINGLE_FILE = 0x20, /* the container is one block-formatted file */
	CIM_MOUNT_DO_NOT_SHARE_CACHE = 0x40,
	CIM_MOUNT_ATTEST_HASH = 0x80 /* for verified images only */
} CIM_MOUNT_IMAGE_FLAGS;

/**
 * CIM_CREATE_IMAGE_FLAGS - what kind of image CimCreateImage2() makes
 */
typedef enum CIM_CREATE_IMAGE_FLAGS {
	CIM_CREATE_IMAGE_NONE = 0x00,
	CIM_CREATE_DO_NOT_EXPAND_PE_IMAGES = 0x01, /* executables as plain data: always so (ours) */
	CIM_CREATE_FIXED_SIZE_CHUNKS = 0x02,	   /* accepted, no visible effect (ours) */
	CIM_CREATE_IMAGE_BLOCK_CIM = 0x04,	   /* the container is a block device */
	CIM_CREATE_IMAGE_SINGLE_FILE = 0x08,	   /* the container is one block-formatted file */
	CIM_CREATE_CONSISTENT_CIMS = 0x10,	   /* the same calls give the same bytes */
	CIM_CREATE_SKIP_PE_IMAGE_HASHES = 0x20,	   /* accepted, no visible effect (ours) */
	CIM_CREATE_VERIFIED = 0x40 /* with one of 0x04, 0x08 only: it can be sealed */
} CIM_CREATE_IMAGE_FLAGS;

#ifdef DEFINE_ENUM_FLAG_OPERATORS
DEFINE_ENUM_FLAG_OPERATORS(CIM_MOUNT_IMAGE_FLAGS)
DEFINE_ENUM_FLAG_OPERATORS(CIM_CREATE_IMAGE_FLAGS)
#endif

/**
 * CIM_MERGE_FLAGS - what a source added by CimAddFsToMergedImage2() is
 *
 * Passed as a UINT32. No public header names these values: the names are ours, the values those
 * that clients pass.
 */
typedef enum CIM_MERGE_FLAGS {
	CIM_MERGE_NONE = 0x0,
	CIM_MERGE_SINGLE_FILE = 0x1,  /* it lies in a container in a file */
	CIM_MERGE_BLOCK_DEVICE = 0x2, /* it lies in a container on a device */
	CIM_MERGE_VERIFIED = 0x4      /* with one of these only: its container is sealed */
} CIM_MERGE_FLAGS;

/** CIM_READ_FLAGS - for CimReadFile2() and its stat, passed as a UINT32 (names: ours) */
typedef enum CIM_READ_FLAGS {
	CIM_READ_NONE = 0x0,
	CIM_READ_SINGLE_FILE = 0x1 /* the image lies in a single-file container: CONTAINER\NAME */
} CIM_READ_FLAGS;

/**
 * CIMFS_FILE_METADATA - what CimCreateFile() needs to know of a file or directory
 * @Attributes: FILE_ATTRIBUTE_*. DIRECTORY decides the kind. READONLY, HIDDEN, SYSTEM, ARCHIVE and
 *     SPARSE_FILE are kept, all others dropped without an error (clients, ours)
 * @FileSize: bytes of the default stream, at most 2^48-1; ignored for a directory (ours)
 * @CreationTime, @LastWriteTime, @ChangeTime, @LastAccessTime: stored as they are, 0 too (ours);
 *     note the order, which is not that of FILE_BASIC_INFO
 * @SecurityDescriptorBuffer: a self-relative security descriptor of at most 65,535 bytes. With
 *     NULL or size 0 a descriptor with a NULL DACL is stored (ours)
 * @ReparseDataBuffer: a REPARSE_DATA_BUFFER or REPARSE_GUID_DATA_BUFFER, tag first; its presence
 *     makes the item a reparse point, whatever @Attributes says (ours)
 * @EaBuffer: a chain of FILE_FULL_EA_INFORMATION
 * @SecurityDescriptorSize, @ReparseDataSize, @EaBufferSize: bytes of the buffer
 *
 * A buffer whose size is 0 may be NULL. The structure has no version: it can't grow.
 */
typedef struct CIMFS_FILE_METADATA {
	UINT32 Attributes;
	INT64 FileSize;
	LARGE_INTEGER CreationTime;
	LARGE_INTEGER LastWriteTime;
	LARGE_INTEGER ChangeTime;
	LARGE_INTEGER LastAccessTime;
	CIMFS_FIELD_BYTES_(SecurityDescriptorSize) const void *SecurityDescriptorBuffer;
	UINT32 SecurityDescriptorSize;
	CIMFS_FIELD_BYTES_(ReparseDataSize) const void *ReparseDataBuffer;
	UINT32 ReparseDataSize;
	CIMFS_FIELD_BYTES_(EaBufferSize) const void *EaBuffer;
	UINT32 EaBufferSize;
} CIMFS_FILE_METADATA;

CIMFS_SIZE_(CIMFS_FILE_METADATA, 96, 72);
CIMFS_OFFSET_(CIMFS_FILE_METADATA, Attributes, 0, 0);
CIMFS_OFFSET_(CIMFS_FILE_METADATA, FileSize, 8, 8);
CIMFS_OFFSET_(CIMFS_FILE_METADATA, CreationTime, 16, 16);
CIMFS_OFFSET_(CIMFS_FILE_METADATA, LastWriteTime, 24, 24);
CIMFS_OFFSET_(CIMFS_FILE_METADATA, ChangeTime, 32, 32);
CIMFS_OFFSET_(CIMFS_FILE_METADATA, LastAccessTime, 40, 40);
CIMFS_OFFSET_(CIMFS_FILE_METADATA, SecurityDescriptorBuffer, 48, 48);
CIMFS_OFFSET_(CIMFS_FILE_METADATA, SecurityDescriptorSize, 56, 52);
CIMFS_OFFSET_(CIMFS_FILE_METADATA, ReparseDataBuffer, 64, 56);
CIMFS_OFFSET_(CIMFS_FILE_METADATA, ReparseDataSize, 72, 60);
CIMFS_OFFSET_(CIMFS_FILE_METADATA, EaBuffer, 80, 64);
CIMFS_OFFSET_(CIMFS_FILE_METADATA, EaBufferSize, 88, 68);

/**
 * CimFsImagePath - an image's place, as the merge-mounting functions take it
 * @ImageDir:  the directory (or container), without a trailing '\'
 * @ImageName: the image's name in it
 */
typedef struct CimFsImagePath {
	PCWSTR ImageDir;
	PCWSTR ImageName;
} CimFsImagePath;

CIMFS_SIZE_(CimFsImagePath, 16, 8);
CIMFS_OFFSET_(CimFsImagePath, ImageDir, 0, 0);
CIMFS_OFFSET_(CimFsImagePath, ImageName, 8, 4);

/*
 * FILE_STAT_BASIC_INFORMATION: in Microsoft's headers since the SDK of Windows 11 24H2, for
 * targets from NTDDI_WIN11_ZN on, and in the WDK's ntifs.h. Their definition is used where it is
 * there, this one elsewhere. Headers that have it under other conditions: define
 * CIMFS_HAVE_FILE_STAT_BASIC_INFORMATION before including this one.
 */
#if !defined(CIMFS_HAVE_FILE_STAT_BASIC_INFORMATION) && !defined(_NTIFS_) && \
	!(defined(NTDDI_WIN11_ZN) && defined(NTDDI_VERSION) && NTDDI_VERSION >= NTDDI_WIN11_ZN)

/* FILE_ID_128 is for Windows 8 and later targets. */
#if defined(_WIN32_WINNT) && _WIN32_WINNT >= 0x0602
#define CIMFS_FILE_ID_128_ FILE_ID_128
#else
typedef struct CIMFS_FILE_ID_128 {
	BYTE Identifier[16]; /* the number, its low byte first */
} CIMFS_FILE_ID_128;
#define CIMFS_FILE_ID_128_ CIMFS_FILE_ID_128
#endif

/**
 * FILE_STAT_BASIC_INFORMATION - what CimGetFileStatBasicInformation() tells of an item
 * @FileId: the image's own number of the file
 * @CreationTime, @LastAccessTime, @LastWriteTime, @ChangeTime: as stored
 * @AllocationSize: EndOfFile rounded up to 4096, 0 for a sparse stream (ours)
 * @EndOfFile: bytes of the file or stream; 0 for a directory
 * @FileAttributes: FILE_ATTRIBUTE_*, DIRECTORY and REPARSE_POINT included; NORMAL if none
 * @ReparseTag: 0 if there is no reparse data
 * @NumberOfLinks: always 1, for counting would read the whole image (ours)
 * @DeviceType: 7, FILE_DEVICE_DISK (ours)
 * @DeviceCharacteristics, @Reserved, @VolumeSerialNumber: 0, an image has none (ours)
 * @FileId128: FileId in its low 8 bytes, 0 above
 */
typedef struct _FILE_STAT_BASIC_INFORMATION {
	LARGE_INTEGER FileId;
	LARGE_INTEGER CreationTime;
	LARGE_INTEGER LastAccessTime;
	LARGE_INTEGER LastWriteTime;
	LARGE_INTEGER ChangeTime;
	LARGE_INTEGER AllocationSize;
	LARGE_INTEGER EndOfFile;
	ULONG FileAttributes;
	ULONG ReparseTag;
	ULONG NumberOfLinks;
	ULONG DeviceType;
	ULONG DeviceCharacteristics;
	ULONG Reserved;
	LARGE_INTEGER VolumeSerialNumber;
	CIMFS_FILE_ID_128_ FileId128;
} FILE_STAT_BASIC_INFORMATION, *PFILE_STAT_BASIC_INFORMATION;
#undef CIMFS_FILE_ID_128_
#endif

CIMFS_SIZE_(FILE_STAT_BASIC_INFORMATION, 104, 104);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, FileId, 0, 0);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, CreationTime, 8, 8);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, LastAccessTime, 16, 16);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, LastWriteTime, 24, 24);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, ChangeTime, 32, 32);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, AllocationSize, 40, 40);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, EndOfFile, 48, 48);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, FileAttributes, 56, 56);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, ReparseTag, 60, 60);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, NumberOfLinks, 64, 64);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, DeviceType, 68, 68);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, DeviceCharacteristics, 72, 72);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, Reserved, 76, 76);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, VolumeSerialNumber, 80, 80);
CIMFS_OFFSET_(FILE_STAT_BASIC_INFORMATION, FileId128, 88, 88);

#pragma pack(pop)

/* --------------------------------------------------------------------------------------------
 * Making an image
 */

/**
 * CimCreateImage() - begin a session that makes, extends or forks an image
 * @imageContainingPath: existing directory, in which FILE_ADD_FILE and FILE_LIST_DIRECTORY are
 *     granted; a trailing '\' is fine
 * @existingImageName: file name of the image to begin with, or NULL for an empty one
 * @newImageName: file name of the image to make. NULL, or the same as @existingImageName: the
 *     commit replaces (extends) that image. Another name: the existing one stays (a fork)
 * @cimImageHandle: receives the session; end it with CimCloseImage()
 *
 * The directory is opened without sharing write access until the session ends: one session for a
 * directory at a time. Nothing of the result is visible before CimCommitImage().
 *
 * E_INVALIDARG: neither name; a name that is "" (the new one), over 255 code units, or holds a
 * separator or ':' (ours). E_POINTER: @cimImageHandle is NULL (ours). E_ACCESSDENIED: no right to
 * write in the directory. ERROR_PATH_NOT_FOUND: no such directory. ERROR_FILE_NOT_FOUND: no image
 * @existingImageName. ERROR_FILE_EXISTS: @newImageName is another name and is taken.
 * ERROR_SHARING_VIOLATION: another session has the directory. ERROR_FILE_SYSTEM_LIMITATION: the
 * existing image has no room for three more regions (ours).
 */
CIMFSAPI CimCreateImage(CIMFS_IN_ PCWSTR imageContainingPath,
			CIMFS_IN_OPT_ PCWSTR existingImageName, CIMFS_IN_OPT_ PCWSTR newImageName,
			CIMFS_OUT_ CIMFS_IMAGE_HANDLE *cimImageHandle);

/**
 * CimCreateImage2() - CimCreateImage() with flags
 * @flags: CIM_CREATE_*
 *
 * With CIM_CREATE_IMAGE_SINGLE_FILE or CIM_CREATE_IMAGE_BLOCK_CIM @imageContainingPath is a
 * container of images: a file, which the call makes if there is none, or a block device
 * (\\.\PhysicalDriveN; clients). The layout of ours isn't Microsoft's. Images that are there
 * already stay, and may be extended and forked (ours).
 *
 * With CIM_CREATE_CONSISTENT_CIMS the region set's GUID is computed at commit, so that the same
 * calls give the same bytes; the commit may then fail with ERROR_FILE_EXISTS where a region file
 * of that name with other content is in use.
 *
 * As CimCreateImage(), and (all ours) E_INVALIDARG: an unknown flag, 0x04 with 0x08, 0x40 without
 * one of them, 0x04 for a path that doesn't begin with \\.\ or 0x08 for one that does.
 * ERROR_CIMFS_IMAGE_CORRUPT: there is something else than a container. ERROR_DISK_FULL: the device
 * is too small. Of an existing container E_INVALIDARG: 0x40 other than when it was made;
 * E_ACCESSDENIED: it is sealed.
 */
CIMFSAPI CimCreateImage2(CIMFS_IN_ PCWSTR imageContainingPath,
			 CIMFS_IN_ CIM_CREATE_IMAGE_FLAGS flags,
			 CIMFS_IN_OPT_ PCWSTR existingImageName, CIMFS_IN_OPT_ PCWSTR newImageName,
			 CIMFS_OUT_ CIMFS_IMAGE_HANDLE *cimImageHandle);

/**
 * CimCloseImage() - end a session
 * @cimImageHandle: the session; NULL or one that is closed already does nothing (ours)
 *
 * Without a commit all that was written is discarded. While the session's stream is open the
 * handle is gone but files, memory and the directory's lock stay until CimCloseStream(). The
 * return register is 0 all the same, because some clients read it (ours).
 */
CIMFSAPI_(void) CimCloseImage(CIMFS_IN_ CIMFS_IMAGE_HANDLE cimImageHandle);

/**
 * CimCommitImage() - make the image under its name
 * @cimImageHandle: the session; afterwards it can only be closed (any other use: E_INVALIDARG)
 *
 * Writes everything the image names to disk and then publishes it in one step: until then the old
 * image (or none) stands.
 *
 * E_INVALIDARG: no session, or committed already. ERROR_SHARING_VIOLATION: a stream is open; the
 * image to be replaced is mounted, held open by somebody for over 1 s, or was changed meanwhile:
 * the session goes on. ERROR_FILE_EXISTS: the new name has been taken meanwhile (ours).
 * ERROR_PATH_NOT_FOUND: a merge link of a source has no target; the session goes on (ours). Of
 * sources, too: ERROR_SHARING_VIOLATION: one was replaced meanwhile; ERROR_FILE_NOT_FOUND,
 * ERROR_PATH_NOT_FOUND: one is gone, or its container (ours). The first error of a write that
 * failed earlier in the session: nothing is published (ours).
 */
CIMFSAPI CimCommitImage(CIMFS_IN_ CIMFS_IMAGE_HANDLE cimImageHandle);

/**
 * CimCreateFile() - add a file or directory, or replace what is at the path
 * @cimImageHandle: the session
 * @imageRelativePath: its parent must exist; "" or "\" describes the root directory (ours)
 * @fileMetadata: see CIMFS_FILE_METADATA
 * @cimStreamHandle: receives the open default stream, for directories too; close it with
 *     CimCloseStream() before the next call on the session
 *
 * Exactly FileSize bytes long whatever is written: ranges never written read as zero, and to
 * resize a file it is created again. A directory over a directory gets the new metadata and keeps
 * its children and streams (clients); a file over a file makes a new file for that name, other
 * hard links keep the old one; otherwise the old item goes with all below it (ours).
 *
 * E_INVALIDARG: no session, malformed path or one with ':', malformed metadata. E_POINTER:
 * @cimStreamHandle is NULL (ours). ERROR_SHARING_VIOLATION: a stream of the session is open.
 * ERROR_PATH_NOT_FOUND: the parent is missing or a file (clients). ERROR_FILE_SYSTEM_LIMITATION: a
 * limit of the format (ours).
 */
CIMFSAPI CimCreateFile(CIMFS_IN_ CIMFS_IMAGE_HANDLE cimImageHandle,
		       CIMFS_IN_ PCWSTR imageRelativePath,
		       CIMFS_IN_ const CIMFS_FILE_METADATA *fileMetadata,
		       CIMFS_OUT_ CIMFS_STREAM_HANDLE *cimStreamHandle);

/**
 * CimCreateAlternateStream() - add or replace an alternate stream of an item
 * @cimImageHandle: the session
 * @imageRelativePath: PATH:STREAM or PATH:STREAM:$DATA; PATH is an existing file or directory
 * @streamSize: bytes, at most 2^48-1; ranges never written read as zero
 * @cimStreamHandle: receives the open stream, to be closed with CimCloseStream()
 *
 * E_INVALIDARG: no session, or not such a path (another type, an empty stream name, no stream), or
 * too large a size (ours). E_POINTER: @cimStreamHandle is NULL (ours). ERROR_PATH_NOT_FOUND: the
 * item is missing. ERROR_SHARING_VIOLATION: a stream of the session is open.
 */
CIMFSAPI CimCreateAlternateStream(CIMFS_IN_ CIMFS_IMAGE_HANDLE cimImageHandle,
				  CIMFS_IN_ PCWSTR imageRelativePath, CIMFS_IN_ UINT64 streamSize,
				  CIMFS_OUT_ CIMFS_STREAM_HANDLE *cimStreamHandle);

/**
 * CimCreateHardLink() - give an existing file one more name
 * @cimImageHandle: the session
 * @imageRelativePath: the new name; a file there is replaced, the same file is left alone (ours)
 * @existingImageRelativePath: the file, new or inherited; itself may be any of several names
 *
 * E_INVALIDARG: no session, a malformed path, or one that names a stream. ERROR_PATH_NOT_FOUND:
 * the existing path is missing, or the parent of the new one (ours). E_ACCESSDENIED: the existing
 * path, or what is at the new one (ours), is a directory. ERROR_SHARING_VIOLATION: a stream of the
 * session is open.
 */
CIMFSAPI CimCreateHardLink(CIMFS_IN_ CIMFS_IMAGE_HANDLE cimImageHandle,
			   CIMFS_IN_ PCWSTR imageRelativePath,
			   CIMFS_IN_ PCWSTR existingImageRelativePath);

/**
 * CimWriteStream() - append to a stream
 * @cimStreamHandle: the stream
 * @buffer: @bufferSize bytes; not NULL even if that is 0
 * @bufferSize: 0 always succeeds on a file's stream, at its end too (clients)
 *
 * E_INVALIDARG: no open stream, or a directory's. E_POINTER: @buffer is NULL. ERROR_HANDLE_EOF:
 * more than the size given at creation; what fits was written.
 *
 * A write that fails for another reason (a full disk) ends the session: each later call answers
 * the same error and only closing is possible (ours).
 */
CIMFSAPI CimWriteStream(CIMFS_IN_ CIMFS_STREAM_HANDLE cimStreamHandle,
			CIMFS_IN_BYTES_(bufferSize) const void *buffer,
			CIMFS_IN_ UINT32 bufferSize);

/**
 * CimCloseStream() - end a stream
 * @cimStreamHandle: the stream; NULL or one that is closed already does nothing (ours)
 *
 * May be called after its image was closed. An error that shows only now is kept by the session
 * and answered by its later calls (ours). Return register: as CimCloseImage().
 */
CIMFSAPI_(void) CimCloseStream(CIMFS_IN_ CIMFS_STREAM_HANDLE cimStreamHandle);

/**
 * CimDeletePath() - remove a file's name, a directory with all below it, or PATH:STREAM
 * @cimImageHandle: the session
 * @imageRelativePath: new or inherited
 *
 * The last name of a file takes the file with it. In a fork the existing image keeps everything.
 *
 * E_INVALIDARG: no session, a malformed path, or the root (ours). ERROR_PATH_NOT_FOUND: nothing
 * there. ERROR_SHARING_VIOLATION: a stream of the session is open.
 */
CIMFSAPI CimDeletePath(CIMFS_IN_ CIMFS_IMAGE_HANDLE cimImageHandle,
		       CIMFS_IN_ PCWSTR imageRelativePath);

/**
 * CimLookupFile() - is there such an item in the session's tree?
 * @cimImageHandle: the session
 * @imageRelativePath: an item, or PATH:STREAM
 * @exists: receives TRUE or FALSE; FALSE also where a directory on the way is missing
 *
 * Allowed while a stream is open. E_INVALIDARG: no session, or a malformed path. E_POINTER:
 * @exists is NULL. All ours: one SDK declared the function and no page describes it.
 */
CIMFSAPI CimLookupFile(CIMFS_IN_ CIMFS_IMAGE_HANDLE cimImageHandle,
		       CIMFS_IN_ PCWSTR imageRelativePath, CIMFS_OUT_ PBOOLEAN exists);

/* --------------------------------------------------------------------------------------------
 * Reading an image without mounting it
 */

/**
 * CimReadFile() - read from a file of a committed image
 * @imagePath: the image file, DIRECTORY\NAME
 * @filePath: the file in it, or PATH:STREAM (ours)
 * @offset: where to begin, in bytes
 * @buffer: room for @bufferSize bytes; not NULL even if that is 0
 * @bytesRead: receives the bytes read: @bufferSize, or less where the stream ends
 * @bytesRemaining: receives the bytes of the stream behind those read; loop until it is 0
 *
 * The image is found by its published state: a session that is writing it doesn't disturb. At the
 * stream's end: S_OK with 0 and 0 (clients). The rest is ours. E_INVALIDARG: a malformed path, a
 * directory. E_POINTER: @buffer, @bytesRead or @bytesRemaining is NULL. ERROR_HANDLE_EOF: @offset
 * is past the end. ERROR_FILE_NOT_FOUND: no such image, file or stream. ERROR_PATH_NOT_FOUND: a
 * directory on the way is missing. ERROR_CIMFS_IMAGE_CORRUPT: the image is broken, or a region file
 * of its missing.
 */
CIMFSAPI CimReadFile(CIMFS_IN_ PCWSTR imagePath, CIMFS_IN_ PCWSTR filePath, CIMFS_IN_ UINT64 offset,
		     CIMFS_OUT_BYTES_(bufferSize) void *buffer, CIMFS_IN_ UINT64 bufferSize,
		     CIMFS_OUT_ UINT64 *bytesRead, CIMFS_OUT_ UINT64 *bytesRemaining);

/**
 * CimGetFileStatBasicInformation() - an item's times, size and attributes
 * @imagePath, @filePath: as CimReadFile(), directories and the root ("" or "\") included
 * @fileStatInformation: receives them. For PATH:STREAM the sizes are the stream's
 *
 * Errors: as CimReadFile(), but for directories, which have a stat.
 */
CIMFSAPI CimGetFileStatBasicInformation(
	CIMFS_IN_ PCWSTR imagePath, CIMFS_IN_ PCWSTR filePath,
	CIMFS_OUT_ FILE_STAT_BASIC_INFORMATION *fileStatInformation);

/**
 * CimReadFile2() - CimReadFile() with CIM_READ_* flags
 *
 * With CIM_READ_SINGLE_FILE @imagePath is CONTAINER\NAME, of a container in a file.
 *
 * As CimReadFile(), and (all ours) E_INVALIDARG: another flag, or a path that begins with \\.\.
 * ERROR_PATH_NOT_FOUND: no such container. ERROR_CIMFS_IMAGE_CORRUPT: it is none.
 */
CIMFSAPI CimReadFile2(CIMFS_IN_ PCWSTR imagePath, CIMFS_IN_ PCWSTR filePath,
		      CIMFS_IN_ UINT64 offset, CIMFS_OUT_BYTES_(bufferSize) void *buffer,
		      CIMFS_IN_ UINT64 bufferSize, CIMFS_OUT_ UINT64 *bytesRead,
		      CIMFS_OUT_ UINT64 *bytesRemaining, CIMFS_IN_ UINT32 flags);

/** CimGetFileStatBasicInformation2() - the same, with flags and errors as CimReadFile2() */
CIMFSAPI
CimGetFileStatBasicInformation2(CIMFS_IN_ PCWSTR imagePath, CIMFS_IN_ PCWSTR filePath,
				CIMFS_OUT_ FILE_STAT_BASIC_INFORMATION *fileStatInformation,
				CIMFS_IN_ UINT32 flags);

/* --------------------------------------------------------------------------------------------
 * Mounting
 */

/**
 * CimMountImage() - mount an image as a volume
 * @imageContainingPath, @imageName: the image
 * @flags: CIM_MOUNT_*; with CIM_MOUNT_SINGLE_FILE or CIM_MOUNT_BLOCK_CIM @imageContainingPath is a
 *     container (CimCreateImage2()), a device with or without a trailing '\'
 * @volumeId: the volume's GUID, which the caller invents: it appears as \\?\Volume{GUID}\
 *
 * The volume stays until CimDismountImage(), whatever becomes of the process.
 *
 * E_INVALIDARG: an unknown flag. ERROR_PATH_NOT_FOUND: no such directory or container.
 * ERROR_FILE_NOT_FOUND: no such image. E_ACCESSDENIED: no right to mount. ERROR_ALREADY_EXISTS: the
 * GUID is in use. ERROR_CIMFS_IMAGE_CORRUPT: the image is broken, a region file is missing, or the
 * container is none. ERROR_NOT_SUPPORTED: this project's DLL on Windows; under Wine, if its helper
 * cimfs-mount is not installed.
 */
CIMFSAPI CimMountImage(CIMFS_IN_ PCWSTR imageContainingPath, CIMFS_IN_ PCWSTR imageName,
		       CIMFS_IN_ CIM_MOUNT_IMAGE_FLAGS flags, CIMFS_IN_ const GUID *volumeId);

/**
 * CimDismountImage() - end a mount
 * @volumeId: the GUID given to CimMountImage()
 *
 * It succeeds while files of the volume are open: they stay readable until they are closed (ours).
 *
 * E_INVALIDARG: @volumeId is NULL (ours). ERROR_FILE_NOT_FOUND: no such mount.
 */
CIMFSAPI CimDismountImage(CIMFS_IN_ const GUID *volumeId);

/* --------------------------------------------------------------------------------------------
 * Merged images
 *
 * A merged image shows several images, its sources, over each other: of each path what the topmost
 * one has, and directories united. It holds no file data, so its sources are named when it is
 * mounted. (What the functions do is what clients expect; errors and all else are ours.)
 */

/**
 * CimAddFsToMergedImage() - lay an image under what the session has
 * @cimImageHandle: a session that began with no image, in a directory
 * @existingImagePath: DIRECTORY\NAME
 *
 * The topmost source first. What the session itself makes, before or after, lies above. A source
 * may be used, by others too, while the session goes on, but it must still be there, and be the
 * same, at the commit: that answers ERROR_FILE_NOT_FOUND or ERROR_SHARING_VIOLATION if not.
 *
 * E_INVALIDARG: no such session, one that extends or forks an image, or one in a container.
 * ERROR_SHARING_VIOLATION: a stream of the session is open. ERROR_FILE_NOT_FOUND: no such image.
 * ERROR_PATH_NOT_FOUND: no such directory, or container. ERROR_FILE_SYSTEM_LIMITATION: the sources
 * have more regions than an image can name. ERROR_FILE_EXISTS: a directory of the source has two
 * names that differ in case only. A source that turns out to be damaged ends the session's use, as
 * a failing write does.
 */
CIMFSAPI CimAddFsToMergedImage(CIMFS_IN_ CIMFS_IMAGE_HANDLE cimImageHandle,
			       CIMFS_IN_ PCWSTR existingImagePath);

/**
 * CimAddFsToMergedImage2() - the same, for images in containers too
 * @cimImageHandle: a session that began with no image
 * @existingImagePath: CONTAINER\NAME; without one of the flags below DIRECTORY\NAME
 * @flags: CIM_MERGE_*. CIM_MERGE_SINGLE_FILE or CIM_MERGE_BLOCK_DEVICE if, and only if, the session
 *     has that container itself
 *
 * With CIM_MERGE_VERIFIED the source's root hash is stored: CimMergeMountVerifiedImage() needs
 * that.
 *
 * As CimAddFsToMergedImage(). E_INVALIDARG: flags that don't fit the session or the path.
 * ERROR_CIMFS_IMAGE_CORRUPT: CIM_MERGE_VERIFIED, and the source's container isn't sealed.
 */
CIMFSAPI CimAddFsToMergedImage2(CIMFS_IN_ CIMFS_IMAGE_HANDLE cimImageHandle,
				CIMFS_IN_ PCWSTR existingImagePath, CIMFS_IN_ UINT32 flags);

/**
 * CimCreateMergedFile() - add a file whose data lie in source @fsIndex of a merged image
 *
 * Known by a header alone. This project's DLL answers ERROR_NOT_SUPPORTED.
 */
CIMFSAPI CimCreateMergedFile(CIMFS_IN_ CIMFS_IMAGE_HANDLE cimImageHandle,
			     CIMFS_IN_ PCWSTR imageRelativePath, CIMFS_IN_ PVOID backingFsPointer,
			     CIMFS_IN_ PVOID backingFilePointer, CIMFS_IN_ UINT16 fsIndex);

/**
 * CimTombstoneFile() - hide a path, and all below it, of the sources below this image
 * @cimImageHandle: the session
 * @imageRelativePath: needn't be in the image, nor its directories; what is there is removed
 *
 * For the session's other calls, and whoever reads the image, there is nothing at the path. A
 * directory that is created there hides what the sources below have at its path.
 *
 * E_INVALIDARG: no session, a malformed path, the root, a path with ':'. ERROR_PATH_NOT_FOUND: a
 * file is on the way. ERROR_SHARING_VIOLATION: a stream of the session is open.
 * ERROR_NOT_SUPPORTED: the image that is extended or forked has records with flags that would come
 * to mean this.
 */
CIMFSAPI CimTombstoneFile(CIMFS_IN_ CIMFS_IMAGE_HANDLE cimImageHandle,
			  CIMFS_IN_ PCWSTR imageRelativePath);

/**
 * CimCreateMergeLink() - a hard link whose target is found when images are merged
 * @cimImageHandle: the session
 * @imageRelativePath: the new name; a file there is replaced
 * @existingImageRelativePath: where the target will be; it may be a merge link itself
 *
 * For the session's other calls, and whoever reads the image, there is nothing at the new name. If
 * the target can't be found in a merged image that image's commit answers ERROR_PATH_NOT_FOUND.
 *
 * As CimTombstoneFile(), of both paths. E_ACCESSDENIED: a directory is at @imageRelativePath.
 */
CIMFSAPI CimCreateMergeLink(CIMFS_IN_ CIMFS_IMAGE_HANDLE cimImageHandle,
			    CIMFS_IN_ PCWSTR imageRelativePath,
			    CIMFS_IN_ PCWSTR existingImageRelativePath);

/**
 * CimMergeMountImage() - mount a merged image
 * @numberOfImages: 2 or more
 * @images: the merged image, then its sources; in any order, and others are passed over (ours)
 * @flags: as for CimMountImage(), of all of them
 * @volumeId: as for CimMountImage(), and CimDismountImage() ends it
 *
 * As CimMountImage(). E_INVALIDARG: fewer than two, or the first is no merged image.
 * ERROR_FILE_NOT_FOUND: an image is missing, or a source isn't among them.
 * ERROR_CIMFS_IMAGE_CORRUPT: a source names other region sets than it did when it was merged, too.
 */
CIMFSAPI CimMergeMountImage(CIMFS_IN_ UINT32 numberOfImages,
			    CIMFS_IN_READS_(numberOfImages) const CimFsImagePath *images,
			    CIMFS_IN_ CIM_MOUNT_IMAGE_FLAGS flags, CIMFS_IN_ const GUID *volumeId);

/* --------------------------------------------------------------------------------------------
 * Containers and their seals
 */

/**
 * CimSealImage() - let nobody write a container any more, and make every change show
 * @blockCimPath: the container, a file or a device (\\.\PhysicalDriveN); made with
 *     CIM_CREATE_VERIFIED
 * @hashSize: receives 32, the bytes of the hash
 * @fixedHeaderSize: receives 4096, the bytes of the container's header (ours)
 * @hash: receives the root hash; room for 32 bytes
 *
 * Reads all of the container, and writes a tree of hashes behind it. Sessions in it are answered
 * E_ACCESSDENIED from then on. Sealed again it answers the same.
 *
 * All ours: a failure clears the sizes and leaves @hash alone. E_POINTER: a size, or @hash, is
 * NULL. E_INVALIDARG: made without CIM_CREATE_VERIFIED. ERROR_SHARING_VIOLATION: a session is in
 * it. ERROR_FILE_NOT_FOUND: no such file or device. ERROR_CIMFS_IMAGE_CORRUPT: it is no container,
 * or a damaged one. ERROR_DISK_FULL: the tree doesn't fit.
 */
CIMFSAPI CimSealImage(CIMFS_IN_ PCWSTR blockCimPath, CIMFS_OUT_ UINT64 *hashSize,
		      CIMFS_OUT_ UINT64 *fixedHeaderSize, CIMFS_OUT_ BYTE *hash);

/**
 * CimGetVerificationInformation() - is a container sealed, and with what root hash?
 * @blockCimPath: the container, a file or a device
 * @isSealed: receives 1 or 0
 * @hashSize, @fixedHeaderSize: as for CimSealImage(), sealed or not
 * @signatureSize: receives 0, for there are no signatures here (ours)
 * @hash: receives the root hash, if it is sealed; room for 32 bytes
 * @signature: room for the signature, or NULL; left alone
 *
 * Bytes behind the container, a VHD's footer, are no hindrance (clients).
 *
 * All ours: a failure clears the numbers and leaves @hash alone. E_POINTER: a number, or @hash, is
 * NULL. ERROR_FILE_NOT_FOUND: no such file or device. ERROR_CIMFS_IMAGE_CORRUPT: it is no
 * container, or a damaged one, or its seal is on another device.
 */
CIMFSAPI CimGetVerificationInformation(CIMFS_IN_ PCWSTR blockCimPath, CIMFS_OUT_ UINT32 *isSealed,
				       CIMFS_OUT_ UINT64 *hashSize,
				       CIMFS_OUT_ UINT64 *signatureSize,
				       CIMFS_OUT_ UINT64 *fixedHeaderSize, CIMFS_OUT_ BYTE *hash,
				       CIMFS_OUT_OPT_ BYTE *signature);

/**
 * CimMountVerifiedImage() - CimMountImage(), if the container has this root hash
 * @imageContainingPath, @imageName, @volumeId: as for CimMountImage()
 * @flags: with CIM_MOUNT_SINGLE_FILE or CIM_MOUNT_BLOCK_CIM, and without CIM_MOUNT_ATTEST_HASH
 * @hashSize: 32, the bytes of @hash
 * @hash: what CimSealImage() answered
 *
 * Whatever is read from the volume is checked first; what was changed can't be read.
 *
 * As CimMountImage(). E_INVALIDARG: such flags, or another size. ERROR_CIMFS_IMAGE_CORRUPT: another
 * root hash, or no seal (ours).
 */
CIMFSAPI CimMountVerifiedImage(CIMFS_IN_ PCWSTR imageContainingPath, CIMFS_IN_ PCWSTR imageName,
			       CIMFS_IN_ UINT32 flags, CIMFS_IN_ const GUID *volumeId,
			       CIMFS_IN_ UINT16 hashSize,
			       CIMFS_IN_BYTES_(hashSize) const BYTE *hash);

/**
 * CimMergeMountVerifiedImage() - CimMergeMountImage() of sealed images
 * @numberOfImages, @images, @volumeId: as for CimMergeMountImage()
 * @flags, @hashSize: as for CimMountVerifiedImage()
 * @hash: the root hash of the merged image's container
 *
 * The sources' root hashes are those that the merged image has stored (CIM_MERGE_VERIFIED).
 *
 * As CimMergeMountImage() and CimMountVerifiedImage().
 */
CIMFSAPI CimMergeMountVerifiedImage(CIMFS_IN_ UINT32 numberOfImages,
				    CIMFS_IN_READS_(numberOfImages) const CimFsImagePath *images,
				    CIMFS_IN_ UINT32 flags, CIMFS_IN_ const GUID *volumeId,
				    CIMFS_IN_ UINT16 hashSize,
				    CIMFS_IN_BYTES_(hashSize) const BYTE *hash);

/**
 * CimConvertBlockImage() - copy an ordinary image into a new container
 * @containingPath, @existingImageName: the image
 * @newContainingPath: the container, a file that isn't there or an empty device
 *
 * One header has the arguments' names and no more; whether Windows converts this way or the other
 * isn't known. All ours: the copy has the image's name, and its parents' files are copied
 * with it; the image stays as it is. A failure takes away what was made, but not that of the last
 * sync. ERROR_FILE_EXISTS: there is a file, a directory or a container. Else as CimReadFile() and
 * CimCreateImage2().
 */
CIMFSAPI CimConvertBlockImage(CIMFS_IN_ PCWSTR containingPath, CIMFS_IN_ PCWSTR existingImageName,
			      CIMFS_IN_ PCWSTR newContainingPath);

#undef CIMFS_IN_
#undef CIMFS_IN_OPT_
#undef CIMFS_IN_READS_
#undef CIMFS_IN_BYTES_
#undef CIMFS_OUT_
#undef CIMFS_OUT_OPT_
#undef CIMFS_OUT_BYTES_
#undef CIMFS_FIELD_BYTES_
#undef CIMFS_ASSERT_
#undef CIMFS_SIZE_
#undef CIMFS_OFFSET_

#endif /* WINAPI_PARTITION_DESKTOP */

#endif /* CIMFS_H */
