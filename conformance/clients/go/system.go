// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

package main

// system.go - DLLs that are loaded when first needed, and what this needs of the system's
//
// A library is looked for in the system directory and nowhere else (LoadLibraryEx with
// LOAD_LIBRARY_SEARCH_SYSTEM32), unless it says that it may lie beside the program, too; a function
// when it is first called: one that is missing is an error for its caller, not the end of the
// program.

import (
	"fmt"
	"sync"
	"syscall"
	"unsafe"
)

const (
	loadLibrarySearchApplicationDir = 0x200
	loadLibrarySearchSystem32       = 0x800
)

type library struct {
	name          string
	besideProgram bool
	once          sync.Once
	handle        syscall.Handle
	err           error
}

type function struct {
	lib  *library
	name string
	once sync.Once
	addr uintptr
	err  error
}

var (
	kernel32 = &library{name: "kernel32.dll"}
	ntdll    = &library{name: "ntdll.dll"}
	advapi32 = &library{name: "advapi32.dll"}

	// This one is loaded already; it is what loads the others.
	loadLibraryEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LoadLibraryExW")

	procGetModuleFileName = &function{lib: kernel32, name: "GetModuleFileNameW"}
	procGetSystemDir      = &function{lib: kernel32, name: "GetSystemDirectoryW"}
	procFindFirstStream   = &function{lib: kernel32, name: "FindFirstStreamW"}
	procFindNextStream    = &function{lib: kernel32, name: "FindNextStreamW"}
	procWineVersion       = &function{lib: ntdll, name: "wine_get_version"}
	procRtlGetVersion     = &function{lib: ntdll, name: "RtlGetVersion"}
	procNtQueryEa         = &function{lib: ntdll, name: "NtQueryEaFile"}
	procSddlToSd          = &function{lib: advapi32,
		name: "ConvertStringSecurityDescriptorToSecurityDescriptorW"}
	procGetSdLength     = &function{lib: advapi32, name: "GetSecurityDescriptorLength"}
	procGetFileSecurity = &function{lib: advapi32, name: "GetFileSecurityW"}
)

func (l *library) load() error {
	l.once.Do(func() {
		name, err := syscall.UTF16PtrFromString(l.name)
		if err != nil {
			l.err = err
			return
		}
		where := uintptr(loadLibrarySearchSystem32)
		if l.besideProgram {
			where |= loadLibrarySearchApplicationDir
		}
		handle, _, err := loadLibraryEx.Call(uintptr(unsafe.Pointer(name)), 0, where)
		if handle == 0 {
			l.err = fmt.Errorf("%s can't be loaded: %w", l.name, err)
		}
		l.handle = syscall.Handle(handle)
	})
	return l.err
}

func (f *function) find() error {
	f.once.Do(func() {
		if f.err = f.lib.load(); f.err != nil {
			return
		}
		if f.addr, f.err = syscall.GetProcAddress(f.lib.handle, f.name); f.err != nil {
			f.err = fmt.Errorf("%s has no %s: %w", f.lib.name, f.name, f.err)
		}
	})
	return f.err
}

// call returns the whole return register and the error of GetLastError.
//
//go:uintptrescapes
func (f *function) call(args ...uintptr) (uintptr, error) {
	if err := f.find(); err != nil {
		return 0, err
	}
	r, _, errno := syscall.SyscallN(f.addr, args...)
	return r, errno
}

// path is where the library was found.
func (l *library) path() (string, error) {
	var buffer [syscall.MAX_PATH * 4]uint16
	if err := l.load(); err != nil {
		return "", err
	}
	n, err := procGetModuleFileName.call(uintptr(l.handle), uintptr(unsafe.Pointer(&buffer[0])),
		uintptr(len(buffer)))
	if n == 0 {
		return "", err
	}
	return syscall.UTF16ToString(buffer[:n]), nil
}

func systemDirectory() (string, error) {
	var buffer [syscall.MAX_PATH]uint16
	n, err := procGetSystemDir.call(uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)))
	if n == 0 {
		return "", err
	}
	return syscall.UTF16ToString(buffer[:n]), nil
}

func isWine() bool {
	return procWineVersion.find() == nil
}

// bytesAt copies memory that isn't Go's.
func bytesAt(address unsafe.Pointer, size int) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(address), size)...)
}

// descriptor makes a self-relative security descriptor of its text.
func descriptor(sddl string) ([]byte, error) {
	text, err := syscall.UTF16PtrFromString(sddl)
	if err != nil {
		return nil, err
	}
	var sd unsafe.Pointer
	ok, err := procSddlToSd.call(uintptr(unsafe.Pointer(text)), 1, uintptr(unsafe.Pointer(&sd)), 0)
	if ok == 0 {
		return nil, fmt.Errorf("descriptor %q: %w", sddl, err)
	}
	defer syscall.LocalFree(syscall.Handle(uintptr(sd)))
	size, err := procGetSdLength.call(uintptr(sd))
	if size == 0 {
		return nil, fmt.Errorf("descriptor %q: %w", sddl, err)
	}
	return bytesAt(sd, int(size)), nil
}

// dacl reads an item's descriptor with nothing but its DACL.
func dacl(path string) ([]byte, error) {
	const daclSecurityInformation = 4
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	var size uint32
	buffer := make([]byte, 0x10000)
	ok, err := procGetFileSecurity.call(uintptr(unsafe.Pointer(name)), daclSecurityInformation,
		uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)), uintptr(unsafe.Pointer(&size)))
	if uint32(ok) == 0 {
		return nil, err
	}
	return buffer[:size], nil
}

// streamNames lists an item's alternate streams.
func streamNames(path string) ([]string, error) {
	var data struct {
		size int64
		name [syscall.MAX_PATH + 36]uint16
	}
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	var names []string
	find, err := procFindFirstStream.call(uintptr(unsafe.Pointer(name)), 0,
		uintptr(unsafe.Pointer(&data)), 0)
	if syscall.Handle(find) == syscall.InvalidHandle {
		if err == syscall.ERROR_HANDLE_EOF {
			err = nil
		}
		return nil, err
	}
	defer syscall.FindClose(syscall.Handle(find))
	for {
		if text := syscall.UTF16ToString(data.name[:]); text != "::$DATA" {
			names = append(names, text)
		}
		ok, err := procFindNextStream.call(find, uintptr(unsafe.Pointer(&data)))
		if uint32(ok) == 0 {
			if err == syscall.ERROR_HANDLE_EOF {
				err = nil
			}
			return names, err
		}
	}
}

// attributesOf reads an item's extended attributes as the system returns them.
func attributesOf(path string) ([]byte, error) {
	const readEa = 8
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	file, err := syscall.CreateFile(name, readEa|syscall.SYNCHRONIZE, 7, nil, syscall.OPEN_EXISTING,
		syscall.FILE_FLAG_BACKUP_SEMANTICS|syscall.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.CloseHandle(file)
	var status [2]uintptr
	buffer := make([]byte, 0x10000)
	r, _ := procNtQueryEa.call(uintptr(file), uintptr(unsafe.Pointer(&status[0])),
		uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)), 0, 0, 0, 0, 1)
	if int32(r) < 0 {
		return nil, fmt.Errorf("NtQueryEaFile: 0x%08x", uint32(r))
	}
	return buffer[:status[1]], nil
}
