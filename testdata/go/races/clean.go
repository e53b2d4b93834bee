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
var clean = map[string]func(){
	"mutex":            cleanMutex,
	"rw-mutex":         cleanRWMutex,
	"wait-group":       cleanWaitGroup,
	"once":             cleanOnce,
	"once-value":       cleanOnceValue,
	"unbuffered":       cleanUnbuffered,
	"buffered":         cleanBuffered,
	"semaphore":        cleanSemaphore,
	"close":            cleanClose,
	"select":           cleanSelect,
	"atomic-flag":      cleanAtomicFlag,
	"atomic-pointer":   cleanAtomicPointer,
	"atomic-value":     cleanAtomicValue,
	"atomic-functions": cleanAtomicFunctions,
	"cond":             cleanCond,
	"sync-map":         cleanSyncMap,
	"pool":             cleanPool,
	"context":          cleanContext,
	"timer":            cleanTimer,
	"after-func":       cleanAfterFunc,
	"ticker":           cleanTicker,
	"pipeline":         cleanPipeline,
	"many":             cleanMany,
	"memory-reuse":     cleanMemoryReuse,
	"stacks":           cleanStacks,
	"finalizer":        cleanFinalizer,
	"pull":             cleanPull,
	"neighbours":       cleanNeighbours,
	"double-check":     cleanDoubleCheck,
	"try-lock":         cleanTryLock,
}

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

func cleanWaitGroup() {
	data := make([]int, 10)
	parallel(10, func(i int) { data[i] = i })
	for _, n := range data {
		use(n)
	}
}

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

func cleanOnceValue() {
	value := sync.OnceValue(func() *record { return &record{count: 4} })
	parallel(4, func(int) { use(value().count) })
}

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

func cleanStacks() {
	for range 3 {
		parallel(8, func(i int) { deep(50 * (i + 1)) })
		runtime.GC()
	}
}

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
