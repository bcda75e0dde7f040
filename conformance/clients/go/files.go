// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

package main

// files.go - an image as the files it consists of, without cimfs.dll
//
// What a client has to know of the format: the image file begins with a header that names the
// image's own set of region files and those of its parents. region_GUID_N and objectid_GUID_N of
// the own set belong to the image and to nobody else; so they tell what it costs, and they are what
// has to go when it is destroyed.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
)

const magic = "cimfile0"

type commonHeader struct {
	Magic        [8]byte
	HeaderLength uint32
	Type         uint8
	_            [3]byte
	Major, Minor uint32
	_            uint64
}

type regionSet struct {
	ID    guid
	Count uint16
	_     [6]byte
}

type imageHeader struct {
	commonHeader
	Set         regionSet
	Filesystem  uint64 // 48 bits of offset, 16 of region index
	_           [6]byte
	ParentCount uint16
}

type imageFile struct {
	imageHeader
	parents []regionSet
}

func readHeader(path string) (*imageFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var image imageFile
	reader := bytes.NewReader(data)
	if err := binary.Read(reader, binary.LittleEndian, &image.imageHeader); err != nil {
		return nil, failed("read the header of", path, err)
	}
	if string(image.Magic[:]) != magic || image.Type != 0 {
		return nil, failed("read the header of", path, fmt.Errorf("magic %q, type %d",
			image.Magic, image.Type))
	}
	if image.Major != 2 && image.Major != 3 {
		return nil, failed("read the header of", path, fmt.Errorf("version %d.%d", image.Major,
			image.Minor))
	}
	image.parents = make([]regionSet, image.ParentCount)
	if err := binary.Read(reader, binary.LittleEndian, image.parents); err != nil {
		return nil, failed("read the parents in", path, err)
	}
	return &image, nil
}

func setFiles(dir string, set regionSet) (paths []string) {
	for _, kind := range []string{"region", "objectid"} {
		for n := 0; n < int(set.Count); n++ {
			paths = append(paths, filepath.Join(dir, fmt.Sprintf("%s_%v_%d", kind, set.ID, n)))
		}
	}
	return paths
}

// usage is what the image's own set takes; the image file and the parents don't count.
func usage(dir, name string) (total int64, err error) {
	image, err := readHeader(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	for _, path := range setFiles(dir, image.Set) {
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		total += info.Size()
	}
	return total, nil
}

// destroy removes an image, as far as it can, and returns the first error.
func destroy(dir, name string) error {
	path := filepath.Join(dir, name)
	image, err := readHeader(path)
	if err != nil {
		return err
	}
	var firstError error
	for _, path := range append(setFiles(dir, image.Set), path) {
		if err := os.Remove(path); err != nil && firstError == nil {
			firstError = err
		}
	}
	return firstError
}
