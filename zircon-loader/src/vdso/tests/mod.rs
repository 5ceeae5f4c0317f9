//! Tests of what is read from a vDSO, with images that are assembled here.

mod foreign;
mod layout;
mod numbers;
mod system;

use super::image::{Image, ImageError};
use super::sample::Sample;
use super::scan;
use alloc::vec::Vec;
use zircon_syscall::abi::Site;

/// The sites of a sample, stripped.
fn sites(sample: &Sample) -> Result<Vec<Site>, ImageError> {
    scan(&Image::parse(&sample.stripped())?)
}
