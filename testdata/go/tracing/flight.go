//go:build go1.25
// +build go1.25

package main

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"runtime/trace"
	"time"
)

func init() {
	mentioned = append(mentioned, flown)
}

// flown has a recorder of what was last, and a coroutine. What else there is to say goes before the trace.
//
//go:noinline
func flown() ([]byte, string) {
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: 10 * time.Second})
	if err := recorder.Start(); err != nil {
		panic(err)
	}
	ctx, task := trace.NewTask(context.Background(), "flown")
	next, stop := iter.Pull(func(yield func(int) bool) {
		trace.Log(ctx, "in", "coroutine")
		for i := 0; yield(i); i++ {
		}
	})
	for i := 0; i < 2; i++ {
		next()
		trace.Log(ctx, "next", fmt.Sprint(i))
	}
	stop()
	var other, first, second bytes.Buffer
	said := fmt.Sprint(trace.Start(&other), recorder.Enabled(), trace.IsEnabled())
	time.Sleep(2500 * time.Millisecond)
	trace.Log(ctx, "key", "late")
	if _, err := recorder.WriteTo(&first); err != nil {
		panic(err)
	}
	trace.Log(ctx, "key", "later")
	if _, err := recorder.WriteTo(&second); err != nil {
		panic(err)
	}
	task.End()
	recorder.Stop()
	trace.Stop()
	said += fmt.Sprint(" ", trace.IsEnabled(), recorder.Enabled(), second.Len() > first.Len(), other.Len() > 16)
	return second.Bytes(), said
}
