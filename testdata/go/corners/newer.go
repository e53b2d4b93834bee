//go:build go1.25
// +build go1.25

package main

import (
	"fmt"
	"iter"
	"reflect"
	"runtime"
	"runtime/metrics"
	"time"
)

func init() {
	mentioned = append(mentioned, defaultProcessors, lockedCoroutine, timerChannel, cleanupOfVariable, cycles)
}

// defaultProcessors: whether the number is again what it was at first.
//
//go:noinline
func defaultProcessors() bool {
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(before + 6)
	runtime.SetDefaultGOMAXPROCS()
	return runtime.GOMAXPROCS(0) == before
}

// lockedCoroutine makes a coroutine and goes on with it, each on a thread of its own or not.
//
//go:noinline
func lockedCoroutine(made, used bool) (sum int) {
	if made {
		runtime.LockOSThread()
	}
	next, stop := iter.Pull(func(yield func(int) bool) {
		for i := 1; yield(i); i++ {
		}
	})
	if used && !made {
		runtime.LockOSThread()
	} else if made && !used {
		runtime.UnlockOSThread()
	}
	for i := 0; i < 3; i++ {
		n, _ := next()
		sum += n
	}
	stop()
	return
}

// timerChannel: what reflection says of the channel of a timer that has fired.
//
//go:noinline
func timerChannel() string {
	timer := time.NewTimer(time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	channel := reflect.ValueOf(timer.C)
	return fmt.Sprint(channel.Len(), channel.Cap(), len(timer.C), cap(timer.C))
}

var variable int

// cleanupOfVariable: a variable is never freed, and a collection needs not look.
//
//go:noinline
func cleanupOfVariable() bool {
	made := runtime.AddCleanup(&variable, func(int) {}, 1)
	runtime.GC()
	return made == runtime.Cleanup{}
}

// cycles counts collections as the runtime's metrics do.
//
//go:noinline
func cycles() bool {
	sample := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	runtime.GC()
	metrics.Read(sample)
	return sample[0].Value.Uint64() > before
}
