// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

package main

// writer.go - an image being written, in the manner of a tar reader: item by item, with Write
//
// The stream of the item added last stays open until the next call needs it closed. The DLL doesn't
// care whether a file got all its bytes, so this counts them. Close commits whatever was written.

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

type imageWriter struct {
	handle uintptr
	dir    string
	name   string
	stream uintptr
	active string // what the stream belongs to
	left   int64  // bytes that it still has to get
}

// newImage makes an image, or a fork of another one in the same directory.
func newImage(dir, parent, name string) (*imageWriter, error) {
	w := &imageWriter{dir: dir, name: name}
	dirText, err := syscall.UTF16PtrFromString(dir)
	if err != nil {
		return nil, err
	}
	parentText, err := optional(parent)
	if err != nil {
		return nil, err
	}
	nameText, err := optional(name)
	if err != nil {
		return nil, err
	}
	err = cimCall(procCreateImage, uintptr(unsafe.Pointer(dirText)),
		uintptr(unsafe.Pointer(parentText)), uintptr(unsafe.Pointer(nameText)),
		uintptr(unsafe.Pointer(&w.handle)))
	if err != nil {
		return nil, failed("create", dir+`\`+name, err)
	}
	return w, nil
}

// newBlockImage makes an image in a container, and the container if there is none.
func newBlockImage(at place, flags uint32) (*imageWriter, error) {
	w := &imageWriter{dir: at.container, name: at.name}
	containerText, err := syscall.UTF16PtrFromString(at.container)
	if err != nil {
		return nil, err
	}
	nameText, err := optional(at.name)
	if err != nil {
		return nil, err
	}
	err = cimCall(procCreateImage2, uintptr(unsafe.Pointer(containerText)), uintptr(flags), 0,
		uintptr(unsafe.Pointer(nameText)), uintptr(unsafe.Pointer(&w.handle)))
	if err != nil {
		return nil, failed("create", at.String(), err)
	}
	return w, nil
}

// inside is a path as the DLL wants it: no '/', no '\' at its end.
func inside(path string) *uint16 {
	path = strings.TrimSuffix(strings.ReplaceAll(path, "/", `\`), `\`)
	text, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		panic(err)
	}
	return text
}

func (w *imageWriter) closeStream() error {
	if w.stream == 0 {
		return nil
	}
	err := cimCall(procCloseStream, w.stream)
	if err == nil && w.left > 0 {
		err = fmt.Errorf("%d bytes were not written", w.left)
	}
	w.stream, w.left = 0, 0
	return failed("close stream", w.active, err)
}

func (w *imageWriter) add(path string, meta *fileMetadata) error {
	if err := w.closeStream(); err != nil {
		return err
	}
	err := cimCall(procCreateFile, w.handle, uintptr(unsafe.Pointer(inside(path))),
		uintptr(unsafe.Pointer(meta)), uintptr(unsafe.Pointer(&w.stream)))
	if err != nil {
		w.stream = 0
		return failed("add", path, err)
	}
	if w.stream == 0 {
		return failed("add", path, errors.New("success without a stream handle"))
	}
	w.active = path
	if meta.attributes&syscall.FILE_ATTRIBUTE_DIRECTORY == 0 {
		w.left = meta.fileSize
	}
	return nil
}

// addStream adds an alternate stream, PATH:NAME; nobody writes to those.
func (w *imageWriter) addStream(path string) error {
	if err := w.closeStream(); err != nil {
		return err
	}
	w.active = path
	return failed("add stream", path, cimCall(procCreateStream, w.handle,
		uintptr(unsafe.Pointer(inside(path))), 0, uintptr(unsafe.Pointer(&w.stream))))
}

func (w *imageWriter) Write(p []byte) (int, error) {
	if w.stream == 0 {
		return 0, errors.New("no stream is open")
	}
	if int64(len(p)) > w.left {
		return 0, failed("write", w.active, errors.New("more than was announced"))
	}
	err := cimCall(procWriteStream, w.stream, uintptr(unsafe.Pointer(first(p))), uintptr(len(p)))
	if err != nil {
		return 0, failed("write", w.active, err)
	}
	w.left -= int64(len(p))
	return len(p), nil
}

// leaveEmpty ends a file that shall read as zeros.
func (w *imageWriter) leaveEmpty() error {
	w.left = 0
	return w.closeStream()
}

func (w *imageWriter) link(newPath, existing string) error {
	if err := w.closeStream(); err != nil {
		return err
	}
	return failed("link", newPath, cimCall(procCreateHardLink, w.handle,
		uintptr(unsafe.Pointer(inside(newPath))), uintptr(unsafe.Pointer(inside(existing)))))
}

func (w *imageWriter) delete(path string) error {
	if err := w.closeStream(); err != nil {
		return err
	}
	return failed("delete", path,
		cimCall(procDeletePath, w.handle, uintptr(unsafe.Pointer(inside(path)))))
}

// remove is what a white-out of a layer asks for: what isn't there needs no removing.
func (w *imageWriter) remove(path string) error {
	if err := w.delete(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// tombstone hides a path of the layers below, and takes away what the image itself has there.
func (w *imageWriter) tombstone(path string) error {
	if err := w.closeStream(); err != nil {
		return err
	}
	return failed("tombstone", path,
		cimCall(procTombstoneFile, w.handle, uintptr(unsafe.Pointer(inside(path)))))
}

// mergeLink is a link to what a layer below has, or will have.
func (w *imageWriter) mergeLink(newPath, existing string) error {
	if err := w.closeStream(); err != nil {
		return err
	}
	return failed("merge link", newPath, cimCall(procCreateMergeLink, w.handle,
		uintptr(unsafe.Pointer(inside(newPath))), uintptr(unsafe.Pointer(inside(existing)))))
}

// addSource lays an image under those that were added before.
func (w *imageWriter) addSource(at place, flags uint32) error {
	text, err := syscall.UTF16PtrFromString(at.String())
	if err != nil {
		return err
	}
	return failed("merge", at.String(), cimCall(procAddFsToMergedImage2, w.handle,
		uintptr(unsafe.Pointer(text)), uintptr(flags)))
}

// Close commits, and closes if that succeeded.
func (w *imageWriter) Close() error {
	if err := w.closeStream(); err != nil {
		return err
	}
	if err := cimCall(procCommitImage, w.handle); err != nil {
		return failed("commit", w.dir+`\`+w.name, err)
	}
	return w.abandon()
}

// abandon closes without a commit.
func (w *imageWriter) abandon() error {
	if err := w.closeStream(); err != nil {
		return err
	}
	return failed("close", w.dir+`\`+w.name, cimCall(procCloseImage, w.handle))
}
