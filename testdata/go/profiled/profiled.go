// Package main is built with a profile of itself (default.pgo, of 20 s of all that is here), so that what is hot of the runtime is put into
// its callers.
package main

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

func init() {
	mentioned = []interface{}{pingPong, locked, selected, allocated, asserted, slept}
}

var mentioned []interface{}

func showOwn(interface{}) string { return "" }

type shape interface{ area() int }
type square struct{ side int }
type other struct{ name string }

func (s square) area() int     { return s.side * s.side }
func (s *other) area() int     { return len(s.name) }
func (s *other) Error() string { return s.name }

var errSome = errors.New("some")

// pingPong sends numbers forth and back.
//
//go:noinline
func pingPong(n int) (sum int) {
	there, back := make(chan int), make(chan int)
	go func() {
		for v := range there {
			back <- v + 1
		}
		close(back)
	}()
	for i := 0; i < n; i++ {
		there <- i
		sum += <-back
	}
	close(there)
	return sum
}

// locked has goroutines take turns at a lock, and waits for all.
//
//go:noinline
func locked(n int) (sum int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	cond := sync.NewCond(&mu)
	for g := 0; g < 4; g++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; i < n; i++ {
				mu.Lock()
				sum++
				if sum%7 == 0 {
					cond.Broadcast()
				}
				mu.Unlock()
			}
		}()
	}
	all.Wait()
	return sum
}

// selected takes from whichever channel is ready.
//
//go:noinline
func selected(n int) (sum int) {
	a, b, done := make(chan int), make(chan int), make(chan bool)
	send := func(c chan int) {
		for i := 0; i < n; i++ {
			c <- i
		}
		done <- true
	}
	go send(a)
	go send(b)
	for left := 2; left > 0; {
		select {
		case v := <-a:
			sum += v
		case v := <-b:
			sum += 2 * v
		case <-done:
			left--
		}
	}
	return sum
}

var kept []interface{}

// allocated makes objects of many sizes.
//
//go:noinline
func allocated(n int) (sum int) {
	for i := 0; i < n; i++ {
		b := make([]byte, i%3000)
		p := &square{i}
		q := &other{string(b[:i%5])}
		kept = append(kept[:i%100], b, p, q, i, [3]*square{p, p, p})
		sum += len(kept) + p.side + len(q.name)
	}
	return sum
}

// asserted asks values for interfaces.
//
//go:noinline
func asserted(n int) (sum int) {
	values := []interface{}{square{2}, &other{"abc"}, errSome, 7, "x"}
	for i := 0; i < n; i++ {
		v := values[i%len(values)]
		if s, ok := v.(shape); ok {
			sum += s.area()
		}
		if e, ok := v.(error); ok {
			sum += len(e.Error())
			if errors.Is(e, errSome) {
				sum += 100
			}
		}
		if _, ok := v.(fmt.Stringer); ok {
			sum += 1000
		}
	}
	return sum
}

// slept waits for timers.
//
//go:noinline
func slept(n int) (sum int) {
	for i := 0; i < n; i++ {
		time.Sleep(time.Microsecond)
		select {
		case <-time.After(time.Microsecond):
			sum++
		}
	}
	return sum
}
