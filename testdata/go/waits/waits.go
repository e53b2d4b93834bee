// A whole program whose goroutines wait for each other, in the ways that its argument names. It is stripped: what `goemu explore` tells of
// them it knows from the program's structures.
package main

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

func main() {
	mode := "left"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "left":
		leaves(make(chan int))
	case "asks":
		asks()
	case "looks":
		looks(make(chan int))
	}
	println("done")
}

// Returns while a goroutine waits for a value that nobody sends any more.
//
//go:noinline
func leaves(values chan int) {
	ready := make(chan bool)
	go receives(ready, values)
	<-ready
}

//go:noinline
func receives(ready chan bool, values chan int) {
	ready <- true
	println(<-values)
}

// A goroutine asks again and again whether another is done, and lets others run in between.
//
//go:noinline
func asks() {
	var done atomic.Bool
	both(func() {
		for !done.Load() {
			runtime.Gosched()
		}
	}, func() { done.Store(true) })
}

// The same by a channel.
//
//go:noinline
func looks(values chan int) {
	both(func() {
		for {
			select {
			case <-values:
				return
			default:
				runtime.Gosched()
			}
		}
	}, func() { close(values) })
}

//go:noinline
func both(first, second func()) {
	var wait sync.WaitGroup
	for _, one := range []func(){first, second} {
		wait.Add(1)
		go func() {
			defer wait.Done()
			one()
		}()
	}
	wait.Wait()
}
