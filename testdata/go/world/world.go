package main

// What functions ask of the world around them: package variables that are initialised at start, goroutines that
// end early, the clock, the environment, reflection, formatted printing, pseudo-random numbers.

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

func showOwn(v interface{}) string {
	switch v := v.(type) {
	case planet:
		return fmt.Sprintf("%#v", v)
	case map[string]int:
		return fmt.Sprintf("%#v", v)
	}
	return ""
}

type planet struct {
	Name  string `json:"name"`
	Moons int
	inner bool
}

func (p planet) Describe(n int) string { return fmt.Sprint(p.Name, " ", p.Moons+n) }

// Initialised by code that runs before main.main, each from the one before.
var (
	squares = makeSquares(10)
	total   = sumOf(squares)
	planets = map[string]planet{"earth": {"earth", 1, true}, "mars": {"mars", 2, false}}
	started string
)

func init() { started = fmt.Sprintf("total %d", total) }

func makeSquares(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i * i
	}
	return s
}

func sumOf(s []int) (n int) {
	for _, x := range s {
		n += x
	}
	return n
}

//goemu:call initialised(3)
//go:noinline
func initialised(i int) (int, int, string) { return squares[i], total, started }

//goemu:call lookup("mars")
//goemu:call lookup("pluto")
//go:noinline
func lookup(name string) (planet, bool) {
	p, ok := planets[name]
	return p, ok
}

//goemu:call addToMap(map[string]int{"a": 1, "b": 2}, "c", 3)
//go:noinline
func addToMap(m map[string]int, key string, n int) map[string]int {
	m[key] = n
	return m
}

//goemu:call sprintf("x", 42, 1.5)
//goemu:call sprintf("", -1, 0)
//go:noinline
func sprintf(s string, n int, f float64) string {
	return fmt.Sprintf("%q %5d|%-5d|%#x %08.3f %v %+v %T", s, n, n, uint8(n), f, []string{s}, planet{s, n, true}, f)
}

//goemu:call describe(7)
//go:noinline
func describe(n int) string {
	var any interface{} = planet{"saturn", n, false}
	return fmt.Sprint(any, &any != nil, any.(interface{ Describe(int) string }).Describe(1))
}

// printed writes to both streams of the process.
//
//goemu:call printed("hello")
//go:noinline
func printed(s string) int {
	fmt.Fprintln(os.Stderr, "to stderr:", s)
	n, _ := fmt.Println("to stdout:", s)
	return n
}

//goemu:call scan("12 0x1f word")
//go:noinline
func scan(s string) (int, int, string, int) {
	var a, b int
	var w string
	n, _ := fmt.Sscan(s, &a, &b, &w)
	return a, b, w, n
}

//goemu:call reflected(3)
//go:noinline
func reflected(n int) (string, int, string) {
	p := planet{"venus", n, true}
	v := reflect.ValueOf(&p).Elem()
	v.FieldByName("Moons").SetInt(int64(n * 2))
	text := []string{}
	for i := 0; i < v.NumField(); i++ {
		f := v.Type().Field(i)
		text = append(text, f.Name+":"+f.Type.String()+":"+f.Tag.Get("json"))
	}
	out := v.MethodByName("Describe").Call([]reflect.Value{reflect.ValueOf(100)})
	return strings.Join(text, " "), p.Moons, out[0].String()
}

//goemu:call deepEqual(2)
//go:noinline
func deepEqual(n int) (bool, bool) {
	a := map[string][]planet{"x": {{"a", n, true}}}
	b := map[string][]planet{"x": {{"a", 2, true}}}
	c := map[string][]planet{"x": {{"a", n, false}}}
	return reflect.DeepEqual(a, b), reflect.DeepEqual(a, c)
}

// goexit ends a goroutine after its deferred calls.
//
//goemu:call goexit(5)
//go:noinline
func goexit(n int) (s int) {
	done := make(chan int)
	go func() {
		defer close(done)
		defer func() { s = s*10 + n }()
		func() {
			defer func() { s = 1; recover() }()
			runtime.Goexit()
		}()
		s = 1000
	}()
	<-done
	return s
}

//goemu:call slept(20)
//go:noinline
func slept(ms int) (bool, bool) {
	start := time.Now()
	time.Sleep(time.Duration(ms) * time.Millisecond)
	elapsed := time.Since(start)
	return elapsed >= time.Duration(ms)*time.Millisecond, elapsed < time.Minute
}

//goemu:call timers(30)
//go:noinline
func timers(ms int) string {
	slow := time.After(time.Duration(ms) * time.Second)
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for n := 0; ; {
		select {
		case <-ticker.C:
			if n++; n == 5 {
				return "five ticks"
			}
		case <-slow:
			return "too late"
		}
	}
}

//goemu:call cancelled(true)
//goemu:call cancelled(false)
//go:noinline
func cancelled(early bool) string {
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), "k", "v"), 5*time.Millisecond)
	defer cancel()
	if early {
		cancel()
	}
	<-ctx.Done()
	return ctx.Err().Error() + " " + ctx.Value("k").(string)
}

//goemu:call date(1000000000)
//goemu:call date(-1)
//go:noinline
func date(unix int64) (string, int, string) {
	t := time.Unix(unix, 0).UTC()
	return t.Format(time.RFC3339), t.YearDay(), t.Add(90 * time.Minute).Weekday().String()
}

//goemu:call seeded(42)
//go:noinline
func seeded(seed int64) (int, float64, []int) {
	r := rand.New(rand.NewSource(seed))
	return r.Intn(1000), r.Float64(), r.Perm(5)
}

//goemu:call environment("GOEMU_ABSENT")
//go:noinline
func environment(name string) (string, bool, int) {
	value, ok := os.LookupEnv(name)
	return value, ok, len(os.Args)
}

//goemu:call atomics(100)
//go:noinline
func atomics(n int) (int64, bool, uint32) {
	var sum int64
	var flag uint32
	var wait sync.WaitGroup
	for i := 0; i < n; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			atomic.AddInt64(&sum, int64(i))
			runtime.Gosched()
		}(i)
	}
	wait.Wait()
	swapped := atomic.CompareAndSwapUint32(&flag, 0, 7)
	return atomic.LoadInt64(&sum), swapped, atomic.SwapUint32(&flag, 9)
}

//goemu:call locks(4)
//go:noinline
func locks(n int) (sum int) {
	var rw sync.RWMutex
	cond := sync.NewCond(&sync.Mutex{})
	ready := 0
	for i := 0; i < n; i++ {
		go func(i int) {
			rw.Lock()
			sum += i
			rw.Unlock()
			cond.L.Lock()
			ready++
			cond.L.Unlock()
			cond.Broadcast()
		}(i)
	}
	cond.L.Lock()
	for ready < n {
		cond.Wait()
	}
	cond.L.Unlock()
	rw.RLock()
	defer rw.RUnlock()
	return sum
}

//goemu:call pooled("abc")
//go:noinline
func pooled(s string) (string, int) {
	pool := sync.Pool{New: func() interface{} { return new(strings.Builder) }}
	b := pool.Get().(*strings.Builder)
	b.WriteString(s)
	text := b.String()
	b.Reset()
	pool.Put(b)
	var m sync.Map
	m.Store(s, len(s))
	v, _ := m.Load(s)
	return text, v.(int)
}

//goemu:call unsafely(0x0102030405060708)
//go:noinline
func unsafely(x uint64) (byte, uintptr) {
	second := *(*byte)(unsafe.Pointer(uintptr(unsafe.Pointer(&x)) + 1))
	return second, unsafe.Offsetof(planet{}.Moons)
}

//goemu:call caller()
//go:noinline
func caller() (string, int, bool) {
	pc, _, line, ok := runtime.Caller(0)
	return runtime.FuncForPC(pc).Name(), line, ok
}

//goemu:call collected(1000)
//go:noinline
func collected(n int) (int, bool) {
	var keep [][]byte
	for i := 0; i < n; i++ {
		b := make([]byte, 1000)
		if i%100 == 0 {
			b[0] = byte(i / 100)
			keep = append(keep, b)
		}
	}
	runtime.GC()
	sum := 0
	for _, b := range keep {
		sum += int(b[0])
	}
	return sum, runtime.NumGoroutine() > 0
}

type missing struct{ path string }

func (m *missing) Error() string { return "no " + m.path }

//goemu:call wrapped("file")
//go:noinline
func wrapped(path string) (string, bool, string) {
	err := fmt.Errorf("opening: %w", &missing{path})
	var m *missing
	return err.Error(), errors.As(err, &m), m.path
}

//goemu:call exits(3)
//go:noinline
func exits(n int) (r int) {
	defer func() { r = recover().(int) + n }()
	var wait sync.WaitGroup
	wait.Add(1)
	go func() {
		defer wait.Done()
		defer func() { recover() }()
		panic("in the other goroutine")
	}()
	wait.Wait()
	panic(n * 10)
}

// panicError ends the program with an error made by package fmt.
//
//goemu:call panicError("bad input", 7)
//go:noinline
func panicError(what string, line int) int {
	panic(fmt.Errorf("line %d: %s", line, what))
}
