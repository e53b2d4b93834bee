package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
)

var kept []*[256]*int

// scavenged fills stacks, gives them back to the system, and looks whether new objects in their place are zero.
//
//goemu:call scavenged(3000)
//go:noinline
func scavenged(depth int) (dirty int) {
	for round := 0; round < 2; round++ {
		var wait sync.WaitGroup
		for i := 0; i < 4; i++ {
			wait.Add(1)
			go func() {
				defer wait.Done()
				filled(depth)
			}()
		}
		wait.Wait()
		debug.FreeOSMemory()
		kept = nil
		for i := 0; i < 4000; i++ {
			object := new([256]*int)
			if *object != [256]*int{} {
				dirty++
			}
			kept = append(kept, object)
		}
	}
	return dirty
}

//go:noinline
func filled(depth int) int {
	var room [60]int
	for i := range room {
		room[i] = depth | 1
	}
	if depth == 0 {
		return room[3]
	}
	return filled(depth-1) + room[depth%60]
}

// counted says whether the allocator's statistics grow as objects are allocated.
//
//goemu:call counted(1000)
//go:noinline
func counted(n int) (objects, bytes, sane bool) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	keep := make([]*[100]int, n)
	for i := range keep {
		keep[i] = new([100]int)
	}
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(keep)
	objects = after.Mallocs-before.Mallocs >= uint64(n)
	bytes = after.TotalAlloc-before.TotalAlloc >= uint64(n)*800
	return objects, bytes, after.Sys >= after.HeapAlloc && after.Mallocs > after.Frees
}

// crowd has many goroutines wait at once, each with a stack that it has grown.
//
//goemu:call crowd(2000)
//go:noinline
func crowd(n int) (int, int64) {
	var wait sync.WaitGroup
	var done int64
	start := make(chan int)
	for i := 0; i < n; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			filled(20)
			<-start
			atomic.AddInt64(&done, 1)
		}()
	}
	close(start)
	wait.Wait()
	return n, done
}

// recursion in a goroutine that is not the first, in more stack than it had.
//
//goemu:call recursion(20000)
//go:noinline
func recursion(depth int) int {
	result := make(chan int)
	go func() { result <- filled(depth) }()
	return <-result
}

// nilPanic: up to Go 1.20 a nil is recovered, later an error.
//
//goemu:call nilPanic()
//go:noinline
func nilPanic() (text string) {
	defer func() {
		switch r := recover().(type) {
		case nil:
			text = "nil"
		case error:
			text = strings.ToUpper(r.Error())
		}
	}()
	panic(nil)
}
