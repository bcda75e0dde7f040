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
)

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
