package main

// Functions with one wrong case each, and what they are to be. The tests of goemu's own tests find each of them, and the
// smallest input that it is wrong for.

import (
	"strings"
	"unicode/utf8"
)

type person struct {
	name string
	age  int
}

// lastButOne is wrong for four elements.
//
//go:noinline
//goemu:call lastButOne([]int{1, 2, 3})
func lastButOne(a []int) int {
	if len(a) < 2 {
		return 0
	}
	if len(a) == 4 {
		return a[len(a)]
	}
	return a[len(a)-2]
}

// twice overflows.
//
//go:noinline
//goemu:call twice(3)
func twice(n int8) int {
	return int(n + n)
}

//go:noinline
//goemu:call twiceRight(3)
func twiceRight(n int8) int {
	return 2 * int(n)
}

// nameOf does not look whether there is somebody.
//
//go:noinline
//goemu:call nameOf(&person{"a", 1})
func nameOf(p *person) string {
	return p.name
}

// keys forgets to sort.
//
//go:noinline
//goemu:call keys(map[string]int{"a": 1})
func keys(m map[string]int) string {
	all := ""
	for k := range m {
		all += k + ","
	}
	return all
}

// capitalise takes a byte for a letter.
//
//go:noinline
//goemu:call capitalise("abc")
func capitalise(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

//go:noinline
//goemu:call staysValid("a", "A")
func staysValid(s, r string) bool {
	return !utf8.ValidString(s) || utf8.ValidString(r) && utf8.RuneCountInString(s) == utf8.RuneCountInString(r)
}

// round is wrong for negative halves.
//
//go:noinline
//goemu:call round(2.5)
func round(x float64) int {
	return floor(x + 0.5)
}

// roundRight rounds halves away from zero.
//
//go:noinline
//goemu:call roundRight(2.5)
func roundRight(x float64) int {
	if x < 0 {
		return -floor(-x + 0.5)
	}
	return floor(x + 0.5)
}

func floor(x float64) int {
	n := int(x)
	if float64(n) > x {
		n--
	}
	return n
}

// swap shifts by seven.
//
//go:noinline
//goemu:call swap(0)
func swap(n uint16) uint16 {
	return n<<8 | n>>7
}

// sorted sorts what it is given.
//
//go:noinline
//goemu:call sorted([]int{1, 2})
func sorted(a []int) []int {
	for i := range a {
		for j := i; j > 0 && a[j] < a[j-1]; j-- {
			a[j], a[j-1] = a[j-1], a[j]
		}
	}
	return a
}

var total = 0

// add keeps a sum between calls.
//
//go:noinline
//goemu:call add(0)
func add(n int) int {
	total += n
	return total
}

// magic is wrong for files of one kind.
//
//go:noinline
//goemu:call magic([]byte("abcdef"))
func magic(b []byte) int {
	if len(b) >= 4 && string(b[:4]) == "\x7fELF" {
		return int(b[len(b)])
	}
	return len(b)
}

// checked is wrong where the last byte is the sum of the others and one more.
//
//go:noinline
//goemu:call checked([]byte{1, 2, 3})
func checked(b []byte) byte {
	if len(b) < 4 {
		return 0
	}
	sum := byte(1)
	for _, c := range b[:len(b)-1] {
		sum += c
	}
	if sum == b[len(b)-1] {
		return b[len(b)]
	}
	return sum
}

// record believes a length.
//
//go:noinline
//goemu:call record([]byte{2, 7, 8})
func record(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	sum := 0
	for i := 1; i <= int(b[0]); i++ {
		sum += int(b[i])
	}
	return sum
}

// ratio divides by zero.
//
//go:noinline
//goemu:call ratio(6, 1)
func ratio(a, b int) int {
	return a / (b + 7)
}

// halvings does not end for zero.
//
//go:noinline
//goemu:call halvings(8)
func halvings(n uint32) int {
	count := 0
	for n&1 == 0 {
		n >>= 1
		count++
	}
	return count
}

// nested does not get ahead where a parenthesis opens.
//
//go:noinline
//goemu:call nested("abc")
func nested(s string) int {
	if s == "" {
		return 0
	}
	if s[0] == '(' {
		return 1 + nested(s)
	}
	return nested(s[1:])
}

// describe does not look whether there is an error.
//
//go:noinline
//goemu:call describe(errors.New("x"))
func describe(err error) string {
	return err.Error()
}

// number knows few types.
//
//go:noinline
//goemu:call number(5)
func number(v interface{}) int {
	if v == nil {
		return 0
	}
	if s, ok := v.(string); ok {
		return len(s)
	}
	return v.(int)
}

// send waits for ever.
//
//go:noinline
//goemu:call send(1)
func send(n int) int {
	c := make(chan int, 2)
	for i := 0; i < n; i++ {
		c <- i
	}
	return len(c)
}

// mix is to give the same for both orders.
//
//go:noinline
//goemu:call mix(1, 1)
func mix(a, b uint32) uint32 {
	return a*31 + b
}

// trim takes away one space.
//
//go:noinline
//goemu:call trim(" a")
func trim(s string) string {
	return strings.TrimPrefix(s, " ")
}

// grade falls at 100.
//
//go:noinline
//goemu:call grade(85)
func grade(n int) int {
	switch {
	case n >= 100:
		return 0
	case n >= 90:
		return 2
	case n >= 80:
		return 1
	}
	return 0
}

// encode counts to nine and goes on with the next digit.
//
//go:noinline
//goemu:call encode("aab")
func encode(s string) string {
	out := ""
	for i := 0; i < len(s); {
		n := 1
		for i+n < len(s) && s[i+n] == s[i] {
			n++
		}
		out += string([]byte{'0' + byte(n%10), s[i]})
		i += n
	}
	return out
}

//go:noinline
//goemu:call decode("2a1b")
func decode(s string) string {
	out := ""
	for i := 0; i+1 < len(s); i += 2 {
		out += strings.Repeat(s[i+1:i+2], int(s[i]-'0'))
	}
	return out
}
