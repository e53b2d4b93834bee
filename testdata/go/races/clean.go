package main

import (
	"bytes"
	"context"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Programs without data races: what orders the accesses is each time another part of Go.

func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			f(i)
		}()
	}
	wg.Wait()
}

//goemu:call cleanMutex()
//go:noinline
func cleanMutex() {
	var mu sync.Mutex
	n := 0
	parallel(4, func(int) {
		for range 10 {
			mu.Lock()
			n++
			runtime.Gosched()
			mu.Unlock()
		}
	})
	use(n)
}

//goemu:call cleanRWMutex()
//go:noinline
func cleanRWMutex() {
	var mu sync.RWMutex
	m := map[int]int{}
	parallel(6, func(i int) {
		for j := range 5 {
			if i%2 == 0 {
				mu.Lock()
				m[j] = i
				runtime.Gosched()
				mu.Unlock()
			} else {
				mu.RLock()
				use(m[j])
				runtime.Gosched()
				mu.RUnlock()
			}
		}
	})
}

//goemu:call cleanWaitGroup()
//go:noinline
func cleanWaitGroup() {
	data := make([]int, 10)
	parallel(10, func(i int) { data[i] = i })
	for _, n := range data {
		use(n)
	}
}

//goemu:call cleanOnce()
//go:noinline
func cleanOnce() {
	var once sync.Once
	var r *record
	parallel(4, func(int) {
		once.Do(func() {
			r = &record{name: "once"}
			runtime.Gosched()
		})
		use(len(r.name))
	})
}

//goemu:call cleanOnceValue()
//go:noinline
func cleanOnceValue() {
	value := sync.OnceValue(func() *record { return &record{count: 4} })
	parallel(4, func(int) { use(value().count) })
}

//goemu:call cleanUnbuffered()
//go:noinline
func cleanUnbuffered() {
	c := make(chan *record)
	done := make(chan bool)
	go func() {
		r := <-c
		r.count++
		done <- true
	}()
	r := &record{count: 1}
	c <- r
	<-done
	use(r.count)
}

//goemu:call cleanBuffered()
//go:noinline
func cleanBuffered() {
	c := make(chan *record, 3)
	go func() {
		for i := range 20 {
			c <- &record{count: i}
		}
		close(c)
	}()
	sum := 0
	for r := range c {
		r.count++
		sum += r.count
	}
	use(sum)
}

//goemu:call cleanSemaphore()
//go:noinline
func cleanSemaphore() {
	sem := make(chan struct{}, 1)
	n := 0
	parallel(4, func(int) {
		sem <- struct{}{}
		n++
		runtime.Gosched()
		<-sem
	})
	use(n)
}

//goemu:call cleanClose()
//go:noinline
func cleanClose() {
	stop := make(chan bool)
	n := 0
	done := make(chan bool, 3)
	for range 3 {
		go func() {
			<-stop
			use(n)
			done <- true
		}()
	}
	runtime.Gosched()
	n = 9
	close(stop)
	for range 3 {
		<-done
	}
	n = 10
}

//goemu:call cleanSelect()
//go:noinline
func cleanSelect() {
	a, b, quit := make(chan *record), make(chan *record, 1), make(chan bool)
	got := 0
	go func() {
		for i := range 6 {
			r := &record{count: i}
			select {
			case a <- r:
			case b <- r:
			}
		}
		close(quit)
	}()
	for open := true; open; {
		select {
		case r := <-a:
			r.count++
			got++
		case r := <-b:
			r.count++
			got++
		case <-quit:
			open = false
		}
	}
	use(got)
}

//goemu:call cleanAtomicFlag()
//go:noinline
func cleanAtomicFlag() {
	var ready atomic.Bool
	n := 0
	go func() {
		n = 5
		ready.Store(true)
	}()
	for !ready.Load() {
		runtime.Gosched()
	}
	use(n)
}

//goemu:call cleanAtomicPointer()
//go:noinline
func cleanAtomicPointer() {
	var p atomic.Pointer[record]
	go func() {
		p.Store(&record{count: 6})
	}()
	for p.Load() == nil {
		runtime.Gosched()
	}
	use(p.Load().count)
	r := p.Swap(nil)
	r.count++
}

//goemu:call cleanAtomicValue()
//go:noinline
func cleanAtomicValue() {
	var v atomic.Value
	go func() {
		v.Store(&record{count: 7})
	}()
	for v.Load() == nil {
		runtime.Gosched()
	}
	use(v.Load().(*record).count)
}

//goemu:call cleanAtomicFunctions()
//go:noinline
func cleanAtomicFunctions() {
	var flag, n int32
	data := 0
	go func() {
		data = 8
		atomic.AddInt32(&n, 2)
		atomic.StoreInt32(&flag, 1)
	}()
	for atomic.LoadInt32(&flag) == 0 {
		runtime.Gosched()
	}
	use(data)
	for !atomic.CompareAndSwapInt32(&n, 2, 3) {
		runtime.Gosched()
	}
}

//goemu:call cleanCond()
//go:noinline
func cleanCond() {
	var mu sync.Mutex
	cond := sync.NewCond(&mu)
	var queue []int
	parallel(3, func(i int) {
		if i == 0 {
			for j := range 4 {
				mu.Lock()
				queue = append(queue, j)
				mu.Unlock()
				cond.Signal()
			}
			return
		}
		for range 2 {
			mu.Lock()
			for len(queue) == 0 {
				cond.Wait()
			}
			queue = queue[1:]
			mu.Unlock()
		}
	})
}

//goemu:call cleanSyncMap()
//go:noinline
func cleanSyncMap() {
	var m sync.Map
	parallel(4, func(i int) {
		m.Store(i, &record{count: i})
		if r, ok := m.Load((i + 1) % 4); ok {
			use(r.(*record).count)
		}
		m.Range(func(_, r any) bool {
			use(r.(*record).count)
			return true
		})
	})
}

//goemu:call cleanPool()
//go:noinline
func cleanPool() {
	pool := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	parallel(8, func(i int) {
		b := pool.Get().(*bytes.Buffer)
		b.Reset()
		b.WriteString("some text")
		runtime.Gosched()
		use(b.Len())
		pool.Put(b)
	})
}

//goemu:call cleanContext()
//go:noinline
func cleanContext() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	inner, stop := context.WithCancel(ctx)
	defer stop()
	parallel(3, func(int) {
		<-inner.Done()
		if inner.Err() != nil {
			use(1)
		}
	})
}

//goemu:call cleanTimer()
//go:noinline
func cleanTimer() {
	r := &record{}
	t := time.NewTimer(time.Millisecond)
	done := make(chan bool)
	go func() {
		<-t.C
		r.count++
		done <- true
	}()
	<-done
	r.count++
	t.Reset(time.Millisecond)
	<-t.C
}

//goemu:call cleanAfterFunc()
//go:noinline
func cleanAfterFunc() {
	r := &record{count: 1}
	done := make(chan bool)
	time.AfterFunc(time.Millisecond, func() {
		r.count++
		close(done)
	})
	<-done
	use(r.count)
}

//goemu:call cleanTicker()
//go:noinline
func cleanTicker() {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	n := 0
	for range tick.C {
		n++
		if n == 3 {
			break
		}
	}
}

//goemu:call cleanPipeline()
//go:noinline
func cleanPipeline() {
	source, double, result := make(chan int), make(chan int, 2), make(chan []int, 1)
	go func() {
		for i := range 10 {
			source <- i
		}
		close(source)
	}()
	go func() {
		for n := range source {
			double <- 2 * n
		}
		close(double)
	}()
	go func() {
		var all []int
		for n := range double {
			all = append(all, n)
		}
		result <- all
	}()
	use(len(<-result))
}

//goemu:call cleanMany()
//go:noinline
func cleanMany() {
	var mu sync.Mutex
	n := 0
	for range 30 {
		parallel(50, func(int) {
			mu.Lock()
			n++
			mu.Unlock()
		})
	}
	use(n)
}

var sink *[16]int

//go:noinline
func fill(n int) int {
	a := new([16]int)
	for i := range a {
		a[i] = n
	}
	if n < 0 {
		sink = a
	}
	s := make([]byte, 100+n%50)
	for i := range s {
		s[i] = byte(n)
	}
	return a[n%16] + int(s[n%50])
}

// The collector gives one goroutine the memory of another.
//goemu:call cleanMemoryReuse()
//go:noinline
func cleanMemoryReuse() {
	for round := range 3 {
		parallel(4, func(i int) {
			for j := range 200 {
				fill(i + j)
			}
		})
		runtime.GC()
		use(round)
	}
}

//go:noinline
func deep(n int) int {
	var a [32]int
	a[n%32] = n
	if n == 0 {
		return a[0]
	}
	return deep(n-1) + a[n%32]
}

//goemu:call cleanStacks()
//go:noinline
func cleanStacks() {
	for range 3 {
		parallel(8, func(i int) { deep(50 * (i + 1)) })
		runtime.GC()
	}
}

//goemu:call cleanFinalizer()
//go:noinline
func cleanFinalizer() {
	done := make(chan int, 1)
	func() {
		r := &record{}
		runtime.SetFinalizer(r, func(r *record) { done <- r.count })
		for range 10 {
			r.count++
		}
	}()
	for range 5 {
		runtime.GC()
		select {
		case n := <-done:
			use(n)
			return
		case <-time.After(time.Millisecond):
		}
	}
}

//goemu:call cleanPull()
//go:noinline
func cleanPull() {
	r := &record{}
	next, stop := iter.Pull(func(yield func(int) bool) {
		for i := range 5 {
			r.count = i
			if !yield(i) {
				return
			}
		}
	})
	defer stop()
	for {
		if _, ok := next(); !ok {
			break
		}
		r.count++
	}
}

//goemu:call cleanNeighbours()
//go:noinline
func cleanNeighbours() {
	var data struct {
		a, b byte
		c    uint16
		d    uint32
	}
	done := make(chan bool)
	go func() {
		data.a, data.c = 1, 2
		done <- true
	}()
	data.b, data.d = 3, 4
	<-done
}

//goemu:call cleanDoubleCheck()
//go:noinline
func cleanDoubleCheck() {
	var p atomic.Pointer[record]
	var mu sync.Mutex
	parallel(4, func(int) {
		r := p.Load()
		if r == nil {
			mu.Lock()
			if r = p.Load(); r == nil {
				r = &record{count: 2}
				runtime.Gosched()
				p.Store(r)
			}
			mu.Unlock()
		}
		use(r.count)
	})
}

//goemu:call cleanTryLock()
//go:noinline
func cleanTryLock() {
	var mu sync.RWMutex
	n := 0
	parallel(4, func(i int) {
		for range 4 {
			if i%2 == 0 {
				if mu.TryLock() {
					n++
					mu.Unlock()
				}
			} else if mu.TryRLock() {
				use(n)
				mu.RUnlock()
			}
			runtime.Gosched()
		}
	})
}

type catalog struct {
	mu      sync.RWMutex
	entries map[int]entry
}

type entry struct {
	key  int
	more [2]any
}

// In builds by several releases nothing tells that the first instruction of this function is one of RLock.
//
//go:noinline
func (t *catalog) get(key int) *entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	found, ok := t.entries[key]
	if !ok {
		return nil
	}
	return &found
}

//go:noinline
func (t *catalog) set(key int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries[key] = entry{key: key}
}

//goemu:call cleanTable()
//go:noinline
func cleanTable() {
	t := &catalog{entries: map[int]entry{}}
	parallel(4, func(i int) {
		for key := range 10 {
			if i%2 == 0 {
				t.set(key)
			} else if found := t.get(key); found != nil {
				use(found.key)
			}
		}
	})
}

type guarded struct {
	sync.Mutex
	n int
}

//go:noinline
func locked(l sync.Locker, f func()) {
	l.Lock()
	defer l.Unlock()
	f()
}

// The methods of an embedded lock are called through their wrappers.
//
//goemu:call cleanEmbedded()
//go:noinline
func cleanEmbedded() {
	g := &guarded{}
	parallel(4, func(int) {
		locked(g, func() { g.n++ })
	})
	use(g.n)
}
