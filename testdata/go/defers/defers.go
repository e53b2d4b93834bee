// Made by cargo xtask defers --seed 14 --print.

package main

import "runtime"

type failure struct{ code int }

func (f failure) Error() string { return "failure" }

var array [3]int

var _ = runtime.Goexit

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

//goemu:call f0(0)
//goemu:call f0(1)
//goemu:call f0(2)
//goemu:call f0(5)
//
//go:noinline
func f0(x int) (s int) {
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	if x%4 == 1 {
		array[x+5] = 1
	}
	if x == 7 {
		return s + 1
	}
	array[1] = s
	for i1 := 0; i1 < 1; i1++ {
		i1 := i1
		defer func() { s = s*3 + i1 }()
	}
	return
}

//goemu:call f1(0)
//goemu:call f1(1)
//goemu:call f1(2)
//goemu:call f1(5)
//
//go:noinline
func f1(x int) (s int) {
	defer func() { s = s*7 + 9 }()
	if x == 6 {
		return s + 1
	}
	defer func() { s = s*7 + 8 }()
	return
}

//goemu:call f2(0)
//goemu:call f2(1)
//goemu:call f2(2)
//goemu:call f2(5)
//
//go:noinline
func f2(x int) (s int) {
	done := make(chan interface{}, 1)
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				done <- e
			}
		}()
		if x%4 == 2 {
			s /= x - x
		}
		s = s*3 + 9
		if x%3 == 1 {
			s += f0(x + 0)
		}
		defer func() {
			for i2 := 0; i2 < 1; i2++ {
				i2 := i2
				defer func() { s = s*3 + i2 }()
			}
		}()
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
			}
		}()
		if x%4 == 0 {
			panic(failure{4})
		}
	}()
	if e := <-done; e != nil {
		panic(e)
	}
	return
}

//goemu:call f3(0)
//goemu:call f3(1)
//goemu:call f3(2)
//goemu:call f3(5)
//
//go:noinline
func f3(x int) (s int) {
	done := make(chan interface{}, 1)
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				done <- e
			}
		}()
		defer func() { s = s*7 + 2 }()
		if x%4 == 2 {
			var p *failure
			s += p.code
		}
		defer func(k int) { s = s*5 + k }(x + 8)
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
				panic(e)
			}
		}()
	}()
	if e := <-done; e != nil {
		panic(e)
	}
	return
}

//goemu:call f4(0)
//goemu:call f4(1)
//goemu:call f4(2)
//goemu:call f4(5)
//
//go:noinline
func f4(x int) (s int) {
	if x == 5 {
		return s + 1
	}
	s = s*3 + 9
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			panic(e)
		}
	}()
	s = s*3 + 5
	return
}

//goemu:call f5(0)
//goemu:call f5(1)
//goemu:call f5(2)
//goemu:call f5(5)
//
//go:noinline
func f5(x int) (s int) {
	defer func() {
		s = s*3 + 0
		defer func() {
			if x%3 == 1 {
				if x == 6 {
					return
				}
			}
		}()
	}()
	defer func() {
		for i3 := 0; i3 < 2; i3++ {
			i3 := i3
			defer func() { s = s*3 + i3 }()
		}
	}()
	defer func() {
		if x%3 == 2 {
			defer func() {
				if e := recover(); e != nil {
					s = s*11 + code(e)
				}
			}()
			if x%3 == 0 {
				defer func(k int) { s = s*5 + k }(x + 8)
				if x == 2 {
					return
				}
			}
		}
	}()
	s += f3(x + 0)
	s += f0(x + 7)
	return
}

//goemu:call f6(0)
//goemu:call f6(1)
//goemu:call f6(2)
//goemu:call f6(5)
//
//go:noinline
func f6(x int) (s int) {
	s += f1(x + 4)
	func() {
		if x == 6 {
			return
		}
		func() {
			if x%3 == 2 {
				array[2] = s
				defer func() { s = s*7 + 0 }()
			}
			defer func() {
				s += f5(x + 9)
				array[0] = s
			}()
		}()
	}()
	if x%4 == 1 {
		panic(failure{1})
	}
	if x%3 == 1 {
		defer func() {
			if x == 6 {
				return
			}
			defer func() {
				s = s*3 + 1
				array[1] = s
			}()
		}()
		s = s*3 + 8
	}
	array[1] = s
	if x%3 == 2 {
		s += f1(x + 0)
	}
	return
}

//goemu:call f7(0)
//goemu:call f7(1)
//goemu:call f7(2)
//goemu:call f7(5)
//
//go:noinline
func f7(x int) (s int) {
	done := make(chan interface{}, 1)
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				done <- e
			}
		}()
		s += f1(x + 0)
		if x == 3 {
			return
		}
		defer func(k int) { s = s*5 + k }(x + 5)
	}()
	if e := <-done; e != nil {
		panic(e)
	}
	return
}

//goemu:call f8(0)
//goemu:call f8(1)
//goemu:call f8(2)
//goemu:call f8(5)
//
//go:noinline
func f8(x int) (s int) {
	defer func() { s = s*7 + 4 }()
	func() {
		s += f5(x + 5)
		s += f1(x + 8)
	}()
	if x%4 == 0 {
		var p *failure
		s += p.code
	}
	if x%4 == 2 {
		panic(failure{6})
	}
	return s*3 + 5
}

//goemu:call f9(0)
//goemu:call f9(1)
//goemu:call f9(2)
//goemu:call f9(5)
//
//go:noinline
func f9(x int) (s int) {
	done := make(chan interface{}, 1)
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				done <- e
			}
		}()
		defer func() {
			defer func() {
				defer func() {
					if x%4 == 1 {
						panic(failure{5})
					}
				}()
				func() {
					if x%4 == 1 {
						array[x+5] = 1
					}
				}()
			}()
			for i4 := 0; i4 < 4; i4++ {
				i4 := i4
				defer func() { s = s*3 + i4 }()
			}
		}()
		func() {
			defer func() {
				if e := recover(); e != nil {
					s = s*11 + code(e)
				}
			}()
			if x%4 == 1 {
				runtime.Goexit()
			}
		}()
		if x%4 == 2 {
			panic("text 2")
		}
		defer func() { s = s*7 + 2 }()
		defer func() { s = s*7 + 4 }()
		defer func() { s = s*7 + 0 }()
	}()
	if e := <-done; e != nil {
		panic(e)
	}
	return s*3 + 7
}

//goemu:call f10(0)
//goemu:call f10(1)
//goemu:call f10(2)
//goemu:call f10(5)
//
//go:noinline
func f10(x int) (s int) {
	s += f3(x + 3)
	if x == 7 {
		return s + 1
	}
	s += f7(x + 4)
	s = s*3 + 5
	for i5 := 0; i5 < 2; i5++ {
		i5 := i5
		defer func() { s = s*3 + i5 }()
	}
	if x%3 == 0 {
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
				panic(e)
			}
		}()
	}
	return
}

//goemu:call f11(0)
//goemu:call f11(1)
//goemu:call f11(2)
//goemu:call f11(5)
//
//go:noinline
func f11(x int) (s int) {
	done := make(chan interface{}, 1)
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				done <- e
			}
		}()
		for i6 := 0; i6 < 4; i6++ {
			i6 := i6
			defer func() { s = s*3 + i6 }()
		}
		s = s*3 + 6
		for i7 := 0; i7 < 2; i7++ {
			i7 := i7
			defer func() { s = s*3 + i7 }()
		}
	}()
	if e := <-done; e != nil {
		panic(e)
	}
	return
}

//goemu:call f12(0)
//goemu:call f12(1)
//goemu:call f12(2)
//goemu:call f12(5)
//
//go:noinline
func f12(x int) (s int) {
	if x%3 == 2 {
		array[1] = s
	}
	defer func() {
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
			}
		}()
	}()
	s += f7(x + 0)
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

//goemu:call f13(0)
//goemu:call f13(1)
//goemu:call f13(2)
//goemu:call f13(5)
//
//go:noinline
func f13(x int) (s int) {
	done := make(chan interface{}, 1)
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				done <- e
			}
		}()
		if x%3 == 0 {
			if x%4 == 3 {
				var p *failure
				s += p.code
			}
		}
		if x%3 == 1 {
			if x%4 == 0 {
				runtime.Goexit()
			}
			defer func() {
				defer func() {
					if e := recover(); e != nil {
						s = s*11 + code(e)
						panic(e)
					}
				}()
				func() {
					if x == 2 {
						return
					}
					if x%4 == 0 {
						runtime.Goexit()
					}
				}()
			}()
		}
		func() {
			for i8 := 0; i8 < 1; i8++ {
				i8 := i8
				defer func() { s = s*3 + i8 }()
			}
		}()
		if x%4 == 1 {
			panic(5)
		}
		defer func(k int) { s = s*5 + k }(x + 1)
		defer func() {
			s = s*3 + 0
			defer func() {
				if e := recover(); e != nil {
					s = s*11 + code(e)
				}
			}()
		}()
	}()
	if e := <-done; e != nil {
		panic(e)
	}
	return s*3 + 0
}

//goemu:call f14(0)
//goemu:call f14(1)
//goemu:call f14(2)
//goemu:call f14(5)
//
//go:noinline
func f14(x int) (s int) {
	if x == 7 {
		return s + 1
	}
	for i9 := 0; i9 < 4; i9++ {
		i9 := i9
		defer func() { s = s*3 + i9 }()
	}
	s += f13(x + 1)
	return s*3 + 1
}

//goemu:call f15(0)
//goemu:call f15(1)
//goemu:call f15(2)
//goemu:call f15(5)
//
//go:noinline
func f15(x int) (s int) {
	array[0] = s
	defer func() { s = s*7 + 2 }()
	s += f7(x + 8)
	s += f3(x + 3)
	for i10 := 0; i10 < 3; i10++ {
		i10 := i10
		defer func() { s = s*3 + i10 }()
	}
	return s*3 + 2
}

//goemu:call f16(0)
//goemu:call f16(1)
//goemu:call f16(2)
//goemu:call f16(5)
//
//go:noinline
func f16(x int) (s int) {
	if x%4 == 0 {
		s /= x - x
	}
	if x == 4 {
		return s + 1
	}
	if x%3 == 0 {
		if x%4 == 0 {
			panic(8)
		}
	}
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
	s += f13(x + 8)
	defer func(k int) { s = s*5 + k }(x + 0)
	return
}

//goemu:call f17(0)
//goemu:call f17(1)
//goemu:call f17(2)
//goemu:call f17(5)
//
//go:noinline
func f17(x int) (s int) {
	if x == 2 {
		return s + 1
	}
	defer func(k int) { s = s*5 + k }(x + 4)
	defer func(k int) { s = s*5 + k }(x + 2)
	return
}

//goemu:call f18(0)
//goemu:call f18(1)
//goemu:call f18(2)
//goemu:call f18(5)
//
//go:noinline
func f18(x int) (s int) {
	done := make(chan interface{}, 1)
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				done <- e
			}
		}()
		defer func(k int) { s = s*5 + k }(x + 2)
		s += f4(x + 6)
		defer func() {
			if x%3 == 1 {
				defer func() {
					if e := recover(); e != nil {
						s = s*11 + code(e)
						panic(e)
					}
				}()
			}
		}()
	}()
	if e := <-done; e != nil {
		panic(e)
	}
	return s*3 + 4
}

//goemu:call f19(0)
//goemu:call f19(1)
//goemu:call f19(2)
//goemu:call f19(5)
//
//go:noinline
func f19(x int) (s int) {
	if x == 8 {
		return s + 1
	}
	defer func() { s = s*7 + 7 }()
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	if x%4 == 3 {
		panic(7)
	}
	if x%4 == 2 {
		panic(6)
	}
	for i11 := 0; i11 < 2; i11++ {
		i11 := i11
		defer func() { s = s*3 + i11 }()
	}
	return
}

//goemu:call f20(0)
//goemu:call f20(1)
//goemu:call f20(2)
//goemu:call f20(5)
//
//go:noinline
func f20(x int) (s int) {
	array[2] = s
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	for i12 := 0; i12 < 2; i12++ {
		i12 := i12
		defer func() { s = s*3 + i12 }()
	}
	return
}

//goemu:call f21(0)
//goemu:call f21(1)
//goemu:call f21(2)
//goemu:call f21(5)
//
//go:noinline
func f21(x int) (s int) {
	defer func() { s = s*7 + 2 }()
	defer func() {
		func() {
			defer func() {
				if e := recover(); e != nil {
					s = s*11 + code(e)
					s = s*3 + 5
				}
			}()
		}()
	}()
	defer func() {
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
			}
		}()
		defer func() { s = s*7 + 7 }()
	}()
	if x == 9 {
		return s + 1
	}
	return s*3 + 4
}

//goemu:call f22(0)
//goemu:call f22(1)
//goemu:call f22(2)
//goemu:call f22(5)
//
//go:noinline
func f22(x int) (s int) {
	defer func() {
		if x == 0 {
			return
		}
		if x%4 == 2 {
			panic(failure{6})
		}
	}()
	s = s*3 + 8
	if x == 5 {
		return s + 1
	}
	return s*3 + 5
}

//goemu:call f23(0)
//goemu:call f23(1)
//goemu:call f23(2)
//goemu:call f23(5)
//
//go:noinline
func f23(x int) (s int) {
	done := make(chan interface{}, 1)
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				done <- e
			}
		}()
		defer func() { s = s*7 + 8 }()
		s += f2(x + 0)
		defer func(k int) { s = s*5 + k }(x + 3)
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
				if x%4 == 2 {
					array[x+2] = 1
				}
			}
		}()
	}()
	if e := <-done; e != nil {
		panic(e)
	}
	return
}

//goemu:call f24(0)
//goemu:call f24(1)
//goemu:call f24(2)
//goemu:call f24(5)
//
//go:noinline
func f24(x int) (s int) {
	defer func(k int) { s = s*5 + k }(x + 9)
	if x%3 == 2 {
		array[2] = s
		if x%3 == 2 {
			defer func() {
				if e := recover(); e != nil {
					s = s*11 + code(e)
				}
			}()
		}
	}
	array[2] = s
	defer func() { s = s*7 + 6 }()
	if x%4 == 0 {
		panic(failure{8})
	}
	return s*3 + 7
}

//goemu:call f25(0)
//goemu:call f25(1)
//goemu:call f25(2)
//goemu:call f25(5)
//
//go:noinline
func f25(x int) (s int) {
	s = s*3 + 2
	func() {
		if x%3 == 0 {
			defer func() {
				if e := recover(); e != nil {
					s = s*11 + code(e)
				}
			}()
			defer func() { s = s*7 + 3 }()
		}
	}()
	defer func() { s = s*7 + 5 }()
	if x%4 == 2 {
		panic(failure{6})
	}
	return
}

//goemu:call f26(0)
//goemu:call f26(1)
//goemu:call f26(2)
//goemu:call f26(5)
//
//go:noinline
func f26(x int) (s int) {
	done := make(chan interface{}, 1)
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				done <- e
			}
		}()
		func() {
			if x%3 == 0 {
				defer func() {
					s = s*3 + 7
				}()
			}
		}()
		for i13 := 0; i13 < 1; i13++ {
			i13 := i13
			defer func() { s = s*3 + i13 }()
		}
		s = s*3 + 4
	}()
	if e := <-done; e != nil {
		panic(e)
	}
	return
}

//goemu:call f27(0)
//goemu:call f27(1)
//goemu:call f27(2)
//goemu:call f27(5)
//
//go:noinline
func f27(x int) (s int) {
	s += f9(x + 6)
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			func() {
				array[2] = s
			}()
		}
	}()
	if x%4 == 0 {
		s /= x - x
	}
	if x%4 == 3 {
		panic(3)
	}
	defer func() { s = s*7 + 5 }()
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
			panic(e)
		}
	}()
	return
}

//goemu:call f28(0)
//goemu:call f28(1)
//goemu:call f28(2)
//goemu:call f28(5)
//
//go:noinline
func f28(x int) (s int) {
	s = s*3 + 1
	defer func() {
		s = s*3 + 3
	}()
	defer func(k int) { s = s*5 + k }(x + 8)
	return
}

//goemu:call f29(0)
//goemu:call f29(1)
//goemu:call f29(2)
//goemu:call f29(5)
//
//go:noinline
func f29(x int) (s int) {
	s += f11(x + 9)
	func() {
		if x%4 == 1 {
			array[x+9] = 1
		}
		defer func() { s = s*7 + 4 }()
	}()
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	return s*3 + 8
}

//goemu:call f30(0)
//goemu:call f30(1)
//goemu:call f30(2)
//goemu:call f30(5)
//
//go:noinline
func f30(x int) (s int) {
	if x == 9 {
		return s + 1
	}
	func() {
		defer func() {
			defer func(k int) { s = s*5 + k }(x + 2)
		}()
		for i14 := 0; i14 < 4; i14++ {
			i14 := i14
			defer func() { s = s*3 + i14 }()
		}
	}()
	defer func() { s = s*7 + 0 }()
	return s*3 + 7
}

//goemu:call f31(0)
//goemu:call f31(1)
//goemu:call f31(2)
//goemu:call f31(5)
//
//go:noinline
func f31(x int) (s int) {
	defer func() {
		defer func() { s = s*7 + 9 }()
		if x%3 == 0 {
			defer func() { s = s*7 + 2 }()
		}
	}()
	s += f5(x + 3)
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	defer func(k int) { s = s*5 + k }(x + 5)
	defer func() {
		defer func() { s = s*7 + 8 }()
	}()
	return
}

//goemu:call f32(0)
//goemu:call f32(1)
//goemu:call f32(2)
//goemu:call f32(5)
//
//go:noinline
func f32(x int) (s int) {
	done := make(chan interface{}, 1)
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				done <- e
			}
		}()
		if x%4 == 1 {
			var p *failure
			s += p.code
		}
		defer func() { s = s*7 + 8 }()
		s = s*3 + 2
	}()
	if e := <-done; e != nil {
		panic(e)
	}
	return
}

//goemu:call f33(0)
//goemu:call f33(1)
//goemu:call f33(2)
//goemu:call f33(5)
//
//go:noinline
func f33(x int) (s int) {
	defer func(k int) { s = s*5 + k }(x + 0)
	array[0] = s
	defer func(k int) { s = s*5 + k }(x + 5)
	func() {
		defer func() { s = s*7 + 2 }()
		array[1] = s
	}()
	defer func(k int) { s = s*5 + k }(x + 1)
	if x%3 == 2 {
		defer func() { s = s*7 + 1 }()
	}
	return
}

//goemu:call f34(0)
//goemu:call f34(1)
//goemu:call f34(2)
//goemu:call f34(5)
//
//go:noinline
func f34(x int) (s int) {
	done := make(chan interface{}, 1)
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				done <- e
			}
		}()
		s = s*3 + 0
		defer func() {
			s += f10(x + 5)
			if x%4 == 0 {
				runtime.Goexit()
			}
		}()
		if x%4 == 0 {
			runtime.Goexit()
		}
	}()
	if e := <-done; e != nil {
		panic(e)
	}
	return s*3 + 2
}

//goemu:call f35(0)
//goemu:call f35(1)
//goemu:call f35(2)
//goemu:call f35(5)
//
//go:noinline
func f35(x int) (s int) {
	s += f3(x + 1)
	for i15 := 0; i15 < 3; i15++ {
		i15 := i15
		defer func() { s = s*3 + i15 }()
	}
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	defer func() {
		array[0] = s
		for i16 := 0; i16 < 1; i16++ {
			i16 := i16
			defer func() { s = s*3 + i16 }()
		}
	}()
	func() {
		if x%3 == 0 {
			if x == 1 {
				return
			}
		}
	}()
	return s*3 + 7
}

//goemu:call f36(0)
//goemu:call f36(1)
//goemu:call f36(2)
//goemu:call f36(5)
//
//go:noinline
func f36(x int) (s int) {
	for i17 := 0; i17 < 2; i17++ {
		i17 := i17
		defer func() { s = s*3 + i17 }()
	}
	defer func() { s = s*7 + 5 }()
	defer func() {
		if e := recover(); e != nil {
			s = s*11 + code(e)
		}
	}()
	return s*3 + 3
}

//goemu:call f37(0)
//goemu:call f37(1)
//goemu:call f37(2)
//goemu:call f37(5)
//
//go:noinline
func f37(x int) (s int) {
	done := make(chan interface{}, 1)
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				done <- e
			}
		}()
		defer func(k int) { s = s*5 + k }(x + 7)
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
			}
		}()
		defer func() {
			if x == 4 {
				return
			}
		}()
		for i18 := 0; i18 < 2; i18++ {
			i18 := i18
			defer func() { s = s*3 + i18 }()
		}
		defer func() {
			if e := recover(); e != nil {
				s = s*11 + code(e)
				panic(e)
			}
		}()
	}()
	if e := <-done; e != nil {
		panic(e)
	}
	return
}

//goemu:call f38(0)
//goemu:call f38(1)
//goemu:call f38(2)
//goemu:call f38(5)
//
//go:noinline
func f38(x int) (s int) {
	defer func(k int) { s = s*5 + k }(x + 3)
	defer func(k int) { s = s*5 + k }(x + 2)
	if x%4 == 1 {
		var p *failure
		s += p.code
	}
	defer func() { s = s*7 + 2 }()
	defer func() { s = s*7 + 2 }()
	if x == 4 {
		return s + 1
	}
	return
}

//goemu:call f39(0)
//goemu:call f39(1)
//goemu:call f39(2)
//goemu:call f39(5)
//
//go:noinline
func f39(x int) (s int) {
	if x%3 == 2 {
		if x == 8 {
			return s + 1
		}
		defer func() {
			for i19 := 0; i19 < 3; i19++ {
				i19 := i19
				defer func() { s = s*3 + i19 }()
			}
			func() {
				s = s*3 + 7
				s += f33(x + 0)
			}()
		}()
	}
	defer func() { s = s*7 + 8 }()
	array[1] = s
	defer func(k int) { s = s*5 + k }(x + 0)
	return s*3 + 6
}
