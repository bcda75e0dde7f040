// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

package main

// gate.go - is this Windows new enough?
//
// Container tools don't ask whether cimfs.dll is there, they ask for the build of Windows: 26100
// (Server 2025) and later have images that hold, and 20348 (Server 2022) from update 2031 on. Those
// in containers, and merged ones, came with 27766, sealed ones with 27800. Under Wine the numbers
// come from the registry, and a prefix as Wine makes it is much too old.

import (
	"fmt"
	"syscall"
	"unsafe"
)

const (
	server2022       = 20348
	server2022Update = 2031
	server2025       = 26100
	blockBuild       = 27766
	verifiedBuild    = 27800
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

// checkBlockGate: are there containers, merged images and, if they are wanted, sealed ones?
func checkBlockGate(verified bool) error {
	if err := checkGate(); err != nil {
		return err
	}
	needed, functions := uint32(blockBuild), []*function{procCreateImage2, procTombstoneFile,
		procCreateMergeLink, procAddFsToMergedImage2, procMergeMount}
	if verified {
		needed = verifiedBuild
		functions = append(functions, procSealImage, procGetVerification, procMountVerified,
			procMergeMountVerified)
	}
	if build, _ := windowsBuild(); build < needed {
		return fmt.Errorf("Windows build %d has no such images: %d is needed", build, needed)
	}
	for _, f := range functions {
		if err := f.find(); err != nil {
			return err
		}
	}
	return nil
}
