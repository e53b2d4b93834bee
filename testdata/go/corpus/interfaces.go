package main

// Methods, interfaces, type switches, conversions to interfaces, embedding.

type shape interface{ area() float64 }

type namedShape interface {
	shape
	name() string
}

type circle struct{ r int }

func (c circle) area() float64 { return 3 * float64(c.r*c.r) }
func (c circle) name() string  { return "circle" }

type rect struct{ w, h float64 }

func (r *rect) area() float64 { return r.w * r.h }

type box struct {
	rect
	*counter
	label string
}

func (b box) name() string { return "box " + b.label }

// Methods called as functions, receiver first.
//
//goemu:call circle.area(circle{3})
//goemu:call point.plus(point{1, 2}, point{10, 20})
//go:noinline
func (p point) plus(q point) point { return point{p.x + q.x, p.y + q.y} }

//go:noinline
func (p *point) scale(k int) *point {
	p.x *= k
	p.y *= k
	return p
}

//goemu:call chainMethods(2)
//go:noinline
func chainMethods(k int) point {
	p := point{1, 2}
	return p.scale(k).scale(k).plus(point{100, 100})
}

//goemu:call areas(2)
//goemu:call areas(0)
//go:noinline
func areas(n int) (total float64) {
	for _, s := range []shape{circle{n}, &rect{float64(n), 2.5}, &box{rect: rect{1, 1}}} {
		total += s.area()
	}
	return total
}

//goemu:call assertShape(0)
//goemu:call assertShape(1)
//goemu:call assertShape(2)
//go:noinline
func assertShape(which int) (string, bool) {
	s := []interface{}{circle{1}, &rect{}, 5}[which]
	if n, ok := s.(namedShape); ok {
		return n.name(), true
	}
	_, ok := s.(shape)
	return "unnamed", ok
}

//goemu:call kindOf(0)
//goemu:call kindOf(1)
//goemu:call kindOf(2)
//goemu:call kindOf(3)
//goemu:call kindOf(4)
//goemu:call kindOf(5)
//goemu:call kindOf(6)
//goemu:call kindOf(7)
//goemu:call kindOf(8)
//go:noinline
func kindOf(which int) string {
	values := []interface{}{nil, 1, "s", 2.5, []int{1}, circle{2}, &rect{1, 2}, codeError{3}, func() {}}
	switch v := values[which].(type) {
	case nil:
		return "nil"
	case int:
		return "int " + itoa(v)
	case string:
		return "string " + v
	case float64:
		return "float64"
	case []int:
		return "slice " + itoa(len(v))
	case namedShape:
		return "named " + v.name()
	case shape:
		return "shape " + itoa(int(v.area()))
	case error:
		return "error " + v.Error()
	}
	return "unknown"
}

// boxed has values that need memory when they become interfaces, and such that do not.
//
//goemu:call boxed(5)
//goemu:call boxed(100000)
//go:noinline
func boxed(n int) (s int) {
	for _, v := range []interface{}{n, uint8(n), n > 50, itoa(n), point{n, 1}, struct{}{}, int16(n), float32(n)} {
		switch v := v.(type) {
		case int:
			s += v
		case uint8:
			s += int(v) * 3
		case bool:
			s += boolInt(v) * 7
		case string:
			s += len(v) * 11
		case point:
			s += v.x * 13
		case int16:
			s += int(v) * 17
		case float32:
			s += int(v) * 19
		default:
			s += 1000
		}
	}
	return s
}

//goemu:call embedded(3)
//go:noinline
func embedded(n int) (float64, string, int) {
	b := box{rect{float64(n), 2}, &counter{n}, "b" + itoa(n)}
	s := 1
	b.addTo(&s)
	b.w++
	return b.area(), namedShape(&b).name(), s
}

//goemu:call errorOrNil(0)
//goemu:call errorOrNil(3)
//go:noinline
func errorOrNil(code int) (int, error) {
	if code != 0 {
		return -1, codeError{code}
	}
	return 1, nil
}

//goemu:call anyValue(0)
//goemu:call anyValue(1)
//goemu:call anyValue(2)
//goemu:call anyValue(3)
//go:noinline
func anyValue(which int) interface{} {
	switch which {
	case 0:
		return nil
	case 1:
		return 42
	case 2:
		return "text"
	}
	return point{1, 2}
}

//goemu:call takesAny(7)
//goemu:call takesAny("seven")
//goemu:call takesAny(nil)
//go:noinline
func takesAny(v interface{}) string { return show(v) }
