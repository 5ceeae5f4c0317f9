//! The vDSO that the kernel was given: what its numbers mean, where calls may come from, what it is told at boot.
//!
//! Syscall numbers are private to a vDSO build, so nothing here is fixed: [`image`] checks the layout, [`symbols`] reads the
//! symbol tables, [`mod@scan`] finds every `syscall` instruction and names it, [`constants`] fills in what the system is like, and
//! [`variants`] makes the restricted copies. A stripped image is enough; an unstripped one is read by its exact symbols.

mod constants;
mod image;
#[cfg(test)]
pub(crate) mod sample;
mod scan;
mod symbols;
#[cfg(test)]
mod tests;
mod variants;

pub(crate) use constants::fill_constants;
pub(crate) use image::{rodso, Image, ImageError, Rodso};
pub(crate) use scan::{level_of, scan};
pub(crate) use variants::{block, TEST1, TEST2};
pub(crate) use zircon_syscall::Level;
