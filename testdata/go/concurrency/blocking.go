package main

// Bugs of messages and locks: somebody waits for ever, a channel is closed twice, a message is lost.

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

var blocking = []testing.InternalTest{
	{Name: "TestDoubleCloseBug", F: func(t *testing.T) { doubleClose(t, new(closer)) }},
	{Name: "TestDoubleCloseFixed", F: func(t *testing.T) { doubleClose(t, new(onceCloser)) }},
	{Name: "TestSendOnClosedBug", F: func(t *testing.T) { sendOnClosed(t, false) }},
	{Name: "TestSendOnClosedFixed", F: func(t *testing.T) { sendOnClosed(t, true) }},
	{Name: "TestSelectDefaultBug", F: func(t *testing.T) { selectDefault(t, 0) }},
	{Name: "TestSelectDefaultFixed", F: func(t *testing.T) { selectDefault(t, 1) }},
	{Name: "TestLostWakeUpBug", F: func(t *testing.T) { lostWakeUp(t, false) }},
	{Name: "TestLostWakeUpFixed", F: func(t *testing.T) { lostWakeUp(t, true) }},
	{Name: "TestLockOrderBug", F: func(t *testing.T) { lockOrder(t, false) }},
	{Name: "TestLockOrderFixed", F: func(t *testing.T) { lockOrder(t, true) }},
	{Name: "TestReadLockTwiceBug", F: func(t *testing.T) { readLockTwice(t, false) }},
	{Name: "TestReadLockTwiceFixed", F: func(t *testing.T) { readLockTwice(t, true) }},
	{Name: "TestOnceReentryBug", F: func(t *testing.T) { onceReentry(t, 0) }},
	{Name: "TestOnceReentryFixed", F: func(t *testing.T) { onceReentry(t, 1) }},
	{Name: "TestContextLeakBug", F: func(t *testing.T) { contextLeak(t, 0) }},
	{Name: "TestContextLeakFixed", F: func(t *testing.T) { contextLeak(t, 1) }},
	{Name: "TestErrorLeakBug", F: func(t *testing.T) { errorLeak(t, false) }},
	{Name: "TestErrorLeakFixed", F: func(t *testing.T) { errorLeak(t, true) }},
	{Name: "TestTimerStopBug", F: func(t *testing.T) { timerStop(t, false) }},
	{Name: "TestTimerStopFixed", F: func(t *testing.T) { timerStop(t, true) }},
}

// Two goroutines look whether a channel is closed, and close it.

type stopper interface {
	init()
	stop()
}

type closer struct{ done chan struct{} }

func (c *closer) init() { c.done = make(chan struct{}) }

func (c *closer) stop() {
	select {
	case <-c.done:
	default:
		close(c.done)
	}
}

type onceCloser struct {
	closer
	once sync.Once
}

func (c *onceCloser) stop() { c.once.Do(func() { close(c.done) }) }

func doubleClose(_ *testing.T, s stopper) {
	s.init()
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s.stop()
		}()
	}
	wg.Wait()
}

// A queue is closed while somebody is about to send.

type queue struct {
	mu     sync.Mutex
	closed bool
	items  chan int
}

func (q *queue) put(n int, held bool) {
	q.mu.Lock()
	closed := q.closed
	if !held {
		q.mu.Unlock()
	}
	if !closed {
		q.items <- n
	}
	if held {
		q.mu.Unlock()
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	close(q.items)
}

func sendOnClosed(_ *testing.T, held bool) {
	q := &queue{items: make(chan int, 4)}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		q.put(1, held)
	}()
	q.close()
	wg.Wait()
}

// A notice is dropped if its receiver is not there yet.
func selectDefault(_ *testing.T, room int) {
	notice := make(chan struct{}, room)
	go func() {
		select {
		case notice <- struct{}{}:
		default:
		}
	}()
	<-notice
}

// The flag changes between the look at it and the wait.
func lostWakeUp(_ *testing.T, locked bool) {
	var mu sync.Mutex
	ready := false
	cond := sync.NewCond(&mu)
	go func() {
		if locked {
			mu.Lock()
			defer mu.Unlock()
		}
		ready = true
		cond.Signal()
	}()
	mu.Lock()
	for !ready {
		cond.Wait()
	}
	mu.Unlock()
}

// Two locks, in two orders.

type account struct {
	mu      sync.Mutex
	number  int
	balance int
}

func transfer(from, to *account, amount int, ordered bool) {
	first, second := from, to
	if ordered && to.number < from.number {
		first, second = to, from
	}
	first.mu.Lock()
	defer first.mu.Unlock()
	second.mu.Lock()
	defer second.mu.Unlock()
	from.balance -= amount
	to.balance += amount
}

func lockOrder(t *testing.T, ordered bool) {
	a, b := &account{number: 1, balance: 10}, &account{number: 2, balance: 10}
	var wg sync.WaitGroup
	wg.Add(2)
	go func() {
		defer wg.Done()
		transfer(a, b, 3, ordered)
	}()
	go func() {
		defer wg.Done()
		transfer(b, a, 4, ordered)
	}()
	wg.Wait()
	if a.balance != 11 || b.balance != 9 {
		t.Errorf("balances %d and %d", a.balance, b.balance)
	}
}

// A writer comes between two read locks of one reader.

type table struct {
	mu   sync.RWMutex
	rows []int
}

func (t *table) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.rows)
}

func (t *table) sum(again bool) (sum int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n := len(t.rows)
	if again {
		n = t.len()
	}
	for _, row := range t.rows[:n] {
		sum += row
	}
	return sum
}

func readLockTwice(t *testing.T, fixed bool) {
	table := &table{rows: []int{1, 2}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		table.mu.Lock()
		table.rows = append(table.rows, 3)
		table.mu.Unlock()
	}()
	if sum := table.sum(!fixed); sum != 3 && sum != 6 {
		t.Errorf("sum %d", sum)
	}
	<-done
}

// What runs once tells somebody who may be waiting for it to have run.
func onceReentry(_ *testing.T, room int) {
	var once sync.Once
	events := make(chan string, room)
	setup := func() { once.Do(func() { events <- "ready" }) }
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-events:
		default:
			setup()
			<-events
		}
	}()
	setup()
	<-done
}

// Nobody takes the result of somebody who came too late.
func contextLeak(_ *testing.T, room int) {
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan int, room)
	go func() { result <- 42 }()
	go cancel()
	select {
	case <-result:
	case <-ctx.Done():
	}
}

// The first error ends the receiver, and who sends then waits for ever.
func errorLeak(t *testing.T, fixed bool) {
	room := 0
	if fixed {
		room = 3
	}
	results := make(chan error, room)
	for n := range 3 {
		go func() {
			if n == 1 {
				results <- errors.New("failed")
				return
			}
			results <- nil
		}()
	}
	for range 3 {
		if err := <-results; err != nil {
			return
		}
	}
	t.Error("no error")
}

// A timer that was stopped has begun to run.
func timerStop(t *testing.T, fixed bool) {
	var mu sync.Mutex
	open, uses := true, 0
	timer := time.AfterFunc(time.Millisecond, func() {
		mu.Lock()
		defer mu.Unlock()
		if open || !fixed {
			uses++
		}
	})
	time.Sleep(time.Millisecond)
	timer.Stop()
	mu.Lock()
	open = false
	before := uses
	mu.Unlock()
	time.Sleep(time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	if uses != before {
		t.Error("used after Stop")
	}
}
