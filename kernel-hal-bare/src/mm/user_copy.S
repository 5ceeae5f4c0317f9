# The only instructions of the kernel that touch user memory.
#
# Every access between two labels that the fault table at the end names may fault; the handler puts the faulting address
# into rax and goes on where the table says. `user_access_on` and `user_access_off` are STAC and CLAC where the CPU has
# SMAP: they are assembled as NOPs of the same length, and `user_copy::init` writes the real ones over them.

.macro user_access_on
771:
    .byte   0x0f, 0x1f, 0x00
    .pushsection .rodata.user_access_on, "a", @progbits
    .long   771b - .
    .popsection
.endm
.macro user_access_off
772:
    .byte   0x0f, 0x1f, 0x00
    .pushsection .rodata.user_access_off, "a", @progbits
    .long   772b - .
    .popsection
.endm
.macro may_fault first, end, resume
    .pushsection .rodata.user_fault_table, "a", @progbits
    .long   \first - .
    .long   \end - .
    .long   \resume - .
    .popsection
.endm

# 16 bytes each, upwards from rsi to rdi.
.macro copy_block pairs
    .set disp, 0
    .rept \pairs
    mov     rax, [rsi + disp]
    mov     rcx, [rsi + disp + 8]
    mov     [rdi + disp], rax
    mov     [rdi + disp + 8], rcx
    .set disp, disp + 16
    .endr
.endm

.pushsection .rodata.user_access_on, "a", @progbits
.balign 4
user_access_on_sites:
.popsection
.pushsection .rodata.user_access_off, "a", @progbits
.balign 4
user_access_off_sites:
.popsection
.pushsection .rodata.user_fault_table, "a", @progbits
.balign 4
.global user_fault_table
user_fault_table:
.popsection

.section .text.user_copy, "ax", @progbits

# user_copy(rdi = to, rsi = from, rdx = bytes) -> rax = 0, or the address of the first bad byte. Copies upwards; every byte
# before a bad one has been copied. Lengths between two powers of two are copied as two halves that overlap. While the
# registers rsi and r8 (the end of the source) are right, a fault anywhere continues at copy_bytes.
.balign 64
.global user_copy
user_copy:
    lea     r8, [rsi + rdx]
    user_access_on
copy_first:
    cmp     rdx, 16
    ja      3f
    cmp     rdx, 8
    jb      2f
    mov     rax, [rsi]
    mov     rcx, [r8 - 8]
    mov     [rdi], rax
    mov     [rdi + rdx - 8], rcx
copy_done:
    xor     eax, eax
    user_access_off
    ret
2:  cmp     edx, 4
    jb      2f
    mov     eax, [rsi]
    mov     ecx, [r8 - 4]
    mov     [rdi], eax
    mov     [rdi + rdx - 4], ecx
    jmp     copy_done
2:  test    edx, edx
    jz      copy_done
    jmp     copy_bytes
3:  cmp     rdx, 32
    ja      4f
    mov     rax, [rsi]
    mov     rcx, [rsi + 8]
    mov     [rdi], rax
    mov     [rdi + 8], rcx
    mov     rax, [r8 - 16]
    mov     rcx, [r8 - 8]
    mov     [rdi + rdx - 16], rax
    mov     [rdi + rdx - 8], rcx
    jmp     copy_done
4:  cmp     rdx, 64
    ja      5f
    # 33 to 64: the first 32 and the last 32.
    copy_block 2
    lea     rdi, [rdi + rdx - 32]
    lea     rsi, [r8 - 32]
    copy_block 2
    jmp     copy_done
5:  cmp     rdx, 512
    jae     7f
6:  copy_block 4
    add     rsi, 64
    add     rdi, 64
    sub     rdx, 64
    cmp     rdx, 64
    jae     6b
copy_rest:
    test    edx, edx
    jz      copy_done
    # The last 64 bytes, some of them again.
    lea     rdi, [rdi + rdx - 64]
    lea     rsi, [r8 - 64]
    copy_block 4
    jmp     copy_done
7:  cmp     byte ptr [rip + {LONG_COPY}], {LONG_COPY_STRING}
    jb      6b
    ja      copy_wide
    mov     rcx, rdx
    rep movsb
    jmp     copy_done
copy_end:
# A fault in a wide access: byte by byte from where the sources stand, to find the first bad one.
copy_bytes:
    mov     rdx, r8
    sub     rdx, rsi
bytes_first:
2:  mov     al, [rsi]
    mov     [rdi], al
    inc     rsi
    inc     rdi
    dec     rdx
    jnz     2b
bytes_end:
    jmp     copy_done
# Two vector registers are borrowed from the user thread that owns them.
copy_wide:
    sub     rsp, 72
    vmovups [rsp], ymm0
    vmovups [rsp + 32], ymm1
wide_first:
2:  .set disp, 0
    .rept 4
    vmovups ymm0, [rsi + disp]
    vmovups ymm1, [rsi + disp + 32]
    vmovups [rdi + disp], ymm0
    vmovups [rdi + disp + 32], ymm1
    .set disp, disp + 64
    .endr
    add     rsi, 256
    add     rdi, 256
    sub     rdx, 256
    cmp     rdx, 256
    jae     2b
wide_end:
    vmovups ymm0, [rsp]
    vmovups ymm1, [rsp + 32]
    add     rsp, 72
    cmp     rdx, 64
    jae     6b
    jmp     copy_rest
wide_failed:
    vmovups ymm0, [rsp]
    vmovups ymm1, [rsp + 32]
    add     rsp, 72
    jmp     copy_bytes
# rax is the faulting address.
access_failed:
    user_access_off
    ret
may_fault copy_first, copy_end, copy_bytes
may_fault wide_first, wide_end, wide_failed
may_fault bytes_first, bytes_end, access_failed

# user_load32/64(rdi = from) -> rax = value, rdx = 0; or rdx = the address of the first bad byte.
.balign 16
.global user_load32
user_load32:
    user_access_on
load32_first:
    mov     eax, [rdi]
load32_end:
    user_access_off
    xor     edx, edx
    ret
.balign 16
.global user_load64
user_load64:
    user_access_on
load64_first:
    mov     rax, [rdi]
load64_end:
    user_access_off
    xor     edx, edx
    ret
load_failed:
    user_access_off
    mov     rdx, rax
    ret
may_fault load32_first, load32_end, load_failed
may_fault load64_first, load64_end, load_failed

# user_store32/64(rdi = to, rsi = value) -> rax = 0, or the address of the first bad byte.
.balign 16
.global user_store32
user_store32:
    xor     eax, eax
    user_access_on
store32_first:
    mov     [rdi], esi
store32_end:
    user_access_off
    ret
.balign 16
.global user_store64
user_store64:
    xor     eax, eax
    user_access_on
store64_first:
    mov     [rdi], rsi
store64_end:
    user_access_off
    ret
may_fault store32_first, store32_end, access_failed
may_fault store64_first, store64_end, access_failed

.pushsection .rodata.user_access_on, "a", @progbits
user_access_on_sites_end:
.popsection
.pushsection .rodata.user_access_off, "a", @progbits
user_access_off_sites_end:
.popsection
.pushsection .rodata.user_fault_table, "a", @progbits
.global user_fault_table_end
user_fault_table_end:
.popsection
