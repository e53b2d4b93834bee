package main

// Bugs of shared memory: something is read, written or used between two steps of somebody else.

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
)

var data = []testing.InternalTest{
	{Name: "TestAddInsideBug", F: func(t *testing.T) { addInside(t, false) }},
	{Name: "TestAddInsideFixed", F: func(t *testing.T) { addInside(t, true) }},
	{Name: "TestDoneTwiceBug", F: func(t *testing.T) { doneTwice(t, false) }},
	{Name: "TestDoneTwiceFixed", F: func(t *testing.T) { doneTwice(t, true) }},
	{Name: "TestLoopVariableBug", F: func(t *testing.T) { loopVariable(t, false) }},
	{Name: "TestLoopVariableFixed", F: func(t *testing.T) { loopVariable(t, true) }},
	{Name: "TestMapWritesBug", F: func(t *testing.T) { mapWrites(t, new(noLock)) }},
	{Name: "TestMapWritesFixed", F: func(t *testing.T) { mapWrites(t, new(sync.Mutex)) }},
	{Name: "TestCheckThenActBug", F: func(t *testing.T) { checkThenAct(t, false) }},
	{Name: "TestCheckThenActFixed", F: func(t *testing.T) { checkThenAct(t, true) }},
	{Name: "TestUseBeforeInitBug", F: func(t *testing.T) { useBeforeInit(t, false) }},
	{Name: "TestUseBeforeInitFixed", F: func(t *testing.T) { useBeforeInit(t, true) }},
	{Name: "TestLostUpdateBug", F: func(t *testing.T) { lostUpdate(t, false) }},
	{Name: "TestLostUpdateFixed", F: func(t *testing.T) { lostUpdate(t, true) }},
	{Name: "TestUseAfterPutBug", F: func(t *testing.T) { useAfterPut(t, false) }},
	{Name: "TestUseAfterPutFixed", F: func(t *testing.T) { useAfterPut(t, true) }},
	{Name: "TestAppendBug", F: func(t *testing.T) { appended(t, new(noLock)) }},
	{Name: "TestAppendFixed", F: func(t *testing.T) { appended(t, new(sync.Mutex)) }},
	{Name: "TestFlagBeforeDataBug", F: func(t *testing.T) { flagBeforeData(t, false) }},
	{Name: "TestFlagBeforeDataFixed", F: func(t *testing.T) { flagBeforeData(t, true) }},
}

// noLock is a lock that nobody has written yet.
type noLock struct{}

func (*noLock) Lock()   {}
func (*noLock) Unlock() {}

// The wait begins before anybody is counted.
func addInside(t *testing.T, fixed bool) {
	var wg sync.WaitGroup
	var sum atomic.Int32
	for range 3 {
		if fixed {
			wg.Add(1)
		}
		go func() {
			if !fixed {
				wg.Add(1)
			}
			defer wg.Done()
			sum.Add(1)
		}()
	}
	wg.Wait()
	if n := sum.Load(); n != 3 {
		t.Errorf("%d of 3 were waited for", n)
	}
}

// Who gives up and who is ready both count the same work as done.
func doneTwice(_ *testing.T, fixed bool) {
	var wg sync.WaitGroup
	var state atomic.Int32
	finish := func() {
		if fixed {
			if state.CompareAndSwap(0, 1) {
				wg.Done()
			}
			return
		}
		if state.Load() == 0 {
			state.Store(1)
			wg.Done()
		}
	}
	wg.Add(1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		finish()
	}()
	finish()
	wg.Wait()
	<-ended
}

// All goroutines see one variable, as in loops before Go 1.22.
func loopVariable(t *testing.T, fixed bool) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[int]bool{}
	var i int
	for i = 0; i < 3; i++ {
		own, at := i, &i
		if fixed {
			at = &own
		}
		started := make(chan struct{})
		wg.Add(1)
		go func() {
			defer wg.Done()
			close(started)
			mu.Lock()
			defer mu.Unlock()
			seen[*at] = true
		}()
		<-started
	}
	wg.Wait()
	if len(seen) != 3 {
		t.Errorf("%d of 3 numbers were seen", len(seen))
	}
}

func mapWrites(t *testing.T, mu sync.Locker) {
	m := map[string]int{}
	var wg sync.WaitGroup
	for _, key := range []string{"a", "b"} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mu.Lock()
			defer mu.Unlock()
			m[key]++
		}()
	}
	wg.Wait()
	if len(m) != 2 {
		t.Errorf("%d of 2 keys", len(m))
	}
}

// Both steps hold the lock, but not together.

type wallet struct {
	mu    sync.Mutex
	coins int
}

func (w *wallet) has(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.coins >= n
}

func (w *wallet) take(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.coins -= n
}

func (w *wallet) takeIf(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.coins >= n {
		w.coins -= n
	}
}

func checkThenAct(t *testing.T, fixed bool) {
	w := &wallet{coins: 10}
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if fixed {
				w.takeIf(7)
			} else if w.has(7) {
				w.take(7)
			}
		}()
	}
	wg.Wait()
	if w.coins != 3 {
		t.Errorf("%d coins", w.coins)
	}
}

// The server runs before it has what it needs.

type server struct {
	log   *bytes.Buffer
	ready chan struct{}
}

func (s *server) run(fixed bool) {
	if fixed {
		<-s.ready
	}
	s.log.WriteString("runs")
}

func useBeforeInit(t *testing.T, fixed bool) {
	s := &server{ready: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.run(fixed)
	}()
	s.log = new(bytes.Buffer)
	close(s.ready)
	<-done
	if text := s.log.String(); text != "runs" {
		t.Errorf("log %q", text)
	}
}

func lostUpdate(t *testing.T, fixed bool) {
	var n atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if fixed {
				n.Add(1)
			} else {
				n.Store(n.Load() + 1)
			}
		}()
	}
	wg.Wait()
	if got := n.Load(); got != 2 {
		t.Errorf("%d of 2 were counted", got)
	}
}

// A buffer is given back while somebody still reads it.

// free keeps buffers, as sync.Pool does for one processor.
type free struct {
	mu      sync.Mutex
	buffers []*bytes.Buffer
}

func (f *free) get() *bytes.Buffer {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.buffers); n > 0 {
		last := f.buffers[n-1]
		f.buffers = f.buffers[:n-1]
		last.Reset()
		return last
	}
	return new(bytes.Buffer)
}

func (f *free) put(b *bytes.Buffer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.buffers = append(f.buffers, b)
}

func render(f *free, text string, fixed bool) string {
	b := f.get()
	b.WriteString(text)
	bytes := b.Bytes()
	if fixed {
		bytes = append([]byte(nil), bytes...)
	}
	f.put(b)
	return string(bytes)
}

func useAfterPut(t *testing.T, fixed bool) {
	var f free
	var wg sync.WaitGroup
	for _, text := range []string{"aaaa", "bbbb"} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if got := render(&f, text, fixed); got != text {
				t.Errorf("%q became %q", text, got)
			}
		}()
	}
	wg.Wait()
}

func appended(t *testing.T, mu sync.Locker) {
	var list []int
	var wg sync.WaitGroup
	for n := range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mu.Lock()
			defer mu.Unlock()
			list = append(list, n)
		}()
	}
	wg.Wait()
	if len(list) != 3 {
		t.Errorf("%d of 3 were appended", len(list))
	}
}

// What is announced is not there yet.
func flagBeforeData(t *testing.T, fixed bool) {
	var ready atomic.Bool
	var text atomic.Pointer[string]
	value := "value"
	done := make(chan struct{})
	go func() {
		defer close(done)
		if fixed {
			text.Store(&value)
			ready.Store(true)
		} else {
			ready.Store(true)
			text.Store(&value)
		}
	}()
	if ready.Load() && text.Load() == nil {
		t.Error("ready, but there is nothing")
	}
	<-done
}
