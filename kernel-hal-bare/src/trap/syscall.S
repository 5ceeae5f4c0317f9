# Entry and exit of user mode. The kernel calls `context_enter`; it returns at a trap from user mode. A syscall is served
# first, on the stack of that call, and ends it only when somebody wants so.
#
# In:  rdi = address of a UserContext. Interrupts are off.
# Out: eax = 0 after a syscall (its answer is in the context), 1 after another trap (vector and error code are in the
#      per-CPU data), 2 when user code was not entered because its rip is not canonical. A C function otherwise.

.section .text.trap_syscall, "ax", @progbits
.balign 64
.global context_enter
context_enter:
    .cfi_startproc
    push    rbx
    push    rbp
    push    r12
    push    r13
    push    r14
    push    r15
    sub     rsp, 8
    .cfi_def_cfa_offset 64
    mov     gs:[{KERNEL_RSP}], rsp
    mov     gs:[{CONTEXT}], rdi
    cmp     dword ptr [rdi + {ENTERED_BY}], 1
    jne     context_enter_full
    # sysretq faults in ring 0, on the user's stack, when rip is not canonical; user rips are below 2^47.
    cmp     dword ptr [rdi + {RIP} + 4], 0x7fff
    ja      context_enter_full
    mov     rcx, [rdi + {RIP}]
    mov     r11, [rdi + {RFLAGS}]
    and     r11d, {USER_FLAGS}
    mov     rax, [rdi + {RAX}]
    mov     rbx, [rdi + {RBX}]
    mov     rdx, [rdi + {RDX}]
    mov     rsi, [rdi + {RSI}]
    mov     rbp, [rdi + {RBP}]
    mov     r8,  [rdi + {R8}]
    mov     r9,  [rdi + {R9}]
    mov     r10, [rdi + {R10}]
    mov     r12, [rdi + {R12}]
    mov     r13, [rdi + {R13}]
    mov     r14, [rdi + {R14}]
    mov     r15, [rdi + {R15}]
    mov     rsp, [rdi + {RSP}]
    mov     rdi, [rdi + {RDI}]
    swapgs
    sysretq

    .cfi_endproc

# The server's function runs as if `context_enter` had called it, with the user's rbx, rbp and r12 to r15 in the CPU: it
# keeps them like any other function. What it may change is stored first.
.balign 64
.global syscall_entry
syscall_entry:
    .cfi_startproc simple
    .cfi_def_cfa rsp, 64
    .cfi_offset rip, -8
    swapgs
    mov     gs:[{SCRATCH}], rsp
    mov     rsp, gs:[{CONTEXT}]
    mov     [rsp + {RAX}], rax
    mov     [rsp + {RDX}], rdx
    mov     [rsp + {RSI}], rsi
    mov     [rsp + {RDI}], rdi
    mov     [rsp + {R8}],  r8
    mov     [rsp + {R9}],  r9
    mov     [rsp + {R10}], r10
    mov     [rsp + {R12}], r12
    mov     [rsp + {R13}], r13
    mov     [rsp + {RIP}], rcx
    mov     [rsp + {RFLAGS}], r11
    mov     rsi, rsp
    mov     rax, gs:[{SCRATCH}]
    mov     [rsi + {RSP}], rax
    mov     rsp, gs:[{KERNEL_RSP}]
    mov     rdi, gs:[{SERVER_STATE}]
    inc     qword ptr gs:[{SYSCALLS}]
    call    qword ptr gs:[{SERVER}]
    mov     rdx, gs:[{CONTEXT}]
    cmp     dword ptr gs:[{LEAVE}], 0
    jne     syscall_leave
    # rip and flags are what the CPU gave: they need no check. The rip is canonical since nothing is mapped in the last page
    # below 2^47.
    mov     rcx, [rdx + {RIP}]
    mov     r11, [rdx + {RFLAGS}]
    mov     rsi, [rdx + {RSI}]
    mov     rdi, [rdx + {RDI}]
    mov     r8,  [rdx + {R8}]
    mov     r9,  [rdx + {R9}]
    mov     r10, [rdx + {R10}]
    mov     rsp, [rdx + {RSP}]
    mov     rdx, [rdx + {RDX}]
    swapgs
    sysretq

syscall_leave:
    mov     [rdx + {RBX}], rbx
    mov     [rdx + {RBP}], rbp
    mov     [rdx + {R14}], r14
    mov     [rdx + {R15}], r15
    mov     [rdx + {ANSWER}], rax
    # entered_by needs no store: it was 1, or context_enter_full made it 1.
    xor     eax, eax
context_exit:
    add     rsp, 8
    pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     rbp
    pop     rbx
    ret
    .cfi_endproc

# Loads everything, rcx and r11 too.
context_enter_full:
    mov     rcx, [rdi + {RIP}]
    mov     rax, rcx
    shl     rax, 16
    sar     rax, 16
    cmp     rax, rcx
    jne     2f
    mov     rax, [rdi + {RFLAGS}]
    and     eax, {USER_FLAGS}
    or      eax, 0x202
    push    {USER_DATA}
    push    qword ptr [rdi + {RSP}]
    push    rax
    push    {USER_CODE}
    push    rcx
    mov     qword ptr [rdi + {ENTERED_BY}], 1
    mov     rax, [rdi + {RAX}]
    mov     rbx, [rdi + {RBX}]
    mov     rcx, [rdi + {RCX}]
    mov     rdx, [rdi + {RDX}]
    mov     rsi, [rdi + {RSI}]
    mov     rbp, [rdi + {RBP}]
    mov     r8,  [rdi + {R8}]
    mov     r9,  [rdi + {R9}]
    mov     r10, [rdi + {R10}]
    mov     r11, [rdi + {R11}]
    mov     r12, [rdi + {R12}]
    mov     r13, [rdi + {R13}]
    mov     r14, [rdi + {R14}]
    mov     r15, [rdi + {R15}]
    mov     rdi, [rdi + {RDI}]
    swapgs
    iretq
2:  mov     eax, 2
    jmp     context_exit

# The end of every other trap from user mode. On the stack, whichever it is: vector, error code, then what the CPU pushed.
.global trap_from_user
trap_from_user:
    swapgs
    push    rdi
    mov     rdi, gs:[{CONTEXT}]
    mov     [rdi + {RAX}], rax
    mov     [rdi + {RBX}], rbx
    mov     [rdi + {RCX}], rcx
    mov     [rdi + {RDX}], rdx
    mov     [rdi + {RSI}], rsi
    mov     [rdi + {RBP}], rbp
    mov     [rdi + {R8}],  r8
    mov     [rdi + {R9}],  r9
    mov     [rdi + {R10}], r10
    mov     [rdi + {R11}], r11
    mov     [rdi + {R12}], r12
    mov     [rdi + {R13}], r13
    mov     [rdi + {R14}], r14
    mov     [rdi + {R15}], r15
    pop     qword ptr [rdi + {RDI}]
    pop     qword ptr gs:[{TRAP_VECTOR}]
    pop     qword ptr gs:[{TRAP_ERROR}]
    pop     qword ptr [rdi + {RIP}]
    pop     rax
    pop     qword ptr [rdi + {RFLAGS}]
    pop     qword ptr [rdi + {RSP}]
    mov     qword ptr [rdi + {ENTERED_BY}], 2
    mov     rsp, gs:[{KERNEL_RSP}]
    # A gate clears neither the direction flag nor AC, and AC would defeat SMAP.
    push    2
    popfq
    mov     eax, 1
    jmp     context_exit
