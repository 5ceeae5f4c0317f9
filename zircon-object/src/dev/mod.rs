//! Objects that stand for hardware and for the right to use it.
//!
//! A device driver has an [`Interrupt`] for each line, and a [`Bti`] by which it pins memory ([`Pmt`]) that its device reads
//! and writes. A [`Resource`] says what hardware it may touch.

pub mod bti;
pub mod interrupt;
pub mod iommu;
pub mod pmt;
pub mod resource;

pub use bti::Bti;
pub use interrupt::Interrupt;
pub use iommu::Iommu;
pub use pmt::Pmt;
pub use resource::Resource;
