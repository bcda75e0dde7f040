// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

package main

// block.go - what a snapshotter of block images does
//
// A layer is an image in a container of its own, and so is what merges it with those below:
//
//	DIR\child\layer.bcim   layer.cim     DIR\child\integrity_checksum
//	DIR\child\merged.bcim  merged.cim    DIR\child\merged_integrity_checksum
//
// or each on a device, or all in one container, DIR\layers.bcim. A stack of layers is mounted as the merged image of the topmost, given with
// all the layers. If the containers are to be verified each is sealed once its image is closed;
// the hashes stand beside them in hex, and a mount asks for them.

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	createDevice     = 0x04
	createFile       = 0x08
	createConsistent = 0x10
	createVerified   = 0x40

	mergeFile     = 0x1
	mergeDevice   = 0x2
	mergeVerified = 0x4

	mountDevice = 0x10
	mountFile   = 0x20

	sharingViolation  = syscall.Errno(32)
	invalidParameter  = syscall.Errno(87)
	imageCorrupt      = syscall.Errno(470)
	integrityMessage  = "integrity violation"
	deviceSize        = 8 << 20
	firstDevice       = 3900
	footerSize        = 512
	layerName         = "layer.cim"
	mergedName        = "merged.cim"
	sharedFile        = "layers.bcim"
	brokenFile        = tool + `\data.bin`
	containersByLayer = 2
)

type blocks struct {
	client
	device, shared, verified bool
	stack                    []*block
}

// ---- where things are ----------------------------------------------------------------------------

// container is a file in DIR, or the device of that number.
func (b *blocks) container(number int, file string) string {
	if b.device {
		return fmt.Sprintf(`\\.\PhysicalDrive%d`, firstDevice+number)
	}
	return b.path(file)
}

func (b *blocks) layerAt(i int) place {
	if b.shared {
		return place{b.path(sharedFile), b.stack[i].name + ".cim"}
	}
	return place{b.container(containersByLayer*i, b.stack[i].name+`\layer.bcim`), layerName}
}

func (b *blocks) mergedAt(i int) place {
	if b.shared {
		return place{b.path(sharedFile), b.stack[i].view.name + ".cim"}
	}
	return place{b.container(containersByLayer*i+1, b.stack[i].name+`\merged.bcim`), mergedName}
}

// spareAt is for what isn't kept.
func (b *blocks) spareAt(i int, name string) place {
	return place{b.container(containersByLayer*len(b.stack)+i, fmt.Sprintf("spare%d.bcim", i)), name}
}

func (b *blocks) spares() []place {
	return []place{b.spareAt(0, ""), b.spareAt(1, ""), b.spareAt(2, "")}
}

// images are what a stack is mounted from: its layer if there is one only, else the merged image
// and the layers, the topmost first.
func (b *blocks) images(top int) (images []place) {
	if top > 0 {
		images = append(images, b.mergedAt(top))
	}
	for i := top; i >= 0; i-- {
		images = append(images, b.layerAt(i))
	}
	return images
}

// own are the images that the snapshot of a layer has to itself.
func (b *blocks) own(i int) []place {
	if i == 0 {
		return []place{b.layerAt(i)}
	}
	return []place{b.mergedAt(i), b.layerAt(i)}
}

func (b *blocks) flags() (create, merge, mount uint32) {
	create, merge, mount = createFile, mergeFile, mountFile
	if b.device {
		create, merge, mount = createDevice, mergeDevice, mountDevice
	}
	create |= createConsistent
	if b.verified {
		create |= createVerified
		merge |= mergeVerified
	}
	return create, merge, mount
}

// bytesOf is the file in which a container is: of a device Wine's own.
func (b *blocks) bytesOf(container string) string {
	number := strings.TrimPrefix(container, `\\.\PhysicalDrive`)
	if number == container {
		return container
	}
	return `\\?\` + strings.TrimPrefix(os.Getenv("WINECONFIGDIR"), `\??\`) +
		`\dosdevices\physicaldrive` + number
}

// makeRoom has a device of zeros be there; a container that is a file is made by the DLL.
func (b *blocks) makeRoom(containers ...place) error {
	for _, at := range containers {
		if !b.device {
			continue
		}
		file, err := os.OpenFile(b.bytesOf(at.container), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		err = file.Truncate(deviceSize)
		if err2 := file.Close(); err == nil {
			err = err2
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *blocks) checksumFile(i int, at place) string {
	name := "integrity_checksum"
	if at == b.mergedAt(i) {
		name = "merged_" + name
	}
	return b.path(b.stack[i].name + `\` + name)
}

// hashOf is what stands beside a container; none if nothing is verified.
func (b *blocks) hashOf(i int, at place) *rootHash {
	if !b.verified {
		return nil
	}
	text, err := os.ReadFile(b.checksumFile(i, at))
	if err != nil {
		t.problem("%v", err)
		return &rootHash{}
	}
	var hash rootHash
	if n, err := hex.Decode(hash[:], text); err != nil || n != len(hash) {
		t.problem("%s: %d bytes (%v)", b.checksumFile(i, at), n, err)
	}
	return &hash
}

// ---- errors --------------------------------------------------------------------------------------

func isErrno(want syscall.Errno) func(error) bool {
	return func(err error) bool { return errors.Is(err, want) }
}

// isViolation: a hash isn't the right one. Clients look into the text, which Wine hasn't.
func isViolation(err error) bool {
	return isErrno(imageCorrupt)(err) && isWine() ||
		err != nil && strings.Contains(strings.ToLower(err.Error()), integrityMessage)
}

// ---- writing -------------------------------------------------------------------------------------

func (b *blocks) write() {
	t.need(t.noError(b.makeRoom(b.spares()...), "room for what isn't kept"))
	for i := range b.stack {
		if i == 0 {
			b.importLayer(i)
			continue
		}
		// Containers run from the layers below meanwhile.
		g := volumeOf(container(&b.stack[i-1].view, 0))
		mounted := t.noError(b.mountStack(i-1, g), "%s: mounted", b.stack[i-1].view.name)
		b.importLayer(i)
		b.merge(i)
		if mounted {
			b.isWhole(i-1, g)
			t.noError(dismount(g), "%s: dismounted", b.stack[i-1].view.name)
		}
	}
	b.refused()
	b.dropped()
	if !b.shared {
		b.importedAgain()
	}
	b.empty()
	b.footer()
	b.onlyContainers()
}

func (b *blocks) isWhole(i int, g guid) {
	v := &volume{layer: &b.stack[i].view, root: g.root()}
	v.walk()
	v.read()
	t.done("%s: it is whole", v.name)
}

func (b *blocks) importLayer(i int) {
	l, at := &b.stack[i].layer, b.layerAt(i)
	err := os.Mkdir(b.path(l.name), 0o777)
	if err == nil {
		err = b.makeRoom(at)
	}
	t.need(t.noError(err, "%s: room", l.name))
	t.need(t.noError(b.writeTo(l, at), "%s: imported in %d steps", l.name, len(l.steps)))
	b.sealBeside(i, at)
	b.told(l)
}

// writeTo makes an image of a layer.
func (b *blocks) writeTo(l *layer, at place) error {
	create, _, _ := b.flags()
	w, err := newBlockImage(at, create)
	if err != nil {
		return err
	}
	if err := l.write(w); err != nil {
		w.abandon()
		return err
	}
	return w.Close()
}

// sealBeside seals a container and writes its hash beside it.
func (b *blocks) sealBeside(i int, at place) {
	if !b.verified {
		return
	}
	if sealed, _, err := verification(at.container); sealed || err != nil {
		t.problem("sealed before: %v (%v)", sealed, err)
	}
	hash, err := seal(at.container)
	if err != nil {
		t.problem("%v", err)
	}
	b.hasHash(at, hash)
	if hash == (rootHash{}) {
		t.problem("the hash is zero")
	}
	text := []byte(hex.EncodeToString(hash[:]))
	if err := os.WriteFile(b.checksumFile(i, at), text, 0o666); err != nil {
		t.problem("%v", err)
	}
	t.need(t.done("%s: %s sealed", b.stack[i].name, at.name))
}

func (b *blocks) hasHash(at place, want rootHash) {
	if sealed, got, err := verification(at.container); !sealed || got != want || err != nil {
		t.problem("%s: sealed: %v, hash %x, want %x (%v)", at, sealed, got, want, err)
	}
}

func (b *blocks) told(l *layer) {
	if b.expect == "" {
		return
	}
	if err := l.tell(filepath.Join(b.expect, l.name+".json")); err != nil {
		t.need(t.noError(err, "%s: told", l.name))
	}
}

// merge makes the image that shows a layer and all below it as one.
func (b *blocks) merge(i int) {
	view, at := &b.stack[i].view, b.mergedAt(i)
	t.need(t.noError(b.makeRoom(at), "%s: room", view.name))
	create, merge, _ := b.flags()
	w, err := newBlockImage(at, create)
	t.need(t.noError(err, "%s: created", view.name))
	for _, source := range b.images(i)[1:] {
		t.noError(w.addSource(source, merge), "%s: %s added", view.name, source)
	}
	t.need(t.noError(w.Close(), "%s: committed and closed", view.name))
	b.sealBeside(i, at)
	b.told(view)
}

// refused: a container that is there already, or isn't there.
func (b *blocks) refused() {
	create, merge, _ := b.flags()
	if !b.device {
		nowhere := place{b.path(`no such directory\x.bcim`), layerName}
		t.is(os.IsNotExist, tryImage(nowhere, create), "no such directory: os.IsNotExist")
	}
	if err := tryImage(b.layerAt(0), create); b.verified {
		t.ours(os.IsPermission, err, "the container is sealed: os.IsPermission")
	} else {
		t.ours(os.IsExist, err, "the name is taken in the container: os.IsExist")
	}
	w, err := newBlockImage(b.spareAt(0, mergedName), create)
	t.need(t.noError(err, "a merged image that will not be committed"))
	t.ours(os.IsNotExist, w.addSource(b.missing(), merge), "a source that isn't there: os.IsNotExist")
	t.noError(w.abandon(), "closed without a commit")
}

// tryImage is for what should fail: if it doesn't nothing stays of it.
func tryImage(at place, flags uint32) error {
	w, err := newBlockImage(at, flags)
	if err == nil {
		w.abandon()
	}
	return err
}

func (b *blocks) missing() place {
	return place{b.layerAt(0).container, "missing.cim"}
}

// dropped: no commit, no container; and one writer in it.
func (b *blocks) dropped() {
	create, _, _ := b.flags()
	at := b.spareAt(0, layerName)
	w, err := newBlockImage(at, create)
	t.need(t.noError(err, "a layer that will not be committed"))
	t.noError(b.stack[0].write(w), "its items")
	if !b.device { // Wine has no locks for those
		t.ours(isErrno(sharingViolation), tryImage(b.spareAt(0, "second.cim"), create),
			"a second writer in the container: a sharing violation")
	}
	t.is(os.IsNotExist, w.link(`Files\second name`, `Files\no such file`),
		"a hard link to nothing: os.IsNotExist")
	t.noError(w.abandon(), "closed without a commit")
	if b.device { // which is there, but no container
		t.ours(isErrno(imageCorrupt), b.mount(at, volumeOf("dropped"), nil), "the device holds none")
		return
	}
	_, err = os.Stat(at.container)
	t.is(os.IsNotExist, err, "there is no container")
	t.is(os.IsNotExist, b.mount(at, volumeOf("dropped"), nil), "so it can't be mounted")
}

// importedAgain: the same layer, the same bytes, so that whoever knows its hash knows the layer.
func (b *blocks) importedAgain() {
	at := b.spareAt(0, layerName)
	t.need(t.noError(b.writeTo(&b.stack[0].layer, at), "the first layer is imported again"))
	if b.verified {
		want := b.hashOf(0, b.layerAt(0))
		got, err := seal(at.container)
		if err != nil || got != *want {
			t.problem("hash: got %x, want %x (%v)", got, *want, err)
		}
	}
	first, err := os.ReadFile(b.bytesOf(b.layerAt(0).container))
	second, err2 := os.ReadFile(b.bytesOf(at.container))
	if err != nil || err2 != nil || !bytes.Equal(first, second) {
		t.problem("%d and %d bytes, not the same (%v, %v)", len(first), len(second), err, err2)
	}
	t.done("it has the same bytes, and the same hash")
}

// empty: a layer without anything. Without a seal it is neither a source nor mounted by a hash.
func (b *blocks) empty() {
	create, merge, _ := b.flags()
	at := b.spareAt(1, layerName)
	t.noError(b.writeTo(&layer{stacked: true}, at), "an empty layer is imported")
	g := volumeOf("empty")
	if t.noError(b.mount(at, g, nil), "the empty layer is mounted") {
		(&volume{layer: &layer{}, root: g.root()}).walk()
		t.done("the empty layer is empty")
		t.noError(dismount(g), "the empty layer is dismounted")
	}
	if !b.verified {
		return
	}
	w, err := newBlockImage(b.spareAt(2, mergedName), create)
	t.need(t.noError(err, "one more merged image that will not be committed"))
	t.ours(isErrno(imageCorrupt), w.addSource(at, merge), "a source without a seal is refused")
	t.noError(w.abandon(), "closed without a commit")
	b.mountRefused("a layer without a seal", []place{at}, &rootHash{})
}

// footer: a container gets 512 bytes more, so that it can be attached as a disk; nobody minds.
func (b *blocks) footer() {
	if b.device {
		return
	}
	at := b.layerAt(0)
	file, err := os.OpenFile(at.container, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.Write(append([]byte("conectix"), make([]byte, footerSize-8)...))
		file.Close()
	}
	if err != nil {
		t.problem("%v", err)
	}
	if b.verified {
		b.hasHash(at, *b.hashOf(0, at))
	}
	t.done("%s: a disk's footer is put behind the container", b.stack[0].name)
}

// onlyContainers: there are no files but those that were asked for.
func (b *blocks) onlyContainers() {
	for _, at := range b.spares() {
		if err := os.Remove(b.bytesOf(at.container)); err != nil && !os.IsNotExist(err) {
			t.problem("%v", err)
		}
	}
	want := map[string]bool{}
	for i, l := range b.stack {
		want[b.path(l.name)] = true
		for _, at := range b.own(i) {
			want[b.checksumFile(i, at)] = b.verified
			want[at.container] = !b.device
		}
	}
	err := filepath.Walk(b.dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && path != b.dir && !want[path] {
			t.problem("%s is there", path)
		}
		delete(want, path)
		return err
	})
	for path, wanted := range want {
		if wanted {
			t.problem("%s isn't there", path)
		}
	}
	if err != nil {
		t.problem("%v", err)
	}
	t.done("a container is one file, and beside them is nothing else")
}
