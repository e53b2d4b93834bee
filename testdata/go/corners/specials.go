package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"time"
)

func init() {
	mentioned = append(mentioned, special)
}

// special does one of these, and tells what finalizers and cleanups have said.
//
//go:noinline
func special(kind string) string {
	return specials[kind]()
}

var specials = map[string]func() string{
	"Local":           specialLocal,
	"Kept":            specialKept,
	"Chain":           specialChain,
	"Resurrect":       specialResurrect,
	"Kinds":           specialKinds,
	"Order":           specialOrder,
	"StackObject":     specialStackObject,
	"StackStruct":     specialStackStruct,
	"StackStructLive": specialStackStructLive,
	"Deep":            specialDeep,
	"Captured":        specialCaptured,
	"Defers":          specialDefers,
	"Goroutine":       specialGoroutine,
	"Containers":      specialContainers,
	"Panics":          specialPanics,
	"Faults":          specialFaults,
	"Blocks":          specialBlocks,
	"Nested":          specialNested,
	"Pool":            specialPool,
	"Timer":           specialTimer,
	"Unset":           specialUnset,
	"Reflect":         specialReflect,
	"Files":           specialFiles,
	"Count":           specialCount,
	"Method":          specialMethod,
	"ManyArgs":        specialManyArgs,
	"Results":         specialResults,
	"Printed":         specialPrinted,
	"Cond":            specialCond,
	"Goexit":          specialGoexit,
}

type object struct {
	name string
	next *object
	m    map[string]*object
	pad  [4]int
}

func (t *object) String() string { return "T:" + t.name }

// What was said.
var log []string
var mu sync.Mutex

func say(s string) { mu.Lock(); log = append(log, s); mu.Unlock() }
func gc()          { runtime.GC(); time.Sleep(10 * time.Millisecond) }
func out() string {
	mu.Lock()
	defer mu.Unlock()
	s := strings.Join(log, " ")
	log = nil
	return s
}

//go:noinline
func mk(name string) *object {
	t := &object{name: name}
	runtime.SetFinalizer(t, func(t *object) { say("fin-" + t.name) })
	return t
}

//go:noinline
func specialLocal() string {
	t := mk("a")
	t.pad[0] = 1
	gc()
	gc()
	return out()
}

//go:noinline
func specialKept() string {
	t := mk("a")
	gc()
	s := out() + "|"
	runtime.KeepAlive(t)
	gc()
	return s + out()
}

//go:noinline
func specialChain() string {
	a, b := mk("a"), mk("b")
	a.next = b
	gc()
	s := out() + "|"
	gc()
	s += out() + "|"
	gc()
	return s + out()
}

var global *object

//go:noinline
func specialResurrect() string {
	t := &object{name: "r"}
	runtime.SetFinalizer(t, func(t *object) { global = t; say("saved") })
	t = nil
	gc()
	s := out() + "|" + fmt.Sprint(global != nil) + "|"
	runtime.SetFinalizer(global, func(t *object) { say("again-" + t.name) })
	global = nil
	gc()
	return s + out()
}

//go:noinline
func setAny() {
	t := &object{name: "any"}
	runtime.SetFinalizer(t, func(x interface{}) { say(fmt.Sprintf("%T-%v", x, x.(*object).name)) })
	u := &object{name: "str"}
	runtime.SetFinalizer(u, func(x fmt.Stringer) int { say(x.String()); return 7 })
	v := &object{name: "meth"}
	runtime.SetFinalizer(v, (*object).fin)
}
func (t *object) fin() (a, b string, c [3]int) { say("method-" + t.name); return }

type odd interface {
	String() string
	fin() (a, b string, c [3]int)
}

//go:noinline
func setOdd() {
	t := &object{name: "odd"}
	runtime.SetFinalizer(t, func(x odd) { x.fin() })
}

//go:noinline
func specialKinds() string {
	setAny()
	gc()
	setOdd()
	gc()
	return out()
}

//go:noinline
func many() {
	for i := 0; i < 5; i++ {
		mk(fmt.Sprint(i))
	}
}

//go:noinline
func specialOrder() string { many(); gc(); return out() }

//go:noinline
func use(p **object) { (*p).pad[1]++ }

//go:noinline
func specialStackObject() string {
	t := mk("so")
	use(&t)
	gc()
	return out()
}

type holder struct {
	a int
	t *object
	b [3]*object
}

//go:noinline
func fill(h *holder) { h.t = mk("h1"); h.b[1] = mk("h2") }

//go:noinline
func specialStackStruct() string {
	var h holder
	fill(&h)
	h.a++
	gc()
	s := out() + "|" + fmt.Sprint(h.a) + "|"
	gc()
	return s + out()
}

//go:noinline
func specialStackStructLive() string {
	var h holder
	fill(&h)
	gc()
	s := out() + "|" + h.t.name + h.b[1].name
	gc()
	return s + out()
}

//go:noinline
func deep(n int, t *object) int {
	if n == 0 {
		gc()
		return 1
	}
	r := deep(n-1, t)
	return r + n
}

//go:noinline
func deepLive(n int, t *object) int {
	if n == 0 {
		gc()
		return 1
	}
	r := deepLive(n-1, t)
	return r + len(t.name)
}

//go:noinline
func specialDeep() string {
	n := deep(50, mk("d"))
	s := out() + fmt.Sprint("|", n, "|")
	n = deepLive(50, mk("e"))
	s += out() + fmt.Sprint("|", n, "|")
	gc()
	return s + out()
}

//go:noinline
func specialCaptured() string {
	t := mk("c")
	f := func() string { return t.name }
	gc()
	s := out() + "|" + f() + "|"
	gc()
	return s + out()
}

//go:noinline
func deferred() {
	t := mk("df")
	defer func() { say("deferred-" + t.name) }()
	gc()
	say("mid")
}

//go:noinline
func deferredLoop() {
	for i := 0; i < 2; i++ {
		t := mk(fmt.Sprint("dl", i))
		defer func(t *object) { say("deferred-" + t.name) }(t)
	}
	gc()
	say("mid")
}

//go:noinline
func specialDefers() string {
	deferred()
	gc()
	s := out() + "|"
	deferredLoop()
	gc()
	return s + out()
}

//go:noinline
func specialGoroutine() string {
	c, done := make(chan int), make(chan string)
	go func() {
		t := mk("g")
		<-c
		done <- t.name
	}()
	go func() {
		t := mk("dead")
		t.pad[0] = 2
		<-c
		done <- "x"
	}()
	time.Sleep(time.Millisecond)
	gc()
	s := out() + "|"
	close(c)
	a, b := <-done, <-done
	if a > b {
		a, b = b, a
	}
	s += a + b + "|"
	gc()
	return s + out()
}

//go:noinline
func put(c chan *object, m map[string]*object, sl []*object, i *interface{}) {
	c <- mk("chan")
	m["k"] = mk("map")
	sl[1] = mk("slice")
	*i = mk("iface")
}

//go:noinline
func specialContainers() string {
	c, m, sl := make(chan *object, 4), map[string]*object{}, make([]*object, 3)
	var i interface{}
	put(c, m, sl, &i)
	gc()
	s := out() + "|"
	<-c
	delete(m, "k")
	sl[1] = nil
	i = nil
	gc()
	s += fmt.Sprint(len(strings.Fields(out())), len(c), len(m), len(sl), i)
	return s
}

//go:noinline
func panics() (s string) {
	defer func() {
		e := recover()
		s = fmt.Sprint(e.(*object).name)
	}()
	panic(mk("p"))
}

//go:noinline
func specialPanics() string {
	s := panics() + "|"
	gc()
	gc()
	return s + out()
}

//go:noinline
func faults() {
	defer func() {
		gc()
		say("in-defer")
		recover()
	}()
	t := mk("f")
	var p *object
	t.pad[0] = 3
	p.pad[1] = t.pad[0]
}

//go:noinline
func specialFaults() string {
	faults()
	gc()
	s := strings.Fields(out())
	return fmt.Sprint(len(s))
}

//go:noinline
func specialBlocks() string {
	c := make(chan int)
	t := &object{name: "blocker"}
	runtime.SetFinalizer(t, func(t *object) { say("in"); <-c; say("out") })
	t = nil
	gc()
	mk("second")
	gc()
	s := out() + "|"
	close(c)
	time.Sleep(time.Millisecond)
	return s + out()
}

//go:noinline
func specialNested() string {
	t := &object{name: "n"}
	runtime.SetFinalizer(t, func(t *object) { mk("inner"); runtime.GC(); say("outer") })
	t = nil
	gc()
	gc()
	return out()
}

//go:noinline
func pool() {
	p := &sync.Pool{}
	p.Put(mk("pool"))
	thePool = p
}

var thePool *sync.Pool

//go:noinline
func specialPool() string {
	pool()
	gc()
	s := out() + "|"
	gc()
	s += out() + "|" + fmt.Sprint(thePool.Get() == nil)
	return s
}

//go:noinline
func after() *time.Timer {
	t := mk("timer")
	return time.AfterFunc(50*time.Millisecond, func() { say("fired-" + t.name) })
}

//go:noinline
func specialTimer() string {
	tm := after()
	gc()
	s := out() + "|"
	time.Sleep(100 * time.Millisecond)
	_ = tm
	gc()
	gc()
	return s + out()
}

//go:noinline
func specialUnset() string {
	t := mk("u")
	runtime.SetFinalizer(t, nil)
	t = nil
	gc()
	return out() + "none"
}

//go:noinline
func byReflect(t *object, n int) string {
	gc()
	return fmt.Sprint(n)
}

//go:noinline
func byReflectLive(t *object, n int) string {
	gc()
	return t.name
}

//go:noinline
func specialReflect() string {
	v := reflect.ValueOf(byReflectLive).Call([]reflect.Value{reflect.ValueOf(mk("rl")), reflect.ValueOf(3)})
	s := v[0].String() + "|" + out() + "|"
	gc()
	s += out() + "|"
	f := reflect.MakeFunc(reflect.TypeOf(byReflectLive), func(args []reflect.Value) []reflect.Value {
		gc()
		return []reflect.Value{reflect.ValueOf(args[0].Interface().(*object).name)}
	}).Interface().(func(*object, int) string)
	s += f(mk("mf"), 4) + "|" + out() + "|"
	gc()
	return s + out()
}

//go:noinline
func specialFiles() string {
	f, err := os.Open("/dev/null")
	if err != nil {
		return err.Error()
	}
	gc()
	_, err = f.Stat()
	s := fmt.Sprint(err)
	f.Close()
	gc()
	return s
}

//go:noinline
func specialCount() string {
	mk("x")
	n := runtime.NumGoroutine()
	gc()
	return fmt.Sprint(runtime.NumGoroutine()-n) + out()
}

type val struct{ t *object }

func (v val) get() string { gc(); return v.t.name }

//go:noinline
func specialMethod() string {
	f := val{mk("mv")}.get
	s := f() + "|" + out() + "|"
	gc()
	return s + out()
}

//go:noinline
func many9(a, b, c, d, e, f, g, h, i, j, k *object) int {
	gc()
	return len(k.name) + len(a.name)
}

//go:noinline
func specialManyArgs() string {
	n := many9(mk("1"), mk("2"), mk("3"), mk("4"), mk("5"), mk("6"), mk("7"), mk("8"), mk("9"), mk("10"), mk("11"))
	s := fmt.Sprint(n, "|", len(strings.Fields(out())), "|")
	gc()
	return s + fmt.Sprint(len(strings.Fields(out())))
}

//go:noinline
func twoResults() (a, b *object, n int) {
	a, b = mk("ra"), mk("rb")
	gc()
	n = 3
	return
}

//go:noinline
func specialResults() string {
	a, _, n := twoResults()
	s := out() + fmt.Sprint("|", n, "|")
	gc()
	s += out() + "|" + a.name
	gc()
	return s + out()
}

//go:noinline
func specialPrinted() string {
	t := mk("pr")
	s := fmt.Sprint(t, t.pad[2])
	gc()
	return s + "|" + out()
}

//go:noinline
func condition(n int) string {
	var t *object
	if n > 0 {
		t = mk("cond")
	} else {
		t = mk("other")
	}
	for i := 0; i < 3; i++ {
		t.pad[0] += i
		gc()
	}
	s := out() + "|"
	gc()
	return s + out() + fmt.Sprint(n)
}

func specialCond() string { return condition(1) }

//go:noinline
func specialGoexit() string {
	c := make(chan int)
	go func() {
		defer close(c)
		t := mk("ge")
		defer func() { say(t.name) }()
		runtime.Goexit()
	}()
	<-c
	gc()
	return out()
}
