// Prints where random signatures have their arguments and results: the rows beside this file are its output,
// by package reflect's own assigner (reflect/abi.go), which calls functions that the compiler made.
// To be built by Go 1.22, the last release that lets it be linked to, in a module with an empty .s file beside it.
//
// A row is a signature, the pieces of each argument and result (offset in the value + size, place), and the
// size of the stack arguments, the offset of the stack results and the size of the spill area.
package main

import (
	"fmt"
	"math/rand"
	"reflect"
	"strings"
	"unsafe"
)

type step struct {
	kind         int
	offset, size uintptr
	stkOff       uintptr
	ireg, freg   int
}

type seq struct {
	steps        []step
	valueStart   []int
	stackBytes   uintptr
	iregs, fregs int
}

type desc struct {
	call, ret                           seq
	stackCallArgsSize, retOffset, spill uintptr
	stackPtrs                           unsafe.Pointer
	inRegPtrs, outRegPtrs               [2]uint8
}

//go:linkname newAbiDesc reflect.newAbiDesc
func newAbiDesc(t, rcvr unsafe.Pointer) desc

var basic = []reflect.Type{
	of[bool](), of[int8](), of[int16](), of[int32](), of[int](), of[uint8](), of[uint64](), of[uintptr](),
	of[float32](), of[float64](), of[complex64](), of[complex128](), of[string](), of[[]int](), of[any](),
	of[error](), of[*int](), of[map[string]int](), of[chan int](), of[func()](), of[struct{}](),
}

func of[T any]() reflect.Type { return reflect.TypeFor[T]() }

var r = rand.New(rand.NewSource(7))

func random(depth int) reflect.Type {
	if depth > 0 {
		switch r.Intn(6) {
		case 0:
			return reflect.ArrayOf(r.Intn(4), random(depth-1))
		case 1, 2:
			var fields []reflect.StructField
			for i := r.Intn(5); i > 0; i-- {
				f := reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: random(depth - 1)}
				fields = append(fields, f)
			}
			return reflect.StructOf(fields)
		}
	}
	return basic[r.Intn(len(basic))]
}

func list(n int) (types []reflect.Type) {
	for ; n > 0; n-- {
		types = append(types, random(3))
	}
	return types
}

func main() {
	for i := 0; i < 200; i++ {
		f := reflect.FuncOf(list(r.Intn(10)), list(r.Intn(5)), false)
		d := newAbiDesc((*[2]unsafe.Pointer)(unsafe.Pointer(&f))[1], nil)
		fmt.Printf("%v\t%s\t%s\t%d %d %d\n", f, pieces(d.call, 0), pieces(d.ret, d.retOffset), d.stackCallArgsSize, d.retOffset, d.spill)
	}
}

// pieces gives the parts of each value, and a - for one that has none.
func pieces(s seq, base uintptr) string {
	var values []string
	for i, start := range s.valueStart {
		end := len(s.steps)
		if i+1 < len(s.valueStart) {
			end = s.valueStart[i+1]
		}
		var parts []string
		for _, p := range s.steps[start:end] {
			place := fmt.Sprintf("S%d", p.stkOff)
			switch p.kind {
			case 2, 3:
				place = fmt.Sprintf("I%d", p.ireg)
			case 4:
				place = fmt.Sprintf("F%d", p.freg)
			}
			parts = append(parts, fmt.Sprintf("%d+%d:%s", p.offset, p.size, place))
		}
		if parts == nil {
			parts = []string{"-"}
		}
		values = append(values, strings.Join(parts, ","))
	}
	return strings.Join(values, " ")
}
