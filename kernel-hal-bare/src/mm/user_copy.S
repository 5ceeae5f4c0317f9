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
# before a bad one has been copied.
.balign 64
.global user_copy
user_copy:
    lea     r8, [rsi + rdx]
    user_access_on
copy_first:
    cmp     rdx, 64
    jae     5f
2:  test    dl, 32
    jz      3f
    mov     rax, [rsi]
    mov     rcx, [rsi + 8]
    mov     [rdi], rax
    mov     [rdi + 8], rcx
    mov     rax, [rsi + 16]
    mov     rcx, [rsi + 24]
    mov     [rdi + 16], rax
    mov     [rdi + 24], rcx
    add     rsi, 32
    add     rdi, 32
3:  test    dl, 16
    jz      3f
    mov     rax, [rsi]
    mov     rcx, [rsi + 8]
    mov     [rdi], rax
    mov     [rdi + 8], rcx
    add     rsi, 16
    add     rdi, 16
3:  test    dl, 8
    jz      3f
    mov     rax, [rsi]
    mov     [rdi], rax
    add     rsi, 8
    add     rdi, 8
3:  test    dl, 7
    jz      9f
    test    dl, 4
    jz      3f
    mov     eax, [rsi]
    mov     [rdi], eax
    add     rsi, 4
    add     rdi, 4
3:  test    dl, 2
    jz      3f
    mov     ax, [rsi]
    mov     [rdi], ax
    add     rsi, 2
    add     rdi, 2
3:  test    dl, 1
    jz      9f
    mov     al, [rsi]
    mov     [rdi], al
9:  xor     eax, eax
    user_access_off
    ret
5:  cmp     rdx, 1024
    jb      6f
    cmp     byte ptr [rip + {FAST_STRING}], 0
    je      6f
    mov     rcx, rdx
    rep movsb
    jmp     9b
6:  .set disp, 0
    .rept 4
    mov     rax, [rsi + disp]
    mov     rcx, [rsi + disp + 8]
    mov     [rdi + disp], rax
    mov     [rdi + disp + 8], rcx
    .set disp, disp + 16
    .endr
    add     rsi, 64
    add     rdi, 64
    sub     rdx, 64
    cmp     rdx, 64
    jae     6b
    test    edx, edx
    jnz     2b
    jmp     9b
copy_end:
# A fault in a wide access: byte by byte from where the sources stand, to find the first bad one.
copy_bytes:
    mov     rdx, r8
    sub     rdx, rsi
    jz      9b
bytes_first:
2:  mov     al, [rsi]
    mov     [rdi], al
    inc     rsi
    inc     rdi
    dec     rdx
    jnz     2b
bytes_end:
    jmp     9b
# rax is the faulting address.
access_failed:
    user_access_off
    ret
may_fault copy_first, copy_end, copy_bytes
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
