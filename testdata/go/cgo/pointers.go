package main

/*
#include <stdlib.h>

typedef struct {
	void *pointer;
	long number;
} box;

extern void *goGive(int);

static long first(void *at) { return at ? *(long *)at : -1; }
static long number(box *at) { return at->number; }
static long count(void **at, int number) { return number; }
static int given(int kind) { return goGive(kind) != 0; }
*/
import "C"

import (
	"strings"
	"unsafe"
)

type node struct {
	next   *node
	number int
}

var (
	someNode = node{number: 5}
	noNodes  = [4]int64{9}
	keptNode *node
)

//export goGive
func goGive(kind C.int) unsafe.Pointer {
	switch kind {
	case 0:
		return nil
	case 1:
		return unsafe.Pointer(&noNodes[0])
	case 2:
		keptNode = new(node)
		return unsafe.Pointer(keptNode)
	}
	return unsafe.Pointer(&someNode)
}

// gives shows C pointers, some of which the rules of cgo forbid.
//
//goemu:call gives(0)
//goemu:call gives(1)
//goemu:call gives(2)
//goemu:call gives(3)
//goemu:call gives(4)
//goemu:call gives(5)
//goemu:call gives(6)
//goemu:call gives(7)
//goemu:call gives(8)
//goemu:call gives(9)
//goemu:call gives(10)
//goemu:call gives(11)
//goemu:call gives(12)
//goemu:call gives(13)
//go:noinline
func gives(kind int) int {
	switch kind {
	case 0: // no pointers in it
		return int(C.first(unsafe.Pointer(&[]int64{7}[0])))
	case 1: // a nil pointer in it
		return int(C.first(unsafe.Pointer(&node{number: 3})))
	case 2: // a pointer of Go in it
		keptNode = &node{next: &node{}, number: 3}
		return int(C.first(unsafe.Pointer(keptNode)))
	case 3: // variables
		return int(C.first(unsafe.Pointer(&someNode)))
	case 4:
		return int(C.first(unsafe.Pointer(&noNodes[0])))
	case 5:
		keptNode = &someNode
		return int(C.number(&C.box{pointer: unsafe.Pointer(keptNode), number: 4}))
	case 6: // structs of C
		return int(C.number(&C.box{number: 4}))
	case 7:
		return int(C.number(&C.box{pointer: unsafe.Pointer(new(int64)), number: 4}))
	case 8: // slices and arrays
		all := []unsafe.Pointer{nil, unsafe.Pointer(new(node))}
		return int(C.count(&all[0], 2))
	case 9:
		all := []unsafe.Pointer{nil, unsafe.Pointer(uintptr(16))}
		return int(C.count(&all[0], 2))
	case 10:
		var all [3]unsafe.Pointer
		all[2] = unsafe.Pointer(new(node))
		return int(C.count(&all[0], 3))
	case 11: // the stack
		var own node
		own.number = 1
		return int(C.first(unsafe.Pointer(&own)))
	case 12: // a pointer of C in it
		in := C.CString("text")
		defer C.free(unsafe.Pointer(in))
		return int(C.number(&C.box{pointer: unsafe.Pointer(in), number: 6}))
	}
	return int(C.count(nil, 3))
}

// takes has C call what returns pointers. Since Go 1.26 the text says where that is.
//
//goemu:call takes(0)
//goemu:call takes(1)
//goemu:call takes(2)
//goemu:call takes(3)
//go:noinline
func takes(kind int) (text string) {
	defer func() {
		if reason := recover(); reason != nil {
			text = reason.(error).Error()
			text = text[strings.LastIndex(text, ": ")+1:]
		}
	}()
	if C.given(C.int(kind)) != 0 {
		return "a pointer"
	}
	return "nil"
}
