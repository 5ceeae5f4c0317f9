//! Objects that stand for hardware and for the right to use it.

pub mod resource;

pub use resource::Resource;
