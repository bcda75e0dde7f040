// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

package main

// gate.go - is this Windows new enough?
//
// Container tools don't ask whether cimfs.dll is there, they ask for the build of Windows: 26100
// (Server 2025) and later have images that hold, and 20348 (Server 2022) from update 2031 on. Under
// Wine both numbers come from the registry, and a prefix as Wine makes it is much too old.

import (
	"fmt"
	"syscall"
	"unsafe"
)

const (
	server2022       = 20348
	server2022Update = 2031
	server2025       = 26100
)

// windowsBuild returns the build and its update revision.
func windowsBuild() (build, revision uint32) {
	version := struct {
		size, major, minor, build, platform uint32
		servicePack                         [128]uint16
	}{}
	version.size = uint32(unsafe.Sizeof(version))
	procRtlGetVersion.call(uintptr(unsafe.Pointer(&version)))
	return version.build, updateRevision()
}

// updateRevision is what "ver" shows behind the build; 0 if there is none.
func updateRevision() uint32 {
	var key syscall.Handle
	var kind, value uint32
	path, _ := syscall.UTF16PtrFromString(`SOFTWARE\Microsoft\Windows NT\CurrentVersion`)
	name, _ := syscall.UTF16PtrFromString("UBR")
	if syscall.RegOpenKeyEx(syscall.HKEY_LOCAL_MACHINE, path, 0, syscall.KEY_READ, &key) != nil {
		return 0
	}
	defer syscall.RegCloseKey(key)
	size := uint32(unsafe.Sizeof(value))
	err := syscall.RegQueryValueEx(key, name, nil, &kind, (*byte)(unsafe.Pointer(&value)), &size)
	if err != nil || kind != syscall.REG_DWORD {
		return 0
	}
	return value
}

func checkGate() error {
	build, revision := windowsBuild()
	if build >= server2025 || build == server2022 && revision >= server2022Update {
		return cimfs.load()
	}
	return fmt.Errorf("Windows build %d.%d has no images: %d or %d.%d is needed", build, revision,
		server2025, server2022, server2022Update)
}
