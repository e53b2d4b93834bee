//go:build go1.24
// +build go1.24

package main

import (
	"fmt"
	"runtime"
	"unique"
	"weak"
)

func init() {
	mentioned = append(mentioned, weakly, stopped)
}

// weakly makes weak pointers of a kind, and says whether they are equal and point where they were made from,
// and whether a canonical value stays what it was.
//
//go:noinline
func weakly(kind int, collected bool) string {
	object := &[4]int{1, 2, 3, 4}
	pointer := []*int{&object[0], &object[3], &variableOfWeak, nil}[kind]
	a, b, handle := weak.Make(pointer), weak.Make(pointer), unique.Make(*object)
	if collected {
		runtime.GC()
	}
	same := unique.Make([4]int{1, 2, 3, 4}) == handle
	equal, back := a == b, a.Value() == pointer
	runtime.KeepAlive(object)
	return fmt.Sprint(equal, back, same)
}

var variableOfWeak int

// stopped: what is left of an object whose cleanup was stopped.
//
//go:noinline
func stopped() int {
	object := &[4]int{1, 2, 3, 4}
	runtime.AddCleanup(object, func(int) {}, 1).Stop()
	return object[1]
}
