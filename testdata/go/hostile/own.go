package main

// Guests that fill a host's memory with what is no memory of theirs: names, messages, decoded code, stacks, copies.

import (
	"runtime"
	"unsafe"
)

var name [512]byte

// path is "/tmp/" and a number of 200 digits.
func path(n int) uintptr {
	copy(name[:], "/tmp/")
	for i := 204; i >= 5; i-- {
		name[i] = '0' + byte(n%10)
		n /= 10
	}
	name[205] = 0
	return uintptr(unsafe.Pointer(&name))
}

// manyFiles makes empty files for ever.
//
//go:noinline
func manyFiles() {
	for n := 0; ; n++ {
		sys(3, sys(2, path(n), 0x41, 0644, 0, 0, 0), 0, 0, 0, 0, 0)
	}
}

// manyEntries reads a folder of many files for ever.
//
//go:noinline
func manyEntries() {
	for n := 0; n < 20000; n++ {
		sys(3, sys(2, path(n), 0x41, 0644, 0, 0, 0), 0, 0, 0, 0, 0)
	}
	name[5] = 0
	dir := sys(2, uintptr(unsafe.Pointer(&name)), 0x10000, 0, 0, 0, 0)
	for {
		sys(217, dir, uintptr(unsafe.Pointer(&buf)), 1<<20, 0, 0, 0)
		sys(8, dir, 0, 0, 0, 0, 0)
	}
}

// emptyMessages sends datagrams without bytes, which nobody receives.
//
//go:noinline
func emptyMessages() {
	sys(53, 1, 2, 0, uintptr(unsafe.Pointer(&fds)), 0, 0)
	loopsys(44, uintptr(fds[0]), uintptr(unsafe.Pointer(&buf)), 0, 0x40, 0, 0)
}

// pathOfLinks opens a path through forty links whose targets are long.
//
//go:noinline
func pathOfLinks() {
	var target [4096]byte
	copy(target[:], "/tmp")
	for i := 4; i < 4000; i += 2 {
		target[i], target[i+1] = '/', '.'
	}
	for i := 0; i < 39; i++ {
		target[4000], target[4001], target[4002], target[4003] = '/', 'l', '0'+byte(i/10), '0'+byte(i%10)
		link := [16]byte{'/', 't', 'm', 'p', '/', 'l', '0' + byte((i+1)/10), '0' + byte((i+1)%10)}
		sys(88, uintptr(unsafe.Pointer(&target)), uintptr(unsafe.Pointer(&link)), 0, 0, 0, 0)
	}
	last := [16]byte{'/', 't', 'm', 'p', '/', 'l', '3', '9'}
	loopsys(2, uintptr(unsafe.Pointer(&last)), 0, 0, 0, 0, 0)
}

// emptyReads reads into a thousand places without bytes.
//
//go:noinline
func emptyReads() { loopsys(19, 0, uintptr(unsafe.Pointer(&buf)), 1024, 0, 0, 0) }

// ownSignals sends itself blocked signals.
//
//go:noinline
func ownSignals() {
	mask := ^uint64(0)
	sys(14, 0, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
	loopsys(234, 1, 1, 10, 0, 0, 0)
}

// manyTimers makes timers for ever.
//
//go:noinline
func manyTimers() { loopsys(222, 1, 0, uintptr(unsafe.Pointer(&buf)), 0, 0, 0) }

// longCode runs through 192 MiB of instructions of one byte, each once.
//
//go:noinline
func longCode() {
	const A = 0x3000000000
	if mm(A, 192<<20) != A {
		return
	}
	stosb(A, 192<<20, 0x90)
	*(*byte)(unsafe.Pointer(uintptr(A + 192<<20 - 1))) = 0xc3
	callAt(A)
}

// manyJumps runs through 64 MiB of jumps to the next instruction: a block each.
//
//go:noinline
func manyJumps() {
	const A = 0x3000000000
	if mm(A, 64<<20) != A {
		return
	}
	p := (*[64 << 20]byte)(unsafe.Pointer(uintptr(A)))
	for i := 0; i < len(p)-2; i += 2 {
		p[i] = 0xeb
	}
	p[len(p)-2] = 0xc3
	callAt(A)
}

func park(depth int, c chan int) {
	if depth == 0 {
		<-c
		return
	}
	park(depth-1, c)
}

// allStacks asks for the stacks of 5,000 deep goroutines for ever.
//
//go:noinline
func allStacks() {
	c := make(chan int)
	for i := 0; i < 5000; i++ {
		go park(60, c)
	}
	runtime.Gosched()
	text := make([]byte, 64<<20)
	for {
		runtime.Stack(text, true)
	}
}

// deadStacks ends in a deadlock of 100,000 goroutines.
//
//go:noinline
func deadStacks() {
	c := make(chan int)
	for i := 0; i < 100000; i++ {
		go park(3, c)
	}
	<-c
}

// many makes system calls: seven words each, where 0x0b0f in the upper 16 bits means an address in buf.
//
//go:noinline
func many(calls []uint64) {
	for ; len(calls) >= 7; calls = calls[7:] {
		var c [7]uintptr
		for i := range c {
			c[i] = uintptr(calls[i])
			if c[i]>>48 == 0x0b0f {
				c[i] = uintptr(unsafe.Pointer(&buf)) + c[i]&0xfffff
			}
		}
		sys(c[0], c[1], c[2], c[3], c[4], c[5], c[6])
	}
}

// holes unmaps every other page of a mapping, and maps them again: how many are not empty then.
//
//go:noinline
func holes(n int) (bad int) {
	const A = 0x4000000000
	sys(9, A, uintptr(2*n)*4096, 3, 0x32, ^uintptr(0), 0)
	for i := 0; i < n; i++ {
		at := A + uintptr(2*i)*4096
		*(*byte)(unsafe.Pointer(at)) = 1
		sys(11, at, 4096, 0, 0, 0, 0)
	}
	for i := 0; i < n; i++ {
		at := A + uintptr(2*i)*4096
		if sys(9, at, 4096, 3, 0x32, ^uintptr(0), 0) != at || *(*byte)(unsafe.Pointer(at)) != 0 {
			bad++
		}
	}
	return bad
}

// partsLoop changes every other page, and forgets them all, for ever.
//
//go:noinline
func partsLoop() {
	const A = 0x4000000000
	const n = 10000
	sys(9, A, 2*n*4096, 3, 0x32, ^uintptr(0), 0)
	for prot := uintptr(1); ; prot = 4 - prot {
		for i := uintptr(0); i < n; i++ {
			sys(10, A+2*i*4096, 4096, prot, 0, 0, 0)
		}
		sys(28, A, 2*n*4096, 4, 0, 0, 0)
	}
}

// pinLoop pins an object time and again.
//
//go:noinline
func pinLoop() {
	var pinner runtime.Pinner
	for {
		pinner.Pin(&name[0])
		pinner.Pin(new(*int))
	}
}

func init() { keptToo = []interface{}{holes, partsLoop, pinLoop} }

var keptToo interface{}
