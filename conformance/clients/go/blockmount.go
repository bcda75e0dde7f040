// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

package main

// blockmount.go - a stack of block images mounted, looked at and destroyed (block.go)

import (
	"bytes"
	"fmt"
	"os"
)

// ---- mounting ------------------------------------------------------------------------------------

func (b *blocks) mount(at place, g guid, hash *rootHash) error {
	_, _, mount := b.flags()
	return mountBlock(at, mount, g, hash)
}

func (b *blocks) mountImages(images []place, g guid, hash *rootHash) error {
	if len(images) == 1 {
		return b.mount(images[0], g, hash)
	}
	_, _, mount := b.flags()
	return mergeMount(images, mount, g, hash)
}

// mountStack mounts a layer with all below it: verified, if it can be.
func (b *blocks) mountStack(i int, g guid) error {
	images := b.images(i)
	return b.mountImages(images, g, b.hashOf(i, images[0]))
}

// mountRefused: with this hash there is no volume.
func (b *blocks) mountRefused(what string, images []place, hash *rootHash) {
	g := volumeOf("refused")
	t.is(isViolation, b.mountImages(images, g, hash), "%s: refused as an integrity violation", what)
	if _, err := os.Stat(g.root()); err == nil {
		t.problem("%s is there", g.root())
		dismount(g)
	}
	t.done("%s: there is no volume", what)
}

func (b *blocks) mountAll() {
	t.is(os.IsNotExist, b.mount(b.missing(), volumeOf("none"), nil),
		"no such image to mount: os.IsNotExist")
	for i := range b.stack {
		if b.verified {
			b.hashes(i)
		}
		b.mountView(i)
		if i > 0 {
			b.mountAlone(i)
			b.mountSome(i)
		}
	}
	if b.verified && !b.device {
		b.changed()
	}
	if b.verified && isWine() {
		b.replaced()
	}
}

func (b *blocks) mountView(i int) {
	view := &b.stack[i].view
	g := volumeOf(container(view, 0))
	if !t.noError(b.mountStack(i, g), "%s: mounted", view.name) {
		return
	}
	t.is(os.IsExist, b.mountStack(i, g), "%s: mounted there again: os.IsExist", view.name)
	(&volume{layer: view, root: g.root()}).compare(view.name)
	b.look(view, g.root())
	second := volumeOf(container(view, 1))
	if t.noError(b.mountImages(b.images(i), second, nil), "%s: mounted elsewhere, by no hash",
		view.name) {
		b.isWhole(i, second)
		b.unmount(view, second)
	}
	b.unmount(view, g)
}

// hashes: those beside the containers are theirs, and no other does.
func (b *blocks) hashes(i int) {
	name, images := b.stack[i].view.name, b.images(i)
	hash := b.hashOf(i, images[0])
	b.hasHash(images[0], *hash)
	t.done("%s: the container has the hash that stands beside it", name)
	for _, at := range []int{0, len(hash) - 1} {
		wrong := *hash
		wrong[at] ^= 0x10
		b.mountRefused(fmt.Sprintf("%s: byte %d of the hash is wrong", name, at), images, &wrong)
	}
	if i > 0 {
		b.mountRefused(name+": the hash of its topmost source", images, b.hashOf(i, images[1]))
	}
}

// mountAlone: a layer by itself shows what it brings and no mark of what it hides.
func (b *blocks) mountAlone(i int) {
	l, at := &b.stack[i].layer, b.layerAt(i)
	g := volumeOf(container(l, 2))
	if !t.noError(b.mount(at, g, b.hashOf(i, at)), "%s alone: mounted", l.name) {
		return
	}
	v := &volume{layer: l, root: g.root()}
	v.walk()
	v.read()
	t.done("%s alone: it has what it brings, and nothing else", l.name)
	t.noError(dismount(g), "%s alone: dismounted", l.name)
}

// mountSome: a merged image needs all of its sources, and only such an image has some.
func (b *blocks) mountSome(i int) {
	_, _, flags := b.flags()
	name, images, g := b.stack[i].view.name, b.images(i), volumeOf("some")
	hash := b.hashOf(i, images[0])
	t.ours(isErrno(invalidParameter), mergeMount(images[:1], flags, g, hash),
		"%s: without any source: an invalid parameter", name)
	t.ours(os.IsNotExist, mergeMount(images[:len(images)-1], flags, g, hash),
		"%s: without its last source: os.IsNotExist", name)
	t.ours(isErrno(invalidParameter), mergeMount(images[1:], flags, g, b.hashOf(i, images[1])),
		"%s: a layer in the place of the merged image: an invalid parameter", name)
	t.ours(os.IsNotExist, dismount(g), "%s: nothing of that is mounted", name)
}

// changed: a byte of a file is another one. What needs it can't be had, the rest is as it was.
func (b *blocks) changed() {
	images := b.images(1)
	base := len(images) - 1
	broken := b.stack[0].tree[brokenFile]
	data, err := os.ReadFile(images[base].container)
	at := bytes.Index(data, broken.data[len(broken.data)/2:][:64])
	if err == nil && at >= 0 {
		data[at] ^= 1
		err = os.WriteFile(b.spareAt(0, "").container, data, 0o666)
	}
	if at < 0 {
		t.problem("%s isn't in the container as it is", brokenFile)
	}
	t.need(t.noError(err, "the base's container is copied, but for a byte of %s", brokenFile))
	images[base] = b.spareAt(0, layerName)
	b.mountChanged("changed base, verified", 0, images[base:], b.hashOf(0, b.layerAt(0)))
	b.mountChanged("changed base", 0, images[base:], nil)
	b.mountChanged("over a changed base, verified", 1, images, b.hashOf(1, images[0]))
	if err := os.Remove(images[base].container); err != nil {
		t.problem("%v", err)
	}
	t.done("the copy is removed")
}

// mountChanged: it may be the mount that fails.
func (b *blocks) mountChanged(what string, i int, images []place, hash *rootHash) {
	g := volumeOf("changed")
	if err := b.mountImages(images, g, hash); err != nil {
		t.is(isViolation, err, "%s: refused as an integrity violation", what)
		return
	}
	v := &volume{layer: &b.stack[i].view, root: g.root(), broken: b.stack[0].tree[brokenFile]}
	v.walk()
	v.read()
	t.done("%s: what was changed can't be read, all else can", what)
	t.noError(dismount(g), "%s: dismounted", what)
}

// replaced: the same layer in another container, sealed, isn't the source that was merged. (That a
// container holds two images is this project's.)
func (b *blocks) replaced() {
	images, at := b.images(1), b.spareAt(0, layerName)
	err := b.makeRoom(at)
	if err == nil {
		err = b.writeTo(&layer{stacked: true}, b.spareAt(0, "other.cim"))
	}
	if err == nil {
		err = b.writeTo(&b.stack[0].layer, at)
	}
	if err == nil {
		_, err = seal(at.container)
	}
	t.need(t.noError(err, "the base is imported into a container that holds another image"))
	images[len(images)-1] = at
	b.mountRefused("over the same base from there", images, b.hashOf(1, images[0]))
	g := volumeOf("replaced")
	if t.noError(b.mountImages(images, g, nil), "but mounted by no hash") {
		b.isWhole(1, g)
		t.noError(dismount(g), "and dismounted")
	}
	t.noError(os.Remove(b.bytesOf(at.container)), "the container is removed")
}

func (b *blocks) top() (int, *layer, guid) {
	i := len(b.stack) - 1
	view := &b.stack[i].view
	return i, view, volumeOf(container(view, 9))
}

// leave ends without a dismount, as a program does that crashes.
func (b *blocks) leave() {
	i, view, g := b.top()
	t.noError(b.mountStack(i, g), "%s: mounted and left", view.name)
}

// found: another process knows the container's name, and so the volume.
func (b *blocks) found() {
	i, view, g := b.top()
	b.isWhole(i, g)
	b.unmount(view, g)
}

// ---- the end -------------------------------------------------------------------------------------

// destroy: the youngest first; those below it must not mind.
func (b *blocks) destroy() {
	for i := len(b.stack) - 1; i >= 0; i-- {
		name := b.stack[i].name
		if !b.shared || i == 0 {
			b.removeOwn(i)
		}
		t.noError(os.Remove(b.path(name)), "%s: its directory is empty, and removed", name)
		if i > 0 {
			b.stillWhole(i - 1)
		}
	}
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		t.problem("%v", err)
	}
	for _, entry := range entries {
		t.problem("%s is left", entry.Name())
	}
	t.done("the directory is empty")
}

func (b *blocks) removeOwn(i int) {
	for _, at := range b.own(i) {
		b.remove(i, at)
		t.is(os.IsNotExist, b.mount(at, volumeOf("destroyed"), nil), "%s: %s is gone",
			b.stack[i].name, at.name)
	}
}

func (b *blocks) remove(i int, at place) {
	paths := []string{b.bytesOf(at.container)}
	if b.verified {
		paths = append(paths, b.checksumFile(i, at))
	}
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			t.problem("%v", err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.problem("%s: %v", path, err)
		}
	}
	t.done("%s: %s is destroyed", b.stack[i].name, at.name)
}

func (b *blocks) stillWhole(i int) {
	view := &b.stack[i].view
	g := volumeOf(container(view, 0))
	if t.noError(b.mountStack(i, g), "%s: mounted after that", view.name) {
		b.isWhole(i, g)
		b.unmount(view, g)
	}
}
