// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

// A client of cimfs.dll in the way that container tools written in Go are: it imports the layers of
// a container as an image and its forks, or as images that are merged, mounts and walks them, and
// destroys them. It uses the
// DLL's functions by name and knows of the format just enough to find an image's files. What such
// programs do, and what they take for granted, is public; the code is this project's own.
//
// It runs under Wine with our DLL and on Windows (elevated) with Microsoft's.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const usageText = `Usage: client [-copy] [-expect DIR2] PART [DIR]

Parts, in order ("all" makes them all; for single ones CIM_SEED must be the same number):
  gate       is Windows new enough? Exit status 0 yes, 3 no
  write DIR  import three layers into images in DIR, which must be an empty directory
  mount DIR  mount each and compare everything
  leave DIR  mount one and end
  found      find what "leave" left, and dismount it
  destroy DIR

  -copy      a volume here is an extracted copy in a directory of the host's
  -expect    "write" tells in DIR2 what each image must hold, in JSON
  -block     "file" or "device": the layers aren't forks but images in containers of their own, which
             are merged; or "shared": in one container. A Windows without such images passes all
             parts, as skipped
  -verified  these are sealed, and mounted by their hashes
  -writer    what writes is cimwriter.dll, beside this program or the system's
`

type client struct {
	dir    string
	expect string
	layers []*layer
}

func container(l *layer, n int) string {
	return fmt.Sprintf("cimfs client %s %d", l.name, n)
}

func (c *client) path(name string) string {
	return filepath.Join(c.dir, name)
}

// ---- the DLL -------------------------------------------------------------------------------------

func (c *client) loading() {
	if err := checkGate(); err != nil {
		t.problem("%v", err)
	}
	build, revision := windowsBuild()
	t.need(t.done("this Windows is new enough (build %d.%d) and has cimfs.dll", build, revision))
	path, err := cimfs.path()
	system, _ := systemDirectory()
	if err != nil || !strings.EqualFold(path, filepath.Join(system, "cimfs.dll")) {
		t.problem("got %s (%v)", path, err)
	}
	t.done("it comes from the system directory")
	if cimCall(procNoSuchFunction) == nil {
		t.problem("it could be called")
	}
	t.done("a function that isn't there is an error when called")
}

// ---- writing -------------------------------------------------------------------------------------

func (c *client) write() {
	parent, child, grandchild := c.layers[0], c.layers[1], c.layers[2]
	_, err := newImage(c.path("no such directory"), "", "x.cim")
	t.is(os.IsNotExist, err, "no such directory: os.IsNotExist")
	_, err = newImage(c.dir, "missing.cim", "x.cim")
	t.is(os.IsNotExist, err, "no such image to fork: os.IsNotExist")
	c.writeLayer(parent)
	_, err = newImage(c.dir, "", parent.name)
	t.is(os.IsExist, err, "the name is taken: os.IsExist")
	c.writeRefused()

	// Containers run from a layer while the next one is imported beside it.
	g := volumeOf(container(parent, 0))
	mounted := t.noError(mount(c.dir, parent.name, g), "the parent is mounted")
	c.writeLayer(child)
	if mounted {
		v := &volume{layer: parent, root: g.root()}
		v.walk()
		v.read()
		t.done("the mounted parent is what it was")
		t.noError(dismount(g), "the parent is dismounted")
	}
	c.writeLayer(grandchild)
	_, err = newImage(c.dir, parent.name, child.name)
	t.is(os.IsExist, err, "a fork of this name is there: os.IsExist")
	c.usage()
}

func (c *client) writeLayer(l *layer) {
	w, err := newImage(c.dir, l.parent, l.name)
	t.need(t.noError(err, "%s: created", l.name))
	err = l.write(w)
	t.noError(err, "%s: imported in %d steps", l.name, len(l.steps))
	t.need(t.noError(w.Close(), "%s: committed and closed, no register was negative", l.name))
	if c.expect != "" {
		if err := l.tell(filepath.Join(c.expect, l.name+".json")); err != nil {
			t.need(t.noError(err, "%s: told", l.name))
		}
	}
}

// writeRefused: one writer in a directory; a directory has no second name; no commit, no image.
func (c *client) writeRefused() {
	w, err := newImage(c.dir, c.layers[0].name, "dropped.cim")
	t.need(t.noError(err, "a fork that will not be committed"))
	_, err = newImage(c.dir, "", "second.cim")
	t.is(isErrno(sharingViolation), err,
		"a second writer in the directory: a sharing violation")
	t.is(os.IsPermission, w.link(`Files\second name`, `Files\Windows`),
		"a hard link to a directory: os.IsPermission")
	t.is(os.IsNotExist, w.link(`Files\second name`, `Files\no such file`),
		"a hard link to nothing: os.IsNotExist")
	t.is(os.IsNotExist, w.delete(`Files\no such file`), "deleting nothing: os.IsNotExist")
	t.is(os.IsNotExist, w.addStream(`Files\no such file:marker`),
		"a stream of nothing: os.IsNotExist")
	t.noError(w.delete(`Files`), "deleting everything in it")
	t.noError(w.abandon(), "closed without a commit, the register was not negative")
	_, err = os.Stat(c.path("dropped.cim"))
	t.is(os.IsNotExist, err, "nothing of that is there")
}

// usage: by their headers, the images account for every byte in the directory.
func (c *client) usage() {
	var told, there int64
	var each []string
	for i, l := range c.layers {
		header, err := readHeader(c.path(l.name))
		size, err2 := usage(c.dir, l.name)
		info, err3 := os.Stat(c.path(l.name))
		if err != nil || err2 != nil || err3 != nil {
			t.problem("%s: %v, %v, %v", l.name, err, err2, err3)
			continue
		}
		if len(header.parents) != i {
			t.problem("%s: %d parents in the header, want %d", l.name, len(header.parents), i)
		}
		told += size + info.Size()
		each = append(each, fmt.Sprint(size))
	}
	entries, err := os.ReadDir(c.dir)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			there += info.Size()
		}
	}
	if err != nil || told != there {
		t.problem("%d bytes by the headers, %d are there (%v)", told, there, err)
	}
	t.done("disk usage: %s bytes, that is all there is", strings.Join(each, ", "))
}

// ---- mounting ------------------------------------------------------------------------------------

func (c *client) mount() {
	t.is(os.IsNotExist, mount(c.dir, "missing.cim", volumeOf("none")),
		"no such image to mount: os.IsNotExist")
	t.is(os.IsNotExist, dismount(volumeOf("none")), "nothing to dismount: os.IsNotExist")
	for _, l := range c.layers {
		c.mountLayer(l)
	}
}

func (c *client) mountLayer(l *layer) {
	g, second := volumeOf(container(l, 0)), volumeOf(container(l, 1))
	_, err := os.Stat(g.root())
	if err == nil {
		t.problem("%s is there", g.root())
	}
	t.done("%s: there is no volume yet", l.name)
	if !t.noError(mount(c.dir, l.name, g), "%s: mounted", l.name) {
		return
	}
	info, err := os.Stat(g.root())
	if err != nil || !info.IsDir() {
		t.problem("%v", err)
	}
	t.done("%s: os.Stat of %s", l.name, g.root())
	t.is(os.IsExist, mount(c.dir, l.name, g), "%s: mounted there again: os.IsExist", l.name)
	(&volume{layer: l, root: g.root()}).compare(l.name)
	c.look(l, g.root())
	if t.noError(mount(c.dir, l.name, second), "%s: mounted under a second GUID", l.name) {
		v := &volume{layer: l, root: second.root()}
		v.walk()
		t.done("%s: the second volume has the same items", l.name)
		c.unmount(l, second)
	}
	_, err = os.Stat(g.root() + `Files`)
	t.noError(err, "%s: the first volume is still there", l.name)
	c.unmount(l, g)
}

// look: single questions.
func (c *client) look(l *layer, root string) {
	_, err := os.Stat(root + `files\WINDOWS\system32`)
	t.noError(err, "%s: names are found in any case", l.name)
	_, err = os.Stat(root + `Files\no such file`)
	t.is(os.IsNotExist, err, "%s: os.Stat of nothing: os.IsNotExist", l.name)
	_, err = os.ReadFile(root + `no\such\file`)
	t.is(os.IsNotExist, err, "%s: os.ReadFile below nothing: os.IsNotExist", l.name)
	if isCopy {
		return
	}
	file, err := os.Create(root + `Files\new.txt`)
	if err == nil {
		file.Close()
		t.problem("it could be made")
	}
	if _, err := os.Stat(root + `Files\new.txt`); !os.IsNotExist(err) {
		t.problem("it is there: %v", err)
	}
	t.done("%s: nothing can be made on the volume", l.name)
}

func (c *client) unmount(l *layer, g guid) {
	t.noError(dismount(g), "%s: dismounted", l.name)
	if _, err := os.Stat(g.root()); err == nil {
		t.problem("%s is still there", g.root())
	}
	if _, err := os.Stat(g.root() + `layout`); err == nil {
		t.problem("%slayout is still there", g.root())
	}
	t.done("%s: os.Stat of the volume fails", l.name)
	t.is(os.IsNotExist, dismount(g), "%s: dismounted again: os.IsNotExist", l.name)
}

// leave ends without a dismount, as a program does that crashes.
func (c *client) leave() {
	l := c.layers[1]
	t.noError(mount(c.dir, l.name, volumeOf(container(l, 9))), "%s: mounted and left", l.name)
}

// found: another process knows the container's name, and so the volume.
func (c *client) found() {
	l := c.layers[1]
	g := volumeOf(container(l, 9))
	if _, err := os.Stat(g.root()); err != nil {
		t.problem("%v", err)
	}
	t.done("%s: the volume of a process that ended is there", l.name)
	v := &volume{layer: l, root: g.root()}
	v.walk()
	t.done("%s: and whole", l.name)
	c.unmount(l, g)
}

// ---- the end -------------------------------------------------------------------------------------

// destroy: the youngest first; its parents must not mind.
func (c *client) destroy() {
	for i := len(c.layers) - 1; i >= 0; i-- {
		l := c.layers[i]
		t.noError(destroy(c.dir, l.name), "%s: destroyed", l.name)
		if _, err := os.Stat(c.path(l.name)); !os.IsNotExist(err) {
			t.problem("%v", err)
		}
		t.done("%s: it is gone", l.name)
		if i == 0 {
			break
		}
		parent := c.layers[i-1]
		g := volumeOf(container(parent, 0))
		if t.noError(mount(c.dir, parent.name, g), "%s: mounted after that", parent.name) {
			v := &volume{layer: parent, root: g.root()}
			v.walk()
			v.read()
			t.done("%s: it is whole", parent.name)
			t.noError(dismount(g), "%s: dismounted", parent.name)
		}
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		t.problem("%v", err)
	}
	for _, entry := range entries {
		t.problem("%s is left", entry.Name())
	}
	t.done("the directory is empty")
}

func seedOf(part string) (int64, bool) {
	if text := os.Getenv("CIM_SEED"); text != "" {
		seed, err := strconv.ParseInt(text, 0, 64)
		return seed, err == nil
	}
	return time.Now().UnixNano(), part == "all"
}

type options struct {
	client
	part     string
	seed     int64
	block    string
	verified bool
	writer   bool
}

// parse takes the command line; false: it isn't one.
func (o *options) parse() bool {
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	flags.SetOutput(os.Stdout)
	flags.Usage = func() {}
	flags.BoolVar(&isCopy, "copy", false, "")
	flags.StringVar(&o.expect, "expect", "", "")
	flags.StringVar(&o.block, "block", "", "")
	flags.BoolVar(&o.verified, "verified", false, "")
	flags.BoolVar(&o.writer, "writer", false, "")
	if flags.Parse(os.Args[1:]) != nil {
		return false
	}
	o.part, o.dir = flags.Arg(0), flags.Arg(1)
	if o.part == "gate" {
		return true
	}
	var ok bool
	o.seed, ok = seedOf(o.part)
	return ok && (o.dir == "") == (o.part == "found") &&
		blockKinds[o.block] && (o.block != "" || !o.writer) &&
		(o.block == "file" || o.block == "device" || !o.verified)
}

// Images that share a container are sealed together, but a source has to be sealed before.
var blockKinds = map[string]bool{"": true, "file": true, "device": true, "shared": true}

// gate: is Windows new enough for what was asked for?
func (o *options) gate() error {
	if o.block == "" {
		return checkGate()
	}
	return checkBlockGate(o.verified)
}

// chosen are the parts that were asked for; none: there are no such.
func (o *options) chosen() (parts []func(), err error) {
	var names = []string{"write", "mount", "leave", "found", "destroy"}
	var all []func()
	if o.block != "" {
		b := &blocks{client: o.client, device: o.block == "device",
			shared: o.block == "shared", verified: o.verified}
		b.stack, err = allBlocks(o.seed)
		all = []func(){b.write, b.mountAll, b.leave, b.found, b.destroy}
	} else {
		c := &o.client
		c.layers, err = allLayers(o.seed)
		all = []func(){c.write, c.mount, c.leave, c.found, c.destroy}
	}
	for i, name := range names {
		if o.part == name || o.part == "all" {
			parts = append(parts, all[i])
		}
	}
	return parts, err
}

// skipped: why this Windows has nothing to do here; "" if it has.
func (o *options) skipped() string {
	if o.block == "" {
		return ""
	}
	if o.block == "device" && !isWine() {
		return "no device that may be written on is known"
	}
	if o.block == "shared" && !isWine() {
		return "nobody tells whether a container of Windows takes a second image"
	}
	if err := o.gate(); err != nil {
		return err.Error()
	}
	return ""
}

func (o *options) run() int {
	parts, err := o.chosen()
	if len(parts) == 0 {
		fmt.Print(usageText)
		return 2
	}
	fmt.Printf("# CIM_SEED=%d\n", o.seed)
	if o.writer { // before a function is looked for
		t.need(t.noError(useCimwriter(), "cimwriter.dll is there"))
	}
	if why := o.skipped(); why != "" {
		t.skip(why, "images in containers")
		return t.end()
	}
	o.loading()
	t.need(t.noError(err, "layers"))
	for _, do := range parts {
		do()
	}
	for _, odd := range oddSuccess {
		t.problem("%s", odd)
	}
	t.done("every success was S_OK, in the whole register")
	return t.end()
}

func main() {
	var o options
	switch {
	case !o.parse():
		fmt.Print(usageText)
		os.Exit(2)
	case o.part == "gate":
		if err := o.gate(); err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
	default:
		os.Exit(o.run())
	}
}
