// Package main: execution traces, of what a program does while they are written.
package main

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/trace"
	"sync"
	"time"
)

func init() {
	// The linker keeps what is mentioned.
	mentioned = append(mentioned, started, twice, read, noted, longer)
}

var mentioned []interface{}

func showOwn(interface{}) string { return "" }

// started: the least that a trace can be.
//
//go:noinline
func started() string {
	var b bytes.Buffer
	err := trace.Start(&b)
	trace.Stop()
	return fmt.Sprint(err, b.Len() > 0)
}

// twice starts a trace while there is one, and another when there is none.
//
//go:noinline
func twice() string {
	var first, second bytes.Buffer
	one := trace.Start(&first)
	two := trace.Start(&second)
	trace.Stop()
	trace.Stop()
	three := trace.Start(&second)
	on := trace.IsEnabled()
	trace.Stop()
	same := first.Len() > 16 && second.Len() > 16 && bytes.Equal(first.Bytes()[:16], second.Bytes()[:16])
	return fmt.Sprint(one, ", ", two, ", ", three, ", ", on, same, trace.IsEnabled())
}

// read does without package trace.
//
//go:noinline
func read() string {
	one, two := runtime.StartTrace(), runtime.StartTrace()
	var all []byte
	ended := make(chan bool)
	go func() {
		for part := runtime.ReadTrace(); part != nil; part = runtime.ReadTrace() {
			all = append(all, part...)
		}
		close(ended)
	}()
	runtime.StopTrace()
	<-ended
	return fmt.Sprint(one, ", ", two, ", ", string(all[:3]), len(all) > 16)
}

//go:noinline
func within(ctx context.Context) { trace.Log(ctx, "where", "within") }

// noted writes down a bit of all, and gives the trace.
//
//go:noinline
func noted() []byte {
	var b bytes.Buffer
	if err := trace.Start(&b); err != nil {
		panic(err)
	}
	ctx, task := trace.NewTask(context.Background(), "whole")
	trace.WithRegion(ctx, "first part", func() {
		trace.Log(ctx, "key", "value")
		trace.Logf(ctx, "", "%d and more", 5)
		within(ctx)
	})
	var all sync.WaitGroup
	c := make(chan int)
	for i := 0; i < 3; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			region := trace.StartRegion(ctx, "sending")
			c <- i
			region.End()
			time.Sleep(time.Millisecond)
		}(i)
	}
	go func() {
		for range c {
			runtime.Gosched()
		}
	}()
	all.Wait()
	close(c)
	fired := make(chan bool)
	time.AfterFunc(time.Millisecond, func() {
		trace.Log(ctx, "timer", "fired")
		fired <- true
	})
	<-fired
	var lock sync.Mutex
	lock.Lock()
	go lock.Unlock()
	lock.Lock()
	task.End()
	trace.Stop()
	trace.Log(ctx, "key", "too late")
	return b.Bytes()
}

// longer is seconds long, and has more in it than a buffer holds.
//
//go:noinline
func longer(count int) []byte {
	var b bytes.Buffer
	if err := trace.Start(&b); err != nil {
		panic(err)
	}
	ctx, task := trace.NewTask(context.Background(), "long")
	waits := make(chan bool)
	go func() { <-waits }()
	time.Sleep(1500 * time.Millisecond)
	for i := 0; i < count; i++ {
		trace.Log(ctx, "count", fmt.Sprint("this is number ", i))
	}
	time.Sleep(1500 * time.Millisecond)
	trace.Log(ctx, "key", "last")
	close(waits)
	task.End()
	trace.Stop()
	return b.Bytes()
}
