//go:build go1.16
// +build go1.16

package main

import (
	"context"
	"os/signal"
	"syscall"
)

//goemu:call untilSignal()
//go:noinline
func untilSignal() (before, after string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	before = cause(ctx)
	send(syscall.SIGTERM)
	<-ctx.Done()
	return before, cause(ctx)
}

//goemu:call untilStopped()
//go:noinline
func untilStopped() string {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	stop()
	<-ctx.Done()
	return cause(ctx)
}

func cause(ctx context.Context) string {
	if ctx.Err() == nil {
		return "none"
	}
	return ctx.Err().Error()
}
