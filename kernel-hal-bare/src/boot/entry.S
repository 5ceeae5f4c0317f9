# The kernel's entry point. rdi = virtual address of the BootInfo, rsp = the boot stack, interrupts off.

.section .text.entry, "ax", @progbits
.global _start
_start:
    cli
    cld
    and     rsp, -16
    xor     ebp, ebp
    call    kernel_main
2:  hlt
    jmp     2b
