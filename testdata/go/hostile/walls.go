package main

// Guests against each limit: work beside instructions, kept memory, readers, code that changes, slow instructions.

import (
	"errors"
	"reflect"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"time"
	"unsafe"
)

func slowFloats()
func slowTranscendentals()
func slowStrings()
func manyDivisions()
func manyCpuids()
func saveStates()
func trapFlag()
func repCompare(at, n uintptr)
func repScan(at, n uintptr)
func repMove(to, from, n uintptr)
func straddle(at uintptr)

func ptr(p interface{}) uintptr { return uintptr((*[2]unsafe.Pointer)(unsafe.Pointer(&p))[1]) }

//go:noinline
func compareAll() {
	a := mm(0x3000000000, 1<<29)
	for {
		repCompare(a, 1<<29)
	}
}

//go:noinline
func scanAll() {
	a := mm(0x3000000000, 1<<29)
	for {
		repScan(a, 1<<29)
	}
}

// moveOverlapping moves by one byte, which copies byte by byte.
//
//go:noinline
func moveOverlapping() {
	a := mm(0x3000000000, 1<<28)
	for {
		repMove(a+1, a, 1<<28-1)
	}
}

// moveOverCode moves by one byte over pages that were executed.
//
//go:noinline
func moveOverCode() {
	const n = 1 << 14
	a := mm(0x3000000000, n*4096)
	for {
		for i := uintptr(0); i < n; i++ {
			*(*byte)(unsafe.Pointer(a + i*4096)) = 0xc3
			callAt(a + i*4096)
		}
		repMove(a+1, a, n*4096-1)
	}
}

// straddling writes across the border of two pages that are executed.
//
//go:noinline
func straddling() {
	a := mm(0x3000000000, 8192)
	*(*byte)(unsafe.Pointer(a)) = 0xc3
	*(*byte)(unsafe.Pointer(a + 4096)) = 0xc3
	for {
		callAt(a)
		callAt(a + 4096)
		straddle(a + 4092)
	}
}

// sharedFile writes a file that is mapped at 10,000 places.
//
//go:noinline
func sharedFile() {
	f := sys(319, ptr(&[]byte("x\x00")[0]), 0, 0, 0, 0, 0)
	sys(77, f, 1<<20, 0, 0, 0, 0)
	for i := 0; i < 10000; i++ {
		if int(sys(9, 0, 1<<16, 3, 1, f, 0)) < 0 {
			break
		}
	}
	loopsys(18, f, uintptr(unsafe.Pointer(&buf)), 1, 0, 0, 0)
}

// sharedSync syncs a mapping of 256 MiB.
//
//go:noinline
func sharedSync() {
	f := sys(319, ptr(&[]byte("x\x00")[0]), 0, 0, 0, 0, 0)
	sys(77, f, 1<<28, 0, 0, 0, 0)
	w := sys(9, 0, 1<<28, 3, 1, f, 0)
	loopsys(26, w, 1<<28, 4, 0, 0, 0)
}

// coreMap asks which of 1 GiB of pages are there.
//
//go:noinline
func coreMap() {
	w := mm(0x3000000000, 1<<30)
	loopsys(27, w, 1<<30, uintptr(unsafe.Pointer(&buf)), 0, 0, 0)
}

// fileToFile copies within the kernel.
//
//go:noinline
func fileToFile() {
	a := sys(319, ptr(&[]byte("x\x00")[0]), 0, 0, 0, 0, 0)
	b := sys(319, ptr(&[]byte("y\x00")[0]), 0, 0, 0, 0, 0)
	sys(77, a, 1<<26, 0, 0, 0, 0)
	var at [1]uint64
	for {
		at[0] = 0
		sys(40, b, a, ptr(&at), 1<<26, 0, 0)
		sys(8, b, 0, 0, 0, 0, 0)
	}
}

// splicing moves a pipe's bytes to another and back.
//
//go:noinline
func splicing() {
	var p, q [2]uint32
	sys(22, ptr(&p), 0, 0, 0, 0, 0)
	sys(22, ptr(&q), 0, 0, 0, 0, 0)
	sys(1, uintptr(p[1]), uintptr(unsafe.Pointer(&buf)), 65536, 0, 0, 0)
	for {
		sys(275, uintptr(p[0]), 0, uintptr(q[1]), 0, 65536, 0)
		sys(275, uintptr(q[0]), 0, uintptr(p[1]), 0, 65536, 0)
	}
}

// manyAttributes gives a file attributes.
//
//go:noinline
func manyAttributes() {
	p := path(1)
	sys(3, sys(2, p, 0x41, 0644, 0, 0, 0), 0, 0, 0, 0, 0)
	key := []byte("user.0000000000\x00")
	for n := 0; ; n++ {
		for i, m := 14, n; i > 4; i, m = i-1, m/10 {
			key[i] = '0' + byte(m%10)
		}
		sys(188, p, ptr(&key[0]), uintptr(unsafe.Pointer(&buf)), 60000, 0, 0)
		sys(194, p, uintptr(unsafe.Pointer(&buf)), 1<<20, 0, 0, 0)
	}
}

// selectAll selects among 1,024 files.
//
//go:noinline
func selectAll() {
	fillNumbers()
	for i := 0; i < 128; i++ {
		buf[i] = 0xff
	}
	b := uintptr(unsafe.Pointer(&buf))
	loopsys(270, 1024, b, b+256, b+512, b+1024, 0)
}

// manyUnix binds sockets to names without files, and looks for one that is not there.
//
//go:noinline
func manyUnix() {
	name := []byte("\x01\x00\x000000000000")
	for n := 0; n < 60000; n++ {
		s := sys(41, 1, 1, 0, 0, 0, 0)
		for i, m := 12, n; i > 2; i, m = i-1, m/10 {
			name[i] = '0' + byte(m%10)
		}
		sys(49, s, ptr(&name[0]), 13, 0, 0, 0)
	}
	name[3] = 'x'
	s := sys(41, 1, 1, 0, 0, 0, 0)
	loopsys(42, s, ptr(&name[0]), 13, 0, 0, 0)
}

// netlinks asks for the interfaces, and reads no answer.
//
//go:noinline
func netlinks() {
	s := sys(41, 16, 3, 0, 0, 0, 0)
	req := [8]uint32{17 + 3, 0x3010012, 1, 0, 0}
	loopsys(44, s, ptr(&req), 20, 0, 0, 0)
}

// wideAffinity asks for the processors with room for 512 Ki.
//
//go:noinline
func wideAffinity() { loopsys(204, 0, 1<<20, uintptr(unsafe.Pointer(&buf)), 0, 0, 0) }

// deepPaths makes a folder 2,000 deep and names it relatively.
//
//go:noinline
func deepPaths() {
	one := []byte("d\x00")
	sys(80, ptr(&[]byte("/tmp\x00")[0]), 0, 0, 0, 0, 0)
	for i := 0; i < 2000; i++ {
		sys(83, ptr(&one[0]), 0755, 0, 0, 0, 0)
		sys(80, ptr(&one[0]), 0, 0, 0, 0, 0)
	}
	up := make([]byte, 4000)
	for i := 0; i+5 < len(up); i += 5 {
		copy(up[i:], "../d/")
	}
	up[3990] = 0
	loopsys(4, ptr(&up[0]), uintptr(unsafe.Pointer(&buf)), 0, 0, 0, 0)
}

// renameTrees moves a deep folder into another and back.
//
//go:noinline
func renameTrees() {
	one := []byte("d\x00")
	sys(80, ptr(&[]byte("/tmp\x00")[0]), 0, 0, 0, 0, 0)
	sys(83, ptr(&[]byte("a\x00")[0]), 0755, 0, 0, 0, 0)
	sys(83, ptr(&[]byte("b\x00")[0]), 0755, 0, 0, 0, 0)
	sys(80, ptr(&[]byte("a\x00")[0]), 0, 0, 0, 0, 0)
	for i := 0; i < 20000; i++ {
		sys(83, ptr(&one[0]), 0755, 0, 0, 0, 0)
		sys(80, ptr(&one[0]), 0, 0, 0, 0, 0)
	}
	sys(80, ptr(&[]byte("/tmp\x00")[0]), 0, 0, 0, 0, 0)
	for {
		sys(82, ptr(&[]byte("a\x00")[0]), ptr(&[]byte("b/a\x00")[0]), 0, 0, 0, 0)
		sys(82, ptr(&[]byte("b/a\x00")[0]), ptr(&[]byte("a\x00")[0]), 0, 0, 0, 0)
	}
}

// epollNest puts epolls into epolls.
//
//go:noinline
func epollNest() {
	var ev [3]uint32
	ev[0] = 1
	prev := sys(291, 0, 0, 0, 0, 0, 0)
	for i := 0; i < 1000; i++ {
		e := sys(291, 0, 0, 0, 0, 0, 0)
		sys(233, e, 1, prev, ptr(&ev), 0, 0)
		prev = e
	}
	loopsys(232, prev, uintptr(unsafe.Pointer(&buf)), 100, 0, 0, 0)
}

// epollMany puts a pipe into 5,000 epolls and writes to it.
//
//go:noinline
func epollMany() {
	var ev [3]uint32
	var p [2]uint32
	ev[0] = 0x80000001
	sys(22, ptr(&p), 0, 0, 0, 0, 0)
	for i := 0; i < 5000; i++ {
		sys(233, sys(291, 0, 0, 0, 0, 0, 0), 1, uintptr(p[0]), ptr(&ev), 0, 0)
	}
	for {
		sys(1, uintptr(p[1]), uintptr(unsafe.Pointer(&buf)), 1, 0, 0, 0)
		sys(0, uintptr(p[0]), uintptr(unsafe.Pointer(&buf)), 1, 0, 0, 0)
	}
}

// shortSleeps sleeps for a nanosecond.
//
//go:noinline
func shortSleeps() {
	t := [2]uint64{0, 1}
	loopsys(35, ptr(&t), 0, 0, 0, 0, 0)
}

// protectStorm changes a permission of one page among 30,000 others.
//
//go:noinline
func protectStorm() {
	a := mm(0x3000000000, 60000*4096)
	for i := uintptr(0); i < 60000; i += 2 {
		sys(10, a+i*4096, 4096, 1, 0, 0, 0)
	}
	for {
		sys(10, a+30001*4096, 4096, 1, 0, 0, 0)
		sys(10, a+30001*4096, 4096, 3, 0, 0, 0)
	}
}

// faultStorm faults for ever: each fault is a panic.
//
//go:noinline
func faultStorm() {
	for {
		func() {
			defer func() { recover() }()
			*(*int)(unsafe.Pointer(uintptr(8))) = 1
		}()
	}
}

// deepPanics panics in deferred calls of panics.
//
//go:noinline
func deepPanics(n int) {
	defer func() {
		if n > 0 {
			deepPanics(n - 1)
		}
	}()
	panic(n)
}

//go:noinline
func nestedPanics() { deepPanics(20000) }

// manyDefers defers for ever.
//
//go:noinline
func manyDefers() {
	for i := 0; ; i++ {
		defer func(int) {}(i)
	}
}

type fin struct{ p *int }

// manyFinalizers sets finalizers for ever.
//
//go:noinline
func manyFinalizers() {
	var keep []*fin
	for {
		f := &fin{new(int)}
		runtime.SetFinalizer(f, func(*fin) {})
		keep = append(keep, f)
	}
}

// collectStorm collects beside a million objects.
//
//go:noinline
func collectStorm() {
	keep := make([]*fin, 1000000)
	for i := range keep {
		keep[i] = &fin{new(int)}
	}
	for {
		runtime.GC()
	}
}

// readStats reads the collector's statistics.
//
//go:noinline
func readStats() {
	var m runtime.MemStats
	for {
		runtime.ReadMemStats(&m)
	}
}

// ownStacks asks for the stack of a deep recursion.
//
//go:noinline
func ownStacks(n int) int {
	if n > 0 {
		return ownStacks(n-1) + 1
	}
	pcs := make([]uintptr, 1<<16)
	for {
		runtime.Callers(0, pcs)
	}
}

//go:noinline
func deepCallers() int { return ownStacks(60000) }

// bigSelect selects among many channels.
//
//go:noinline
func bigSelect() {
	cases := make([]reflect.SelectCase, 65000)
	c := make(chan int)
	for i := range cases {
		cases[i] = reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)}
	}
	cases[64999] = reflect.SelectCase{Dir: reflect.SelectDefault}
	for {
		reflect.Select(cases)
	}
}

// bigStrings builds strings of 64 MiB from runes and bytes.
//
//go:noinline
func bigStrings() {
	s := strings.Repeat("é", 1<<25)
	for {
		r := []rune(s)
		if len(string(r)) == 1 {
			return
		}
	}
}

// hugeMaps makes maps with room for many.
//
//go:noinline
func hugeMaps() {
	for {
		m := make(map[[100]byte]int, 1<<20)
		_ = m
	}
}

// timerStorm sets timers that fire at once beside many others.
//
//go:noinline
func timerStorm() {
	var keep []*time.Timer
	for i := 0; i < 200000; i++ {
		keep = append(keep, time.NewTimer(time.Hour))
	}
	for {
		t := time.NewTimer(0)
		<-t.C
	}
}

// wakeAll wakes 10,000 goroutines that wait for a condition.
//
//go:noinline
func wakeAll() {
	var mu sync.Mutex
	c := sync.NewCond(&mu)
	for i := 0; i < 10000; i++ {
		go func() {
			mu.Lock()
			for {
				c.Wait()
			}
		}()
	}
	for {
		runtime.Gosched()
		c.Broadcast()
	}
}

// freeMemory gives memory back to the system.
//
//go:noinline
func freeMemory() {
	for {
		b := make([]byte, 1<<26)
		b[0] = 1
		b = nil
		debug.FreeOSMemory()
	}
}

type node struct {
	next *node
	name string
	m    map[int]*node
	i    interface{}
}

// ring returns values that hold each other.
//
//go:noinline
func ring() *node {
	n := &node{name: strings.Repeat("x", 1<<20), m: map[int]*node{}}
	n.next, n.i = n, n
	for i := 0; i < 100000; i++ {
		n.m[i] = n
	}
	return n
}

// hugeString returns a string whose length is beyond all memory.
//
//go:noinline
func hugeString() (s string) {
	b := mm(0x3000000000, 1<<30)
	h := (*[2]uintptr)(unsafe.Pointer(&s))
	h[0], h[1] = b, 1<<62
	return
}

// emptyElems returns a slice of 2^62 elements without size.
//
//go:noinline
func emptyElems() []struct{} { return make([]struct{}, 1<<62) }

// sameStrings returns a million strings of 1 MiB that share their bytes.
//
//go:noinline
func sameStrings() []string {
	s := strings.Repeat("\x00", 1<<20)
	l := make([]string, 1000000)
	for i := range l {
		l[i] = s
	}
	return l
}

type loud struct{ n int }

// Error takes for ever.
func (l loud) Error() string {
	for s := "x"; ; s += s {
		if len(s) > 1<<24 {
			s = "x"
		}
	}
}

//go:noinline
func loudErrors() []error {
	l := make([]error, 1000)
	for i := range l {
		l[i] = loud{i}
	}
	return l
}

// joined returns an error that holds a hundred thousand.
//
//go:noinline
func joined() error {
	err := errors.New(strings.Repeat("x", 1000))
	for i := 0; i < 100000; i++ {
		err = &wrapped{err}
	}
	return err
}

type wrapped struct{ error }

func (w *wrapped) Error() string { return "w: " + w.error.Error() }
func (w *wrapped) Unwrap() error { return w.error }

// brokenMap returns a map whose tables are junk.
//
//go:noinline
func brokenMap() map[string]int {
	m := map[string]int{"a": 1}
	for i := 0; i < 1000; i++ {
		m[string(rune('a'+i))] = i
	}
	p := *(*unsafe.Pointer)(unsafe.Pointer(&m))
	w := (*[6]uintptr)(p)
	w[0] = 1 << 60
	d := *(**[128]uintptr)(unsafe.Pointer(&w[2]))
	for i := range d {
		d[i] = d[0]
	}
	return m
}

// panicking panics with a value that is large.
//
//go:noinline
func panicking() { panic(ring()) }

type bySelf []int

func (b bySelf) Len() int           { return len(b) }
func (b bySelf) Less(i, j int) bool { return true }
func (b bySelf) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

//go:noinline
func badSort() { sort.Sort(bySelf(make([]int, 10000000))) }

func init() {
	walls = []interface{}{
		slowFloats, slowTranscendentals, slowStrings, manyDivisions, manyCpuids, saveStates, trapFlag,
		compareAll, scanAll, moveOverlapping, moveOverCode, straddling, sharedFile, sharedSync, coreMap, fileToFile,
		splicing, manyAttributes, selectAll, manyUnix, netlinks, wideAffinity, deepPaths, renameTrees, epollNest, epollMany,
		shortSleeps, protectStorm, faultStorm, nestedPanics, manyDefers, manyFinalizers, collectStorm, readStats, deepCallers,
		bigSelect, bigStrings, hugeMaps, timerStorm, wakeAll, freeMemory, ring, hugeString, emptyElems, sameStrings,
		loudErrors, joined, brokenMap, panicking, badSort,
	}
}

var walls interface{}
