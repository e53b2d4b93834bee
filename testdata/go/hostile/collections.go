package main

import (
	"runtime"
	"weak"
)

func init() {
	collections = []interface{}{cleanupStorm, weakStorm, deepCollections, finalizerStorm, stopStorm}
}

var collections interface{}

// cleanupStorm gives one object ever more cleanups, and collects.
//
//go:noinline
func cleanupStorm() {
	t := new(fin)
	for i := 0; ; i++ {
		runtime.AddCleanup(t, func(int) {}, i)
		if i%10000 == 0 {
			runtime.GC()
		}
	}
}

// stopStorm stops every other one of 2,000 cleanups, and has the rest called.
//
//go:noinline
func stopStorm() {
	for {
		t := new(fin)
		for i := 0; i < 1000; i++ {
			runtime.AddCleanup(t, func(int) {}, i).Stop()
			runtime.AddCleanup(t, func(int) {}, i)
		}
		t = nil
		runtime.GC()
	}
}

// weakStorm makes weak pointers, keeps half of the objects, and collects.
//
//go:noinline
func weakStorm() {
	var keep []*fin
	for i := 0; ; i++ {
		t := new(fin)
		weak.Make(t)
		if i%2 == 0 {
			keep = append(keep, t)
		}
		if i%10000 == 0 {
			runtime.GC()
		}
	}
}

// finalizerStorm has finalizers set finalizers, and collect.
//
//go:noinline
func finalizerStorm() {
	var again func(t *fin)
	again = func(t *fin) {
		runtime.SetFinalizer(t, again)
		runtime.SetFinalizer(new(fin), again)
		runtime.GC()
	}
	runtime.SetFinalizer(new(fin), again)
	for {
		runtime.GC()
	}
}

//go:noinline
func collectBelow(n int, t *fin) int {
	for n == 0 {
		runtime.GC()
	}
	var own fin
	own.p = &n
	return collectBelow(n-1, &own) + *t.p
}

// deepCollections collects below so many calls, each of which has a variable that is reached by its address.
//
//go:noinline
func deepCollections(n int) int {
	runtime.SetFinalizer(new(fin), func(*fin) {})
	return collectBelow(n, &fin{new(int)})
}
