# Zeroing and copying of whole, aligned pages. rdi = page, rsi = source page.
# The vector forms keep the one or two registers they use, because those belong to a user thread.

.section .text.pages, "ax", @progbits

.balign 16
page_zero_words:
    xor     eax, eax
    mov     ecx, 512
    rep stosq
    ret

.balign 16
page_zero_sse:
    sub     rsp, 24
    movups  [rsp], xmm0
    xorps   xmm0, xmm0
    lea     rax, [rdi + 4096]
2:
    .set disp, 0
    .rept 16
    movaps  [rdi + disp], xmm0
    .set disp, disp + 16
    .endr
    add     rdi, 256
    cmp     rdi, rax
    jne     2b
    movups  xmm0, [rsp]
    add     rsp, 24
    ret

.balign 16
page_zero_avx:
    sub     rsp, 40
    vmovups [rsp], ymm0
    vxorps  xmm0, xmm0, xmm0
    lea     rax, [rdi + 4096]
2:
    .set disp, 0
    .rept 32
    vmovaps [rdi + disp], ymm0
    .set disp, disp + 32
    .endr
    add     rdi, 1024
    cmp     rdi, rax
    jne     2b
    vmovups ymm0, [rsp]
    add     rsp, 40
    ret

.balign 16
page_copy_words:
    mov     ecx, 512
    rep movsq
    ret

.balign 16
page_copy_sse:
    sub     rsp, 40
    movups  [rsp], xmm0
    movups  [rsp + 16], xmm1
    lea     rax, [rdi + 4096]
2:
    .set disp, 0
    .rept 8
    movaps  xmm0, [rsi + disp]
    movaps  xmm1, [rsi + disp + 16]
    movaps  [rdi + disp], xmm0
    movaps  [rdi + disp + 16], xmm1
    .set disp, disp + 32
    .endr
    add     rsi, 256
    add     rdi, 256
    cmp     rdi, rax
    jne     2b
    movups  xmm0, [rsp]
    movups  xmm1, [rsp + 16]
    add     rsp, 40
    ret

.balign 16
page_copy_avx:
    sub     rsp, 72
    vmovups [rsp], ymm0
    vmovups [rsp + 32], ymm1
    lea     rax, [rdi + 4096]
2:
    .set disp, 0
    .rept 16
    vmovaps ymm0, [rsi + disp]
    vmovaps ymm1, [rsi + disp + 32]
    vmovaps [rdi + disp], ymm0
    vmovaps [rdi + disp + 32], ymm1
    .set disp, disp + 64
    .endr
    add     rsi, 1024
    add     rdi, 1024
    cmp     rdi, rax
    jne     2b
    vmovups ymm0, [rsp]
    vmovups ymm1, [rsp + 32]
    add     rsp, 72
    ret
