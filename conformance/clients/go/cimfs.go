// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

package main

// cimfs.go - cimfs.dll as a Go program sees it
//
// No header is read here: functions are called by name with machine words, and what comes back is
// the return register. Its low half is taken as an HRESULT, of CimCloseStream and CimCloseImage
// too, which return nothing at all (released clients do that). Negative is an error; one that
// stands for a Win32 error becomes that, so that os.IsNotExist, os.IsExist and os.IsPermission
// know it.

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

var (
	cimfs = &library{name: "cimfs.dll"}

	procCreateImage    = &function{lib: cimfs, name: "CimCreateImage"}
	procCloseImage     = &function{lib: cimfs, name: "CimCloseImage"}
	procCommitImage    = &function{lib: cimfs, name: "CimCommitImage"}
	procCreateFile     = &function{lib: cimfs, name: "CimCreateFile"}
	procCreateStream   = &function{lib: cimfs, name: "CimCreateAlternateStream"}
	procCreateHardLink = &function{lib: cimfs, name: "CimCreateHardLink"}
	procWriteStream    = &function{lib: cimfs, name: "CimWriteStream"}
	procCloseStream    = &function{lib: cimfs, name: "CimCloseStream"}
	procDeletePath     = &function{lib: cimfs, name: "CimDeletePath"}
	procMountImage     = &function{lib: cimfs, name: "CimMountImage"}
	procDismountImage  = &function{lib: cimfs, name: "CimDismountImage"}
	procNoSuchFunction = &function{lib: cimfs, name: "CimNoSuchFunction"}

	procCreateImage2        = &function{lib: cimfs, name: "CimCreateImage2"}
	procTombstoneFile       = &function{lib: cimfs, name: "CimTombstoneFile"}
	procCreateMergeLink     = &function{lib: cimfs, name: "CimCreateMergeLink"}
	procAddFsToMergedImage2 = &function{lib: cimfs, name: "CimAddFsToMergedImage2"}
	procSealImage           = &function{lib: cimfs, name: "CimSealImage"}
	procGetVerification     = &function{lib: cimfs, name: "CimGetVerificationInformation"}
	procMergeMount          = &function{lib: cimfs, name: "CimMergeMountImage"}
	procMountVerified       = &function{lib: cimfs, name: "CimMountVerifiedImage"}
	procMergeMountVerified  = &function{lib: cimfs, name: "CimMergeMountVerifiedImage"}
)

// cimwriter is a DLL of the writing functions alone, which may be shipped with a program.
var cimwriter = &library{name: "cimwriter.dll", besideProgram: true}

// useCimwriter has it do all the writing: a handle of one DLL is never given to the other.
func useCimwriter() error {
	if err := cimwriter.load(); err != nil {
		return err
	}
	for _, f := range []*function{procCloseImage, procCommitImage, procCreateFile, procCreateStream,
		procCreateHardLink, procWriteStream, procCloseStream, procDeletePath, procCreateImage2,
		procTombstoneFile, procCreateMergeLink, procAddFsToMergedImage2, procSealImage,
		procGetVerification} {
		f.lib = cimwriter
	}
	return nil
}

// fileMetadata is CIMFS_FILE_METADATA of 64-bit Windows.
type fileMetadata struct {
	attributes  uint32
	fileSize    int64
	creation    int64
	lastWrite   int64
	change      int64
	lastAccess  int64
	sd          *byte
	sdSize      uint32
	reparse     *byte
	reparseSize uint32
	ea          *byte
	eaSize      uint32
}

var _ [88]byte = [unsafe.Offsetof(fileMetadata{}.eaSize)]byte{}

// What functions returned that was neither an error nor the S_OK that a client in PowerShell
// insists on, in the whole register.
var oddSuccess []string

// resultOf turns a return register into an error.
func resultOf(r uintptr) error {
	if int32(r) >= 0 {
		return nil
	}
	code := uint32(r)
	if code&0x1fff0000 == 0x00070000 {
		code &= 0xffff
	}
	return syscall.Errno(code)
}

//go:uintptrescapes
func cimCall(f *function, args ...uintptr) error {
	if err := f.find(); err != nil {
		return err
	}
	r, _, _ := syscall.SyscallN(f.addr, args...)
	err := resultOf(r)
	void := f == procCloseStream || f == procCloseImage
	if err == nil && r != 0 && !void {
		oddSuccess = append(oddSuccess, fmt.Sprintf("%s: 0x%x", f.name, r))
	}
	return err
}

func failed(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: path, Err: err}
}

// optional is a string that may be left out: the DLL tells NULL from "".
func optional(s string) (*uint16, error) {
	if s == "" {
		return nil, nil
	}
	return syscall.UTF16PtrFromString(s)
}

func first(b []byte) *byte {
	if len(b) == 0 {
		return nil
	}
	return &b[0]
}

// guid has the bytes in the order in which Windows keeps them in memory.
type guid [16]byte

func (g guid) String() string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(g[0:]),
		binary.LittleEndian.Uint16(g[4:]), binary.LittleEndian.Uint16(g[6:]), g[8:10], g[10:16])
}

// namespace is 6827367b-c388-4e9b-961c-6d2c936c0000 as RFC 4122 writes it, what layer mounts use.
var namespace = []byte{0x68, 0x27, 0x36, 0x7b, 0xc3, 0x88, 0x4e, 0x9b,
	0x96, 0x1c, 0x6d, 0x2c, 0x93, 0x6c, 0, 0}

// volumeOf is the GUID that belongs to a container's name: whoever knows the name can dismount
// what another program left mounted (RFC 4122, version 5).
func volumeOf(container string) (g guid) {
	hash := sha1.Sum(append(append([]byte(nil), namespace...), container...))
	hash[6] = hash[6]&0x0f | 0x50
	hash[8] = hash[8]&0x3f | 0x80
	copy(g[:], hash[:16])
	g[0], g[1], g[2], g[3] = g[3], g[2], g[1], g[0]
	g[4], g[5] = g[5], g[4]
	g[6], g[7] = g[7], g[6]
	return g
}

func (g guid) root() string {
	return `\\?\Volume{` + g.String() + `}\`
}

func mount(dir, name string, g guid) error {
	dirText, err := syscall.UTF16PtrFromString(dir)
	if err != nil {
		return err
	}
	nameText, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	return failed("mount", dir+`\`+name, cimCall(procMountImage, uintptr(unsafe.Pointer(dirText)),
		uintptr(unsafe.Pointer(nameText)), 0, uintptr(unsafe.Pointer(&g[0]))))
}

func dismount(g guid) error {
	return failed("dismount", g.root(), cimCall(procDismountImage, uintptr(unsafe.Pointer(&g[0]))))
}

// place is where an image lies: its container, a file or a device, and its name there.
type place struct {
	container, name string
}

func (p place) String() string {
	return p.container + `\` + p.name
}

// rootHash is what a sealed container is known by.
type rootHash [32]byte

// imagePath is CimFsImagePath.
type imagePath struct {
	dir, name *uint16
}

var _ [16]byte = [unsafe.Sizeof(imagePath{})]byte{}

func (p place) path() (path imagePath, err error) {
	if path.dir, err = syscall.UTF16PtrFromString(p.container); err == nil {
		path.name, err = syscall.UTF16PtrFromString(p.name)
	}
	return path, err
}

// mountBlock mounts an image of a container, if a hash is given only if it is the container's. On
// its way here a device's path got a backslash at its end.
func mountBlock(at place, flags uint32, g guid, hash *rootHash) error {
	given := at
	if strings.HasPrefix(at.container, `\\.\`) {
		given.container += `\`
	}
	path, err := given.path()
	if err != nil {
		return err
	}
	if hash == nil {
		err = cimCall(procMountImage, uintptr(unsafe.Pointer(path.dir)),
			uintptr(unsafe.Pointer(path.name)), uintptr(flags), uintptr(unsafe.Pointer(&g[0])))
	} else {
		err = cimCall(procMountVerified, uintptr(unsafe.Pointer(path.dir)),
			uintptr(unsafe.Pointer(path.name)), uintptr(flags), uintptr(unsafe.Pointer(&g[0])),
			uintptr(len(hash)), uintptr(unsafe.Pointer(&hash[0])))
	}
	return failed("mount", at.String(), err)
}

// mergeMount mounts a merged image, which is the first, over its sources, the topmost first.
func mergeMount(images []place, flags uint32, g guid, hash *rootHash) error {
	var paths []imagePath
	for _, at := range images {
		path, err := at.path()
		if err != nil {
			return err
		}
		paths = append(paths, path)
	}
	var err error
	if hash == nil {
		err = cimCall(procMergeMount, uintptr(len(paths)), uintptr(unsafe.Pointer(&paths[0])),
			uintptr(flags), uintptr(unsafe.Pointer(&g[0])))
	} else {
		err = cimCall(procMergeMountVerified, uintptr(len(paths)),
			uintptr(unsafe.Pointer(&paths[0])), uintptr(flags), uintptr(unsafe.Pointer(&g[0])),
			uintptr(len(hash)), uintptr(unsafe.Pointer(&hash[0])))
	}
	return failed("merge-mount", images[0].String(), err)
}

// seal ends all writing in a container. Sizes are 0 at first: the DLL tells them.
func seal(container string) (hash rootHash, err error) {
	var hashSize, headerSize uint64
	text, err := syscall.UTF16PtrFromString(container)
	if err != nil {
		return hash, err
	}
	err = cimCall(procSealImage, uintptr(unsafe.Pointer(text)), uintptr(unsafe.Pointer(&hashSize)),
		uintptr(unsafe.Pointer(&headerSize)), uintptr(unsafe.Pointer(&hash[0])))
	if err == nil && hashSize != uint64(len(hash)) {
		err = fmt.Errorf("the hash has %d bytes", hashSize)
	}
	return hash, failed("seal", container, err)
}

// verification tells whether a container is sealed, and its hash.
func verification(container string) (sealed bool, hash rootHash, err error) {
	var isSealed uint32
	var hashSize, signatureSize, headerSize uint64
	text, err := syscall.UTF16PtrFromString(container)
	if err != nil {
		return false, hash, err
	}
	err = cimCall(procGetVerification, uintptr(unsafe.Pointer(text)),
		uintptr(unsafe.Pointer(&isSealed)), uintptr(unsafe.Pointer(&hashSize)),
		uintptr(unsafe.Pointer(&signatureSize)), uintptr(unsafe.Pointer(&headerSize)),
		uintptr(unsafe.Pointer(&hash[0])), 0)
	if err == nil && isSealed != 0 && hashSize != uint64(len(hash)) {
		err = fmt.Errorf("the hash has %d bytes", hashSize)
	}
	return isSealed != 0, hash, failed("verification", container, err)
}
