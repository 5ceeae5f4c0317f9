//! The processor: tables, features, per-CPU data and vector state.
//!
//! [`registers`] wraps single instructions; [`cpuid`] says what there is; [`features`] turns it on; [`gdt`], [`tss`] and
//! [`idt`] are the tables the CPU reads; [`percpu`] is what GS points at; [`fpu`] decides who owns the vector registers,
//! [`debug`] loads breakpoints with them.

pub(crate) mod cpuid;
pub(crate) mod debug;
pub(crate) mod features;
pub(crate) mod fpu;
pub(crate) mod gdt;
mod idle;
pub(crate) mod idt;
mod info;
pub(crate) mod percpu;
pub(crate) mod registers;
pub(crate) mod tss;
