# vDSO functions that run in user mode, or make more than one syscall. Directives in capitals: see build.rs.
#
# The kernel keeps every register across a syscall except rax (the result), rcx and r11; the loops below rely on it.

# Constants the kernel fills in at boot. Layout of 2020, facts: max_num_cpus @0, features.cpu @4,
# hw_breakpoint_count @8, hw_watchpoint_count @12, dcache_line_size @16, icache_line_size @20, ticks_per_second @24,
# ticks_to_mono numerator @32 and denominator @36, physmem @40, version_string_len @48, version_string[64] @56.
    .section .rodata.DATA_CONSTANTS, "a", @progbits
    .p2align 3
    .type DATA_CONSTANTS, @object
DATA_CONSTANTS:
    .zero 120
    .size DATA_CONSTANTS, 120

    .text

# --- Time ---------------------------------------------------------------------------------------------------------

.BEGIN ticks_get
    rdtsc
    shl rdx, 32
    or rax, rdx
    ret
.END ticks_get

.BEGIN ticks_per_second
    mov rax, [rip + DATA_CONSTANTS + 24]
    ret
.END ticks_per_second

# ns = ticks * N / D with a 128-bit product
.BEGIN clock_get_monotonic
    rdtsc
    shl rdx, 32
    or rax, rdx
    mov ecx, [rip + DATA_CONSTANTS + 32]
    mul rcx
    mov ecx, [rip + DATA_CONSTANTS + 36]
    div rcx
    ret
.END clock_get_monotonic

.BEGIN deadline_after
    rdtsc
    shl rdx, 32
    or rax, rdx
    mov ecx, [rip + DATA_CONSTANTS + 32]
    mul rcx
    mov ecx, [rip + DATA_CONSTANTS + 36]
    div rcx
saturating_add:
    add rax, rdi
    jo 1f
    ret
1:  # The sum left the range on the side of the duration's sign: INT64_MAX + 1 wraps to INT64_MIN.
    mov rax, 0x7fffffffffffffff
    shr rdi, 63
    add rax, rdi
    ret
.END deadline_after

# Alternates. The kernel points the dynamic symbols at these when user mode cannot read the time stamp counter.
    .p2align 4, 0xcc
    .type CODE_ticks_get_via_kernel, @function
CODE_ticks_get_via_kernel:
.SYSCALL ticks_get_via_kernel ticks_get
    ret
    .size CODE_ticks_get_via_kernel, . - CODE_ticks_get_via_kernel

    .p2align 4, 0xcc
    .type CODE_clock_get_monotonic_via_kernel, @function
CODE_clock_get_monotonic_via_kernel:
.SYSCALL clock_get_monotonic_via_kernel clock_get_monotonic
    ret
    .size CODE_clock_get_monotonic_via_kernel, . - CODE_clock_get_monotonic_via_kernel

    .p2align 4, 0xcc
    .type CODE_deadline_after_via_kernel, @function
CODE_deadline_after_via_kernel:
.SYSCALL clock_get_monotonic_via_kernel deadline_after
    jmp saturating_add
    .size CODE_deadline_after_via_kernel, . - CODE_deadline_after_via_kernel

# --- System -------------------------------------------------------------------------------------------------------

.BEGIN system_get_num_cpus
    mov eax, [rip + DATA_CONSTANTS]
    ret
.END system_get_num_cpus

.BEGIN system_get_dcache_line_size
    mov eax, [rip + DATA_CONSTANTS + 16]
    ret
.END system_get_dcache_line_size

.BEGIN system_get_physmem
    mov rax, [rip + DATA_CONSTANTS + 40]
    ret
.END system_get_physmem

.BEGIN system_get_version_string
    lea rax, [rip + DATA_CONSTANTS + 56]
    mov rdx, [rip + DATA_CONSTANTS + 48]
    ret
.END system_get_version_string

# Kinds: 0 CPU word (valid only with its bit 0), 1 hardware breakpoints, 2 hardware watchpoints.
.BEGIN system_get_features
    cmp edi, 2
    ja 2f
    lea rcx, [rip + DATA_CONSTANTS + 4]
    mov edi, edi
    mov eax, [rcx + rdi * 4]
    test edi, edi
    jnz 1f
    test eax, 1
    jz 2f
1:  mov [rsi], eax
    xor eax, eax
    ret
2:  mov eax, -2
    ret
.END system_get_features

# Options: INSN 1, DATA 2, INVALIDATE 4. Legal: 1, 2, 3, 6, 7 (bits of the mask 0xce).
.BEGIN cache_flush
    mov eax, -10
    cmp edx, 7
    ja 3f
    mov ecx, 0xce
    bt ecx, edx
    jnc 3f
    mov ecx, [rip + DATA_CONSTANTS + 16]
    mov eax, -2
    test ecx, ecx
    jz 3f
    add rsi, rdi
    mov rax, rcx
    neg rax
    and rdi, rax
1:  cmp rdi, rsi
    jae 2f
    clflush [rdi]
    add rdi, rcx
    jmp 1b
2:  mfence
    xor eax, eax
3:  ret
.END cache_flush

.BEGIN status_get_string
    jmp vdso_status_get_string
.END status_get_string

.BEGIN exception_get_string
    jmp vdso_exception_get_string
.END exception_get_string

# --- Test ---------------------------------------------------------------------------------------------------------

# Checks around the kernel's a + b + c: a negative argument is INVALID_ARGS, a sum above 50 OUT_OF_RANGE.
.BEGIN syscall_test_wrapper
    mov eax, edi
    or eax, esi
    or eax, edx
    mov eax, -10
    js 1f
.SYSCALL syscall_test_wrapper syscall_test_wrapper
    cmp eax, 50
    jle 1f
    mov eax, -14
1:  ret
.END syscall_test_wrapper

# --- More than one syscall ----------------------------------------------------------------------------------------

# Pieces of at most 256 bytes. There is no status to return, so a bad buffer ends the program.
.BEGIN cprng_draw
    mov r8, rdi
    mov r9, rsi
1:  test r9, r9
    jz 3f
    mov rdi, r8
    mov esi, 256
    cmp r9, rsi
    cmovb rsi, r9
.SYSCALL cprng_draw_once cprng_draw
    test eax, eax
    jnz 2f
    add r8, rsi
    sub r9, rsi
    jmp 1b
2:  ud2
    jmp 2b
3:  ret
.END cprng_draw

# A suspension in the middle of the call leaves with -6; the write is done then, so only the wait is resumed.
.BEGIN channel_call
    mov r10, rcx
.SYSCALL channel_call_noretry channel_call
    cmp eax, -6
    jne 2f
    mov rdi, rdx
    mov rsi, r10
    mov rdx, r8
    mov r10, r9
1:
.SYSCALL channel_call_finish channel_call
    cmp eax, -6
    je 1b
2:  ret
.END channel_call

# After the store the stack may be gone: everything lives in registers from there on.
.BEGIN futex_wake_handle_close_thread_exit
    mov r8d, ecx
    mov [rdi], edx
.SYSCALL futex_wake futex_wake_handle_close_thread_exit
    test eax, eax
    jnz 1f
    mov edi, r8d
.SYSCALL handle_close futex_wake_handle_close_thread_exit
    test eax, eax
    jnz 1f
.SYSCALL thread_exit futex_wake_handle_close_thread_exit
1:  ud2
    jmp 1b
.END futex_wake_handle_close_thread_exit

# The unmapped range is usually the caller's own stack; the return address is read only when the unmap failed.
.BEGIN vmar_unmap_handle_close_thread_exit
    mov r8d, ecx
.SYSCALL vmar_unmap vmar_unmap_handle_close_thread_exit
    test eax, eax
    jnz 2f
    mov edi, r8d
.SYSCALL handle_close vmar_unmap_handle_close_thread_exit
    test eax, eax
    jnz 1f
.SYSCALL thread_exit vmar_unmap_handle_close_thread_exit
1:  ud2
    jmp 1b
2:  ret
.END vmar_unmap_handle_close_thread_exit
