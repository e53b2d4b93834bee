// Made by cargo xtask defers --print.

package main

type failure struct{ code int }

func (f failure) Error() string { return "failure" }

var array [3]int

func code(e interface{}) int {
	switch e := e.(type) {
	case int:
		return e
	case string:
		return len(e)
	case error:
		return 100 + len(e.Error())
	}
	return -1
}

func showOwn(v interface{}) string { return "" }

//
//goemu:call f0(0)
//goemu:call f0(1)
//goemu:call f0(2)
//goemu:call f0(5)
//go:noinline
func f0(x int) (s int) {
	defer func() { s = s*7 + 9 }()
	array[2] = s
	s++
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			defer func() {
				if e := recover(); e != nil {
					s = s*11 + code(e)
				}
			}()
		}
	}()
	return
}

//
//goemu:call f1(0)
//goemu:call f1(1)
//goemu:call f1(2)
//goemu:call f1(5)
//go:noinline
func f1(x int) (s int) {
	array[1] = s
	defer func() { s = s*7 + 2 }()
	defer func() { s = s*7 + 4 }()
	if x%3 == 0 {
		array[0] = s
		if x%4 == 1 {
			s /= x - x
		}
	}
	defer func() {
		if x == 5 {
			return
		}
	}()
	if x%3 == 0 {
		s += f0(x + 4)
	}
	return
}

//
//goemu:call f2(0)
//goemu:call f2(1)
//goemu:call f2(2)
//goemu:call f2(5)
//go:noinline
func f2(x int) (s int) {
	defer func() {
		if x%3 == 2 {
			s += f0(x + 2)
		}
	}()
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			array[2] = s
		}
	}()
	array[0] = s
	s = s*3 + 9
	defer func(k int) { s = s*5 + k }(x + 3)
	return s*3 + 6
}

//
//goemu:call f3(0)
//goemu:call f3(1)
//goemu:call f3(2)
//goemu:call f3(5)
//go:noinline
func f3(x int) (s int) {
	if x == 5 {
		return s + 1
	}
	func() {
		s += f1(x + 5)
		if x == 7 {
			return
		}
	}()
	defer func(k int) { s = s*5 + k }(x + 3)
	if x == 9 {
		return s + 1
	}
	s += f2(x + 9)
	defer func() {
		s = s*3 + 4
	}()
	return s*3 + 0
}

//
//goemu:call f4(0)
//goemu:call f4(1)
//goemu:call f4(2)
//goemu:call f4(5)
//go:noinline
func f4(x int) (s int) {
	if x == 3 {
		return s + 1
	}
	func() {
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
				panic(e)
			}
		}()
	}()
	if x == 9 {
		return s + 1
	}
	defer func() { s = s*7 + 6 }()
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			s += f2(x + 1)
		}
	}()
	return s*3 + 6
}

//
//goemu:call f5(0)
//goemu:call f5(1)
//goemu:call f5(2)
//goemu:call f5(5)
//go:noinline
func f5(x int) (s int) {
	if x%3 == 0 {
		if x == 8 {
			return s + 1
		}
	}
	defer func(k int) { s = s*5 + k }(x + 8)
	s += f3(x + 9)
	defer func() {
		defer func() {
			defer func(k int) { s = s*5 + k }(x + 4)
			defer func() {
				array[2] = s
			}()
		}()
	}()
	func() {
		array[1] = s
	}()
	defer func(k int) { s = s*5 + k }(x + 7)
	return s*3 + 8
}

//
//goemu:call f6(0)
//goemu:call f6(1)
//goemu:call f6(2)
//goemu:call f6(5)
//go:noinline
func f6(x int) (s int) {
	s = s*3 + 6
	for i1 := 0; i1 < 4; i1++ {
		i1 := i1
		defer func() { s = s*3 + i1 }()
	}
	defer func() {
		array[2] = s
	}()
	defer func() { s = s*7 + 3 }()
	s = s*3 + 6
	for i2 := 0; i2 < 3; i2++ {
		i2 := i2
		defer func() { s = s*3 + i2 }()
	}
	return
}

//
//goemu:call f7(0)
//goemu:call f7(1)
//goemu:call f7(2)
//goemu:call f7(5)
//go:noinline
func f7(x int) (s int) {
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			panic(e)
		}
	}()
	if x == 1 {
		return s + 1
	}
	for i3 := 0; i3 < 4; i3++ {
		i3 := i3
		defer func() { s = s*3 + i3 }()
	}
	array[1] = s
	defer func() { s = s*7 + 2 }()
	return
}

//
//goemu:call f8(0)
//goemu:call f8(1)
//goemu:call f8(2)
//goemu:call f8(5)
//go:noinline
func f8(x int) (s int) {
	for i4 := 0; i4 < 1; i4++ {
		i4 := i4
		defer func() { s = s*3 + i4 }()
	}
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			defer func() {
				defer func() {
					if e := recover(); e != nil {
						s = s*11 + code(e)
						panic(e)
					}
				}()
				s += f6(x + 0)
			}()
		}
	}()
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	defer func(k int) { s = s*5 + k }(x + 3)
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	if x%3 == 1 {
		defer func() { s = s*7 + 5 }()
		if x == 4 {
			return s + 1
		}
	}
	return
}

//
//goemu:call f9(0)
//goemu:call f9(1)
//goemu:call f9(2)
//goemu:call f9(5)
//go:noinline
func f9(x int) (s int) {
	if x == 1 {
		return s + 1
	}
	defer func(k int) { s = s*5 + k }(x + 5)
	if x == 3 {
		return s + 1
	}
	if x == 3 {
		return s + 1
	}
	return s*3 + 3
}

//
//goemu:call f10(0)
//goemu:call f10(1)
//goemu:call f10(2)
//goemu:call f10(5)
//go:noinline
func f10(x int) (s int) {
	func() {
		defer func(k int) { s = s*5 + k }(x + 1)
		for i5 := 0; i5 < 4; i5++ {
			i5 := i5
			defer func() { s = s*3 + i5 }()
		}
	}()
	if x == 1 {
		return s + 1
	}
	if x%3 == 0 {
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
			}
		}()
	}
	for i6 := 0; i6 < 1; i6++ {
		i6 := i6
		defer func() { s = s*3 + i6 }()
	}
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			panic(e)
		}
	}()
	array[0] = s
	return s*3 + 0
}

//
//goemu:call f11(0)
//goemu:call f11(1)
//goemu:call f11(2)
//goemu:call f11(5)
//go:noinline
func f11(x int) (s int) {
	defer func(k int) { s = s*5 + k }(x + 4)
	array[0] = s
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	defer func(k int) { s = s*5 + k }(x + 5)
	defer func() { s = s*7 + 4 }()
	return s*3 + 7
}

//
//goemu:call f12(0)
//goemu:call f12(1)
//goemu:call f12(2)
//goemu:call f12(5)
//go:noinline
func f12(x int) (s int) {
	if x%3 == 2 {
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
				defer func() {
					if e := recover(); e != nil {
						s = s*11 + code(e)
						s += f1(x + 9)
					}
				}()
			}
		}()
		if x%3 == 1 {
			defer func(k int) { s = s*5 + k }(x + 0)
			func() {
				s += f10(x + 6)
			}()
		}
	}
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			panic(e)
		}
	}()
	if x%4 == 0 {
		var p *failure
		s += p.code
	}
	s += f1(x + 8)
	return
}

//
//goemu:call f13(0)
//goemu:call f13(1)
//goemu:call f13(2)
//goemu:call f13(5)
//go:noinline
func f13(x int) (s int) {
	if x == 8 {
		return s + 1
	}
	if x == 4 {
		return s + 1
	}
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	defer func(k int) { s = s*5 + k }(x + 7)
	return
}

//
//goemu:call f14(0)
//goemu:call f14(1)
//goemu:call f14(2)
//goemu:call f14(5)
//go:noinline
func f14(x int) (s int) {
	s = s*3 + 3
	s = s*3 + 4
	if x == 2 {
		return s + 1
	}
	s += f7(x + 7)
	return
}

//
//goemu:call f15(0)
//goemu:call f15(1)
//goemu:call f15(2)
//goemu:call f15(5)
//go:noinline
func f15(x int) (s int) {
	if x%4 == 1 {
		s /= x - x
	}
	array[0] = s
	s = s*3 + 6
	s += f5(x + 4)
	s = s*3 + 5
	for i7 := 0; i7 < 4; i7++ {
		i7 := i7
		defer func() { s = s*3 + i7 }()
	}
	return
}

//
//goemu:call f16(0)
//goemu:call f16(1)
//goemu:call f16(2)
//goemu:call f16(5)
//go:noinline
func f16(x int) (s int) {
	for i8 := 0; i8 < 3; i8++ {
		i8 := i8
		defer func() { s = s*3 + i8 }()
	}
	s += f15(x + 7)
	s = s*3 + 5
	return
}

//
//goemu:call f17(0)
//goemu:call f17(1)
//goemu:call f17(2)
//goemu:call f17(5)
//go:noinline
func f17(x int) (s int) {
	if x == 7 {
		return s + 1
	}
	if x%3 == 0 {
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
			}
		}()
		defer func() { s = s*7 + 4 }()
	}
	if x == 8 {
		return s + 1
	}
	func() {
		func() {
			defer func(k int) { s = s*5 + k }(x + 2)
			if x == 5 {
				return
			}
		}()
	}()
	if x%3 == 0 {
		s += f10(x + 8)
	}
	return
}

//
//goemu:call f18(0)
//goemu:call f18(1)
//goemu:call f18(2)
//goemu:call f18(5)
//go:noinline
func f18(x int) (s int) {
	for i9 := 0; i9 < 1; i9++ {
		i9 := i9
		defer func() { s = s*3 + i9 }()
	}
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			s = s*3 + 5
		}
	}()
	defer func() { s = s*7 + 3 }()
	if x%3 == 1 {
		if x%4 == 1 {
			panic(1)
		}
		for i10 := 0; i10 < 2; i10++ {
			i10 := i10
			defer func() { s = s*3 + i10 }()
		}
	}
	defer func() {
		defer func() { s = s*7 + 4 }()
		defer func(k int) { s = s*5 + k }(x + 4)
	}()
	return s*3 + 7
}

//
//goemu:call f19(0)
//goemu:call f19(1)
//goemu:call f19(2)
//goemu:call f19(5)
//go:noinline
func f19(x int) (s int) {
	if x%4 == 2 {
		var p *failure
		s += p.code
	}
	if x%4 == 1 {
		panic(failure{5})
	}
	s += f0(x + 7)
	return s*3 + 7
}

//
//goemu:call f20(0)
//goemu:call f20(1)
//goemu:call f20(2)
//goemu:call f20(5)
//go:noinline
func f20(x int) (s int) {
	defer func() { s = s*7 + 2 }()
	if x%3 == 0 {
		s = s*3 + 8
	}
	s = s*3 + 3
	defer func() {
		s += f19(x + 3)
		for i11 := 0; i11 < 1; i11++ {
			i11 := i11
			defer func() { s = s*3 + i11 }()
		}
	}()
	return s*3 + 6
}

//
//goemu:call f21(0)
//goemu:call f21(1)
//goemu:call f21(2)
//goemu:call f21(5)
//go:noinline
func f21(x int) (s int) {
	if x == 9 {
		return s + 1
	}
	if x%4 == 2 {
		var p *failure
		s += p.code
	}
	func() {
		if x%3 == 0 {
			defer func(k int) { s = s*5 + k }(x + 9)
		}
	}()
	defer func() {
		defer func() {
			if x == 1 {
				return
			}
		}()
		s += f9(x + 0)
	}()
	return
}

//
//goemu:call f22(0)
//goemu:call f22(1)
//goemu:call f22(2)
//goemu:call f22(5)
//go:noinline
func f22(x int) (s int) {
	s = s*3 + 0
	func() {
		for i12 := 0; i12 < 1; i12++ {
			i12 := i12
			defer func() { s = s*3 + i12 }()
		}
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
			}
		}()
	}()
	array[0] = s
	return
}

//
//goemu:call f23(0)
//goemu:call f23(1)
//goemu:call f23(2)
//goemu:call f23(5)
//go:noinline
func f23(x int) (s int) {
	func() {
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
				array[0] = s
			}
		}()
	}()
	s += f1(x + 1)
	if x == 1 {
		return s + 1
	}
	return
}

//
//goemu:call f24(0)
//goemu:call f24(1)
//goemu:call f24(2)
//goemu:call f24(5)
//go:noinline
func f24(x int) (s int) {
	func() {
		defer func(k int) { s = s*5 + k }(x + 8)
	}()
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			if x%4 == 0 {
				array[x+0] = 1
			}
		}
	}()
	return
}

//
//goemu:call f25(0)
//goemu:call f25(1)
//goemu:call f25(2)
//goemu:call f25(5)
//go:noinline
func f25(x int) (s int) {
	func() {
		if x%4 == 3 {
			s /= x - x
		}
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
				panic(e)
			}
		}()
	}()
	array[1] = s
	defer func(k int) { s = s*5 + k }(x + 2)
	s = s*3 + 6
	func() {
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
			}
		}()
		if x%3 == 0 {
			defer func() {
				if e := recover(); e != nil {
					s = s*11 + code(e)
					panic(e)
				}
			}()
		}
	}()
	return
}

//
//goemu:call f26(0)
//goemu:call f26(1)
//goemu:call f26(2)
//goemu:call f26(5)
//go:noinline
func f26(x int) (s int) {
	s += f22(x + 2)
	if x%4 == 3 {
		panic(failure{7})
	}
	defer func(k int) { s = s*5 + k }(x + 1)
	s += f7(x + 9)
	if x%4 == 3 {
		array[x+3] = 1
	}
	return
}

//
//goemu:call f27(0)
//goemu:call f27(1)
//goemu:call f27(2)
//goemu:call f27(5)
//go:noinline
func f27(x int) (s int) {
	if x%4 == 2 {
		var p *failure
		s += p.code
	}
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	defer func(k int) { s = s*5 + k }(x + 0)
	defer func() {
		defer func() { s = s*7 + 7 }()
		defer func(k int) { s = s*5 + k }(x + 1)
	}()
	return s*3 + 2
}

//
//goemu:call f28(0)
//goemu:call f28(1)
//goemu:call f28(2)
//goemu:call f28(5)
//go:noinline
func f28(x int) (s int) {
	defer func() { s = s*7 + 2 }()
	defer func() { s = s*7 + 9 }()
	func() {
		array[0] = s
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
			}
		}()
	}()
	defer func(k int) { s = s*5 + k }(x + 1)
	return s*3 + 4
}

//
//goemu:call f29(0)
//goemu:call f29(1)
//goemu:call f29(2)
//goemu:call f29(5)
//go:noinline
func f29(x int) (s int) {
	if x == 0 {
		return s + 1
	}
	s = s*3 + 9
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	if x == 0 {
		return s + 1
	}
	return s*3 + 0
}

//
//goemu:call f30(0)
//goemu:call f30(1)
//goemu:call f30(2)
//goemu:call f30(5)
//go:noinline
func f30(x int) (s int) {
	defer func() {
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
			}
		}()
	}()
	s = s*3 + 2
	s += f28(x + 3)
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	s += f0(x + 5)
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			panic(e)
		}
	}()
	return
}

//
//goemu:call f31(0)
//goemu:call f31(1)
//goemu:call f31(2)
//goemu:call f31(5)
//go:noinline
func f31(x int) (s int) {
	s = s*3 + 4
	if x%3 == 0 {
		defer func() { s = s*7 + 6 }()
		for i13 := 0; i13 < 3; i13++ {
			i13 := i13
			defer func() { s = s*3 + i13 }()
		}
	}
	if x%3 == 0 {
		defer func() { s = s*7 + 8 }()
	}
	defer func() { s = s*7 + 3 }()
	return s*3 + 6
}

//
//goemu:call f32(0)
//goemu:call f32(1)
//goemu:call f32(2)
//goemu:call f32(5)
//go:noinline
func f32(x int) (s int) {
	array[0] = s
	func() {
		if x == 8 {
			return
		}
	}()
	if x%4 == 3 {
		panic(failure{3})
	}
	defer func() { s = s*7 + 0 }()
	if x == 7 {
		return s + 1
	}
	return
}

//
//goemu:call f33(0)
//goemu:call f33(1)
//goemu:call f33(2)
//goemu:call f33(5)
//go:noinline
func f33(x int) (s int) {
	defer func(k int) { s = s*5 + k }(x + 3)
	defer func() { s = s*7 + 7 }()
	s = s*3 + 0
	s += f17(x + 6)
	defer func(k int) { s = s*5 + k }(x + 2)
	return
}

//
//goemu:call f34(0)
//goemu:call f34(1)
//goemu:call f34(2)
//goemu:call f34(5)
//go:noinline
func f34(x int) (s int) {
	defer func() { s = s*7 + 5 }()
	if x == 2 {
		return s + 1
	}
	array[0] = s
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			panic(e)
		}
	}()
	return
}

//
//goemu:call f35(0)
//goemu:call f35(1)
//goemu:call f35(2)
//goemu:call f35(5)
//go:noinline
func f35(x int) (s int) {
	s = s*3 + 5
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			if x%4 == 2 {
				var p *failure
				s += p.code
			}
		}
	}()
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	return s*3 + 8
}

//
//goemu:call f36(0)
//goemu:call f36(1)
//goemu:call f36(2)
//goemu:call f36(5)
//go:noinline
func f36(x int) (s int) {
	array[0] = s
	if x%4 == 0 {
		s /= x - x
	}
	s = s*3 + 2
	s += f17(x + 2)
	func() {
		if x == 3 {
			return
		}
	}()
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	return
}

//
//goemu:call f37(0)
//goemu:call f37(1)
//goemu:call f37(2)
//goemu:call f37(5)
//go:noinline
func f37(x int) (s int) {
	if x%4 == 3 {
		panic(failure{7})
	}
	if x%3 == 0 {
		defer func() { s = s*7 + 3 }()
		defer func() {
			if x%4 == 0 {
				panic("text 8")
			}
		}()
	}
	defer func(k int) { s = s*5 + k }(x + 3)
	for i14 := 0; i14 < 3; i14++ {
		i14 := i14
		defer func() { s = s*3 + i14 }()
	}
	return s*3 + 8
}

//
//goemu:call f38(0)
//goemu:call f38(1)
//goemu:call f38(2)
//goemu:call f38(5)
//go:noinline
func f38(x int) (s int) {
	if x%4 == 1 {
		array[x+5] = 1
	}
	if x%4 == 0 {
		array[x+0] = 1
	}
	for i15 := 0; i15 < 3; i15++ {
		i15 := i15
		defer func() { s = s*3 + i15 }()
	}
	for i16 := 0; i16 < 1; i16++ {
		i16 := i16
		defer func() { s = s*3 + i16 }()
	}
	return
}

//
//goemu:call f39(0)
//goemu:call f39(1)
//goemu:call f39(2)
//goemu:call f39(5)
//go:noinline
func f39(x int) (s int) {
	s += f27(x + 4)
	defer func() {
		s += f19(x + 2)
		if x%4 == 3 {
			s /= x - x
		}
	}()
	defer func(k int) { s = s*5 + k }(x + 2)
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			panic(e)
		}
	}()
	return
}
