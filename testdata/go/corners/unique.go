//go:build go1.23
// +build go1.23

package main

import "unique"

func init() {
	mentioned = append(mentioned, canonical)
}

// canonical: whether equal values, and only these, have the same handle.
//
//go:noinline
func canonical(a, b string) (bool, string) {
	x, y := unique.Make(a), unique.Make(b)
	return x == y, x.Value() + y.Value()
}
