# memcpy and memset, in the place of those of compiler_builtins, which start three string instructions for any length.
# Up to 64 bytes go through registers, as two halves that overlap; more by one string instruction and an overlapping end.

.section .text.memory, "ax", @progbits

# memcpy(rdi = to, rsi = from, rdx = bytes) -> rax = to
.balign 32
.global memcpy
.type memcpy, @function
memcpy:
    mov     rax, rdi
    cmp     rdx, 16
    ja      4f
    cmp     rdx, 8
    jb      2f
    mov     rcx, [rsi]
    mov     r8, [rsi + rdx - 8]
    mov     [rdi], rcx
    mov     [rdi + rdx - 8], r8
    ret
2:  cmp     edx, 4
    jb      2f
    mov     ecx, [rsi]
    mov     r8d, [rsi + rdx - 4]
    mov     [rdi], ecx
    mov     [rdi + rdx - 4], r8d
    ret
2:  test    edx, edx
    jz      3f
2:  mov     cl, [rsi + rdx - 1]
    mov     [rdi + rdx - 1], cl
    dec     edx
    jnz     2b
3:  ret
4:  cmp     rdx, 32
    ja      4f
    mov     rcx, [rsi]
    mov     r8, [rsi + 8]
    mov     r9, [rsi + rdx - 16]
    mov     r10, [rsi + rdx - 8]
    mov     [rdi], rcx
    mov     [rdi + 8], r8
    mov     [rdi + rdx - 16], r9
    mov     [rdi + rdx - 8], r10
    ret
4:  cmp     rdx, 64
    ja      4f
    mov     rcx, [rsi]
    mov     r8, [rsi + 8]
    mov     r9, [rsi + 16]
    mov     r10, [rsi + 24]
    mov     [rdi], rcx
    mov     [rdi + 8], r8
    mov     [rdi + 16], r9
    mov     [rdi + 24], r10
    mov     rcx, [rsi + rdx - 32]
    mov     r8, [rsi + rdx - 24]
    mov     r9, [rsi + rdx - 16]
    mov     r10, [rsi + rdx - 8]
    mov     [rdi + rdx - 32], rcx
    mov     [rdi + rdx - 24], r8
    mov     [rdi + rdx - 16], r9
    mov     [rdi + rdx - 8], r10
    ret
4:  mov     r8, [rsi + rdx - 8]
    lea     r9, [rdi + rdx - 8]
    mov     rcx, rdx
    shr     rcx, 3
    rep movsq
    mov     [r9], r8
    ret

# memset(rdi = to, sil = byte, rdx = bytes) -> rax = to
.balign 32
.global memset
.type memset, @function
memset:
    mov     r8, rdi
    movzx   ecx, sil
    movabs  rax, 0x0101010101010101
    imul    rax, rcx
    cmp     rdx, 16
    ja      4f
    cmp     rdx, 8
    jb      2f
    mov     [rdi], rax
    mov     [rdi + rdx - 8], rax
    mov     rax, r8
    ret
2:  cmp     edx, 4
    jb      2f
    mov     [rdi], eax
    mov     [rdi + rdx - 4], eax
    mov     rax, r8
    ret
2:  test    edx, edx
    jz      3f
2:  mov     [rdi + rdx - 1], al
    dec     edx
    jnz     2b
3:  mov     rax, r8
    ret
4:  mov     [rdi + rdx - 8], rax
    mov     rcx, rdx
    shr     rcx, 3
    rep stosq
    mov     rax, r8
    ret
