package main

// Signals that a process sends itself: notified, stopped, ignored, as contexts, many at once.

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

func showOwn(v interface{}) string {
	if s, ok := v.(os.Signal); ok {
		return s.String()
	}
	return ""
}

func send(s syscall.Signal) {
	if err := syscall.Kill(syscall.Getpid(), s); err != nil {
		panic(err)
	}
}

// received gives the next signal of a channel, or says that none came.
func received(c chan os.Signal) string {
	select {
	case s := <-c:
		return s.String()
	case <-time.After(50 * time.Millisecond):
		return "none"
	}
}

//goemu:call notified()
//go:noinline
func notified() string {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	defer signal.Stop(c)
	send(syscall.SIGUSR1)
	return (<-c).String()
}

// inOrder sends one signal after the other; what is not asked for is not given.
//
//goemu:call inOrder(3)
//go:noinline
func inOrder(rounds int) (text string) {
	all, some := make(chan os.Signal, 8), make(chan os.Signal, 8)
	signal.Notify(all)
	signal.Notify(some, syscall.SIGUSR2, syscall.SIGHUP)
	defer signal.Reset()
	for i := 0; i < rounds; i++ {
		for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP} {
			send(s)
			text += received(all) + " "
		}
	}
	return text + "/ " + received(some) + " " + received(some)
}

// full drops what nobody takes.
//
//goemu:call full()
//go:noinline
func full() (first, second string) {
	c, seen := make(chan os.Signal, 1), make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGUSR1, syscall.SIGUSR2)
	signal.Notify(seen, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Reset()
	send(syscall.SIGUSR1)
	<-seen
	send(syscall.SIGUSR2)
	<-seen
	time.Sleep(time.Millisecond)
	return received(c), received(c)
}

// stopped: a channel gets no more; another does.
//
//goemu:call stopped()
//go:noinline
func stopped() (gone, stays string) {
	a, b := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(a, syscall.SIGUSR1)
	signal.Notify(b, syscall.SIGUSR1)
	defer signal.Stop(b)
	signal.Stop(a)
	send(syscall.SIGUSR1)
	return received(a), received(b)
}

//goemu:call ignored()
//go:noinline
func ignored() (before, after, reset bool) {
	before = signal.Ignored(syscall.SIGHUP)
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT)
	after = signal.Ignored(syscall.SIGHUP)
	send(syscall.SIGHUP)
	send(syscall.SIGINT)
	signal.Reset(syscall.SIGHUP, syscall.SIGINT)
	return before, after, signal.Ignored(syscall.SIGHUP)
}

// interrupted is in the middle of work when the signal comes.
//
//goemu:call interrupted(20)
//go:noinline
func interrupted(rounds int) (seen, sum int) {
	c, taken := make(chan os.Signal, 1), make(chan int, 1)
	signal.Notify(c, syscall.SIGWINCH)
	defer signal.Stop(c)
	go func() {
		for n := 1; n <= rounds; n++ {
			<-c
			taken <- n
		}
	}()
	for seen < rounds {
		send(syscall.SIGWINCH)
		for waiting := true; waiting; {
			select {
			case seen = <-taken:
				waiting = false
			default:
				sum |= 1
				time.Sleep(time.Microsecond)
			}
		}
	}
	return seen, sum
}

// nobody asked for it: the default is to do nothing.
//
//goemu:call nobody()
//go:noinline
func nobody() string {
	send(syscall.SIGCHLD)
	send(syscall.SIGURG)
	send(syscall.Signal(0))
	return "still here"
}

// waits for a signal that nobody sends.
//
//goemu:call waits()
//go:noinline
func waits() string {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	defer signal.Stop(c)
	return received(c)
}
