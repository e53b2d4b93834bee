package main

// What a process is given: arguments, environment, standard input. tests/given.rs gives some.

import (
	"bufio"
	"io"
	"os"
	"strings"
)

//goemu:call arguments()
//go:noinline
func arguments() string { return strings.Join(os.Args[1:], "|") }

//goemu:call environment("GOEMU_NOT_SET")
//go:noinline
func environment(name string) (string, bool) { return os.LookupEnv(name) }

//goemu:call words()
//go:noinline
func words() (count int, longest string) {
	in := bufio.NewScanner(os.Stdin)
	in.Split(bufio.ScanWords)
	for in.Scan() {
		if count++; len(in.Text()) > len(longest) {
			longest = in.Text()
		}
	}
	return count, longest
}

// twice reads in two pieces, and then finds the end.
//
//goemu:call twice(3)
//go:noinline
func twice(n int) (string, string, bool) {
	first, rest := make([]byte, n), make([]byte, 64)
	io.ReadFull(os.Stdin, first)
	m, _ := io.ReadFull(os.Stdin, rest)
	_, err := os.Stdin.Read(rest[:1])
	return strings.Trim(string(first), "\x00"), string(rest[:m]), err == io.EOF
}
