package main

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

func init() {
	mentioned = append(mentioned, counted, created, memory, measured, profiled, goneEarly, timerSizes)
}

// counted: how many goroutines there are, as each is started, and in the end.
//
//go:noinline
func counted() (s string) {
	var all sync.WaitGroup
	before, stop := runtime.NumGoroutine(), make(chan int)
	for i := 0; i < 3; i++ {
		all.Add(1)
		go func() {
			<-stop
			all.Done()
		}()
		s += fmt.Sprint(runtime.NumGoroutine()-before, " ")
	}
	time.AfterFunc(time.Hour, func() {})
	s += fmt.Sprint(pprof.Lookup("goroutine").Count()-before, " ")
	close(stop)
	all.Wait()
	for runtime.NumGoroutine() > before {
		runtime.Gosched()
	}
	return s + fmt.Sprint(runtime.NumGoroutine()-before)
}

// created: who has started a goroutine, as its own stack says.
//
//go:noinline
func created() string {
	c := make(chan string, 1)
	go func() {
		text := make([]byte, 4096)
		text = text[:runtime.Stack(text, false)]
		at := strings.Index(string(text), "created by ")
		if at < 0 {
			c <- ""
			return
		}
		c <- strings.Fields(string(text[at:]))[2]
	}()
	return <-c
}

// memory: what the statistics say that is the same in all releases.
//
//go:noinline
func memory() string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return fmt.Sprint(m.EnableGC, m.BySize[0].Size, m.BySize[2].Size, m.BySize[5].Size > m.BySize[4].Size, m.NextGC > 0, m.StackInuse > 0)
}

// measured: how many bytes objects take in the statistics, and what they say of collections that were asked for.
//
//go:noinline
func measured() string {
	var before, made, after runtime.MemStats
	runtime.ReadMemStats(&before)
	objects := make([][]byte, 100)
	for i := range objects {
		objects[i] = make([]byte, 1000)
	}
	runtime.ReadMemStats(&made)
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(objects)
	taken, last := made.TotalAlloc-before.TotalAlloc, after.PauseEnd[(after.NumGC+255)%256]
	return fmt.Sprint(taken >= 100<<10, taken < 110<<10, made.Alloc <= made.HeapSys, after.NumForcedGC-made.NumForcedGC,
		after.LastGC > made.LastGC, last == after.LastGC, after.PauseTotalNs > made.PauseTotalNs)
}

// goneEarly: what a goroutine recovers that ends itself.
//
//go:noinline
func goneEarly() string {
	c := make(chan string, 2)
	go func() {
		defer close(c)
		defer func() { c <- "ended" }()
		defer func() { c <- fmt.Sprint(recover(), " ") }()
		runtime.Goexit()
	}()
	return <-c + <-c
}

// profiled: whether a profile has the goroutine that waits.
//
//go:noinline
func profiled() bool {
	var text bytes.Buffer
	c := make(chan int)
	go func() { <-c }()
	runtime.Gosched()
	pprof.Lookup("goroutine").WriteTo(&text, 1)
	close(c)
	return strings.Contains(text.String(), "main.profiled.func1")
}

type blobPointer *blob

// Foo makes a method of *blob, so that it has as much to say of itself as a type with a name.
func (b *blob) Foo() {}

// timerSizes: how long the channel of a timer is that has fired, and how much fits in.
//
//go:noinline
func timerSizes() string {
	timer := time.NewTimer(time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	return fmt.Sprint(len(timer.C), cap(timer.C))
}
