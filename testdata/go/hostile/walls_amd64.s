#include "textflag.h"

// func slowFloats(): division and roots rounded upwards, of numbers too small for normal form, eight at a time
TEXT ·slowFloats(SB),NOSPLIT,$16-0
	MOVL $0x5f80, 0(SP)
	LDMXCSR 0(SP)
	MOVL $0x00000007, AX
	MOVQ AX, X0
	VPBROADCASTD X0, Y0
	MOVL $0x3f800003, AX
	MOVQ AX, X1
	VPBROADCASTD X1, Y1
again:
	VDIVPS Y1, Y0, Y2
	VSQRTPS Y1, Y3
	VDIVPS Y1, Y0, Y4
	VSQRTPS Y0, Y5
	VFMADD213PS Y0, Y1, Y2
	JMP again

// func slowTranscendentals()
TEXT ·slowTranscendentals(SB),NOSPLIT,$16-0
again:
	FLDPI
	FSIN
	FYL2XP1
	FLDPI
	FPTAN
	FPATAN
	FINIT
	JMP again

// func slowStrings(): comparisons of strings by their text instructions
TEXT ·slowStrings(SB),NOSPLIT,$0-0
	MOVQ $16, AX
	MOVQ $16, DX
again:
	PCMPESTRI $0x0c, X1, X0
	PCMPESTRM $0x0c, X1, X0
	JMP again

// func manyDivisions(): 128 by 64 bits
TEXT ·manyDivisions(SB),NOSPLIT,$0-0
	MOVQ $-1, BX
again:
	MOVQ $0x123456789, DX
	MOVQ $0x987654321, AX
	DIVQ BX
	MOVQ $0x123456789, DX
	IDIVQ BX
	JMP again

TEXT ·manyCpuids(SB),NOSPLIT,$0-0
again:
	XORL AX, AX
	XORL CX, CX
	CPUID
	XORL CX, CX
	XGETBV
	RDTSC
	JMP again

// func saveStates(): FXSAVE and FXRSTOR
TEXT ·saveStates(SB),0,$1040-0
	LEAQ 16(SP), BX
	ADDQ $63, BX
	ANDQ $-64, BX
again:
	FXSAVE (BX)
	FXRSTOR (BX)
	JMP again

// func trapFlag(): sets the trap flag and the flag of alignment
TEXT ·trapFlag(SB),NOSPLIT,$0-0
again:
	PUSHFQ
	ORQ $0x40000, 0(SP)
	POPFQ
	PUSHFQ
	ANDQ $~0x40000, 0(SP)
	POPFQ
	JMP again

// func repCompare(at, n uintptr)
TEXT ·repCompare(SB),NOSPLIT,$0-16
	MOVQ at+0(FP), SI
	MOVQ SI, DI
	MOVQ n+8(FP), CX
	REP; CMPSB
	RET

// func repScan(at, n uintptr)
TEXT ·repScan(SB),NOSPLIT,$0-16
	MOVQ at+0(FP), DI
	MOVQ n+8(FP), CX
	MOVB $1, AX
	REPN; SCASB
	RET

// func repMove(to, from, n uintptr)
TEXT ·repMove(SB),NOSPLIT,$0-24
	MOVQ to+0(FP), DI
	MOVQ from+8(FP), SI
	MOVQ n+16(FP), CX
	REP; MOVSB
	RET

// func straddle(at uintptr)
TEXT ·straddle(SB),NOSPLIT,$0-8
	MOVQ at+0(FP), AX
	MOVQ $0xc3c3c3c3c3c3c3c3, BX
	MOVQ BX, (AX)
	RET
