package main

import (
	"context"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Programs with a data race each, after kinds that studies of Go programs have published. Whether the race does harm depends on
// the schedule; that it is there does not.

var (
	number int
	shared *record
	table  map[int]int
	text   string
	anyval any
)

type record struct {
	name  string
	count int
	next  *record
	data  [8]int
}

//go:noinline
func (r *record) bump() { r.count++ }

//go:noinline
func use(n int) int { return n + 1 }

// yield lets others run, and orders nothing.
func yield() {
	for range 3 {
		runtime.Gosched()
	}
}

//goemu:call counter()
//go:noinline
func counter() {
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			number++
		}()
	}
	wg.Wait()
}

//goemu:call loopVariable()
//go:noinline
func loopVariable() {
	var wg sync.WaitGroup
	var i int
	for i = 0; i < 3; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			use(i)
		}()
	}
	wg.Wait()
}

//goemu:call errorVariable()
//go:noinline
func errorVariable() {
	var wg sync.WaitGroup
	_, err := parse("1")
	wg.Add(1)
	go func() {
		defer wg.Done()
		_, err = parse("x")
	}()
	_, err = parse("y")
	wg.Wait()
	if err != nil {
		use(1)
	}
}

type badNumber struct{ text string }

func (b *badNumber) Error() string { return b.text }

//go:noinline
func parse(text string) (int, error) {
	if text == "1" {
		return 1, nil
	}
	return 0, &badNumber{text}
}

//goemu:call mapWrites()
//go:noinline
func mapWrites() {
	m := map[int]int{}
	done := make(chan bool)
	go func() {
		m[1] = 1
		done <- true
	}()
	m[2] = 2
	<-done
}

//goemu:call mapReadWrite()
//go:noinline
func mapReadWrite() {
	table = map[int]int{1: 1}
	done := make(chan bool)
	go func() {
		table[3] = 4
		close(done)
	}()
	use(table[1])
	<-done
}

//goemu:call mapIteration()
//go:noinline
func mapIteration() {
	m := map[string]int{"a": 1, "b": 2}
	done := make(chan bool)
	go func() {
		for _, n := range m {
			use(n)
		}
		close(done)
	}()
	delete(m, "a")
	<-done
}

//goemu:call sliceAppend()
//go:noinline
func sliceAppend() {
	var all []int
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			all = append(all, i)
		}()
	}
	wg.Wait()
	use(len(all))
}

//goemu:call sliceElement()
//go:noinline
func sliceElement() {
	data := make([]int, 100)
	done := make(chan bool)
	go func() {
		for i := range data {
			data[i] = i
		}
		done <- true
	}()
	sum := 0
	for _, n := range data {
		sum += n
	}
	use(sum)
	<-done
}

//goemu:call sliceCopy()
//go:noinline
func sliceCopy() {
	data := make([]byte, 1000)
	done := make(chan bool)
	go func() {
		copy(data, strings.Repeat("x", 1000))
		done <- true
	}()
	other := make([]byte, 1000)
	copy(other, data)
	<-done
}

//goemu:call flag()
//go:noinline
func flag() {
	ready := false
	go func() {
		number = 7
		ready = true
	}()
	for !ready {
		runtime.Gosched()
	}
}

func get() *record {
	if shared == nil {
		shared = &record{name: "one"}
	}
	return shared
}

//goemu:call lazyInit()
//go:noinline
func lazyInit() {
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			use(get().count)
		}()
	}
	wg.Wait()
}

//goemu:call doubleCheck()
//go:noinline
func doubleCheck() {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if shared == nil {
				mu.Lock()
				if shared == nil {
					shared = &record{name: "two"}
				}
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
}

//goemu:call readLockWrite()
//go:noinline
func readLockWrite() {
	var mu sync.RWMutex
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mu.RLock()
			number++
			mu.RUnlock()
		}()
	}
	wg.Wait()
}

//goemu:call twoLocks()
//go:noinline
func twoLocks() {
	var a, b sync.Mutex
	var wg sync.WaitGroup
	wg.Add(2)
	go func() {
		defer wg.Done()
		a.Lock()
		number = 1
		a.Unlock()
	}()
	go func() {
		defer wg.Done()
		b.Lock()
		number = 2
		b.Unlock()
	}()
	wg.Wait()
}

//goemu:call partialLock()
//go:noinline
func partialLock() {
	var mu sync.Mutex
	r := &record{}
	done := make(chan bool)
	go func() {
		mu.Lock()
		r.count = 1
		mu.Unlock()
		done <- true
	}()
	use(r.count)
	<-done
}

//goemu:call waitGroupEarly()
//go:noinline
func waitGroupEarly() {
	var wg sync.WaitGroup
	r := &record{}
	wg.Add(1)
	go func() {
		wg.Done()
		r.count = 3
	}()
	wg.Wait()
	use(r.count)
	yield()
}

//goemu:call addInside()
//go:noinline
func addInside() {
	var wg sync.WaitGroup
	total := 0
	for range 3 {
		go func() {
			wg.Add(1)
			defer wg.Done()
			total++
		}()
	}
	wg.Wait()
	use(total)
	yield()
}

//goemu:call resultTooSoon()
//go:noinline
func resultTooSoon() {
	result := 0
	done := make(chan bool, 1)
	go func() {
		done <- true
		result = 5
	}()
	<-done
	use(result)
	yield()
}

//goemu:call doneTooSoon()
//go:noinline
func doneTooSoon() {
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	go func() {
		<-ctx.Done()
		use(n)
	}()
	cancel()
	n = 1
	yield()
}

//goemu:call structField()
//go:noinline
func structField() {
	r := &record{}
	done := make(chan bool)
	go func() {
		r.bump()
		done <- true
	}()
	r.bump()
	<-done
}

//goemu:call interfaceValue()
//go:noinline
func interfaceValue() {
	done := make(chan bool)
	go func() {
		anyval = "text"
		done <- true
	}()
	if n, ok := anyval.(int); ok {
		use(n)
	}
	<-done
}

//goemu:call closureCapture()
//go:noinline
func closureCapture() {
	total := 0
	add := func(n int) { total += n }
	done := make(chan bool)
	go func() {
		add(1)
		done <- true
	}()
	add(2)
	<-done
	use(total)
}

//goemu:call timerFunc()
//go:noinline
func timerFunc() {
	n := 0
	time.AfterFunc(time.Millisecond, func() { n = 1 })
	n = 2
	time.Sleep(3 * time.Millisecond)
	use(n)
}

//goemu:call timerReset()
//go:noinline
func timerReset() {
	var t *time.Timer
	t = time.AfterFunc(time.Microsecond, func() {
		t.Reset(time.Second)
	})
	time.Sleep(time.Millisecond)
	t.Stop()
	t = nil
}

//goemu:call tickerStop()
//go:noinline
func tickerStop() {
	r := &record{}
	tick := time.NewTicker(time.Millisecond)
	go func() {
		for range tick.C {
			r.count++
		}
	}()
	time.Sleep(3 * time.Millisecond)
	tick.Stop()
	use(r.count)
}

//goemu:call contextCancel()
//go:noinline
func contextCancel() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	var err error
	go func() {
		time.Sleep(2 * time.Millisecond)
		err = ctx.Err()
	}()
	<-ctx.Done()
	if err != nil {
		use(1)
	}
	time.Sleep(5 * time.Millisecond)
}

//goemu:call sendClose()
//go:noinline
func sendClose() {
	c := make(chan int, 1)
	go func() {
		c <- 1
	}()
	yield()
	close(c)
}

//goemu:call bufferedChan()
//go:noinline
func bufferedChan() {
	limit := make(chan bool, 2)
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			limit <- true
			number++
			<-limit
		}()
	}
	wg.Wait()
}

//goemu:call pointerShared()
//go:noinline
func pointerShared() {
	c := make(chan *record, 1)
	r := &record{}
	done := make(chan bool)
	go func() {
		got := <-c
		got.name = "received"
		done <- true
	}()
	c <- r
	r.name = "sent"
	<-done
}

//goemu:call plainAtomic()
//go:noinline
func plainAtomic() {
	var n int64
	done := make(chan bool)
	go func() {
		atomic.AddInt64(&n, 1)
		done <- true
	}()
	yield()
	n = 5
	<-done
}

//goemu:call stringHeader()
//go:noinline
func stringHeader() {
	done := make(chan bool)
	go func() {
		text = strings.Repeat("a", 3)
		done <- true
	}()
	use(len(text))
	<-done
}

//goemu:call bytesBuilder()
//go:noinline
func bytesBuilder() {
	var b strings.Builder
	done := make(chan bool)
	go func() {
		b.WriteString("one")
		done <- true
	}()
	b.WriteString("two")
	<-done
}

//goemu:call sortShared()
//go:noinline
func sortShared() {
	data := []int{5, 3, 1, 4}
	done := make(chan bool)
	go func() {
		sort.Ints(data)
		done <- true
	}()
	use(data[0])
	<-done
}

//goemu:call selectDefault()
//go:noinline
func selectDefault() {
	c := make(chan int)
	n := 0
	go func() {
		n = 1
		select {
		case c <- 1:
		default:
		}
	}()
	yield()
	select {
	case <-c:
	default:
	}
	use(n)
}

//goemu:call onceBypass()
//go:noinline
func onceBypass() {
	var once sync.Once
	var r *record
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		once.Do(func() { r = &record{} })
	}()
	if r != nil {
		use(r.count)
	}
	wg.Wait()
}

//goemu:call condWithout()
//go:noinline
func condWithout() {
	var mu sync.Mutex
	cond := sync.NewCond(&mu)
	ready := false
	go func() {
		ready = true
		cond.Broadcast()
	}()
	mu.Lock()
	for !ready {
		mu.Unlock()
		runtime.Gosched()
		mu.Lock()
	}
	mu.Unlock()
}

//goemu:call poolAfterPut()
//go:noinline
func poolAfterPut() {
	pool := sync.Pool{New: func() any { return new(record) }}
	r := pool.Get().(*record)
	pool.Put(r)
	done := make(chan bool)
	go func() {
		other := pool.Get().(*record)
		other.count = 1
		done <- true
	}()
	yield()
	r.count = 2
	<-done
}

//goemu:call tryLock()
//go:noinline
func tryLock() {
	var mu sync.Mutex
	done := make(chan bool)
	go func() {
		if mu.TryLock() {
			defer mu.Unlock()
		}
		number = 3
		done <- true
	}()
	yield()
	number = 4
	<-done
}

//goemu:call methodValue()
//go:noinline
func methodValue() {
	r := &record{}
	bump := r.bump
	done := make(chan bool)
	go func() {
		bump()
		done <- true
	}()
	use(r.data[0] + r.count)
	<-done
}

//goemu:call workerResult()
//go:noinline
func workerResult() {
	results := make([]record, 2)
	jobs := make(chan int, 2)
	for range 2 {
		go func() {
			for job := range jobs {
				results[job].count = job
			}
		}()
	}
	jobs <- 0
	jobs <- 1
	close(jobs)
	yield()
	use(results[0].count + results[1].count)
}
