# For those whose gdb loads it: the same as `gdb -x target/release/gdbinit`, which `make debug` writes.
source target/release/gdbinit
