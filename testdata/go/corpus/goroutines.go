package main

// Goroutines, channels, select and locks.

import "sync"

//goemu:call goroutineSum(5)
//goemu:call goroutineSum(100)
//go:noinline
func goroutineSum(n int) (s int) {
	c := make(chan int)
	for i := 0; i < n; i++ {
		go func(i int) { c <- i * i }(i)
	}
	for i := 0; i < n; i++ {
		s += <-c
	}
	return s
}

// channelBuffered needs no second goroutine.
//
//goemu:call channelBuffered(4)
//go:noinline
func channelBuffered(n int) (s int) {
	c := make(chan int, n)
	for i := 0; i < n; i++ {
		c <- i
	}
	close(c)
	for x := range c {
		s += x
	}
	x, ok := <-c
	if x != 0 || ok {
		return -1
	}
	select {
	case c := <-make(chan int):
		s += c
	default:
		s += 100
	}
	return s
}

// pipeline passes numbers through a chain of goroutines.
//
//goemu:call pipeline(3, 10)
//go:noinline
func pipeline(stages, n int) (s int) {
	first := make(chan int)
	in := first
	for i := 0; i < stages; i++ {
		out := make(chan int)
		go func(in <-chan int, out chan<- int) {
			for x := range in {
				out <- x + 1
			}
			close(out)
		}(in, out)
		in = out
	}
	go func() {
		for i := 0; i < n; i++ {
			first <- i
		}
		close(first)
	}()
	for x := range in {
		s += x
	}
	return s
}

//goemu:call selectLoop(10)
//go:noinline
func selectLoop(n int) (a, b int) {
	x, y, done := make(chan int), make(chan int), make(chan bool)
	send := func(c chan int) {
		for i := 0; i < n; i++ {
			c <- i
		}
		done <- true
	}
	go send(x)
	go send(y)
	for finished := 0; finished < 2; {
		select {
		case v := <-x:
			a += v
		case v := <-y:
			b -= v
		case <-done:
			finished++
		}
	}
	return a, b
}

//goemu:call mutexCount(8, 50)
//go:noinline
func mutexCount(workers, turns int) (n int) {
	var m sync.Mutex
	var wait sync.WaitGroup
	for w := 0; w < workers; w++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := 0; i < turns; i++ {
				m.Lock()
				n++
				m.Unlock()
			}
		}()
	}
	wait.Wait()
	return n
}

//goemu:call onceOnly(5)
//go:noinline
func onceOnly(n int) (calls int) {
	var once sync.Once
	for i := 0; i < n; i++ {
		once.Do(func() { calls++ })
	}
	return calls
}

// goroutinePanics recovers in the other goroutine.
//
//goemu:call goroutinePanics("oops")
//go:noinline
func goroutinePanics(s string) string {
	c := make(chan string)
	go func() {
		defer func() { c <- recover().(string) + "!" }()
		panic(s)
	}()
	return <-c
}

//goemu:call sendOnClosed(1)
//go:noinline
func sendOnClosed(x int) int {
	c := make(chan int, 1)
	close(c)
	c <- x
	return x
}

// deadlock waits for what nobody sends.
//
//goemu:fatal deadlock()
//go:noinline
func deadlock() int { return <-make(chan int) }

//goemu:fatal selectForever()
//go:noinline
func selectForever() { select {} }
