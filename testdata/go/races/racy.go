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
var racy = map[string]func(){
	"counter":          counter,
	"loop-variable":    loopVariable,
	"error-variable":   errorVariable,
	"map-writes":       mapWrites,
	"map-read-write":   mapReadWrite,
	"map-iteration":    mapIteration,
	"slice-append":     sliceAppend,
	"slice-element":    sliceElement,
	"slice-copy":       sliceCopy,
	"flag":             flag,
	"lazy-init":        lazyInit,
	"double-check":     doubleCheck,
	"read-lock-write":  readLockWrite,
	"two-locks":        twoLocks,
	"partial-lock":     partialLock,
	"wait-group-early": waitGroupEarly,
	"add-inside":       addInside,
	"result-too-soon":  resultTooSoon,
	"done-too-soon":    doneTooSoon,
	"struct-field":     structField,
	"interface-value":  interfaceValue,
	"closure-capture":  closureCapture,
	"timer-func":       timerFunc,
	"timer-reset":      timerReset,
	"ticker-stop":      tickerStop,
	"context-cancel":   contextCancel,
	"send-close":       sendClose,
	"buffered-chan":    bufferedChan,
	"pointer-shared":   pointerShared,
	"plain-atomic":     plainAtomic,
	"string-header":    stringHeader,
	"bytes-builder":    bytesBuilder,
	"sort-shared":      sortShared,
	"select-default":   selectDefault,
	"once-bypass":      onceBypass,
	"cond-without":     condWithout,
	"pool-after-put":   poolAfterPut,
	"try-lock":         tryLock,
	"method-value":     methodValue,
	"worker-result":    workerResult,
}

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

func timerFunc() {
	n := 0
	time.AfterFunc(time.Millisecond, func() { n = 1 })
	n = 2
	time.Sleep(3 * time.Millisecond)
	use(n)
}

func timerReset() {
	var t *time.Timer
	t = time.AfterFunc(time.Microsecond, func() {
		t.Reset(time.Second)
	})
	time.Sleep(time.Millisecond)
	t.Stop()
	t = nil
}

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

func sendClose() {
	c := make(chan int, 1)
	go func() {
		c <- 1
	}()
	yield()
	close(c)
}

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

func stringHeader() {
	done := make(chan bool)
	go func() {
		text = strings.Repeat("a", 3)
		done <- true
	}()
	use(len(text))
	<-done
}

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
