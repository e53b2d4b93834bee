package main

// Settings of the runtime that hooks keep.

import "runtime/debug"

//go:noinline
func maxStack() (int, int) {
	before := debug.SetMaxStack(1 << 16)
	return before, debug.SetMaxStack(before)
}

//go:noinline
func maxThreads() (int, int) {
	before := debug.SetMaxThreads(200)
	return before, debug.SetMaxThreads(before)
}

//go:noinline
func down(n int) int {
	if n == 0 {
		return 0
	}
	return down(n-1) + n
}

// smallStack overflows a stack of 64 KiB.
//
//go:noinline
func smallStack() int {
	debug.SetMaxStack(1 << 16)
	return down(100000)
}

// noThreads allows fewer threads than there are.
//
//go:noinline
func noThreads() int { return debug.SetMaxThreads(0) }
