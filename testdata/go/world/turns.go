package main

// Goroutines that take turns: timers in all their uses, conditions and locks that hand over, what the runtime tells of
// goroutines, and the tables of interfaces, of which there must be one for each pair of types.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

//goemu:call afterFuncs(3)
//go:noinline
func afterFuncs(n int) (int, bool) {
	var sum int32
	var group sync.WaitGroup
	group.Add(n)
	for i := 1; i <= n; i++ {
		i := int32(i)
		time.AfterFunc(time.Duration(i)*time.Millisecond, func() { atomic.AddInt32(&sum, i); group.Done() })
	}
	never := time.AfterFunc(time.Hour, func() { atomic.StoreInt32(&sum, 1000) })
	group.Wait()
	return int(sum), never.Stop()
}

//goemu:call reset()
//go:noinline
func reset() (early, late bool, end string) {
	timer := time.NewTimer(time.Hour)
	early = timer.Reset(time.Millisecond)
	<-timer.C
	late = timer.Stop()
	timer.Reset(2 * time.Millisecond)
	select {
	case <-timer.C:
		end = "fired"
	case <-time.After(time.Minute):
		end = "too late"
	}
	return early, late, end
}

//goemu:call deadline(5)
//go:noinline
func deadline(ms int) (string, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(ms)*time.Millisecond)
	defer cancel()
	select {
	case <-ctx.Done():
		return ctx.Err().Error(), errors.Is(ctx.Err(), context.DeadlineExceeded)
	case <-time.After(time.Hour):
		return "too late", false
	}
}

//goemu:call inOrder(5)
//go:noinline
func inOrder(n int) (order string) {
	var lock sync.Mutex
	var group sync.WaitGroup
	for i := n; i > 0; i-- {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			time.Sleep(time.Duration(i) * 20 * time.Millisecond)
			lock.Lock()
			order += fmt.Sprint(i)
			lock.Unlock()
		}(i)
	}
	group.Wait()
	return order
}

// Who waits for a time by yielding meets it.
//
//goemu:call yielding(2)
//go:noinline
func yielding(ms int) bool {
	var fired int32
	time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { atomic.StoreInt32(&fired, 1) })
	for atomic.LoadInt32(&fired) == 0 {
		runtime.Gosched()
	}
	return true
}

//goemu:call queue(20)
//go:noinline
func queue(n int) int {
	var lock sync.Mutex
	more := sync.NewCond(&lock)
	var waiting []int
	sums := make(chan int)
	for i := 0; i < 3; i++ {
		go func() {
			for sum := 0; ; {
				lock.Lock()
				for len(waiting) == 0 {
					more.Wait()
				}
				next := waiting[0]
				waiting = waiting[1:]
				lock.Unlock()
				if next < 0 {
					sums <- sum
					return
				}
				sum += next
			}
		}()
	}
	for i := 0; i < n; i++ {
		lock.Lock()
		waiting = append(waiting, i)
		lock.Unlock()
		more.Signal()
	}
	lock.Lock()
	waiting = append(waiting, -1, -1, -1)
	lock.Unlock()
	more.Broadcast()
	return <-sums + <-sums + <-sums
}

//goemu:call readers(10)
//go:noinline
func readers(n int) (int, int) {
	var lock sync.RWMutex
	var seen sync.Map
	var group sync.WaitGroup
	var reads int64
	total := 0
	for i := 0; i < n; i++ {
		group.Add(2)
		go func(i int) {
			defer group.Done()
			lock.Lock()
			total += i
			runtime.Gosched()
			lock.Unlock()
			seen.Store(i, 2*i)
		}(i)
		go func() {
			defer group.Done()
			lock.RLock()
			runtime.Gosched()
			lock.RUnlock()
			atomic.AddInt64(&reads, 1)
		}()
	}
	group.Wait()
	sum := 0
	seen.Range(func(_, value interface{}) bool { sum += value.(int); return true })
	return total + int(reads), sum
}

//goemu:call endsInPanic()
//go:noinline
func endsInPanic() string {
	said := make(chan string)
	go func() {
		defer func() { said <- fmt.Sprint("recovered ", recover()) }()
		defer runtime.Goexit()
		panic("lost")
	}()
	return <-said
}

//goemu:call stacks()
//go:noinline
func stacks() (own, other bool, goroutines int) {
	wait := make(chan int)
	go func() { <-wait }()
	runtime.Gosched()
	buf := make([]byte, 1<<16)
	text := buf[:runtime.Stack(buf, true)]
	own = bytes.Contains(text, []byte("main.stacks("))
	other = bytes.Contains(text, []byte("main.stacks.func1("))
	goroutines = bytes.Count(text, []byte("main.stacks.func1("))
	close(wait)
	return own, other, goroutines
}

//goemu:call threads()
//go:noinline
func threads() (bool, bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return runtime.NumCPU() > 0, runtime.GOMAXPROCS(0) > 0
}

// It asks the operating system.
//
//goemu:call parent(5)
//go:noinline
func parent(n int) bool { return os.Getppid() >= 0 && n > 0 }

type named interface{ name() string }

type star struct{ magnitude int }

func (s star) name() string { return "star" }

//go:noinline
func asNamed(v interface{}) named { return v.(named) }

// The table that an assertion finds is the one that a conversion names.
//
//goemu:call sameTable(3)
//go:noinline
func sameTable(n int) (bool, bool) {
	var converted named = star{n}
	asserted := asNamed(star{n})
	return converted == asserted, asserted == asNamed(star{n + 1})
}

// Who waits without yielding is made to.
//
//goemu:call spinning(3)
//go:noinline
func spinning(n int) (count int) {
	var lock sync.Mutex
	ready := 0
	for i := 0; i < n; i++ {
		go func() {
			lock.Lock()
			ready++
			lock.Unlock()
		}()
	}
	for count < n {
		count = locked(&lock, &ready)
	}
	return count
}

//go:noinline
func locked(lock *sync.Mutex, n *int) int {
	lock.Lock()
	defer lock.Unlock()
	return *n
}

//goemu:call closesWhileSent()
//go:noinline
func closesWhileSent() {
	c := make(chan int)
	go func() { close(c) }()
	c <- 1
}

//goemu:call unlocked()
//go:noinline
func unlocked() (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	var group sync.WaitGroup
	group.Done()
	return "not reached"
}
