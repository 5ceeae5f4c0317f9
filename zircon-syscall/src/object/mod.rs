//! Calls that take handles of many types: waits, signals, properties, information, children.

pub(crate) mod child;
pub(crate) mod info;
mod memory;
pub(crate) mod property;
pub(crate) mod signal;
pub(crate) mod wait;
