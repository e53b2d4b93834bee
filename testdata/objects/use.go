// Package main uses a package that is in another archive.
package main

import "lib"

func use(n int) int { return lib.Scaled(n) + 1 }

func read() int { return lib.Scale }

func maybe(n int) int {
	if n < 0 {
		return lib.Scaled(n)
	}
	return n
}

func main() { println(use(2), read(), maybe(1)) }
