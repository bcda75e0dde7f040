// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

package main

// layers.go - three layers of a container image, and what each must look like when mounted
//
// A layer is a list of steps, as a tar file of it would be: items, links, removals. The steps are
// made twice: by imageWriter in an image, and here in a model, which is what the mounted image is
// compared with. The first layer is made from nothing, the others are forks that name each
// directory again on the way to what they change, as layers of containers do. (stack.go has the
// layers that aren't forks.)

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"unicode/utf16"
)

const (
	attrReadonly = syscall.FILE_ATTRIBUTE_READONLY
	attrHidden   = syscall.FILE_ATTRIBUTE_HIDDEN
	attrSystem   = syscall.FILE_ATTRIBUTE_SYSTEM
	attrDir      = syscall.FILE_ATTRIBUTE_DIRECTORY
	attrArchive  = syscall.FILE_ATTRIBUTE_ARCHIVE
	attrNormal   = syscall.FILE_ATTRIBUTE_NORMAL
	attrSparse   = 0x200
	attrReparse  = syscall.FILE_ATTRIBUTE_REPARSE_POINT

	// what an image has room for
	attrKept = attrReadonly | attrHidden | attrSystem | attrArchive | attrSparse

	// What a file of a host may have and a tar file carries along: the above, DEVICE, NORMAL,
	// TEMPORARY, COMPRESSED, OFFLINE, NOT_CONTENT_INDEXED, ENCRYPTED, INTEGRITY_STREAM, VIRTUAL,
	// NO_SCRUB_DATA, RECALL_ON_OPEN, PINNED, UNPINNED, RECALL_ON_DATA_ACCESS.
	attrAny = attrKept | 0x5ff9c0
)

// node is an item; hard links share one.
type node struct {
	attributes uint32
	times      [4]int64 // creation, last write, change, last access
	sd         []byte
	reparse    []byte
	target     string // where a symbolic link leads, from the image's root
	ea         []byte
	data       []byte
	unwritten  bool // the data are zeros that nobody writes
	piece      int  // bytes of one write
	streams    []string
}

func (n *node) isDir() bool {
	return n.attributes&attrDir != 0
}

type step struct {
	kind  stepKind
	path  string
	node  *node
	other string // a link's existing name; the name of a stream, with or without its type
}

type stepKind int

const (
	stepAdd stepKind = iota
	stepLink
	stepStream
	stepRemove
	stepMergeLink
)

type layer struct {
	name, parent string
	steps        []step
	stacked      bool             // no fork: what it removes is hidden when layers are merged
	tree         map[string]*node // what is there in the end, by path
}

// ---- encodings -----------------------------------------------------------------------------------

// nullDacl is the descriptor for "everybody may": revision 1, self-relative with a DACL, no parts.
var nullDacl = []byte{1, 0, 4, 0x80, 19: 0}

// symlink is the reparse data of a relative symbolic link (MS-FSCC 2.1.2.4).
func symlink(target string) []byte {
	var text []byte
	for _, unit := range utf16.Encode([]rune(target)) {
		text = append(text, byte(unit), byte(unit>>8))
	}
	const relative = 1
	le := binary.LittleEndian
	data := make([]byte, 20)
	le.PutUint32(data[0:], 0xa000000c)
	le.PutUint16(data[4:], uint16(12+2*len(text)))
	le.PutUint16(data[10:], uint16(len(text))) // substitute name, at 0
	le.PutUint16(data[12:], uint16(len(text))) // print name, behind it
	le.PutUint16(data[14:], uint16(len(text)))
	le.PutUint32(data[16:], relative)
	return append(append(data, text...), text...)
}

// extendedAttributes is a chain of FILE_FULL_EA_INFORMATION (MS-FSCC 2.4.15), each entry padded to
// four bytes, the last one too.
func extendedAttributes(pairs ...[2]string) (chain []byte) {
	for i, pair := range pairs {
		entry := make([]byte, 8, 64)
		entry[5] = byte(len(pair[0]))
		binary.LittleEndian.PutUint16(entry[6:], uint16(len(pair[1])))
		entry = append(append(append(entry, pair[0]...), 0), pair[1]...)
		for len(entry)%4 != 0 {
			entry = append(entry, 0)
		}
		if i < len(pairs)-1 {
			binary.LittleEndian.PutUint32(entry, uint32(len(entry)))
		}
		chain = append(chain, entry...)
	}
	return chain
}

// ---- making layers -------------------------------------------------------------------------------

type builder struct {
	*layer
	random *rand.Rand
	sd     []byte // a descriptor with owner, group and DACL
	sdDir  []byte
}

func (b *builder) bytes(size int) []byte {
	data := make([]byte, size)
	b.random.Read(data)
	return data
}

// someTimes are four different ones between 1980 and 2100, with 100 ns to lose.
func (b *builder) someTimes() (times [4]int64) {
	const year1980, year2100 = 119_600_064_000_000_000, 157_469_184_000_000_000
	for i := range times {
		times[i] = year1980 + b.random.Int63n(year2100-year1980)
	}
	return times
}

func (b *builder) put(path string, n *node) *node {
	if n.sd == nil {
		n.sd = nullDacl
	}
	if n.piece == 0 {
		n.piece = []int{len(n.data) + 1, 4096, 65536}[b.random.Intn(3)]
	}
	b.steps = append(b.steps, step{kind: stepAdd, path: path, node: n})
	return n
}

// zeroDir is a directory with all times zero, so that the same layer gives the same image.
func (b *builder) zeroDir(paths ...string) {
	for _, path := range paths {
		b.put(path, &node{attributes: attrDir})
	}
}

func (b *builder) file(path string, size int) *node {
	return b.put(path, &node{attributes: attrArchive, times: b.someTimes(), sd: b.sd,
		data: b.bytes(size)})
}

func (b *builder) link(newPath, existing string) {
	b.steps = append(b.steps, step{kind: stepLink, path: newPath, other: existing})
}

// stream gives one to the file that was put last.
func (b *builder) stream(path, name string) {
	n := b.steps[len(b.steps)-1].node
	n.streams = append(n.streams, strings.TrimSuffix(name, ":$DATA"))
	b.steps = append(b.steps, step{kind: stepStream, path: path, other: name})
}

func (b *builder) remove(paths ...string) {
	for _, path := range paths {
		b.steps = append(b.steps, step{kind: stepRemove, path: path})
	}
}

const (
	config = `Files\Windows\System32\config`
	tool   = `Files\Program Files\tool`
)

var hives = []string{"DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"}

func (b *builder) parentLayer() {
	b.zeroDir(`Files`, `Files\Windows`, `Files\Windows\System32`, config)
	for _, hive := range hives {
		n := b.file(config+`\`+hive, 4096+b.random.Intn(9000))
		copy(n.data, "regf")
		n.attributes, n.times = attrNormal, [4]int64{}
	}
	dir := b.put(`Files\Program Files`, &node{attributes: attrDir | attrReadonly, sd: b.sdDir})
	dir.times = b.someTimes()
	b.put(tool, &node{attributes: attrDir, times: b.someTimes(), sd: b.sdDir})
	copy(b.file(tool+`\tool.exe`, 70000).data, "MZ")
	b.stream(tool+`\tool.exe`, "marker:$DATA")
	b.file(tool+`\data.bin`, 1<<20+b.random.Intn(1<<16))
	b.file(tool+`\empty.cfg`, 0)
	b.put(tool+`\no attributes`, &node{data: b.bytes(100)})
	n := b.file(`Files\License.txt`, 2345)
	n.ea = extendedAttributes([2]string{"LXMOD", "\x01\x02\x03\x04\x05"},
		[2]string{"USER.ORIGIN", "layer"})
	b.file("Files\\Gr\u00f6\u00dfe \u6f22\u5b57 \U0001f600.txt", 77)
	n = b.put(`Files\latest`, &node{attributes: attrArchive | attrReparse, times: b.someTimes(),
		sd: b.sd})
	n.reparse, n.target = symlink(`Program Files\tool\tool.exe`), tool+`\tool.exe`
	n = b.put(`Files\Documents`, &node{attributes: attrDir | attrReparse, times: b.someTimes(),
		sd: b.sdDir})
	n.reparse, n.target = symlink(`Program Files`), `Files\Program Files`
	b.put(`Files\placeholder`, &node{attributes: attrSparse, times: b.someTimes(), sd: b.sd,
		data: make([]byte, 10000), unwritten: true})
	b.zeroDir(`Files\many`)
	for i := 0; i < 24; i++ {
		n := b.file(fmt.Sprintf(`Files\many\random-%02d`, i), b.random.Intn(9000))
		n.attributes = b.random.Uint32() & attrAny
	}
	b.zeroDir(`Files\old`, `Files\old\deep`, `Files\old\deep\deeper`)
	b.file(`Files\old\deep\deeper\file`, 10)
	b.file(`Files\old\file`, 11)
	b.zeroDir(`Hives`)
	for _, hive := range hives {
		b.link(`Hives\`+strings.ToLower(hive)+`_base`, config+`\`+hive)
	}
	b.put(`layout`, &node{attributes: attrNormal, data: []byte("vhd-with-hives\n")})
}

func (b *builder) childLayer() {
	// Known directories once more: they keep what is in them and get what is told of them now.
	b.put(`Files`, &node{attributes: attrDir, times: b.someTimes(), sd: b.sdDir})
	b.zeroDir(`Files\Windows`, `Files\Windows\System32`, config)
	b.file(config+`\new hive`, 4096)
	b.file(`Files\Windows\System32\new.dll`, 300000)
	b.stream(`Files\Windows\System32\new.dll`, "marker")
	b.put(`Files\Program Files`, &node{attributes: attrDir, times: b.someTimes(), sd: nullDacl})
	b.put(tool, &node{attributes: attrDir | attrHidden, times: b.someTimes(), sd: b.sdDir})
	b.remove(tool + `\empty.cfg`)
	b.link(`Files\data.bin`, tool+`\data.bin`) // inherited
	b.link(`Files\data again.bin`, `Files\data.bin`)
	b.file(`Files\License.txt`, 999) // another one in its place
	b.zeroDir(`Files\many`)
	b.remove(`Files\many\random-03`, `Files\many\random-07`)
	b.link(`Files\many\random-05`, tool+`\tool.exe`) // in the place of another file
	b.remove(`Files\old`)
	b.remove(`Files\never was`, `Files\nor\was\this`, `Files\old\file`) // no error
	b.zeroDir(`Files\new`)
	b.put(`Files\new\file`, &node{attributes: attrArchive, times: b.someTimes(), sd: b.sd,
		data: b.bytes(5000), piece: 1000})
}

func (b *builder) grandchildLayer() {
	b.zeroDir(`Files`, `Files\Windows`, `Files\Windows\System32`, `Files\new`)
	b.remove(`Files\data.bin`) // its other names stay
	b.remove(`Files\new\file`)
	b.file(`Files\Windows\System32\late.dll`, 4097)
	b.file(`Files\old`, 12) // where once a directory was
}

// allLayers is the same for the same seed.
func allLayers(seed int64) ([]*layer, error) {
	layers := []*layer{
		{name: "parent.cim"},
		{name: "child.cim", parent: "parent.cim"},
		{name: "grandchild.cim", parent: "child.cim"},
	}
	err := fillLayers(layers, seed, (*builder).parentLayer, (*builder).childLayer,
		(*builder).grandchildLayer)
	m := newModel()
	for _, l := range layers {
		m.apply(l.steps)
		l.tree = m.tree()
	}
	return layers, err
}

func fillLayers(layers []*layer, seed int64, fills ...func(*builder)) error {
	sd, err := descriptor("O:BAG:SYD:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1200a9;;;BU)")
	if err != nil {
		return err
	}
	sdDir, err := descriptor("O:SYG:SYD:(A;OICI;FA;;;BA)(A;OICIIO;GA;;;CO)(D;;WD;;;AN)")
	if err != nil {
		return err
	}
	random := rand.New(rand.NewSource(seed))
	for i, fill := range fills {
		fill(&builder{layer: layers[i], random: random, sd: sd, sdDir: sdDir})
	}
	return nil
}

// model is what is there after some steps, and where the merge links among it lead.
type model struct {
	nodes map[string]*node
	links map[string]string
}

func newModel() *model {
	return &model{map[string]*node{}, map[string]string{}}
}

// drop takes a path away, and all below it.
func (m *model) drop(path string) {
	gone := func(other string) bool {
		return other == path || strings.HasPrefix(other, path+`\`)
	}
	for other := range m.nodes {
		if gone(other) {
			delete(m.nodes, other)
		}
	}
	for other := range m.links {
		if gone(other) {
			delete(m.links, other)
		}
	}
}

// holds: a directory of which there may be more than one: together they hold what each of them does.
func (n *node) holds() bool {
	return n != nil && n.isDir() && n.reparse == nil
}

func (m *model) apply(steps []step) {
	for _, s := range steps {
		united := s.kind == stepAdd && s.node.holds() && m.nodes[s.path].holds()
		if s.kind != stepStream && !united {
			m.drop(s.path)
		}
		switch s.kind {
		case stepAdd:
			m.nodes[s.path] = s.node
		case stepLink:
			m.nodes[s.path] = m.nodes[s.other]
		case stepMergeLink:
			m.links[s.path] = s.other
		}
	}
}

// tree is a copy; merge links that nothing has led anywhere don't show.
func (m *model) tree() map[string]*node {
	tree := map[string]*node{}
	for path, n := range m.nodes {
		tree[path] = n
	}
	return tree
}

// ---- writing -------------------------------------------------------------------------------------

func (l *layer) write(w *imageWriter) error {
	for _, s := range l.steps {
		var err error
		switch s.kind {
		case stepAdd:
			err = writeItem(w, s.path, s.node)
		case stepLink:
			err = w.link(s.path, s.other)
		case stepStream:
			err = w.addStream(s.path + ":" + s.other)
		case stepMergeLink:
			err = w.mergeLink(s.path, s.other)
		case stepRemove:
			if l.stacked {
				err = w.tombstone(s.path)
			} else {
				err = w.remove(s.path)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func writeItem(w *imageWriter, path string, n *node) error {
	err := w.add(path, &fileMetadata{
		attributes: n.attributes, fileSize: int64(len(n.data)),
		creation: n.times[0], lastWrite: n.times[1], change: n.times[2], lastAccess: n.times[3],
		sd: first(n.sd), sdSize: uint32(len(n.sd)),
		reparse: first(n.reparse), reparseSize: uint32(len(n.reparse)),
		ea: first(n.ea), eaSize: uint32(len(n.ea)),
	})
	if err != nil {
		return err
	}
	if n.unwritten {
		return w.leaveEmpty()
	}
	for data := n.data; len(data) > 0; {
		piece := data
		if len(piece) > n.piece {
			piece = piece[:n.piece]
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
		data = data[len(piece):]
	}
	return nil
}

// ---- what else may compare -----------------------------------------------------------------------

// expected is an item for a program that reads images without Windows: all that a volume under Wine
// doesn't show stands here as it was passed to the DLL.
type expected struct {
	Path     string   `json:"path"`
	Dir      bool     `json:"dir"`
	Size     int      `json:"size"`
	Flags    uint32   `json:"attributes"`
	Times    [4]int64 `json:"times"`
	Security string   `json:"security"`
	Reparse  string   `json:"reparse"`
	EA       string   `json:"ea"`
	Streams  []string `json:"streams"`
	First    string   `json:"first"` // the first of the file's names
}

// tell writes a line of JSON for each item.
func (l *layer) tell(path string) error {
	firsts := map[*node]string{}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	lines := json.NewEncoder(out)
	for _, path := range l.paths() {
		n := l.tree[path]
		if _, known := firsts[n]; !known {
			firsts[n] = path
		}
		streams := append([]string{}, n.streams...)
		err := lines.Encode(expected{Path: path, Dir: n.isDir(), Size: len(n.data),
			Flags: n.attributes & attrKept, Times: n.times, Security: hex.EncodeToString(n.sd),
			Reparse: hex.EncodeToString(n.reparse), EA: hex.EncodeToString(n.ea),
			Streams: streams, First: firsts[n]})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *layer) paths() (paths []string) {
	for path := range l.tree {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	return paths
}

// children are the names in a directory, sorted; that of the root is "".
func (l *layer) children(dir string) (names []string) {
	for path := range l.tree {
		if parent, name := filepath.Split(path); strings.TrimSuffix(parent, `\`) == dir {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}
