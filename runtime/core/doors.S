/* SPDX-License-Identifier: MIT
 * doors.S - onto the stack of compiled code and back, and the door through which it calls us.
 * See guard.c. */
	.set SAVED, 0
	.set TOP, 8
	.set LEAST, 16
	.set LOW, 24
	.set DOOR, 32
	.set SEQ, 40
	.set FAULT, 48
	.set FAULT_TIME, 7
	.set EFAIL, -5

	.section .note.GNU-stack,"",@progbits
	.text

/* int guard_switch(fn, self, m, guard): rc of fn, which runs on the guard's stack. */
	.globl guard_switch
	.type guard_switch, @function
guard_switch:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, SAVED(%rcx)
	mov	TOP(%rcx), %rsp
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	call	*%rax
	mov	%fs:guard_self@tpoff, %rcx
back:	mov	SAVED(%rcx), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size guard_switch, . - guard_switch

/* Instead of where compiled code would have returned to: its time is over. */
	.globl guard_ended
	.type guard_ended, @function
guard_ended:
	mov	%fs:guard_self@tpoff, %rcx
	movl	$FAULT_TIME, FAULT(%rcx)
/* Instead of the instruction that faulted. */
	.globl guard_fell
guard_fell:
	mov	%fs:guard_self@tpoff, %rcx
	movq	$0, DOOR(%rcx)
	cld
	fninit
	mov	$EFAIL, %eax
	jmp	back
	.size guard_ended, . - guard_ended

/* The function in r11, for compiled code: while it runs the return address is kept in DOOR, which
 * says that we are in code of the runtime. */
	.globl guard_door
	.type guard_door, @function
guard_door:
	mov	%fs:guard_self@tpoff, %r10
	test	%r10, %r10
	jz	1f
	testb	$1, SEQ(%r10)
	jz	1f
	cmp	LEAST(%r10), %rsp
	jb	2f
	popq	DOOR(%r10)
	call	*%r11
	mov	%fs:guard_self@tpoff, %r10
	pushq	DOOR(%r10)
	movq	$0, DOOR(%r10)
	ret
1:	jmp	*%r11
2:	mov	LOW(%r10), %r10
	movb	$0, -1(%r10)
	ud2
	.size guard_door, . - guard_door

/* Reads a text to its end. The first byte by itself, as its address is told, then 16 at a time,
 * aligned: so no page is touched that the text does not reach. */
	.section guard_lent,"ax",@progbits
	.globl guard_probe, guard_touch
	.type guard_probe, @function
guard_probe:
	movzbl	(%rdi), %eax
	movl	%edi, %ecx
	andq	$-16, %rdi
	andl	$15, %ecx
	pxor	%xmm0, %xmm0
	movdqa	(%rdi), %xmm1
	pcmpeqb	%xmm0, %xmm1
	pmovmskb %xmm1, %eax
	shrl	%cl, %eax
	testl	%eax, %eax
	jne	2f
1:	addq	$16, %rdi
	movdqa	(%rdi), %xmm1
	pcmpeqb	%xmm0, %xmm1
	pmovmskb %xmm1, %eax
	testl	%eax, %eax
	je	1b
2:	ret
	.size guard_probe, . - guard_probe

	.type guard_touch, @function
guard_touch:
	movzbl	(%rdi), %eax
	ret
	.size guard_touch, . - guard_touch
