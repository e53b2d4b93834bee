#include "textflag.h"

// func aliasedCode(file uintptr, code *[3]byte, run uintptr): writes the code to the file, runs it and sees that it is that one
TEXT ·aliasedCode(SB),NOSPLIT,$32-24
	MOVQ code+8(FP), BX
	MOVQ run+16(FP), CX
	MOVQ CX, 16(SP)
again:
	INCB 1(BX)
	MOVQ $18, AX
	MOVQ file+0(FP), DI
	MOVQ BX, SI
	MOVQ $3, DX
	MOVQ $0, R10
	SYSCALL
	MOVQ 16(SP), CX
	CALL CX
	CMPB AX, 1(BX)
	JEQ again
	INT $3

// func callFor(a, times uintptr)
TEXT ·callFor(SB),NOSPLIT,$16-16
	MOVQ times+8(FP), CX
	MOVQ CX, 8(SP)
next:
	MOVQ a+0(FP), AX
	CALL AX
	DECQ 8(SP)
	JNE next
	RET

// func slowMix(): what no engine translates, and after it what takes long to interpret
TEXT ·slowMix(SB),NOSPLIT,$0-0
	MOVL $0x3eaaaaab, AX
	MOVQ AX, X0
	VPBROADCASTD X0, Y0
mix:
	XORL CX, CX
	XGETBV
	VDIVPS Y0, Y0, Y1
	VFMADD213PS Y0, Y0, Y2
	VSQRTPS Y0, Y3
	VDIVPS Y0, Y0, Y4
	VFMADD213PS Y0, Y0, Y5
	VSUBPS Y0, Y0, Y6
	VDIVPS Y0, Y0, Y7
	VFMADD213PS Y0, Y0, Y8
	VROUNDPS $4, Y0, Y9
	VDPPS $0xff, Y0, Y0, Y9
	JMP mix

// func slowerMix(): the same, rounded upwards
TEXT ·slowerMix(SB),NOSPLIT,$16-0
	MOVL $0x5f80, 0(SP)
	LDMXCSR 0(SP)
	MOVL $0x3eaaaaab, AX
	MOVQ AX, X0
	VPBROADCASTD X0, Y0
mix:
	XORL CX, CX
	XGETBV
	VDIVPS Y0, Y0, Y1
	VSQRTPS Y0, Y3
	SQRTSD X0, X5
	DIVSD X0, X6
	ADDSD X0, X7
	VCMPPS $1, Y0, Y0, Y4
	VDIVPD Y0, Y0, Y1
	VSQRTPD Y0, Y3
	JMP mix

// func slowX87(): arithmetic in x87's registers
TEXT ·slowX87(SB),NOSPLIT,$0-0
	FLDPI
	FLDL2T
again:
	FADDD F0, F1
	FMULD F0, F1
	FDIVD F1, F0
	FSQRT
	FPREM
	FRNDINT
	FSCALE
	FLDPI
	FMULDP F0, F1
	FDIVD F1, F0
	JMP again

// func slowBytes(): vectors of bytes
TEXT ·slowBytes(SB),NOSPLIT,$0-0
again:
	XORL CX, CX
	XGETBV
	VPACKUSWB Y0, Y1, Y2
	VPCMPGTB Y0, Y1, Y2
	VPADDSB Y0, Y1, Y2
	VPAVGB Y0, Y1, Y2
	VPSHUFB Y0, Y1, Y2
	VPMADDUBSW Y0, Y1, Y2
	VPSIGNB Y0, Y1, Y2
	VMPSADBW $3, Y0, Y1, Y2
	PDEPQ AX, BX, DX
	JMP again
