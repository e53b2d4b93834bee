package main

// What turns a folder of functions into a program that reports what its cases do.
//
// A case is a comment on a function, `//goemu:call f(1, "a")`; cargo xtask fixtures makes a testCase of it. The
// program runs them all and reports on stderr, where print and println write too. A line that starts with
// "\x01" is the harness's: "case", its number; or the outcome, and the results as Go source. What lies between
// was printed by the case.

import (
	"strconv"
	"syscall"
)

type testCase struct {
	run   func() string
	fatal bool // ends the program: only run alone
}

var testCases []testCase

func main() {
	if number, ok := syscall.Getenv("GOEMU_CASE"); ok {
		i, _ := strconv.Atoi(number)
		report(testCases[i].run())
		return
	}
	for i := range testCases {
		if !testCases[i].fatal {
			print("\x01case\t", i, "\n")
			runRecovering(&testCases[i])
		}
	}
}

func report(results string) {
	print("\x01returned\t", results, "\n")
}

// runRecovering goes on after a panic. The text of the panic is taken from a run of its own.
func runRecovering(c *testCase) {
	defer func() {
		if recover() != nil {
			print("\x01panicked\t\n")
		}
	}()
	report(c.run())
}

// results writes what a call returned as Go source.
func results(values ...interface{}) string {
	text := ""
	for i, v := range values {
		if i > 0 {
			text += ", "
		}
		text += show(v)
	}
	return text
}

// show writes a value as fmt's %#v does, but for a nil interface, which is "nil". Package fmt itself would make
// the programs three times as large. The types of a program's own are in its showOwn.
func show(v interface{}) string {
	if text := showOwn(v); text != "" {
		return text
	}
	switch v := v.(type) {
	case nil:
		return "nil"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return strconv.Quote(v)
	case float32:
		return showFloat(float64(v), 32)
	case float64:
		return showFloat(v, 64)
	case complex64:
		return showComplex(complex128(v), 32)
	case complex128:
		return showComplex(v, 64)
	case []int:
		return showList("[]int", v == nil, len(v), func(i int) interface{} { return v[i] })
	case []byte:
		return showList("[]byte", v == nil, len(v), func(i int) interface{} { return v[i] })
	case []rune:
		return showList("[]int32", v == nil, len(v), func(i int) interface{} { return v[i] })
	case []float64:
		return showList("[]float64", v == nil, len(v), func(i int) interface{} { return v[i] })
	case []string:
		return showList("[]string", v == nil, len(v), func(i int) interface{} { return v[i] })
	}
	return showInteger(v)
}

func showInteger(v interface{}) string {
	switch v := v.(type) {
	case int:
		return strconv.FormatInt(int64(v), 10)
	case int8:
		return strconv.FormatInt(int64(v), 10)
	case int16:
		return strconv.FormatInt(int64(v), 10)
	case int32:
		return strconv.FormatInt(int64(v), 10)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint:
		return "0x" + strconv.FormatUint(uint64(v), 16)
	case uint8:
		return "0x" + strconv.FormatUint(uint64(v), 16)
	case uint16:
		return "0x" + strconv.FormatUint(uint64(v), 16)
	case uint32:
		return "0x" + strconv.FormatUint(uint64(v), 16)
	case uint64:
		return "0x" + strconv.FormatUint(v, 16)
	case uintptr:
		return "0x" + strconv.FormatUint(uint64(v), 16)
	}
	panic("show: add this type to showOwn")
}

func showFloat(f float64, bits int) string {
	return strconv.FormatFloat(f, 'g', -1, bits)
}

func showComplex(c complex128, bits int) string {
	im := showFloat(imag(c), bits)
	if im[0] != '-' && im[0] != '+' {
		im = "+" + im
	}
	return "(" + showFloat(real(c), bits) + im + "i)"
}

func showList(name string, isNil bool, n int, at func(int) interface{}) string {
	if isNil {
		return name + "(nil)"
	}
	text := name + "{"
	for i := 0; i < n; i++ {
		if i > 0 {
			text += ", "
		}
		text += show(at(i))
	}
	return text + "}"
}
