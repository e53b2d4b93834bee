package main

// Guests against how engines find code again, and against time limits: much work between two looks at them.

import (
	"bytes"
	"strings"
	"unsafe"
)

// A step through n places, in an order that no cache likes.
const stride = 7919

// shuffledTargets jumps through n targets by two tables, of two orders, so that no jump has one target alone.
//
//go:noinline
func shuffledTargets(targets int) {
	n := uintptr(targets)
	code := mm(0x3000000000, n*16)
	var tables [2]uintptr
	for which := range tables {
		tables[which] = mm(0x3100000000+uintptr(which)<<28, n*8+8)
		for i := uintptr(0); i < n-1; i++ {
			to := i
			if which == 1 {
				to = i * stride % (n - 1)
			}
			*(*uintptr)(unsafe.Pointer(tables[which] + i*8)) = code + to*16
		}
		*(*uintptr)(unsafe.Pointer(tables[which] + (n-1)*8)) = code + (n-1)*16
	}
	for i := uintptr(0); i < n-1; i++ {
		w := writer{code + i*16}
		w.put(0x48, 0x83, 0xc3, 8) // add rbx, 8
		w.put(0xff, 0x23)          // jmp [rbx]
	}
	w := writer{code + n*16 - 16}
	w.put(0xc3)
	begin := mm(0x3200000000, 4096)
	for which, table := range tables {
		w = writer{begin + uintptr(which)*64}
		w.put(0x53, 0x48, 0xbb) // push rbx; mov rbx, table
		w.put32(table & 0xffffffff)
		w.put32(table >> 32)
		w.put(0xff, 0x13, 0x5b, 0xc3) // call [rbx]; pop rbx; ret
	}
	for {
		callAt(begin)
		callAt(begin + 64)
	}
}

// hotOnce has so many functions with a loop each, which are called until they are hot, and not again before all others were.
//
//go:noinline
func hotOnce(functions int) {
	n := uintptr(functions)
	code := mm(0x3000000000, n*32)
	for i := uintptr(0); i < n; i++ {
		w := writer{code + i*32}
		w.put(0xb9, 120, 0, 0, 0)           // mov ecx, 120
		w.put(0x48, 0xff, 0xc0)             // inc rax
		w.put(0xff, 0xc9, 0x75, 0xf9, 0xc3) // dec ecx; jne -7; ret
	}
	for {
		for i := uintptr(0); i < n; i++ {
			callAt(code + i*32)
		}
	}
}

// middles jumps into the middle of long blocks: into each of their instructions, so that each is in many blocks.
//
//go:noinline
func middles() {
	const n = 1 << 20
	code := mm(0x3000000000, n)
	w := writer{code}
	for w.at < code+n-1 {
		w.put(0x90)
	}
	w.put(0xc3)
	for i := uintptr(63); i < n; i += 64 {
		w = writer{code + i}
		w.put(0xc3)
	}
	sys(10, code, n, 5, 0, 0, 0)
	for {
		for i := uintptr(0); i < n; i++ {
			callAt(code + i)
		}
	}
}

// guarded makes a page of code writable, changes a byte of it, makes it executable again, and executes all of it.
//
//go:noinline
func guarded() {
	code := mm(0x3000000000, 4096)
	w := writer{code}
	for w.at < code+4095 {
		w.put(0x90)
	}
	w.put(0xc3)
	for {
		sys(10, code, 4096, 3, 0, 0, 0)
		*(*byte)(unsafe.Pointer(code + 2000)) ^= 0x90 ^ 0x91
		sys(10, code, 4096, 5, 0, 0, 0)
		callAt(code)
	}
}

// swapped writes code to a file, and executes it by a mapping that was not there before.
//
//go:noinline
func swapped() {
	f := sys(319, ptr(&[]byte("x\x00")[0]), 0, 0, 0, 0, 0)
	sys(77, f, 1<<16, 0, 0, 0, 0)
	for n := byte(0); ; n++ {
		buf[0], buf[1], buf[2] = 0xb0, n, 0xc3 // mov al, n; ret
		sys(18, f, uintptr(unsafe.Pointer(&buf)), 3, 0, 0, 0)
		run := sys(9, 0, 1<<16, 5, 1, f, 0)
		callAt(run)
		sys(11, run, 1<<16, 0, 0, 0, 0)
	}
}

func huge() string {
	b := make([]byte, 512<<20)
	return unsafe.String(&b[0], len(b))
}

// hashHuge looks for a string of 512 MiB in a map.
//
//go:noinline
func hashHuge() {
	m, s := map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9}, huge()
	for {
		m["a"] += m[s]
	}
}

// equalHuge compares 512 MiB with the same, which lie elsewhere.
//
//go:noinline
func equalHuge() {
	a, b := huge(), huge()
	for bytes.Equal(unsafe.Slice(unsafe.StringData(a), len(a)), unsafe.Slice(unsafe.StringData(b), len(b))) {
		if a < b {
			return
		}
	}
}

// findHuge looks in 512 MiB for what is not there.
//
//go:noinline
func findHuge() {
	s := huge()
	for strings.IndexByte(s, 'x') < 0 && strings.Index(s, "xyz") < 0 && strings.Count(s, "y") == 0 {
	}
}

// copyHuge copies 512 MiB, and clears it.
//
//go:noinline
func copyHuge() {
	a, b := make([]byte, 512<<20), make([]byte, 512<<20)
	for {
		copy(a, b)
		clear(b)
	}
}

// dirtyAll writes to each page of 1 GiB, and gives it back.
//
//go:noinline
func dirtyAll() {
	for {
		at := mm(0x3000000000, 1<<30)
		for page := uintptr(0); page < 1<<30; page += 4096 {
			*(*byte)(unsafe.Pointer(at + page)) = 1
		}
		sys(11, at, 1<<30, 0, 0, 0, 0)
	}
}

// chase follows pointers through 1 GiB, each in another page.
//
//go:noinline
func chase() {
	const n = 1 << 18
	at := mm(0x3000000000, n*4096)
	for i := uintptr(0); i < n; i++ {
		to := (i + stride) % n
		*(*uintptr)(unsafe.Pointer(at + i*4096 + i%64*64)) = at + to*4096 + to%64*64
	}
	for p := at; ; {
		for i := 0; i < 16; i++ {
			p = *(*uintptr)(unsafe.Pointer(p))
		}
	}
}

func init() {
	order = []interface{}{
		shuffledTargets, hotOnce, middles, guarded, swapped, hashHuge, equalHuge, findHuge, copyHuge, dirtyAll, chase,
	}
}

var order interface{}
