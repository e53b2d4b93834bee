package main

// What never ends, in all ways in which Go can go on.

import (
	"os"
	"runtime"
	"time"
)

//go:noinline
func bomb() {
	for {
		go func() { select {} }()
	}
}

//go:noinline
func forks() {
	var f func()
	f = func() { go f(); go f() }
	f()
	select {}
}

//go:noinline
func deepGoroutines() {
	for i := 0; i < 100; i++ {
		go recursing()
	}
	select {}
}

//go:noinline
func spin() {
	for {
	}
}

//go:noinline
func selecting() {
	c := make(chan int)
	for {
		select {
		case <-c:
		default:
		}
	}
}

//go:noinline
func ticking() {
	for range time.Tick(time.Nanosecond) {
	}
}

//go:noinline
func timers() {
	var f func()
	f = func() { time.AfterFunc(1, f) }
	f()
	select {}
}

//go:noinline
func sleeping() {
	for {
		time.Sleep(10000 * time.Hour)
	}
}

//go:noinline
func yielding() {
	for {
		runtime.Gosched()
	}
}

//go:noinline
func printing() {
	for {
		println("spam spam spam")
	}
}

//go:noinline
func writing() {
	for {
		os.Stdout.WriteString("spam\n")
	}
}

//go:noinline
func recursing() { deeper(0) }

//go:noinline
func deeper(n int) int {
	if n < 0 {
		return 0
	}
	return deeper(n+1) + 1
}

//go:noinline
func deferring() {
	for {
		defer func() {}()
	}
}

//go:noinline
func panicking() {
	var f func()
	f = func() {
		defer f()
		panic(1)
	}
	f()
}
