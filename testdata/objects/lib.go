// Package lib is what use.go imports.
package lib

var Scale = 3

//go:noinline
func Scaled(n int) int { return n * Scale }
