package main

// Ends that nobody planned, and what only an operating system could give.

import (
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

//go:noinline
func unlocked() {
	var m sync.Mutex
	m.Unlock()
}

//go:noinline
func unheld() {
	var w sync.WaitGroup
	w.Done()
}

//go:noinline
func waiting() {
	var w sync.WaitGroup
	w.Add(1)
	w.Wait()
}

//go:noinline
func noMain() { runtime.Goexit() }

//go:noinline
func exiting() {
	defer println("not reached")
	os.Exit(7)
}

//go:noinline
func killed() string { return said(syscall.Kill(syscall.Getpid(), syscall.SIGKILL)) }

//go:noinline
func executed() string {
	_, err := syscall.ForkExec("/bin/sh", []string{"sh"}, nil)
	return said(err)
}

//go:noinline
func opened() string {
	_, err := os.Open("/etc/passwd")
	return said(err)
}

//go:noinline
func dialled() string {
	_, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	return said(err)
}

// locked keeps its thread while it sleeps.
//
//go:noinline
func locked() string {
	runtime.LockOSThread()
	time.Sleep(time.Second)
	runtime.UnlockOSThread()
	return said(nil)
}

func said(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}
