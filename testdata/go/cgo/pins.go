//go:build go1.21
// +build go1.21

package main

/*
typedef struct {
	void *pointer;
	long number;
} pinnedBox;

static long numberOf(pinnedBox *at) { return at->number; }
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// pins gives C pointers to pointers that are pinned, or not any more.
//
//goemu:call pins(0)
//goemu:call pins(1)
//goemu:call pins(2)
//goemu:call pins(3)
//goemu:call pins(4)
//goemu:call pins(5)
//goemu:call pins(6)
//goemu:call pins(7)
//go:noinline
func pins(kind int) int {
	var pinner, other runtime.Pinner
	own := new(node)
	box := &C.pinnedBox{pointer: unsafe.Pointer(own), number: 6}
	switch kind {
	case 0:
		pinner.Pin(own)
		defer pinner.Unpin()
	case 1:
		pinner.Pin(own)
		pinner.Unpin()
	case 2: // by two, of which one remains
		pinner.Pin(own)
		other.Pin(own)
		pinner.Unpin()
		defer other.Unpin()
	case 3: // twice
		pinner.Pin(own)
		pinner.Pin(own)
		pinner.Unpin()
	case 4: // by a copy
		copied := pinnerOf(own)
		defer copied.Unpin()
	case 5: // a variable
		pinner.Pin(&someNode)
		defer pinner.Unpin()
		box.pointer = unsafe.Pointer(&someNode)
	case 6: // no pointer
		pinner.Pin(7)
	case 7: // nothing
		pinner.Pin(nil)
	}
	return int(C.numberOf(box))
}

//go:noinline
func pinnerOf(pointer interface{}) (pinner runtime.Pinner) {
	pinner.Pin(pointer)
	return pinner
}
