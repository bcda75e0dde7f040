// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build windows

package main

// tap.go - the Test Anything Protocol: one line for a step, the reasons below it
//
// A step compares many things; each difference is a comment, and the step fails if there is one.
// What Wine's own file layer can't show (a closed list, see notShown) is no difference: it is
// counted and told in a comment, so that a reader knows what was not looked at.

import (
	"fmt"
	"os"
	"sort"
)

const mostShown = 20

type tap struct {
	run, failed int
	problems    int            // of the step that is being made
	limits      map[string]int // kind -> items in which Wine didn't show it
}

var t = tap{limits: map[string]int{}}

// problem notes a difference; the step under way will fail.
func (t *tap) problem(format string, args ...any) {
	t.problems++
	if t.problems <= mostShown {
		fmt.Printf("#   "+format+"\n", args...)
	}
}

// done ends a step.
func (t *tap) done(format string, args ...any) bool {
	t.run++
	ok := t.problems == 0
	if !ok {
		if t.problems > mostShown {
			fmt.Printf("#   ... %d differences in all\n", t.problems)
		}
		t.failed++
		fmt.Print("not ")
	}
	fmt.Printf("ok %d - %s\n", t.run, fmt.Sprintf(format, args...))
	t.problems = 0
	return ok
}

// noError is a step of its own: a call that must succeed.
func (t *tap) noError(err error, format string, args ...any) bool {
	if err != nil {
		t.problem("%v", err)
	}
	return t.done(format, args...)
}

// is is a step of its own: an error of a class that Go programs ask for.
func (t *tap) is(class func(error) bool, err error, format string, args ...any) bool {
	if !class(err) {
		t.problem("got: %v", err)
	}
	return t.done(format, args...)
}

// ours is such a step, but no client asks: outside Wine nobody has told which error it is, or whether
// there is one, so there it is only told.
func (t *tap) ours(class func(error) bool, err error, format string, args ...any) bool {
	if isWine() {
		return t.is(class, err, format, args...)
	}
	fmt.Printf("#   got: %v\n", err)
	return t.done(format, args...)
}

// skip is a step that can't be made here.
func (t *tap) skip(why, format string, args ...any) {
	t.run++
	fmt.Printf("ok %d - %s # SKIP %s\n", t.run, fmt.Sprintf(format, args...), why)
}

// need ends the program if a step failed without which the others make no sense.
func (t *tap) need(ok bool) {
	if !ok {
		fmt.Println("Bail out! the steps that follow need this one")
		os.Exit(1)
	}
}

// limit compares what Wine can't show; elsewhere a difference is one.
func (t *tap) limit(kind string, equal bool, format string, args ...any) {
	switch {
	case equal:
	case isWine():
		t.limits[kind]++
	default:
		t.problem(kind+": "+format, args...)
	}
}

// end prints the plan and returns the exit status.
func (t *tap) end() int {
	var kinds []string
	for kind := range t.limits {
		kinds = append(kinds, kind)
	}
	sort.Strings(kinds)
	for _, kind := range kinds {
		fmt.Printf("# Wine limit: %s (not shown in %d comparisons)\n", kind, t.limits[kind])
	}
	fmt.Printf("1..%d\n", t.run)
	if t.failed != 0 {
		return 1
	}
	return 0
}
