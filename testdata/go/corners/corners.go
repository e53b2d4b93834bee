// Package main: what a runtime that did not start could get wrong.
package main

import (
	"runtime"
	"sync"
	"time"
	"unsafe"
)

func init() {
	// The linker keeps what is mentioned.
	mentioned = []interface{}{
		order, fair, livelock, churn, grow, keep, finalized, pooled, collections, badFinalizer, timed, startWith,
	}
}

var mentioned []interface{}

func showOwn(interface{}) string { return "" }

var sink []byte

// churn allocates much, and keeps little.
//
//go:noinline
func churn(count, size int) (n int) {
	for i := 0; i < count; i++ {
		b := make([]byte, size+i%3)
		b[i%size] = 1
		sink = b
		n += len(b)
	}
	return
}

// grow makes a string longer byte by byte.
//
//go:noinline
func grow(n int) int {
	s := ""
	for i := 0; i < n; i++ {
		s += "x"
	}
	return len(s)
}

type node struct {
	left, right *node
	key         int
	text        string
}

func (t *node) insert(key int, text string) *node {
	if t == nil {
		return &node{key: key, text: text}
	}
	if key < t.key {
		t.left = t.left.insert(key, text)
	} else {
		t.right = t.right.insert(key, text)
	}
	return t
}

func (t *node) sum() int {
	if t == nil {
		return 0
	}
	return t.left.sum() + t.key*len(t.text) + t.right.sum()
}

// keep has a tree, a map, a channel, closures and goroutines live through much garbage.
//
//go:noinline
func keep(rounds int) (sum int) {
	var tree *node
	m, c, turn := map[int]*node{}, make(chan []int, 4), make(chan int)
	var wait sync.WaitGroup
	for i := 0; i < 4; i++ {
		own := []int{i}
		add := func(n int) { own = append(own, n) }
		wait.Add(1)
		go func() {
			for n := range turn {
				add(n)
			}
			c <- own
			wait.Done()
		}()
	}
	for i := 0; i < rounds; i++ {
		key := i * 7919 % 1000
		if i < 1000 {
			tree = tree.insert(key, string(make([]byte, key%9)))
			m[key] = &node{key: i, text: string(make([]byte, i%5))}
		}
		sink = make([]byte, 1000+i%50)
		if i%100 == 0 {
			turn <- i
		}
	}
	close(turn)
	wait.Wait()
	for i := 0; i < 4; i++ {
		for _, n := range <-c {
			sum += n
		}
	}
	for _, n := range m {
		sum += n.sum()
	}
	return sum + tree.sum()
}

type blob struct {
	p *int
	b [100]byte
}

//go:noinline
func setFinalizer(c chan string) {
	runtime.SetFinalizer(&blob{p: new(int)}, func(*blob) { c <- "finalized" })
}

// finalized waits for a finalizer.
//
//go:noinline
func finalized() string {
	c := make(chan string, 1)
	setFinalizer(c)
	runtime.GC()
	runtime.GC()
	return <-c
}

// pooled: what a pool still has after two collections.
//
//go:noinline
func pooled() bool {
	var p sync.Pool
	p.Put(new(int))
	runtime.GC()
	runtime.GC()
	return p.Get() == nil
}

// collections counts them.
//
//go:noinline
func collections() bool {
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	runtime.GC()
	runtime.ReadMemStats(&b)
	return b.NumGC > a.NumGC
}

// notOfGo is where no program has memory.
var notOfGo = unsafe.Pointer(uintptr(4096))

// badFinalizer passes SetFinalizer what it does not take.
//
//go:noinline
func badFinalizer(kind int) {
	p := new(blob)
	switch kind {
	case 0:
		runtime.SetFinalizer(nil, func(*blob) {})
	case 1:
		runtime.SetFinalizer(*p, func(*blob) {})
	case 2:
		runtime.SetFinalizer(p, 5)
	case 3:
		runtime.SetFinalizer(p, func(*node) {})
	case 4:
		runtime.SetFinalizer(p, func() {})
	case 5:
		runtime.SetFinalizer(&p.b[50], func(*byte) {})
	case 6:
		runtime.SetFinalizer(p, func(*blob) {})
		runtime.SetFinalizer(p, func(*blob) {})
	case 7:
		runtime.SetFinalizer(p, func(*blob) {})
		runtime.SetFinalizer(p, nil)
		runtime.SetFinalizer(p, func(interface{}) {})
	case 9:
		runtime.SetFinalizer(p, func(blobPointer) {})
	case 8:
		runtime.SetFinalizer((*blob)(notOfGo), func(*blob) {})
	}
	sink = p.b[:]
}

// timed: a goroutine's timer and a ticker survive collections.
//
//go:noinline
func timed(rounds int) (n int) {
	tick := time.NewTicker(time.Millisecond)
	for i := 0; i < rounds; i++ {
		sink = make([]byte, 100000)
		<-tick.C
		select {
		case <-time.After(time.Microsecond):
			n++
		}
	}
	tick.Stop()
	return
}

// startWith starts a goroutine that is given many bytes, up to Go 1.16 more than it can be.
//
//go:noinline
func startWith(kind int) (n int) {
	done := make(chan int)
	if kind == 0 {
		go func(bytes [1992]byte) { done <- len(bytes) + int(bytes[1991]) }([1992]byte{1991: 1})
	} else {
		go func(bytes [2000]byte) { done <- len(bytes) + int(bytes[1999]) }([2000]byte{1999: 1})
	}
	return <-done
}
