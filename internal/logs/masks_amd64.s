#include "textflag.h"

// func masks(p *byte, blocks int, quotes, slashes *uint64) (wide uint64)
//
// It needs nothing beyond SSE2, which every amd64 has.
TEXT ·masks(SB), NOSPLIT, $0-40
	MOVQ p+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVQ quotes+16(FP), DI
	MOVQ slashes+24(FP), DX
	MOVQ $0x2222222222222222, AX
	MOVQ AX, X0
	PUNPCKLQDQ X0, X0
	MOVQ $0x5c5c5c5c5c5c5c5c, AX
	MOVQ AX, X1
	PUNPCKLQDQ X1, X1
	PXOR X2, X2
	TESTQ CX, CX
	JZ   done

block:
	MOVOU (SI), X3
	MOVOU 16(SI), X4
	MOVOU 32(SI), X5
	MOVOU 48(SI), X6

	// what has its highest bit set is not ASCII
	MOVO X3, X7
	MOVO X5, X8
	POR  X4, X7
	POR  X6, X8
	POR  X7, X2
	POR  X8, X2

	// quotes
	MOVO     X3, X7
	MOVO     X4, X8
	MOVO     X5, X9
	MOVO     X6, X10
	PCMPEQB  X0, X7
	PCMPEQB  X0, X8
	PCMPEQB  X0, X9
	PCMPEQB  X0, X10
	PMOVMSKB X7, AX
	PMOVMSKB X8, BX
	PMOVMSKB X9, R8
	PMOVMSKB X10, R9
	SHLQ     $16, BX
	SHLQ     $32, R8
	SHLQ     $48, R9
	ORQ      BX, AX
	ORQ      R8, R9
	ORQ      R9, AX
	MOVQ     AX, (DI)

	// backslashes
	PCMPEQB  X1, X3
	PCMPEQB  X1, X4
	PCMPEQB  X1, X5
	PCMPEQB  X1, X6
	PMOVMSKB X3, AX
	PMOVMSKB X4, BX
	PMOVMSKB X5, R8
	PMOVMSKB X6, R9
	SHLQ     $16, BX
	SHLQ     $32, R8
	SHLQ     $48, R9
	ORQ      BX, AX
	ORQ      R8, R9
	ORQ      R9, AX
	MOVQ     AX, (DX)

	ADDQ $64, SI
	ADDQ $8, DI
	ADDQ $8, DX
	DECQ CX
	JNZ  block

done:
	PMOVMSKB X2, AX
	MOVQ     AX, wide+32(FP)
	RET
