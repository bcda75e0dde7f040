// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

package main

// compare.go - a mounted layer against what was put into it, with Go's own means
//
// os and path/filepath first, as a program would; then what those don't tell, by system calls.
// Times are taken as the system has them: time.Time in a FileInfo can't hold 1601, which is what
// "all zero" means.

import (
	"bytes"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

const (
	limitCreation = "creation time"
	limitArchive  = "attributes ARCHIVE and SPARSE_FILE"
	limitReparse  = "reparse points (links are followed)"
	limitSecurity = "security descriptors"
	limitEa       = "extended attributes"
	limitStreams  = "lists of streams"
)

// isCopy: the volume is a copy in a directory of the host's (no FUSE). Reading changes its access
// times, its file system may not go back to 1601, its owner may write to it, and it lists what a
// volume hides: streams, and two files of its own.
var isCopy bool

func copyShows(name string) bool {
	return isCopy && (strings.Contains(name, ":") || strings.HasPrefix(name, ".windows-"))
}

type volume struct {
	*layer
	root   string
	broken *node // what was changed behind a seal: reading it must fail
	seen   map[string]os.FileInfo
}

func ticks(t syscall.Filetime) int64 {
	return int64(t.HighDateTime)<<32 | int64(t.LowDateTime)
}

// walk compares everything that filepath.Walk comes by, and then looks for the rest.
func (v *volume) walk() {
	v.seen = map[string]os.FileInfo{}
	err := filepath.Walk(v.root, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			t.problem("walk: %v", err)
			return nil
		}
		path = strings.TrimPrefix(path, v.root)
		if path == "" {
			if !info.IsDir() {
				t.problem("the root is no directory but %v", info.Mode())
			}
			return nil
		}
		n := v.tree[path]
		if n == nil && copyShows(info.Name()) {
			return nil
		}
		if n == nil {
			t.problem("%s: nobody put this into the image", path)
			return nil
		}
		v.seen[path] = info
		v.compareItem(path, n, info)
		if n.reparse != nil && info.IsDir() {
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		t.problem("walk: %v", err)
	}
	for _, path := range v.paths() {
		if v.seen[path] == nil {
			t.problem("%s: is missing", path)
		}
	}
}

func (v *volume) compareItem(path string, n *node, info os.FileInfo) {
	if n.reparse != nil {
		v.compareLink(path, n, info)
		return
	}
	if info.IsDir() != n.isDir() {
		t.problem("%s: kind: %v", path, info.Mode())
		return
	}
	if !n.isDir() && info.Size() != int64(len(n.data)) {
		t.problem("%s: size: got %d, want %d", path, info.Size(), len(n.data))
	}
	raw := info.Sys().(*syscall.Win32FileAttributeData)
	const shown = attrReadonly | attrHidden | attrSystem | attrDir
	got, want := raw.FileAttributes, n.attributes
	if (got^want)&shown != 0 {
		t.problem("%s: attributes: got %#x, want %#x", path, got&shown, want&shown)
	}
	t.limit(limitArchive, (got^want)&(attrArchive|attrSparse) == 0, "%s: got %#x, want %#x", path,
		got, want)
	v.compareTimes(path, n, raw)
}

func (v *volume) compareTimes(path string, n *node, raw *syscall.Win32FileAttributeData) {
	if got := ticks(raw.LastWriteTime); got != n.times[1] && !(isCopy && n.times[1] == 0) {
		t.problem("%s: last write: got %d, want %d", path, got, n.times[1])
	}
	if got := ticks(raw.LastAccessTime); got != n.times[3] && !isCopy {
		t.problem("%s: last access: got %d, want %d", path, got, n.times[3])
	}
	got := ticks(raw.CreationTime)
	t.limit(limitCreation, got == n.times[0], "%s: got %d, want %d", path, got, n.times[0])
}

// compareLink: the link itself where it shows, and that it leads to the right place.
func (v *volume) compareLink(path string, n *node, info os.FileInfo) {
	target, err := os.Readlink(v.root + path)
	want := filepath.Join(filepath.Dir(path), target)
	t.limit(limitReparse, err == nil && want == n.target && info.Mode()&os.ModeSymlink != 0,
		"%s: mode %v, leads to %s, not %s (%v)", path, info.Mode(), target, n.target, err)
	there, err := os.Stat(v.root + path)
	if err != nil {
		t.problem("%s: leads nowhere: %v", path, err)
		return
	}
	end := v.tree[n.target]
	if there.IsDir() != end.isDir() || !there.IsDir() && there.Size() != int64(len(end.data)) {
		t.problem("%s: leads to something else, mode %v, %d bytes", path, there.Mode(),
			there.Size())
	}
}

// list compares os.ReadDir with the tree, directory by directory.
func (v *volume) list() {
	for _, dir := range append([]string{""}, v.paths()...) {
		if n := v.tree[dir]; n != nil && (!n.isDir() || n.reparse != nil) {
			continue
		}
		entries, err := os.ReadDir(v.root + dir)
		if err != nil {
			t.problem("%v", err)
			continue
		}
		var names []string
		for _, entry := range entries {
			if !copyShows(entry.Name()) {
				names = append(names, entry.Name())
			}
		}
		sort.Strings(names)
		if got, want := strings.Join(names, "|"), strings.Join(v.children(dir), "|"); got != want {
			t.problem(`%s\: got %s, want %s`, dir, got, want)
		}
	}
}

// read compares contents, through symbolic links too.
func (v *volume) read() {
	for _, path := range v.paths() {
		n := v.tree[path]
		if n.target != "" {
			n = v.tree[n.target]
		}
		if n.isDir() {
			continue
		}
		data, err := os.ReadFile(v.root + path)
		if n == v.broken {
			if err == nil {
				t.problem("%s: can be read, %d bytes", path, len(data))
			}
		} else if err != nil {
			t.problem("%v", err)
		} else if !bytes.Equal(data, n.data) {
			at := 0
			for at < len(data) && at < len(n.data) && data[at] == n.data[at] {
				at++
			}
			t.problem("%s: %d bytes, not %d, different from byte %d on", path, len(data),
				len(n.data), at)
		}
	}
}

// links: names of one file are one file for os.SameFile, and of two are two.
func (v *volume) links() {
	firsts := map[*node]string{}
	for _, path := range v.paths() {
		n := v.tree[path]
		if n.isDir() || n.reparse != nil || v.seen[path] == nil {
			continue
		}
		for other, otherPath := range firsts {
			if same := os.SameFile(v.seen[path], v.seen[otherPath]); same != (n == other) {
				t.problem("%s and %s: the same file: got %v, want %v", path, otherPath, same,
					n == other)
			}
		}
		if firsts[n] == "" {
			firsts[n] = path
		}
	}
}

// rest: what os doesn't know: descriptors, extended attributes, streams.
func (v *volume) rest() {
	for _, path := range v.paths() {
		n := v.tree[path]
		if bytes.Equal(n.sd, nullDacl) {
			got, err := dacl(v.root + path)
			t.limit(limitSecurity, err == nil && bytes.Equal(got, n.sd), "%s: got %x (%v), want %x",
				path, got, err, n.sd)
		}
		if n.ea != nil {
			got, err := attributesOf(v.root + path)
			t.limit(limitEa, err == nil && bytes.Equal(got, n.ea), "%s: got %x (%v), want %x",
				path, got, err, n.ea)
		}
		if len(n.streams) == 0 {
			continue
		}
		names, err := streamNames(v.root + path)
		got := strings.Join(names, "|")
		t.limit(limitStreams, got == ":"+n.streams[0]+":$DATA", "%s: got %s (%v), want %v", path,
			got, err, n.streams)
		if data, err := os.ReadFile(v.root + path + ":" + n.streams[0]); err != nil ||
			len(data) != 0 {
			t.problem("%s:%s: %d bytes, %v", path, n.streams[0], len(data), err)
		}
	}
}

// compare makes a step of each kind of comparison.
func (v *volume) compare(name string) {
	v.walk()
	t.done("%s: filepath.Walk: %d items with their kind, size, attributes and times", name,
		len(v.seen))
	v.list()
	t.done("%s: os.ReadDir of every directory", name)
	v.read()
	t.done("%s: the content of every file, through symbolic links too", name)
	v.links()
	t.done("%s: os.SameFile knows hard links", name)
	v.rest()
	t.done("%s: empty alternate streams", name)
}
