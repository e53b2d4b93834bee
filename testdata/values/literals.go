// Prints each of its own values as a row: type, expression, %#v, %+v. The rows beside this file are its
// output: go run literals.go > literals.tsv. Inside a field, line breaks and tabs are spaces, and
// what is not UTF-8 is U+FFFD.
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"math"
	"os"
	"reflect"
	"strings"
	"unsafe"
)

//go:embed literals.go
var source string

type Color uint8
type Celsius float64
type Name string
type List []int
type Table map[string]List
type Point struct{ X, Y int }
type Line struct {
	From, To Point
	Label    string
}
type Pair[K, V any] struct {
	Key K
	Val V
}
type Mixed struct {
	A int8
	B float64
	C string
	D []byte
	E map[string]int
	F any
	G *Point
	_ int32
	H [2]bool
	I complex64
	Point
}

type row struct {
	ty    string
	value any
}

func of[T any](v T) row { return row{reflect.TypeFor[T]().String(), v} }

var _ = errors.New
var _ = unsafe.Pointer(nil)

var rows = []row{
	of[int](0), of[int](-0x_7f), of[int](0b1010_1010), of[int](0o17), of[int](017), of[int](1_000_000), of[int]('a'),
	of[int](1e3), of[int](+5), of[int](math.MaxInt64), of[int](math.MinInt64), of[int](int(7)),
	of[int8](-128), of[int16](32767), of[int32]('世'), of[int32]('\n'), of[int32]('\''), of[int32]('\x41'),
	of[int32]('\u00e9'), of[int32]('\U0001F600'), of[int32]('\101'), of[int64](-9223372036854775808),
	of[uint8](255), of[uint8](byte(7)), of[uint16](0xffff), of[uint32](16), of[uint64](18446744073709551615),
	of[uint64](math.MaxUint64), of[uintptr](0x1000), of[bool](true), of[bool](false),
	of[Color](3), of[Color](Color(3)), of[Celsius](36.6), of[Celsius](Celsius(-40)),
	of[float64](1), of[float64](0.1), of[float64](1e6), of[float64](1e21), of[float64](0x1p-2), of[float64](.5),
	of[float64](1.), of[float64](-2.5e-7), of[float64](123456789), of[float64](100000), of[float64]('a'),
	of[float64](math.Inf(1)), of[float64](math.Inf(-1)), of[float64](math.NaN()), of[float64](math.Pi),
	of[float64](math.MaxFloat64), of[float64](5e-324), of[float32](0.1), of[float32](16777217), of[float32](3.4e38),
	of[float32](1e-45), of[float32](math.MaxFloat32),
	of[complex128](1 + 2i), of[complex128](2i), of[complex128](5), of[complex128](-1.5 - 0.5i),
	of[complex128]((1 - 2i)), of[complex128](complex(1, -2)), of[complex128](complex(math.NaN(), math.Inf(1))),
	of[complex64](1.5 + 0x10i), of[complex64](complex64(3)),
	of[string](""), of[string]("hello, 世界"), of[string]("a\tb\n\"c\"\\ \x00\xff\101\u00e9\U0001F600"),
	of[string](`raw \n "x"`), of[Name]("n"),
	of[[]int](nil), of[[]int]([]int{}), of[[]int]([]int{1, -2, 3}), of[[]int]([]int{1, 2}), of[[]int]([]int(nil)),
	of[[]int]([]int{2: 5, 1, 0: 9}), of[[]int](make([]int, 3)), of[[]int](make([]int, 2, 10)),
	of[List](List{1, 2}), of[List]([]int{3}), of[List](nil),
	of[[]byte]([]byte("hi\x00")), of[[]byte]([]byte{1, 'b', 0xff}), of[[]byte](nil), of[[]byte]([]byte(nil)),
	of[[]byte]([]byte{}), of[[]byte](make([]byte, 2)),
	of[[]string]([]string{"a", `b`, "c"}), of[[][]int]([][]int{{1}, nil, {2, 3}}), of[[][]byte]([][]byte{{1}, []byte("x")}),
	of[[3]int]([3]int{1, 2}), of[[3]int]([...]int{1, 2, 3}), of[[3]int]([3]int{2: 1}), of[[4]byte]([4]byte{1, 2}),
	of[[0]int]([0]int{}), of[[2][2]bool]([2][2]bool{{true}, {false, true}}),
	of[Point](Point{}), of[Point](Point{1, 2}), of[Point](Point{Y: 5}), of[Point](Point{
		X: 1,
		Y: 2,
	}),
	of[Line](Line{Point{1, 2}, Point{X: 3}, "l"}), of[Line](Line{To: Point{1, 1}}),
	of[Mixed](Mixed{A: -1, B: 1.5, C: "x", D: []byte{1}, E: map[string]int{"z": 1, "a": 2}, F: 5, H: [2]bool{true, false},
		I: 1i, Point: Point{1, 2}}),
	of[Mixed](Mixed{F: Point{3, 4}}), of[Mixed](Mixed{}),
	of[struct{ A int }](struct{ A int }{5}), of[struct{}](struct{}{}),
	of[Pair[string, int]](Pair[string, int]{"k", 1}), of[Pair[string, int]](Pair[string, int]{Val: 2}),
	of[*Point](&Point{1, 2}), of[*Point](nil), of[*Point]((*Point)(nil)), of[*Point](new(Point)), of[*[]int](&[]int{1}),
	of[*[2]int](&[2]int{1}), of[*int](nil), of[**Point](nil),
	of[map[string]int](map[string]int{"b": 2, "a": 1, "": 0}), of[map[string]int](nil), of[map[string]int](map[string]int{}),
	of[map[string]int](make(map[string]int)), of[map[int8]string](map[int8]string{-1: "x", 1: "y"}),
	of[map[Point]bool](map[Point]bool{{2, 1}: true, {1, 2}: false}), of[map[[2]int]int](map[[2]int]int{{1, 2}: 3, {1, 1}: 4}),
	of[map[float64]int](map[float64]int{2.5: 1, math.Inf(-1): 2, -1: 3}), of[map[bool]int](map[bool]int{true: 1, false: 0}),
	of[map[string][]int](map[string][]int{"a": {1}, "b": nil}), of[Table](Table{"t": {1, 2}}),
	of[map[int]int](map[int]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9, 10: 10, 11: 11, 12: 12}),
	of[any](nil), of[any](5), of[any](-2.5), of[any]('x'), of[any]("s"), of[any](true), of[any](2i), of[any](uint8(7)),
	of[any](any(5)), of[any](Point{1, 2}), of[any](&Point{1, 2}), of[any]([]int{1}), of[any](map[string]int{"a": 1}),
	of[any](Color(2)), of[any](Name("n")), of[any](math.Inf(1)), of[any](interface{}("x")), of[any]([]byte("hi")),
	of[any](float64(1)), of[any](error(nil)), of[any](make([]int, 1)), of[any](new(Point)),
	of[[]any]([]any{1, "a", nil, 2.5, []any{true}, Point{1, 2}}), of[map[string]any](map[string]any{"x": 1, "y": nil}),
	of[error](nil), of[func(int) string](nil), of[func()]((func())(nil)), of[chan int](nil), of[<-chan int](nil),
	of[unsafe.Pointer](nil), of[unsafe.Pointer]((unsafe.Pointer)(nil)),
}

func main() {
	fields := func(s string) string {
		return strings.ToValidUTF8(strings.NewReplacer("\n", " ", "\t", " ").Replace(s), "\uFFFD")
	}
	for i, text := range texts() {
		v := rows[i].value
		fmt.Printf("%s\t%s\t%s\t%s\n", rows[i].ty, fields(text), fields(fmt.Sprintf("%#v", v)), fields(fmt.Sprintf("%+v", v)))
	}
}

// texts returns the argument of each call of of.
func texts() (texts []string) {
	expr, err := parser.ParseExpr(source[strings.Index(source, "= []row{")+2 : strings.Index(source, "\nfunc main")])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	text := source[strings.Index(source, "= []row{")+2:]
	for _, e := range expr.(*ast.CompositeLit).Elts {
		arg := e.(*ast.CallExpr).Args[0]
		texts = append(texts, text[arg.Pos()-1:arg.End()-1])
	}
	return texts
}
