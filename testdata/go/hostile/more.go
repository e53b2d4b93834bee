package main

// Guests whose system calls go through lists of theirs that are long: numbers, names, sockets, pages.

import (
	"time"
	"unsafe"
)

var words [2048]uint64

func at(words *[2048]uint64) uintptr { return uintptr(unsafe.Pointer(words)) }

// fillNumbers gives standard input 65,000 numbers.
func fillNumbers() {
	for i := 0; i < 65000; i++ {
		sys(32, 0, 0, 0, 0, 0, 0)
	}
}

// dupLoop takes and frees the last of 65,000 numbers for ever.
//
//go:noinline
func dupLoop() {
	fillNumbers()
	for {
		sys(3, sys(32, 0, 0, 0, 0, 0, 0), 0, 0, 0, 0, 0)
	}
}

// lockLoop locks a file beside 65,000 open ones.
//
//go:noinline
func lockLoop() {
	for i := 0; i < 65000; i++ {
		sys(290, 0, 0, 0, 0, 0, 0)
	}
	loopsys(73, sys(2, path(1), 0x41, 0644, 0, 0, 0), 2, 0, 0, 0, 0)
}

// closeRange closes 65,000 numbers that stand for nothing.
//
//go:noinline
func closeRange() {
	fillNumbers()
	loopsys(436, 3, ^uintptr(0), 0, 0, 0, 0)
}

// workingFolder asks for the path of a folder beside 20,000 others.
//
//go:noinline
func workingFolder() {
	for n := 0; n < 20000; n++ {
		sys(83, path(n), 0755, 0, 0, 0, 0)
	}
	sys(80, path(19999), 0, 0, 0, 0, 0)
	loopsys(79, uintptr(unsafe.Pointer(&buf)), 4096, 0, 0, 0, 0)
}

// noEntries lists 20,000 files into no room.
//
//go:noinline
func noEntries() {
	for n := 0; n < 20000; n++ {
		sys(3, sys(2, path(n), 0x41, 0644, 0, 0, 0), 0, 0, 0, 0, 0)
	}
	name[5] = 0
	dir := sys(2, uintptr(unsafe.Pointer(&name)), 0x10000, 0, 0, 0, 0)
	loopsys(217, dir, uintptr(unsafe.Pointer(&buf)), 8, 0, 0, 0)
}

// growFile makes a file long and empty for ever.
//
//go:noinline
func growFile() {
	file := sys(2, path(1), 0x42, 0644, 0, 0, 0)
	for {
		sys(77, file, 1<<29, 0, 0, 0, 0)
		sys(77, file, 0, 0, 0, 0, 0)
	}
}

// mapFile maps a long file where there is no room for it.
//
//go:noinline
func mapFile() {
	file := sys(2, path(1), 0x42, 0644, 0, 0, 0)
	sys(77, file, 1<<28, 0, 0, 0, 0)
	loopsys(9, 1<<50, 1<<28, 1, 0x12, file, 0)
}

// readPages reads into a thousand places of 1 MiB.
//
//go:noinline
func readPages() {
	for i := 0; i < 2048; i += 2 {
		words[i], words[i+1] = uint64(uintptr(unsafe.Pointer(&buf))), 1<<20
	}
	zero := [10]byte{'/', 'd', 'e', 'v', '/', 'n', 'u', 'l', 'l'}
	loopsys(19, sys(2, uintptr(unsafe.Pointer(&zero)), 0, 0, 0, 0, 0), at(&words), 1024, 0, 0, 0)
}

// randomBytes reads random numbers.
//
//go:noinline
func randomBytes() { loopsys(318, uintptr(unsafe.Pointer(&buf)), 1<<20, 0, 0, 0, 0) }

// manyPorts binds sockets to ports until there are none, and goes on.
//
//go:noinline
func manyPorts() {
	address := [16]byte{2, 0, 0, 0, 127, 0, 0, 1}
	for {
		sys(49, sys(41, 2, 2, 0, 0, 0, 0), uintptr(unsafe.Pointer(&address)), 16, 0, 0, 0)
	}
}

// peekBytes looks at what a socket holds for ever.
//
//go:noinline
func peekBytes() {
	sys(53, 1, 1, 0, uintptr(unsafe.Pointer(&fds)), 0, 0)
	sys(44, uintptr(fds[0]), uintptr(unsafe.Pointer(&buf)), 1<<18, 0, 0, 0)
	loopsys(45, uintptr(fds[1]), uintptr(unsafe.Pointer(&buf)), 1<<18, 2, 0, 0)
}

// manySockets opens pairs of sockets, and fills each.
//
//go:noinline
func manySockets() {
	for {
		sys(53, 1, 1, 0, uintptr(unsafe.Pointer(&fds)), 0, 0)
		sys(44, uintptr(fds[0]), uintptr(unsafe.Pointer(&buf)), 1<<18, 0x40, 0, 0)
	}
}

// manyPipes opens pipes, and fills each.
//
//go:noinline
func manyPipes() {
	for {
		sys(22, uintptr(unsafe.Pointer(&fds)), 0, 0, 0, 0, 0)
		sys(1, uintptr(fds[1]), uintptr(unsafe.Pointer(&buf)), 1<<16, 0, 0, 0)
	}
}

// manyOptions sets options of sockets.
//
//go:noinline
func manyOptions() {
	socket := sys(41, 2, 1, 0, 0, 0, 0)
	for n := uintptr(1000); ; n++ {
		sys(54, socket, 6, n, uintptr(unsafe.Pointer(&buf)), 256, 0)
	}
}

// inherited accepts connections of a socket that has so many options.
//
//go:noinline
func inherited(many int) {
	listener := sys(41, 2, 1, 0, 0, 0, 0)
	levels := [5]uintptr{0, 1, 6, 17, 41}
	for n := uintptr(0); n < uintptr(many); n++ {
		sys(54, listener, levels[n%5], 50+n/5, uintptr(unsafe.Pointer(&buf)), 256, 0)
	}
	address := [16]byte{2, 0, 0x20, 0x20, 127, 0, 0, 1}
	sys(49, listener, uintptr(unsafe.Pointer(&address)), 16, 0, 0, 0)
	sys(50, listener, 100, 0, 0, 0, 0)
	for {
		client := sys(41, 2, 1, 0, 0, 0, 0)
		sys(42, client, uintptr(unsafe.Pointer(&address)), 16, 0, 0, 0)
		server := sys(43, listener, 0, 0, 0, 0, 0)
		sys(54, server, 6, 1, uintptr(unsafe.Pointer(&buf)), 4, 0)
		sys(3, server, 0, 0, 0, 0, 0)
		sys(3, client, 0, 0, 0, 0, 0)
	}
}

// deepFolders makes folders in folders.
//
//go:noinline
func deepFolders() {
	down := [2]byte{'d'}
	for {
		sys(83, uintptr(unsafe.Pointer(&down)), 0755, 0, 0, 0, 0)
		sys(80, uintptr(unsafe.Pointer(&down)), 0, 0, 0, 0, 0)
	}
}

// protectPages changes every other page of 2 GiB, and back.
//
//go:noinline
func protectPages() {
	const A = 0x3000000000
	sys(9, A, 1<<30, 3, 0x32, ^uintptr(0), 0)
	for {
		sys(10, A, 1<<30, 1, 0, 0, 0)
		sys(10, A, 1<<30, 3, 0, 0, 0)
	}
}

// forgetPages gives memory back that was never written.
//
//go:noinline
func forgetPages() {
	const A = 0x3000000000
	sys(9, A, 1<<30, 3, 0x32, ^uintptr(0), 0)
	loopsys(28, A, 1<<30, 4, 0, 0, 0)
}

// badPoll polls 65,536 numbers.
//
//go:noinline
func badPoll() { loopsys(7, uintptr(unsafe.Pointer(&buf)), 65536, 0, 0, 0, 0) }

// printLoop prints empty lines for ever.
//
//go:noinline
func printLoop() {
	for {
		sys(1, 1, uintptr(unsafe.Pointer(&buf)), 1, 0, 0, 0)
	}
}

// codeStorm changes an instruction and executes it, for ever.
//
//go:noinline
func codeStorm() {
	const A = 0x3000000000
	if mm(A, 1<<20) != A {
		return
	}
	p := (*[1 << 20]byte)(unsafe.Pointer(uintptr(A)))
	for i := range p {
		p[i] = 0x90
	}
	p[len(p)-1] = 0xc3
	for n := byte(0); ; n++ {
		p[len(p)-2] = 0x90 + n%2*5
		callAt(A)
	}
}

// growMap makes a map grow for ever.
//
//go:noinline
func growMap() int {
	m := map[int][]byte{}
	for i := 0; ; i++ {
		m[i] = make([]byte, 64)
	}
}

// grownString appends to a string for ever.
//
//go:noinline
func grownString() string {
	s := "x"
	for {
		s += s[:len(s)/16+1]
	}
}

// manyGoroutines makes goroutines that wait.
//
//go:noinline
func manyGoroutines() {
	c := make(chan int)
	for {
		go park(0, c)
	}
}

// manySleepers makes goroutines that sleep, each for another time.
//
//go:noinline
func manySleepers() {
	for n := int64(1); ; n++ {
		go sleeper(n)
	}
}

func init() {
	kept = []interface{}{
		dupLoop, lockLoop, closeRange, workingFolder, noEntries, growFile, mapFile, readPages, randomBytes, manyPorts, peekBytes,
		manySockets, manyPipes, manyOptions, inherited, deepFolders, protectPages, forgetPages, badPoll, printLoop, codeStorm, growMap,
		grownString, manyGoroutines, manySleepers,
	}
}

var kept interface{}

func sleeper(n int64) { time.Sleep(time.Duration(n) * time.Hour) }
