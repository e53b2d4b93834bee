//go:build go1.24
// +build go1.24

package main

import (
	"fmt"
	"iter"
	"net/netip"
	"runtime"
	"time"
	"unique"
	"weak"
)

func init() {
	for kind, f := range map[string]func() string{
		"Cleanups":            specialCleanups,
		"CleanupKept":         specialCleanupKept,
		"CleanupAndFinalizer": specialCleanupAndFinalizer,
		"Weak":                specialWeak,
		"WeakFin":             specialWeakFin,
		"Cache":               specialCache,
		"Unique":              specialUnique,
		"Pulled":              specialPulled,
		"BlockedFin":          specialBlockedFin,
		"Generic":             specialGeneric,
		"Zone":                specialZone,
		"Bad":                 specialBad,
	} {
		specials[kind] = f
	}
}

//go:noinline
func specialCleanups() string {
	t := &object{name: "t"}
	runtime.AddCleanup(t, func(s string) { say("c-" + s) }, "one")
	runtime.AddCleanup(t, func(v struct {
		a int
		b string
		c float64
	}) {
		say(fmt.Sprint(v))
	}, struct {
		a int
		b string
		c float64
	}{1, "x", 2.5})
	c := runtime.AddCleanup(&t.pad, func(n int) { say(fmt.Sprint("pad", n)) }, 9)
	d := runtime.AddCleanup(t, func(n int) { say("never") }, 8)
	d.Stop()
	_ = c
	gc()
	s := out() + "|"
	gc()
	return s + out()
}

//go:noinline
func specialCleanupKept() string {
	t := &object{name: "t"}
	runtime.AddCleanup(t, func(s string) { say("c-" + s) }, "one")
	gc()
	s := out() + "|" + t.name + "|"
	gc()
	return s + out()
}

//go:noinline
func specialCleanupAndFinalizer() string {
	t := mk("cf")
	runtime.AddCleanup(t, func(p *object) { say("clean-" + p.name) }, &object{name: "arg"})
	gc()
	s := out() + "|"
	gc()
	s += out() + "|"
	gc()
	return s + out()
}

//go:noinline
func mkw() (weak.Pointer[object], *object) {
	t := &object{name: "w"}
	return weak.Make(t), t
}

//go:noinline
func specialWeak() string {
	w, t := mkw()
	s := fmt.Sprint(w.Value() == t, w == weak.Make(t))
	gc()
	s += fmt.Sprint(" ", w.Value() == t, t.name)
	gc()
	s += fmt.Sprint(" ", w.Value() == nil)
	var z weak.Pointer[object]
	return s + fmt.Sprint(" ", z == w, z.Value() == nil)
}

var savedWeak weak.Pointer[object]

//go:noinline
func setWeak() {
	t := &object{name: "wf"}
	savedWeak = weak.Make(t)
	runtime.SetFinalizer(t, func(t *object) { say(fmt.Sprint(t.name, savedWeak.Value() == nil)); global = t })
}

//go:noinline
func specialWeakFin() string {
	setWeak()
	gc()
	s := out() + fmt.Sprint("|", savedWeak.Value() == nil, global.name, weak.Make(global) == savedWeak)
	global = nil
	return s
}

type cache struct {
	m map[string]weak.Pointer[object]
}

//go:noinline
func (c *cache) get(k string) *object {
	if w, ok := c.m[k]; ok {
		if t := w.Value(); t != nil {
			return t
		}
	}
	t := &object{name: k}
	say("made-" + k)
	c.m[k] = weak.Make(t)
	runtime.AddCleanup(t, func(k string) {
		if c.m[k].Value() == nil {
			delete(c.m, k)
			say("evicted-" + k)
		}
	}, k)
	return t
}

//go:noinline
func specialCache() string {
	c := &cache{m: map[string]weak.Pointer[object]{}}
	a := c.get("a")
	c.get("b")
	gc()
	s := out() + "|" + a.name + c.get("a").name + "|"
	gc()
	return s + out() + fmt.Sprint(len(c.m))
}

//go:noinline
func specialUnique() string {
	a := unique.Make("some" + fmt.Sprint(len(log)))
	gc()
	b := unique.Make("some0")
	s := fmt.Sprint(a == b, a.Value())
	gc()
	gc()
	c := unique.Make("some0")
	return s + fmt.Sprint(c.Value(), c == unique.Make("some0"))
}

//go:noinline
func specialPulled() string {
	next, stop := iter.Pull(func(yield func(string) bool) {
		t := mk("it")
		yield("x")
		yield(t.name)
	})
	a, _ := next()
	gc()
	s := a + out() + "|"
	b, _ := next()
	s += b
	gc()
	s += out() + "|"
	stop()
	gc()
	return s + out()
}

//go:noinline
func specialBlockedFin() string {
	c := make(chan int)
	t := &object{name: "blocker"}
	runtime.SetFinalizer(t, func(t *object) { <-c })
	t = nil
	gc()
	u := &object{name: "u"}
	runtime.AddCleanup(u, func(int) { say("cleaned") }, 1)
	u = nil
	gc()
	s := out() + "|"
	close(c)
	time.Sleep(time.Millisecond)
	return s + out()
}

type pair[A, B any] struct {
	a A
	b B
}

//go:noinline
func gen[A, B any](a A, b B) {
	p := &pair[A, B]{a, b}
	runtime.AddCleanup(p, func(b B) { say(fmt.Sprint(b)) }, b)
}

//go:noinline
func specialGeneric() string {
	gen(1, "s")
	gen("x", [3]int{1, 2, 3})
	gen(2.5, &object{name: "pp"})
	gen[int, error](3, fmt.Errorf("err"))
	gc()
	return out()
}

//go:noinline
func bad(k int) (s string) {
	defer func() { s = fmt.Sprint(recover()) }()
	t := &object{name: "b"}
	switch k {
	case 0:
		runtime.AddCleanup[object](nil, func(int) {}, 1)
	case 1:
		runtime.AddCleanup(t, func(*object) {}, t)
	case 2:
		var zero struct{}
		runtime.AddCleanup(&zero, func(int) {}, 1)
	case 3:
		runtime.AddCleanup(&global, func(int) {}, 1)
	}
	return
}

//go:noinline
func specialBad() string { return bad(0) + "|" + bad(1) + "|" + bad(3) }

//go:noinline
func zone(n int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("fe80::%d%%eth%d", n, n))
}

// specialZone: zones are canonical values, of a package whose code of cleanups is compiled in another way.
//
//go:noinline
func specialZone() string {
	a := zone(3)
	gc()
	s := fmt.Sprint(a == zone(3), a.Zone())
	gc()
	gc()
	return s + zone(3).Zone()
}
