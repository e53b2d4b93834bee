package main

/*
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	int number;
	double weight;
	char name[8];
} record;

extern int goSquare(int);

static int add(int a, int b) { return a + b; }

static int fails(int number) {
	errno = number;
	return -1;
}

static uint64_t mix(uint64_t x, int rounds) {
	for (int i = 0; i < rounds; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

static int squares(int count) {
	int sum = 0;
	for (int i = 0; i < count; i++)
		sum += goSquare(i);
	return sum;
}

static record makeRecord(int number) {
	record r = {number, number * 1.5, ""};
	strcpy(r.name, "rec");
	return r;
}

static double total(record *records, int count) {
	double sum = 0;
	for (int i = 0; i < count; i++)
		sum += records[i].weight;
	return sum;
}

static char *twice(const char *text) {
	size_t size = strlen(text);
	char *both = malloc(size + 1);
	memcpy(both, text, size + 1);
	both = realloc(both, 2 * size + 1);
	memmove(both + size, both, size);
	both[2 * size] = 0;
	return both;
}

static void say(const char *text) { puts(text); }
*/
import "C"

import (
	"os"
	"os/user"
	"runtime"
	"runtime/debug"
	"unsafe"
)

//export goSquare
func goSquare(n C.int) C.int {
	if n < 0 {
		panic("negative")
	}
	return n * n
}

// add calls C.
//
//goemu:call add(1, 2)
//goemu:call add(-5, 3)
//goemu:call add(2147483647, 1)
//go:noinline
func add(a, b int32) int32 { return int32(C.add(C.int(a), C.int(b))) }

// mix stays in C for a while.
//
//goemu:call mix(7, 100)
//goemu:call mix(0, 1)
//goemu:call mix(1, 5000)
//go:noinline
func mix(x uint64, rounds int) uint64 { return uint64(C.mix(C.uint64_t(x), C.int(rounds))) }

// squares calls C, which calls Go.
//
//goemu:call squares(0)
//goemu:call squares(1)
//goemu:call squares(30)
//go:noinline
func squares(count int) int { return int(C.squares(C.int(count))) }

// fails has an error of C's errno.
//
//goemu:call fails(2)
//goemu:call fails(22)
//goemu:call fails(0)
//go:noinline
func fails(number int) (int, string) {
	result, err := C.fails(C.int(number))
	if err == nil {
		return int(result), "nil"
	}
	return int(result), err.Error()
}

// total gives C a slice.
//
//goemu:call total(1)
//goemu:call total(20)
//go:noinline
func total(count int) float64 {
	records := make([]C.record, count)
	for i := range records {
		records[i] = C.makeRecord(C.int(i))
	}
	return float64(C.total(&records[0], C.int(count)))
}

// twice goes to C's strings and back.
//
//goemu:call twice("")
//goemu:call twice("goemu")
//go:noinline
func twice(text string) string {
	in := C.CString(text)
	defer C.free(unsafe.Pointer(in))
	out := C.twice(in)
	defer C.free(unsafe.Pointer(out))
	return C.GoString(out)
}

// say prints by C; harnesses see standard error alone.
//
//go:noinline
func say(text string) {
	in := C.CString(text)
	C.say(in)
	C.free(unsafe.Pointer(in))
}

// goroutines call C, and each other.
//
//goemu:call goroutines(1)
//goemu:call goroutines(20)
//go:noinline
func goroutines(count int) int {
	sums := make(chan int)
	for i := 0; i < count; i++ {
		go func(i int) { sums <- squares(i) }(i)
	}
	sum := 0
	for i := 0; i < count; i++ {
		sum += <-sums
	}
	return sum
}

// environment is kept in C, too.
//
//goemu:call environment("GOEMU_A", "b")
//go:noinline
func environment(name, value string) (string, bool) {
	os.Setenv(name, value)
	got := os.Getenv(name)
	os.Unsetenv(name)
	_, there := os.LookupEnv(name)
	return got, there
}

// nobody asks C for a user that there is not.
//
//goemu:call nobody("3999999999")
//go:noinline
func nobody(number string) bool {
	_, err := user.LookupId(number)
	return err != nil
}

// faulting reads where nothing is, and has asked for a panic.
//
//goemu:call faulting(20014547599360)
//goemu:call faulting(8)
//go:noinline
func faulting(at uintptr) (text string) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { text = recover().(error).Error() }()
	return string(rune(*(*byte)(unsafe.Pointer(at))))
}

// collected collects garbage on several processors.
//
//goemu:call collected(2, 3)
//goemu:call collected(4, 10)
//go:noinline
func collected(processors, times int) int {
	before := runtime.GOMAXPROCS(processors)
	for i := 0; i < times; i++ {
		goroutines(4)
		runtime.GC()
		runtime.Gosched()
	}
	return runtime.GOMAXPROCS(before)
}

// percent is what the collector was started with.
//
//goemu:call percent(50)
//go:noinline
func percent(to int) (int, int) {
	before := debug.SetGCPercent(to)
	return before, debug.SetGCPercent(before)
}

// showOwn knows no types of this program's own.
func showOwn(interface{}) string { return "" }
