package main

// What a process asks of its system: pages, timers, whether a file is a terminal.

import (
	"syscall"
	"time"
	"unsafe"
)

const anonymous = syscall.MAP_ANON | syscall.MAP_PRIVATE

// forgotten gives pages back, which are zero afterwards.
//
//goemu:call forgotten(40000)
//go:noinline
func forgotten(size int) (before, between, after byte) {
	pages, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, anonymous)
	if err != nil {
		panic(err)
	}
	for i := range pages {
		pages[i] = 7
	}
	before = pages[5000]
	const normal, dontNeed = 0, 4
	if err := syscall.Madvise(pages[:8192], normal); err != nil {
		panic(err)
	}
	between = pages[5000]
	if err := syscall.Madvise(pages[:8192], dontNeed); err != nil {
		panic(err)
	}
	after = pages[5000] + pages[8191]
	if pages[8192] != 7 {
		panic("too much")
	}
	return before, between, after
}

// unmapped takes more memory than there is, one piece after the other.
//
//goemu:call unmapped(40)
//go:noinline
func unmapped(rounds int) (sum int) {
	const size = 64 << 20
	for i := 0; i < rounds; i++ {
		pages, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, anonymous)
		if err != nil {
			panic(err)
		}
		pages[size-1]++
		sum += int(pages[size-1])
		if err := syscall.Munmap(pages); err != nil {
			panic(err)
		}
	}
	return sum
}

//goemu:call terminal(1)
//goemu:call terminal(77)
//go:noinline
func terminal(file int) string {
	const tcgets = 0x5401
	var state [64]byte
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(file), tcgets, uintptr(unsafe.Pointer(&state)))
	return errno.Error()
}

// fired is a timer that nobody has received from: since Go 1.23 as if it had not sent.
//
//goemu:call fired()
//go:noinline
func fired() (size, room int, stopped, reset bool) {
	a, b := time.NewTimer(time.Millisecond), time.NewTimer(time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	size, room = len(a.C), cap(a.C)
	stopped, reset = a.Stop(), b.Reset(time.Hour)
	return size, room, stopped, reset
}
