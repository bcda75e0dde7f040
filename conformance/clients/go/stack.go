// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

package main

// stack.go - three layers that aren't forks, and what a stack of them must look like
//
// Each layer is an image of its own, made without a look at those below. What it takes away is a
// tombstone, also below directories that it doesn't have; a directory that is taken away and made
// again holds nothing of what it held below. Links come last: a hard link if this layer has the
// target, else a merge link, which leads to what the whole stack has there.

type block struct {
	layer // what the image itself shows
	view  layer
}

const (
	opaque = `Files\opaque`
	redone = `Files\redone`
)

func (b *builder) baseBlock() {
	b.parentLayer()
	b.zeroDir(opaque, opaque+`\sub`, redone, redone+`\deep`, `Files\quiet`)
	b.file(opaque+`\below`, 20)
	b.file(opaque+`\both`, 21)
	b.file(opaque+`\sub\below`, 22)
	b.file(redone+`\deep\file`, 23)
	b.file(redone+`\both`, 24)
	b.file(`Files\quiet\stays`, 25)
	b.file(`Files\quiet\goes`, 26)
	b.put(`Files\was directory`, &node{attributes: attrDir, times: b.someTimes(), sd: b.sdDir})
	b.file(`Files\was directory\file`, 27)
	b.file(`Files\was file`, 28)
}

func (b *builder) childBlock() {
	b.put(`Files`, &node{attributes: attrDir, times: b.someTimes(), sd: b.sdDir})
	b.zeroDir(`Files\Windows`, `Files\Windows\System32`, config)
	b.file(config+`\SOFTWARE`, 12000) // its other name is of the base's
	b.file(`Files\Windows\System32\new.dll`, 300000)
	b.stream(`Files\Windows\System32\new.dll`, "marker")
	b.put(`Files\Program Files`, &node{attributes: attrDir, times: b.someTimes(), sd: nullDacl})
	b.put(tool, &node{attributes: attrDir | attrHidden, times: b.someTimes(), sd: b.sdDir})
	b.remove(tool + `\empty.cfg`)
	b.link(`Files\data.bin`, tool+`\data.bin`)       // what the base has
	b.link(`Files\data again.bin`, `Files\data.bin`) // a link to a link
	b.file(`Files\License.txt`, 999)
	b.link(`Files\License 2.txt`, `Files\License.txt`) // what this layer has
	b.zeroDir(`Files\many`)
	b.remove(`Files\many\random-03`, `Files\many\random-07`)
	b.link(`Files\many\random-05`, tool+`\tool.exe`) // in the place of another file
	b.remove(`Files\old`, redone)
	b.remove(`Files\quiet\goes`, `Files\never was`, `Files\nor\was\this`)
	b.file(`Files\fleeting`, 5)
	b.remove(`Files\fleeting`)
	b.remove(opaque)
	b.put(opaque, &node{attributes: attrDir, times: b.someTimes(), sd: b.sdDir})
	b.file(opaque+`\both`, 31)
	b.zeroDir(opaque + `\sub`)
	b.file(opaque+`\sub\above`, 32)
	b.file(`Files\was directory`, 33)
	b.zeroDir(`Files\was file`)
	b.file(`Files\was file\file`, 34)
	b.file(`Files\was file\goes`, 35)
	b.zeroDir(`Hives`)
	for _, hive := range hives {
		copy(b.file(`Hives\`+hive+`_delta`, 4096).data, "regf")
	}
}

func (b *builder) grandchildBlock() {
	b.zeroDir(`Files`, `Files\Windows`, `Files\Windows\System32`, `Files\Program Files`, tool,
		`Hives`)
	b.file(`Files\Windows\System32\late.dll`, 4097)
	b.file(tool+`\tool.exe`, 50000)                   // where the child's link now leads
	b.link(`Files\data third.bin`, `Files\data.bin`)  // through the child's link
	b.remove(`Files\data again.bin`)                  // its other names stay
	b.remove(`Hives\sam_base`, `Hives\DEFAULT_delta`) // so does config\SAM
	copy(b.file(`Hives\SYSTEM_delta`, 5000).data, "regf")
	b.put(redone, &node{attributes: attrDir, times: b.someTimes(), sd: b.sdDir})
	b.file(redone+`\both`, 41)
	b.zeroDir(opaque)
	b.file(opaque+`\late`, 42)
	b.file(`Files\old`, 12)
	b.zeroDir(`Files\many`)
	b.file(`Files\many\random-03`, 43)
	b.zeroDir(`Files\was directory`)
	b.file(`Files\was directory\other`, 44)
	b.remove(`Files\was file\goes`)
	n := b.put(`Files\latest`, &node{attributes: attrArchive | attrReparse, times: b.someTimes(),
		sd: b.sd})
	n.target = `Files\Windows\System32\late.dll`
	n.reparse = symlink(`Windows\System32\late.dll`)
}

// linksLast puts links behind everything else; those whose target is not this layer's are merge links.
func (l *layer) linksLast() {
	var steps, links []step
	has := map[string]bool{}
	for _, s := range l.steps {
		if s.kind == stepLink {
			links = append(links, s)
			continue
		}
		has[s.path] = s.kind != stepRemove
		steps = append(steps, s)
	}
	for _, s := range links {
		if has[s.other] {
			has[s.path] = true
		} else {
			s.kind = stepMergeLink
		}
		steps = append(steps, s)
	}
	l.steps = steps
}

// resolve makes merge links the files that they lead to.
func (m *model) resolve() {
	for path, target := range m.links {
		for m.links[target] != "" {
			target = m.links[target]
		}
		m.nodes[path] = m.nodes[target]
	}
}

// allBlocks is the same for the same seed; the lowest is the first.
func allBlocks(seed int64) ([]*block, error) {
	blocks := []*block{{}, {}, {}}
	var layers []*layer
	for i, name := range []string{"base", "child", "grandchild"} {
		blocks[i].layer = layer{name: name, stacked: true}
		layers = append(layers, &blocks[i].layer)
	}
	err := fillLayers(layers, seed, (*builder).baseBlock, (*builder).childBlock,
		(*builder).grandchildBlock)
	for i, b := range blocks {
		b.linksLast()
		own, stack := newModel(), newModel()
		own.apply(b.steps)
		b.tree = own.tree()
		for _, l := range layers[:i+1] {
			stack.apply(l.steps)
		}
		stack.resolve()
		b.view = layer{name: b.name + "-merged", tree: stack.tree()}
	}
	return blocks, err
}
