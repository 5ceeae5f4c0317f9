# Exceptions and interrupts: 256 stubs of 16 bytes each, and what they lead to.

.section .text.trap_stubs, "ax", @progbits
.balign 16
.global trap_stubs
trap_stubs:
.set vector, 0
.rept 256
    .balign 16
    # The CPU pushes an error code for these; the others get a zero.
    .if vector == 8 || vector == 10 || vector == 11 || vector == 12 || vector == 13 || vector == 14 || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .else
    push    0
    .endif
    push    (vector)
    .if vector == 1 || vector == 2 || vector == 8 || vector == 18
    jmp     trap_paranoid
    .else
    jmp     trap_common
    .endif
    .set vector, vector + 1
.endr

.balign 16
trap_common:
    test    byte ptr [rsp + 24], 3
    jnz     trap_from_user
    # From kernel mode: on the kernel's stack, which the CPU aligned; 7 words so far, 15 follow.
    push    rax
    push    rbx
    push    rcx
    push    rdx
    push    rsi
    push    rdi
    push    rbp
    push    r8
    push    r9
    push    r10
    push    r11
    push    r12
    push    r13
    push    r14
    push    r15
    cld
    mov     rdi, rsp
    call    {KERNEL_TRAP}
trap_kernel_return:
    pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     r11
    pop     r10
    pop     r9
    pop     r8
    pop     rbp
    pop     rdi
    pop     rsi
    pop     rdx
    pop     rcx
    pop     rbx
    pop     rax
    add     rsp, 16
    iretq

# These may strike between two instructions of an entry or exit, where GS is still or already the user's. The old base is
# kept in rbx, whatever it is, and the kernel's is set: the user may have put any value into GS, so looking does not tell.
.balign 16
trap_paranoid:
    test    byte ptr [rsp + 24], 3
    jnz     trap_from_user
    push    rax
    push    rbx
    push    rcx
    push    rdx
    push    rsi
    push    rdi
    push    rbp
    push    r8
    push    r9
    push    r10
    push    r11
    push    r12
    push    r13
    push    r14
    push    r15
    cld
    mov     ecx, 0xc0000101
    rdmsr
    shl     rdx, 32
    mov     ebx, eax
    or      rbx, rdx
    lea     rax, [rip + {PERCPU}]
    mov     rdx, rax
    shr     rdx, 32
    wrmsr
    mov     rdi, rsp
    call    {KERNEL_TRAP}
    mov     rax, rbx
    mov     rdx, rbx
    shr     rdx, 32
    mov     ecx, 0xc0000101
    wrmsr
    jmp     trap_kernel_return
