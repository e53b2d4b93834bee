// Made by cargo xtask signatures --print.

package main

type failure struct{ code int16 }

func (f failure) Error() string { return "failure" }

type named interface{ name() string }

type word string

func (w word) name() string { return string(w) }

type S0 struct {
	F0 [3]uintptr
	F1 int
	F2 int64
}

type S1 struct {
	F0 uint32
	F1 struct{}
}

type S2 struct {
	F0 interface{}
	F1 complex128
	F2 uint32
	F3 int16
}

type S3 struct {
	F0 float32
	F1 func()
	F2 uint16
	F3 S2
}

type S4 struct {
	F0 uint8
	F1 bool
}

type S5 struct {
	F0 S2
	F1 uint16
}

type S6 struct {
	F0 map[string]int
	F1 S2
}

type S7 struct{ F0 S6 }

type S8 struct {
	F0 int8
	F1 [3]uint64
	F2 interface{}
}

type S9 struct {
	F0 S1
	F1 uint64
	F2 S0
	F3 S1
}

type S10 struct {
	F0 [0]error
	F1 int64
	F2 int32
	F3 map[string]int
}

type S11 struct{ F0 float32 }

//goemu:call f0(interface{}(int(89)), 96)
//goemu:call f0(interface{}(int8(78)), 16)
//go:noinline
func f0(p0 interface{}, p1 uint32) (string, uint32, interface{}) {
	return "" + " " + show(p0) + " " + show(p1), p1, p0
}

//goemu:call S5.m1(S5{S2{interface{}(string("s75")), (34.0-34i), 96, -70}, 47}, -70, 42)
//goemu:call S5.m1(S5{S2{failure{48}, (28.0-28i), 44, -42}, 85}, nil...)
//go:noinline
func (p0 S5) m1(p1 ...int) string {
	return "" + " " + show(p0.F0.F0) + " " + show(p0.F0.F1) + " " + show(p0.F0.F2) + " " + show(p0.F0.F3) + " " + show(p0.F1) + " " + show(p1)
}

//goemu:call S1.m2(S1{21, struct{}{}}, word("s80"), "s119", []byte{8}...)
//goemu:call S1.m2(S1{43, struct{}{}}, word("s18"), "s97", nil...)
//go:noinline
func (p0 S1) m2(p1 named, p2 string, p3 ...byte) (string, []byte, S1) {
	return "" + " " + show(p0.F0) + " " + show(p1) + " " + show(p2) + " " + show(p3), p3, p0
}

//goemu:call f3(-62.0, failure{41}, 79, 72, 96, "s46")
//goemu:call f3(-71.0, failure{-61}, 15, -120, 12, "s56")
//go:noinline
func f3(p0 float32, p1 error, p2 uint8, p3 int32, p4 uint8, p5 string) (string, string, uint8, int32, uint8, error, float32) {
	return "" + " " + show(p0) + " " + show(p1) + " " + show(p2) + " " + show(p3) + " " + show(p4) + " " + show(p5), p5, p4, p3, p2, p1, p0
}

//goemu:call f4(nil, []float64{-2.0}...)
//goemu:call f4(nil, []float64{-105.5}...)
//go:noinline
func f4(p0 map[string]int, p1 ...float64) string { return "" + " " + show(p0 == nil) + " " + show(p1) }

//goemu:call f5((103.5-103i), S2{true, (117.0-117i), 97, -15}, -99, -11.5, S10{[0]error{}, 109, 48, nil}, S6{nil, S2{interface{}(uint16(77)), (16.5-16i), 70, 72}})
//goemu:call f5((39.0-39i), S2{failure{-81}, (15.5-15i), 43, -117}, -72, -35.5, S10{[0]error{}, -56, 81, nil}, S6{nil, S2{failure{-54}, (97.0-97i), 26, 87}})
//go:noinline
func f5(p0 complex128, p1 S2, p2 int16, p3 float32, p4 S10, p5 S6) (string, float32, int16, complex128) {
	return "" + " " + show(p0) + " " + show(p1.F0) + " " + show(p1.F1) + " " + show(p1.F2) + " " + show(p1.F3) + " " + show(p2) + " " + show(p3) + " " + show(p4.F1) + " " + show(p4.F2) + " " + show(p4.F3 == nil) + " " + show(p5.F0 == nil) + " " + show(p5.F1.F0) + " " + show(p5.F1.F1) + " " + show(p5.F1.F2) + " " + show(p5.F1.F3), p3, p2, p0
}

//goemu:call f6("s26", 24, "s73", [1]error{failure{53}}, S9{S1{30, struct{}{}}, 111, S0{[3]uintptr{107, 63, 61}, -58, -8}, S1{47, struct{}{}}})
//goemu:call f6("s42", 90, "s77", [1]error{failure{27}}, S9{S1{17, struct{}{}}, 78, S0{[3]uintptr{89, 63, 71}, -87, -24}, S1{1, struct{}{}}})
//go:noinline
func f6(p0 string, p1 int16, p2 string, p3 [1]error, p4 S9) (string, S9, string, int16, string) {
	return "" + " " + show(p0) + " " + show(p1) + " " + show(p2) + " " + show(p3[0]) + " " + show(p4.F0.F0) + " " + show(p4.F1) + " " + show(p4.F2.F0[0]) + " " + show(p4.F2.F0[1]) + " " + show(p4.F2.F0[2]) + " " + show(p4.F2.F1) + " " + show(p4.F2.F2) + " " + show(p4.F3.F0), p4, p2, p1, p0
}

//goemu:call f7([1]*int{nil}, S5{S2{interface{}(float32(-66.5)), (119.0-119i), 20, 88}, 27}, nil, S11{-83.0}, struct{}{}, 114, interface{}(uint16(29)), S5{S2{interface{}(int16(46)), (80.5-80i), 107, -4}, 40})
//goemu:call f7([1]*int{nil}, S5{S2{interface{}(int(76)), (25.5-25i), 17, -3}, 107}, nil, S11{-70.0}, struct{}{}, 66, interface{}(uint32(111)), S5{S2{failure{-120}, (13.5-13i), 62, -68}, 44})
//go:noinline
func f7(p0 [1]*int, p1 S5, p2 error, p3 S11, p4 struct{}, p5 uint, p6 interface{}, p7 S5) (string, interface{}, uint) {
	return "" + " " + show(p0[0] == nil) + " " + show(p1.F0.F0) + " " + show(p1.F0.F1) + " " + show(p1.F0.F2) + " " + show(p1.F0.F3) + " " + show(p1.F1) + " " + show(p2 == nil) + " " + show(p3.F0) + " " + show(p5) + " " + show(p6) + " " + show(p7.F0.F0) + " " + show(p7.F0.F1) + " " + show(p7.F0.F2) + " " + show(p7.F0.F3) + " " + show(p7.F1), p6, p5
}

//goemu:call f8(interface{}(float32(-101.5)), nil, S10{[0]error{}, 116, -99, nil}, S6{nil, S2{interface{}(int64(-88)), (17.0-17i), 93, -3}}, S11{-19.5}, S0{[3]uintptr{55, 44, 29}, 52, 12}, S7{S6{nil, S2{interface{}(uint16(110)), (21.0-21i), 8, 15}}}, S1{116, struct{}{}})
//goemu:call f8(failure{-44}, nil, S10{[0]error{}, -54, 99, nil}, S6{nil, S2{interface{}(uint(17)), (50.5-50i), 38, 56}}, S11{-113.0}, S0{[3]uintptr{48, 27, 26}, -120, -107}, S7{S6{nil, S2{failure{-101}, (43.5-43i), 111, 104}}}, S1{33, struct{}{}})
//go:noinline
func f8(p0 interface{}, p1 *int, p2 S10, p3 S6, p4 S11, p5 S0, p6 S7, p7 S1) (string, S1, S0, S11) {
	return "" + " " + show(p0) + " " + show(p1 == nil) + " " + show(p2.F1) + " " + show(p2.F2) + " " + show(p2.F3 == nil) + " " + show(p3.F0 == nil) + " " + show(p3.F1.F0) + " " + show(p3.F1.F1) + " " + show(p3.F1.F2) + " " + show(p3.F1.F3) + " " + show(p4.F0) + " " + show(p5.F0[0]) + " " + show(p5.F0[1]) + " " + show(p5.F0[2]) + " " + show(p5.F1) + " " + show(p5.F2) + " " + show(p6.F0.F0 == nil) + " " + show(p6.F0.F1.F0) + " " + show(p6.F0.F1.F1) + " " + show(p6.F0.F1.F2) + " " + show(p6.F0.F1.F3) + " " + show(p7.F0), p7, p5, p4
}

//goemu:call S6.m9(S6{nil, S2{interface{}(int64(-41)), (104.5-104i), 92, -98}})
//goemu:call S6.m9(S6{nil, S2{interface{}(uint16(50)), (48.5-48i), 24, 72}})
//go:noinline
func (p0 S6) m9() string {
	return "" + " " + show(p0.F0 == nil) + " " + show(p0.F1.F0) + " " + show(p0.F1.F1) + " " + show(p0.F1.F2) + " " + show(p0.F1.F3)
}

//goemu:call f10([]int{3, 5}, S8{89, [3]uint64{63, 93, 20}, failure{59}}, failure{-107}, 113, []int{38, 5})
//goemu:call f10([]int{79, 0}, S8{-13, [3]uint64{56, 52, 76}, failure{-40}}, failure{42}, 63, []int{29, 5})
//go:noinline
func f10(p0 []int, p1 S8, p2 error, p3 uint64, p4 []int) (string, uint64, error, []int) {
	return "" + " " + show(p0) + " " + show(p1.F0) + " " + show(p1.F1[0]) + " " + show(p1.F1[1]) + " " + show(p1.F1[2]) + " " + show(p1.F2) + " " + show(p2) + " " + show(p3) + " " + show(p4), p3, p2, p0
}

//goemu:call f11([1]uint8{38}, -54.5, 49, (82.5-82i))
//goemu:call f11([1]uint8{104}, -79.0, -32, (42.0-42i))
//go:noinline
func f11(p0 [1]uint8, p1 float32, p2 int, p3 complex64) (string, int, [1]uint8) {
	return "" + " " + show(p0[0]) + " " + show(p1) + " " + show(p2) + " " + show(p3), p2, p0
}

//goemu:call f12(67, -108.5, S6{nil, S2{interface{}(uint32(87)), (51.0-51i), 105, 65}}, 57, -9.0, nil, S10{[0]error{}, 24, 95, nil})
//goemu:call f12(72, -25.5, S6{nil, S2{failure{14}, (25.0-25i), 119, -66}}, 53, -79.0, nil, S10{[0]error{}, 17, -83, nil})
//go:noinline
func f12(p0 uint, p1 float32, p2 S6, p3 uint8, p4 float64, p5 map[string]int, p6 S10) (string, uint8, float32, uint) {
	return "" + " " + show(p0) + " " + show(p1) + " " + show(p2.F0 == nil) + " " + show(p2.F1.F0) + " " + show(p2.F1.F1) + " " + show(p2.F1.F2) + " " + show(p2.F1.F3) + " " + show(p3) + " " + show(p4) + " " + show(p5 == nil) + " " + show(p6.F1) + " " + show(p6.F2) + " " + show(p6.F3 == nil), p3, p1, p0
}

//goemu:call f13(struct{}{}, 95, S7{S6{nil, S2{failure{17}, (35.5-35i), 11, -112}}}, 69, "s119")
//goemu:call f13(struct{}{}, 57, S7{S6{nil, S2{true, (44.0-44i), 30, -46}}}, 66, "s98")
//go:noinline
func f13(p0 struct{}, p1 uintptr, p2 S7, p3 uint32, p4 string) (string, string, uintptr, struct{}) {
	return "" + " " + show(p1) + " " + show(p2.F0.F0 == nil) + " " + show(p2.F0.F1.F0) + " " + show(p2.F0.F1.F1) + " " + show(p2.F0.F1.F2) + " " + show(p2.F0.F1.F3) + " " + show(p3) + " " + show(p4), p4, p1, p0
}

//goemu:call f14([0][]int{}, []int{118, 0}, nil, nil)
//goemu:call f14([0][]int{}, []int{29, 0}, nil, nil)
//go:noinline
func f14(p0 [0][]int, p1 []int, p2 error, p3 func()) (string, [0][]int) {
	return "" + " " + show(p1) + " " + show(p2 == nil) + " " + show(p3 == nil), p0
}

//goemu:call S4.m15(S4{111, true})
//goemu:call S4.m15(S4{113, true})
//go:noinline
func (p0 S4) m15() (string, S4) { return "" + " " + show(p0.F0) + " " + show(p0.F1), p0 }

//goemu:call S4.m16(S4{56, true}, 37, S5{S2{interface{}(int64(23)), (116.5-116i), 100, -70}, 4}, nil)
//goemu:call S4.m16(S4{111, true}, 112, S5{S2{"s56", (114.5-114i), 29, 88}, 18}, nil)
//go:noinline
func (p0 S4) m16(p1 int16, p2 S5, p3 map[string]int) (string, int16, S4) {
	return "" + " " + show(p0.F0) + " " + show(p0.F1) + " " + show(p1) + " " + show(p2.F0.F0) + " " + show(p2.F0.F1) + " " + show(p2.F0.F2) + " " + show(p2.F0.F3) + " " + show(p2.F1) + " " + show(p3 == nil), p1, p0
}

//goemu:call f17(15, -18, S1{113, struct{}{}}, 92, 60, struct{}{}, -29, 26)
//goemu:call f17(12, 54, S1{59, struct{}{}}, -76, 18, struct{}{}, -62, 83)
//go:noinline
func f17(p0 uintptr, p1 int, p2 S1, p3 int8, p4 uint, p5 struct{}, p6 int16, p7 int8) (string, int8, int16, struct{}, int8, S1, int, uintptr) {
	return "" + " " + show(p0) + " " + show(p1) + " " + show(p2.F0) + " " + show(p3) + " " + show(p4) + " " + show(p6) + " " + show(p7), p7, p6, p5, p3, p2, p1, p0
}

//goemu:call f18(27, struct{}{}, -21, S4{74, false}, interface{}(int16(-22)), 10, []int{7, 5}, 25)
//goemu:call f18(-17, struct{}{}, -33, S4{65, true}, interface{}(int(11)), 26, []int{82, 0}, -18)
//go:noinline
func f18(p0 int, p1 struct{}, p2 int64, p3 S4, p4 interface{}, p5 int32, p6 []int, p7 int) (string, int, []int, int32, interface{}, int64) {
	return "" + " " + show(p0) + " " + show(p2) + " " + show(p3.F0) + " " + show(p3.F1) + " " + show(p4) + " " + show(p5) + " " + show(p6) + " " + show(p7), p7, p6, p5, p4, p2
}

//goemu:call f19(58, S0{[3]uintptr{10, 43, 109}, -9, 35}, 14, -107)
//goemu:call f19(117, S0{[3]uintptr{49, 52, 89}, 90, 22}, 98, 110)
//go:noinline
func f19(p0 uint16, p1 S0, p2 uint32, p3 int8) (string, int8, uint32, S0, uint16) {
	return "" + " " + show(p0) + " " + show(p1.F0[0]) + " " + show(p1.F0[1]) + " " + show(p1.F0[2]) + " " + show(p1.F1) + " " + show(p1.F2) + " " + show(p2) + " " + show(p3), p3, p2, p1, p0
}

//goemu:call S11.m20(S11{-55.0}, "s115", -89.0, []int{62, 0}, 73, nil, struct{}{}, struct{}{})
//goemu:call S11.m20(S11{-81.0}, "s4", -100.5, []int{115, 0}, 37, nil, struct{}{}, struct{}{})
//go:noinline
func (p0 S11) m20(p1 string, p2 float32, p3 []int, p4 uint32, p5 *int, p6 struct{}, p7 struct{}) (string, struct{}, uint32, []int, float32, string, S11) {
	return "" + " " + show(p0.F0) + " " + show(p1) + " " + show(p2) + " " + show(p3) + " " + show(p4) + " " + show(p5 == nil), p6, p4, p3, p2, p1, p0
}

//goemu:call f21([1]S9{S9{S1{38, struct{}{}}, 85, S0{[3]uintptr{24, 57, 91}, -43, 53}, S1{37, struct{}{}}}}, S6{nil, S2{interface{}(uint64(71)), (83.5-83i), 55, 47}})
//goemu:call f21([1]S9{S9{S1{40, struct{}{}}, 89, S0{[3]uintptr{57, 61, 18}, -102, -108}, S1{2, struct{}{}}}}, S6{nil, S2{interface{}(int32(-20)), (120.5-120i), 13, 19}})
//go:noinline
func f21(p0 [1]S9, p1 S6) string {
	return "" + " " + show(p0[0].F0.F0) + " " + show(p0[0].F1) + " " + show(p0[0].F2.F0[0]) + " " + show(p0[0].F2.F0[1]) + " " + show(p0[0].F2.F0[2]) + " " + show(p0[0].F2.F1) + " " + show(p0[0].F2.F2) + " " + show(p0[0].F3.F0) + " " + show(p1.F0 == nil) + " " + show(p1.F1.F0) + " " + show(p1.F1.F1) + " " + show(p1.F1.F2) + " " + show(p1.F1.F3)
}

//goemu:call f22(20, S8{47, [3]uint64{82, 58, 62}, failure{43}})
//goemu:call f22(68, S8{-114, [3]uint64{5, 9, 21}, failure{4}})
//go:noinline
func f22(p0 uint64, p1 S8) (string, uint64) {
	return "" + " " + show(p0) + " " + show(p1.F0) + " " + show(p1.F1[0]) + " " + show(p1.F1[1]) + " " + show(p1.F1[2]) + " " + show(p1.F2), p0
}

//goemu:call f23(23, 5, S0{[3]uintptr{86, 92, 84}, -110, 82}, []int{81, 0})
//goemu:call f23(-58, 4, S0{[3]uintptr{118, 19, 17}, -86, 83}, []int{40, 5})
//go:noinline
func f23(p0 int32, p1 uint32, p2 S0, p3 []int) (string, []int, S0, int32) {
	return "" + " " + show(p0) + " " + show(p1) + " " + show(p2.F0[0]) + " " + show(p2.F0[1]) + " " + show(p2.F0[2]) + " " + show(p2.F1) + " " + show(p2.F2) + " " + show(p3), p3, p2, p0
}

//goemu:call f24(113, -30, [0][0]interface{}{}, true, S2{interface{}(complex64((26.5-26i))), (98.5-98i), 22, 52}, failure{78})
//goemu:call f24(15, -60, [0][0]interface{}{}, true, S2{failure{-38}, (87.5-87i), 4, 8}, failure{100})
//go:noinline
func f24(p0 uint8, p1 int64, p2 [0][0]interface{}, p3 bool, p4 S2, p5 error) (string, error, bool, int64, uint8) {
	return "" + " " + show(p0) + " " + show(p1) + " " + show(p3) + " " + show(p4.F0) + " " + show(p4.F1) + " " + show(p4.F2) + " " + show(p4.F3) + " " + show(p5), p5, p3, p1, p0
}

//goemu:call f25(interface{}([]int([]int{9, 5})), S3{-55.5, nil, 116, S2{interface{}(complex64((64.5-64i))), (87.0-87i), 8, 83}}, nil, S0{[3]uintptr{104, 82, 48}, -12, -81}, 104, 53, -67)
//goemu:call f25(interface{}(uint32(37)), S3{-52.0, nil, 71, S2{interface{}(uintptr(92)), (62.0-62i), 107, 53}}, nil, S0{[3]uintptr{71, 111, 60}, -69, 92}, 63, 86, 108)
//go:noinline
func f25(p0 interface{}, p1 S3, p2 chan int, p3 S0, p4 uint8, p5 int16, p6 int8) (string, int16, S0, interface{}) {
	return "" + " " + show(p0) + " " + show(p1.F0) + " " + show(p1.F1 == nil) + " " + show(p1.F2) + " " + show(p1.F3.F0) + " " + show(p1.F3.F1) + " " + show(p1.F3.F2) + " " + show(p1.F3.F3) + " " + show(p2 == nil) + " " + show(p3.F0[0]) + " " + show(p3.F0[1]) + " " + show(p3.F0[2]) + " " + show(p3.F1) + " " + show(p3.F2) + " " + show(p4) + " " + show(p5) + " " + show(p6), p5, p3, p0
}

//goemu:call S6.m26(S6{nil, S2{interface{}(int16(22)), (23.5-23i), 45, -83}}, failure{31}, failure{83}, -66, S4{25, true}, S6{nil, S2{interface{}(uint32(99)), (21.5-21i), 82, -45}}, 102, []int{45, 5})
//goemu:call S6.m26(S6{nil, S2{failure{61}, (53.5-53i), 55, 81}}, failure{28}, failure{-60}, -66, S4{50, true}, S6{nil, S2{interface{}(uint32(99)), (87.0-87i), 108, 47}}, -68, []int{89, 5})
//go:noinline
func (p0 S6) m26(p1 error, p2 error, p3 int16, p4 S4, p5 S6, p6 int16, p7 []int) (string, []int, S4, int16, error, error) {
	return "" + " " + show(p0.F0 == nil) + " " + show(p0.F1.F0) + " " + show(p0.F1.F1) + " " + show(p0.F1.F2) + " " + show(p0.F1.F3) + " " + show(p1) + " " + show(p2) + " " + show(p3) + " " + show(p4.F0) + " " + show(p4.F1) + " " + show(p5.F0 == nil) + " " + show(p5.F1.F0) + " " + show(p5.F1.F1) + " " + show(p5.F1.F2) + " " + show(p5.F1.F3) + " " + show(p6) + " " + show(p7), p7, p4, p3, p2, p1
}

//goemu:call f27([1][]int{[]int{67, 0}}, 40, 6, interface{}(uint16(111)), [3]int16{9, 90, 65}, struct{}{}, 107, 23)
//goemu:call f27([1][]int{[]int{24, 0}}, 16, 84, interface{}(uint16(11)), [3]int16{91, 4, -57}, struct{}{}, 55, -68)
//go:noinline
func f27(p0 [1][]int, p1 uint8, p2 uint16, p3 interface{}, p4 [3]int16, p5 struct{}, p6 uint, p7 int64) (string, [3]int16, uint16) {
	return "" + " " + show(p0[0]) + " " + show(p1) + " " + show(p2) + " " + show(p3) + " " + show(p4[0]) + " " + show(p4[1]) + " " + show(p4[2]) + " " + show(p6) + " " + show(p7), p4, p2
}

//goemu:call f28(94, -92, S10{[0]error{}, 111, -52, nil}, []int{72, 5}, S11{-103.5}, 46, 9, nil, 4, 34, 94)
//goemu:call f28(20, -42, S10{[0]error{}, 111, -28, nil}, []int{56, 0}, S11{-95.5}, 14, 118, nil, []byte{16}...)
//go:noinline
func f28(p0 int32, p1 int32, p2 S10, p3 []int, p4 S11, p5 uint16, p6 uint32, p7 error, p8 ...byte) (string, []byte, S11, []int, int32, int32) {
	return "" + " " + show(p0) + " " + show(p1) + " " + show(p2.F1) + " " + show(p2.F2) + " " + show(p2.F3 == nil) + " " + show(p3) + " " + show(p4.F0) + " " + show(p5) + " " + show(p6) + " " + show(p7 == nil) + " " + show(p8), p8, p4, p3, p1, p0
}

//goemu:call f29(struct{}{}, nil, S2{"s114", (60.0-60i), 95, -25}, S3{-41.5, nil, 40, S2{interface{}(int8(63)), (103.5-103i), 113, 65}}, "s63", (49.5-49i))
//goemu:call f29(struct{}{}, nil, S2{failure{-99}, (97.0-97i), 62, -81}, S3{-51.5, nil, 112, S2{interface{}(uint64(109)), (57.0-57i), 68, 77}}, "s14", (29.5-29i))
//go:noinline
func f29(p0 struct{}, p1 chan int, p2 S2, p3 S3, p4 string, p5 complex64) (string, complex64, string, struct{}) {
	return "" + " " + show(p1 == nil) + " " + show(p2.F0) + " " + show(p2.F1) + " " + show(p2.F2) + " " + show(p2.F3) + " " + show(p3.F0) + " " + show(p3.F1 == nil) + " " + show(p3.F2) + " " + show(p3.F3.F0) + " " + show(p3.F3.F1) + " " + show(p3.F3.F2) + " " + show(p3.F3.F3) + " " + show(p4) + " " + show(p5), p5, p4, p0
}

//goemu:call f30(true, 11, S4{87, true}, S0{[3]uintptr{79, 21, 51}, 104, -55}, 82, "s104", S6{nil, S2{[]int{77, 5}, (20.5-20i), 66, 99}}, 90)
//goemu:call f30(failure{98}, -32, S4{54, true}, S0{[3]uintptr{66, 12, 65}, -111, 107}, 24, "s28", S6{nil, S2{failure{-1}, (95.0-95i), 51, 28}}, 96)
//go:noinline
func f30(p0 interface{}, p1 int16, p2 S4, p3 S0, p4 uint, p5 string, p6 S6, p7 uintptr) (string, uintptr, string, S0) {
	return "" + " " + show(p0) + " " + show(p1) + " " + show(p2.F0) + " " + show(p2.F1) + " " + show(p3.F0[0]) + " " + show(p3.F0[1]) + " " + show(p3.F0[2]) + " " + show(p3.F1) + " " + show(p3.F2) + " " + show(p4) + " " + show(p5) + " " + show(p6.F0 == nil) + " " + show(p6.F1.F0) + " " + show(p6.F1.F1) + " " + show(p6.F1.F2) + " " + show(p6.F1.F3) + " " + show(p7), p7, p5, p3
}

//goemu:call S10.m31(S10{[0]error{}, -75, -95, nil}, nil, []int{29}...)
//goemu:call S10.m31(S10{[0]error{}, -59, 110, nil}, nil, nil...)
//go:noinline
func (p0 S10) m31(p1 *int, p2 ...int) (string, []int) {
	return "" + " " + show(p0.F1) + " " + show(p0.F2) + " " + show(p0.F3 == nil) + " " + show(p1 == nil) + " " + show(p2), p2
}

//goemu:call S0.m32(S0{[3]uintptr{95, 93, 75}, 49, 69}, 44, S8{-48, [3]uint64{65, 110, 14}, interface{}(uint(57))})
//goemu:call S0.m32(S0{[3]uintptr{42, 55, 12}, -107, 61}, 101, S8{-17, [3]uint64{114, 109, 1}, interface{}(string("s115"))})
//go:noinline
func (p0 S0) m32(p1 uint16, p2 S8) (string, S0) {
	return "" + " " + show(p0.F0[0]) + " " + show(p0.F0[1]) + " " + show(p0.F0[2]) + " " + show(p0.F1) + " " + show(p0.F2) + " " + show(p1) + " " + show(p2.F0) + " " + show(p2.F1[0]) + " " + show(p2.F1[1]) + " " + show(p2.F1[2]) + " " + show(p2.F2), p0
}

//goemu:call f33(65, nil, []int{62, 0}, 47, 14)
//goemu:call f33(19, nil, []int{85, 0}, 98, 70)
//go:noinline
func f33(p0 uintptr, p1 func(), p2 []int, p3 uint16, p4 uint8) (string, uint8, uint16, []int, uintptr) {
	return "" + " " + show(p0) + " " + show(p1 == nil) + " " + show(p2) + " " + show(p3) + " " + show(p4), p4, p3, p2, p0
}

//goemu:call S9.m34(S9{S1{67, struct{}{}}, 71, S0{[3]uintptr{95, 65, 67}, 30, -42}, S1{51, struct{}{}}}, 9)
//goemu:call S9.m34(S9{S1{99, struct{}{}}, 108, S0{[3]uintptr{108, 33, 12}, 35, -21}, S1{70, struct{}{}}}, 27)
//go:noinline
func (p0 S9) m34(p1 uint32) (string, uint32) {
	return "" + " " + show(p0.F0.F0) + " " + show(p0.F1) + " " + show(p0.F2.F0[0]) + " " + show(p0.F2.F0[1]) + " " + show(p0.F2.F0[2]) + " " + show(p0.F2.F1) + " " + show(p0.F2.F2) + " " + show(p0.F3.F0) + " " + show(p1), p1
}

//goemu:call S3.m35(S3{-88.0, nil, 79, S2{failure{-96}, (111.5-111i), 16, 39}}, -27.5, [1]string{"s102"}, struct{}{}, (99.0-99i), -87.5, -51.0, "s69", "s93")
//goemu:call S3.m35(S3{-33.5, nil, 37, S2{-98.5, (15.0-15i), 66, 60}}, -71.5, [1]string{"s73"}, struct{}{}, (90.5-90i), -83.5, -61.0, "s82", "s67", "s29")
//go:noinline
func (p0 S3) m35(p1 float64, p2 [1]string, p3 struct{}, p4 complex64, p5 float64, p6 float64, p7 ...string) (string, []string, float64, struct{}, float64) {
	return "" + " " + show(p0.F0) + " " + show(p0.F1 == nil) + " " + show(p0.F2) + " " + show(p0.F3.F0) + " " + show(p0.F3.F1) + " " + show(p0.F3.F2) + " " + show(p0.F3.F3) + " " + show(p1) + " " + show(p2[0]) + " " + show(p4) + " " + show(p5) + " " + show(p6) + " " + show(p7), p7, p6, p3, p1
}

//goemu:call f36(nil)
//goemu:call f36(nil)
//go:noinline
func f36(p0 error) string { return "" + " " + show(p0 == nil) }

//goemu:call S10.m37(S10{[0]error{}, -75, 1, nil}, word("s112"), struct{}{}, nil, (28.0-28i), struct{}{}, nil...)
//goemu:call S10.m37(S10{[0]error{}, 95, -58, nil}, word("s18"), struct{}{}, nil, (113.5-113i), struct{}{}, []float64{-100.0}...)
//go:noinline
func (p0 S10) m37(p1 named, p2 struct{}, p3 *int, p4 complex128, p5 struct{}, p6 ...float64) (string, struct{}, struct{}, named) {
	return "" + " " + show(p0.F1) + " " + show(p0.F2) + " " + show(p0.F3 == nil) + " " + show(p1) + " " + show(p3 == nil) + " " + show(p4) + " " + show(p6), p5, p2, p1
}

//goemu:call f38(62, S4{84, true}, interface{}(uint32(98)), S1{79, struct{}{}}, (28.5-28i), nil, (57.0-57i), 5)
//goemu:call f38(40, S4{47, false}, interface{}(uint8(72)), S1{33, struct{}{}}, (39.5-39i), nil, (70.5-70i), 84)
//go:noinline
func f38(p0 uint64, p1 S4, p2 interface{}, p3 S1, p4 complex128, p5 map[string]int, p6 complex128, p7 uint) (string, uint, complex128, S1, S4) {
	return "" + " " + show(p0) + " " + show(p1.F0) + " " + show(p1.F1) + " " + show(p2) + " " + show(p3.F0) + " " + show(p4) + " " + show(p5 == nil) + " " + show(p6) + " " + show(p7), p7, p6, p3, p1
}

//goemu:call S0.m39(S0{[3]uintptr{43, 65, 107}, -106, 29}, 91, (33.0-33i), 37, -2.5)
//goemu:call S0.m39(S0{[3]uintptr{9, 90, 17}, -42, 115}, 102, (92.5-92i), 71, -36.0)
//go:noinline
func (p0 S0) m39(p1 uintptr, p2 complex64, p3 uint64, p4 float64) (string, float64, complex64, S0) {
	return "" + " " + show(p0.F0[0]) + " " + show(p0.F0[1]) + " " + show(p0.F0[2]) + " " + show(p0.F1) + " " + show(p0.F2) + " " + show(p1) + " " + show(p2) + " " + show(p3) + " " + show(p4), p4, p2, p0
}

//goemu:call f40(30, 114)
//goemu:call f40(18, 14)
//go:noinline
func f40(p0 uint64, p1 int) (string, int) { return "" + " " + show(p0) + " " + show(p1), p1 }

//goemu:call f41([0]S8{}, []int{114, 5}, S3{-52.0, nil, 99, S2{interface{}(complex128((64.0-64i))), (113.0-113i), 22, -103}}, 104, S3{-62.5, nil, 62, S2{interface{}(float64(-109.5)), (73.0-73i), 31, -59}}, word("s56"))
//goemu:call f41([0]S8{}, []int{42, 5}, S3{-27.0, nil, 78, S2{failure{-83}, (64.5-64i), 30, 65}}, 50, S3{-59.5, nil, 109, S2{failure{76}, (32.5-32i), 6, -27}}, word("s94"))
//go:noinline
func f41(p0 [0]S8, p1 []int, p2 S3, p3 uint16, p4 S3, p5 named) (string, named, uint16) {
	return "" + " " + show(p1) + " " + show(p2.F0) + " " + show(p2.F1 == nil) + " " + show(p2.F2) + " " + show(p2.F3.F0) + " " + show(p2.F3.F1) + " " + show(p2.F3.F2) + " " + show(p2.F3.F3) + " " + show(p3) + " " + show(p4.F0) + " " + show(p4.F1 == nil) + " " + show(p4.F2) + " " + show(p4.F3.F0) + " " + show(p4.F3.F1) + " " + show(p4.F3.F2) + " " + show(p4.F3.F3) + " " + show(p5), p5, p3
}

//goemu:call f42(22, nil, S8{-60, [3]uint64{34, 18, 66}, failure{-93}})
//goemu:call f42(106, nil, S8{113, [3]uint64{80, 19, 103}, interface{}(int32(-81))})
//go:noinline
func f42(p0 int, p1 func(), p2 S8) (string, int) {
	return "" + " " + show(p0) + " " + show(p1 == nil) + " " + show(p2.F0) + " " + show(p2.F1[0]) + " " + show(p2.F1[1]) + " " + show(p2.F1[2]) + " " + show(p2.F2), p0
}

//goemu:call f43("s96", -87, 45, struct{}{}, [3]func(){nil, nil, nil}, 25)
//goemu:call f43("s62", 28, 39, struct{}{}, [3]func(){nil, nil, nil}, 54)
//go:noinline
func f43(p0 string, p1 int32, p2 uint16, p3 struct{}, p4 [3]func(), p5 uint32) (string, uint32, uint16, int32, string) {
	return "" + " " + show(p0) + " " + show(p1) + " " + show(p2) + " " + show(p4[0] == nil) + " " + show(p4[1] == nil) + " " + show(p4[2] == nil) + " " + show(p5), p5, p2, p1, p0
}

//goemu:call f44(failure{91}, S1{75, struct{}{}})
//goemu:call f44(failure{-67}, S1{59, struct{}{}})
//go:noinline
func f44(p0 error, p1 S1) (string, S1, error) { return "" + " " + show(p0) + " " + show(p1.F0), p1, p0 }

//goemu:call f45("s103", S11{-37.0}, -57.5)
//goemu:call f45("s89", S11{-63.0}, -104.5)
//go:noinline
func f45(p0 string, p1 S11, p2 float32) (string, float32, S11, string) {
	return "" + " " + show(p0) + " " + show(p1.F0) + " " + show(p2), p2, p1, p0
}

//goemu:call f46(20, [3]S1{S1{80, struct{}{}}, S1{15, struct{}{}}, S1{98, struct{}{}}}, false, S2{interface{}(int32(92)), (35.0-35i), 56, 59}, nil, 35, 57, -23.5)
//goemu:call f46(72, [3]S1{S1{85, struct{}{}}, S1{116, struct{}{}}, S1{73, struct{}{}}}, false, S2{"s60", (62.0-62i), 40, 59}, nil, 32, 47, -115.0)
//go:noinline
func f46(p0 uint16, p1 [3]S1, p2 bool, p3 S2, p4 *int, p5 uintptr, p6 int, p7 float64) (string, float64, bool, uint16) {
	return "" + " " + show(p0) + " " + show(p1[0].F0) + " " + show(p1[1].F0) + " " + show(p1[2].F0) + " " + show(p2) + " " + show(p3.F0) + " " + show(p3.F1) + " " + show(p3.F2) + " " + show(p3.F3) + " " + show(p4 == nil) + " " + show(p5) + " " + show(p6) + " " + show(p7), p7, p2, p0
}

//goemu:call S3.m47(S3{-41.5, nil, 43, S2{interface{}(int32(119)), (68.0-68i), 29, -29}}, nil)
//goemu:call S3.m47(S3{-47.5, nil, 92, S2{interface{}(uint8(32)), (89.5-89i), 85, -27}}, nil)
//go:noinline
func (p0 S3) m47(p1 func()) string {
	return "" + " " + show(p0.F0) + " " + show(p0.F1 == nil) + " " + show(p0.F2) + " " + show(p0.F3.F0) + " " + show(p0.F3.F1) + " " + show(p0.F3.F2) + " " + show(p0.F3.F3) + " " + show(p1 == nil)
}

//goemu:call S0.m48(S0{[3]uintptr{53, 36, 83}, -63, 36}, nil, -116)
//goemu:call S0.m48(S0{[3]uintptr{30, 73, 56}, -29, -47}, nil, 41)
//go:noinline
func (p0 S0) m48(p1 *int, p2 int16) (string, int16) {
	return "" + " " + show(p0.F0[0]) + " " + show(p0.F0[1]) + " " + show(p0.F0[2]) + " " + show(p0.F1) + " " + show(p0.F2) + " " + show(p1 == nil) + " " + show(p2), p2
}

//goemu:call f49((11.0-11i), 18, 87)
//goemu:call f49((8.0-8i), 3, 75)
//go:noinline
func f49(p0 complex128, p1 uint8, p2 uintptr) (string, uint8) {
	return "" + " " + show(p0) + " " + show(p1) + " " + show(p2), p1
}

//goemu:call S4.m50(S4{101, false}, (30.0-30i), S3{-54.0, nil, 57, S2{failure{103}, (76.5-76i), 75, -22}}, S3{-36.0, nil, 101, S2{interface{}(uint32(23)), (70.5-70i), 39, -6}}, S5{S2{interface{}(uint16(6)), (46.5-46i), 62, -34}, 118}, 26)
//goemu:call S4.m50(S4{64, false}, (47.0-47i), S3{-11.5, nil, 47, S2{failure{-14}, (41.0-41i), 50, 90}}, S3{-10.5, nil, 52, S2{interface{}(complex64((3.0-3i))), (58.0-58i), 59, 42}}, S5{S2{interface{}(uint64(7)), (76.0-76i), 46, 78}, 97}, 26)
//go:noinline
func (p0 S4) m50(p1 complex128, p2 S3, p3 S3, p4 S5, p5 uintptr) (string, complex128, S4) {
	return "" + " " + show(p0.F0) + " " + show(p0.F1) + " " + show(p1) + " " + show(p2.F0) + " " + show(p2.F1 == nil) + " " + show(p2.F2) + " " + show(p2.F3.F0) + " " + show(p2.F3.F1) + " " + show(p2.F3.F2) + " " + show(p2.F3.F3) + " " + show(p3.F0) + " " + show(p3.F1 == nil) + " " + show(p3.F2) + " " + show(p3.F3.F0) + " " + show(p3.F3.F1) + " " + show(p3.F3.F2) + " " + show(p3.F3.F3) + " " + show(p4.F0.F0) + " " + show(p4.F0.F1) + " " + show(p4.F0.F2) + " " + show(p4.F0.F3) + " " + show(p4.F1) + " " + show(p5), p1, p0
}

//goemu:call f51([3][2]int8{[2]int8{-92, 115}, [2]int8{-80, 68}, [2]int8{17, -36}}, (41.0-41i), S1{115, struct{}{}}, [1]float32{-27.5}, []int{34, 0})
//goemu:call f51([3][2]int8{[2]int8{88, 101}, [2]int8{-103, 8}, [2]int8{-6, -86}}, (45.0-45i), S1{118, struct{}{}}, [1]float32{-90.5}, []int{106, 5})
//go:noinline
func f51(p0 [3][2]int8, p1 complex64, p2 S1, p3 [1]float32, p4 []int) (string, []int, [1]float32, S1) {
	return "" + " " + show(p0[0][0]) + " " + show(p0[0][1]) + " " + show(p0[1][0]) + " " + show(p0[1][1]) + " " + show(p0[2][0]) + " " + show(p0[2][1]) + " " + show(p1) + " " + show(p2.F0) + " " + show(p3[0]) + " " + show(p4), p4, p3, p2
}

//goemu:call f52("s5", S9{S1{45, struct{}{}}, 73, S0{[3]uintptr{95, 56, 39}, -8, -57}, S1{57, struct{}{}}}, [0]S6{}, -79.0, -44.0, -46.0)
//goemu:call f52("s41", S9{S1{106, struct{}{}}, 21, S0{[3]uintptr{59, 9, 83}, -106, -107}, S1{54, struct{}{}}}, [0]S6{}, -20.5, -101.5, -12.0)
//go:noinline
func f52(p0 string, p1 S9, p2 [0]S6, p3 ...float64) (string, S9, string) {
	return "" + " " + show(p0) + " " + show(p1.F0.F0) + " " + show(p1.F1) + " " + show(p1.F2.F0[0]) + " " + show(p1.F2.F0[1]) + " " + show(p1.F2.F0[2]) + " " + show(p1.F2.F1) + " " + show(p1.F2.F2) + " " + show(p1.F3.F0) + " " + show(p3), p1, p0
}

//goemu:call f53(nil, (91.0-91i), "s58", S3{-63.0, nil, 18, S2{interface{}(int32(19)), (117.0-117i), 70, 91}}, [2][1][]int{[1][]int{[]int{79, 0}}, [1][]int{[]int{25, 5}}}, true, 92)
//goemu:call f53(nil, (108.5-108i), "s91", S3{-8.0, nil, 59, S2{failure{28}, (47.5-47i), 65, 79}}, [2][1][]int{[1][]int{[]int{82, 5}}, [1][]int{[]int{27, 5}}}, true, 96)
//go:noinline
func f53(p0 func(), p1 complex64, p2 string, p3 S3, p4 [2][1][]int, p5 bool, p6 uint) (string, uint, bool, [2][1][]int, string, complex64) {
	return "" + " " + show(p0 == nil) + " " + show(p1) + " " + show(p2) + " " + show(p3.F0) + " " + show(p3.F1 == nil) + " " + show(p3.F2) + " " + show(p3.F3.F0) + " " + show(p3.F3.F1) + " " + show(p3.F3.F2) + " " + show(p3.F3.F3) + " " + show(p4[0][0]) + " " + show(p4[1][0]) + " " + show(p5) + " " + show(p6), p6, p5, p4, p2, p1
}

//goemu:call f54(failure{118}, -22, 74, 20, -36.5, word("s89"))
//goemu:call f54(failure{101}, interface{}(uintptr(63)), 34, -64, -57.5, word("s39"))
//go:noinline
func f54(p0 error, p1 interface{}, p2 uintptr, p3 int16, p4 float64, p5 named) (string, float64, uintptr, interface{}, error) {
	return "" + " " + show(p0) + " " + show(p1) + " " + show(p2) + " " + show(p3) + " " + show(p4) + " " + show(p5), p4, p2, p1, p0
}

//goemu:call S10.m55(S10{[0]error{}, 4, -66, nil}, S9{S1{56, struct{}{}}, 115, S0{[3]uintptr{35, 27, 115}, 73, 53}, S1{10, struct{}{}}}, 83, S8{-84, [3]uint64{96, 33, 67}, interface{}(uint(3))}, 51, 10, [1]error{failure{-9}}, struct{}{}, []int{78}...)
//goemu:call S10.m55(S10{[0]error{}, 72, -18, nil}, S9{S1{91, struct{}{}}, 30, S0{[3]uintptr{65, 12, 18}, 34, 105}, S1{55, struct{}{}}}, 21, S8{-8, [3]uint64{17, 15, 38}, interface{}(complex64((111.0-111i)))}, -19, 54, [1]error{failure{86}}, struct{}{}, -19, 59)
//go:noinline
func (p0 S10) m55(p1 S9, p2 uint64, p3 S8, p4 int, p5 uint, p6 [1]error, p7 struct{}, p8 ...int) (string, []int, struct{}, int, uint64) {
	return "" + " " + show(p0.F1) + " " + show(p0.F2) + " " + show(p0.F3 == nil) + " " + show(p1.F0.F0) + " " + show(p1.F1) + " " + show(p1.F2.F0[0]) + " " + show(p1.F2.F0[1]) + " " + show(p1.F2.F0[2]) + " " + show(p1.F2.F1) + " " + show(p1.F2.F2) + " " + show(p1.F3.F0) + " " + show(p2) + " " + show(p3.F0) + " " + show(p3.F1[0]) + " " + show(p3.F1[1]) + " " + show(p3.F1[2]) + " " + show(p3.F2) + " " + show(p4) + " " + show(p5) + " " + show(p6[0]) + " " + show(p8), p8, p7, p4, p2
}

//goemu:call f56(112, [2]error{nil, nil}, [2]S7{S7{S6{nil, S2{failure{-95}, (109.0-109i), 14, 34}}}, S7{S6{nil, S2{failure{-55}, (18.0-18i), 51, -23}}}}, 107, S3{-70.0, nil, 58, S2{interface{}(complex128((49.5-49i))), (72.0-72i), 104, -80}}, S4{65, true}, S2{failure{-19}, (57.0-57i), 86, 107}, 74, 93, 78)
//goemu:call f56(68, [2]error{nil, nil}, [2]S7{S7{S6{nil, S2{interface{}(uintptr(93)), (53.5-53i), 81, 81}}}, S7{S6{nil, S2{interface{}(uint(9)), (107.0-107i), 109, -26}}}}, 22, S3{-45.0, nil, 114, S2{failure{-85}, (10.0-10i), 27, 103}}, S4{21, false}, S2{interface{}([]int([]int{55, 5})), (113.5-113i), 22, 29}, []byte{71}...)
//go:noinline
func f56(p0 uint8, p1 [2]error, p2 [2]S7, p3 int, p4 S3, p5 S4, p6 S2, p7 ...byte) (string, []byte, S4, int, uint8) {
	return "" + " " + show(p0) + " " + show(p1[0] == nil) + " " + show(p1[1] == nil) + " " + show(p2[0].F0.F0 == nil) + " " + show(p2[0].F0.F1.F0) + " " + show(p2[0].F0.F1.F1) + " " + show(p2[0].F0.F1.F2) + " " + show(p2[0].F0.F1.F3) + " " + show(p2[1].F0.F0 == nil) + " " + show(p2[1].F0.F1.F0) + " " + show(p2[1].F0.F1.F1) + " " + show(p2[1].F0.F1.F2) + " " + show(p2[1].F0.F1.F3) + " " + show(p3) + " " + show(p4.F0) + " " + show(p4.F1 == nil) + " " + show(p4.F2) + " " + show(p4.F3.F0) + " " + show(p4.F3.F1) + " " + show(p4.F3.F2) + " " + show(p4.F3.F3) + " " + show(p5.F0) + " " + show(p5.F1) + " " + show(p6.F0) + " " + show(p6.F1) + " " + show(p6.F2) + " " + show(p6.F3) + " " + show(p7), p7, p5, p3, p0
}

//goemu:call f57([0][]int{})
//goemu:call f57([0][]int{})
//go:noinline
func f57(p0 [0][]int) string { return "" }

//goemu:call f58(68, (72.5-72i), nil, S0{[3]uintptr{8, 45, 56}, -88, 119}, nil, nil)
//goemu:call f58(82, (85.5-85i), nil, S0{[3]uintptr{62, 52, 9}, 84, 67}, nil, nil)
//go:noinline
func f58(p0 uint16, p1 complex128, p2 chan int, p3 S0, p4 chan int, p5 *int) (string, complex128) {
	return "" + " " + show(p0) + " " + show(p1) + " " + show(p2 == nil) + " " + show(p3.F0[0]) + " " + show(p3.F0[1]) + " " + show(p3.F0[2]) + " " + show(p3.F1) + " " + show(p3.F2) + " " + show(p4 == nil) + " " + show(p5 == nil), p1
}

//goemu:call f59([]int{20, 0}, S3{-61.5, nil, 103, S2{interface{}(int32(-19)), (103.0-103i), 32, 16}}, S9{S1{107, struct{}{}}, 39, S0{[3]uintptr{28, 14, 60}, 14, -44}, S1{37, struct{}{}}}, 39, 82, interface{}([]int([]int{43, 5})), 13)
//goemu:call f59([]int{107, 5}, S3{-78.5, nil, 72, S2{interface{}(uint64(48)), (69.0-69i), 74, 93}}, S9{S1{46, struct{}{}}, 114, S0{[3]uintptr{29, 61, 40}, -57, 86}, S1{91, struct{}{}}}, -11, 45, failure{23}, 116)
//go:noinline
func f59(p0 []int, p1 S3, p2 S9, p3 int32, p4 uint16, p5 interface{}, p6 uint64) (string, interface{}, uint16, S9) {
	return "" + " " + show(p0) + " " + show(p1.F0) + " " + show(p1.F1 == nil) + " " + show(p1.F2) + " " + show(p1.F3.F0) + " " + show(p1.F3.F1) + " " + show(p1.F3.F2) + " " + show(p1.F3.F3) + " " + show(p2.F0.F0) + " " + show(p2.F1) + " " + show(p2.F2.F0[0]) + " " + show(p2.F2.F0[1]) + " " + show(p2.F2.F0[2]) + " " + show(p2.F2.F1) + " " + show(p2.F2.F2) + " " + show(p2.F3.F0) + " " + show(p3) + " " + show(p4) + " " + show(p5) + " " + show(p6), p5, p4, p2
}

func showOwn(v interface{}) string {
	switch v := v.(type) {
	case failure:
		return "main.failure{code:" + show(v.code) + "}"
	case word:
		return show(string(v))
	case struct{}:
		_ = v
		return "struct {}{" + "}"
	case S1:
		_ = v
		return "main.S1{" + "F0:" + show(v.F0) + ", " + "F1:" + show(v.F1) + "}"
	case [3]uintptr:
		_ = v
		return "[3]uintptr{" + show(v[0]) + ", " + show(v[1]) + ", " + show(v[2]) + "}"
	case S0:
		_ = v
		return "main.S0{" + "F0:" + show(v.F0) + ", " + "F1:" + show(v.F1) + ", " + "F2:" + show(v.F2) + "}"
	case S9:
		_ = v
		return "main.S9{" + "F0:" + show(v.F0) + ", " + "F1:" + show(v.F1) + ", " + "F2:" + show(v.F2) + ", " + "F3:" + show(v.F3) + "}"
	case S11:
		_ = v
		return "main.S11{" + "F0:" + show(v.F0) + "}"
	case [1]uint8:
		_ = v
		return "[1]uint8{" + show(v[0]) + "}"
	case [0][]int:
		_ = v
		return "[0][]int{" + "}"
	case S4:
		_ = v
		return "main.S4{" + "F0:" + show(v.F0) + ", " + "F1:" + show(v.F1) + "}"
	case [3]int16:
		_ = v
		return "[3]int16{" + show(v[0]) + ", " + show(v[1]) + ", " + show(v[2]) + "}"
	case [1]float32:
		_ = v
		return "[1]float32{" + show(v[0]) + "}"
	case [1][]int:
		_ = v
		return "[1][]int{" + show(v[0]) + "}"
	case [2][1][]int:
		_ = v
		return "[2][1][]int{" + show(v[0]) + ", " + show(v[1]) + "}"
	}
	return ""
}
