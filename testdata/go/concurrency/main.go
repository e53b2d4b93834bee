// Tests with bugs that only some schedules show, one of each kind that studies of Go programs name, and the same tests mended.
// A test binary, made by hand so that it is built as the other programs are: `goemu explore` looks for the failures of Test..Bug,
// and must find none of Test..Fixed.
package main

import (
	"regexp"
	"testing"
)

func main() {
	testing.Main(regexp.MatchString, append(blocking, data...), nil, nil)
}
