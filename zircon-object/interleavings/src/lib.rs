//! The algorithms of waiting, compiled with loom's lock and atomics
//!
//! The very files of `zircon-object` are compiled here a second time: signals, the observer list and the waits. Around them is
//! as much of that crate as they name. So the real ones need no switch, and the crates below them are built as ever (the
//! kernel's statics need `const` constructors that loom's types do not have). The models are in `tests/`.
#![forbid(unsafe_code)]
#![feature(allocator_api)]

extern crate alloc;

#[path = "../../src/alloc_try.rs"]
pub mod alloc_try;
pub mod object;
