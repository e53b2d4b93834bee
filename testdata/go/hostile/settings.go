package main

// Settings of the runtime that hooks keep.

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/trace"
)

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

// processors sets how many there are, by numbers of which the runtime takes the lower half.
//
//go:noinline
func processors() (int, int, int) {
	before := runtime.GOMAXPROCS(3)
	runtime.GOMAXPROCS(-1)
	runtime.GOMAXPROCS(1 << 32)
	now := runtime.GOMAXPROCS(before)
	return before, now, runtime.GOMAXPROCS(0)
}

//go:noinline
func badProcessors() int { return runtime.GOMAXPROCS(1 << 31) }

// traced is what tracing nothing gives.
//
//go:noinline
func traced() string {
	var b bytes.Buffer
	e := trace.Start(&b)
	trace.Stop()
	return fmt.Sprint(e, b.Len() > 0)
}

type held struct {
	p *int
	n int
	b [40]byte
}

var lasting interface{}

// selfCleanup adds cleanups that keep their object, and one that does not.
//
//go:noinline
func selfCleanup(which int) string {
	p := &held{p: new(int)}
	switch which {
	case 0:
		runtime.AddCleanup(p, func(*int) {}, &p.n)
	case 1:
		runtime.AddCleanup(p, func(int) { lasting = p }, 5)
	default:
		n := which
		runtime.AddCleanup(p, func(m *int) { lasting = &n }, new(int))
	}
	return "added"
}

func init() { settings = []interface{}{processors, badProcessors, traced, selfCleanup} }

var settings interface{}
