//! Copies to and from user memory, through the active page table and its permissions

use crate::paging::{tables, translate};
use crate::phys::{pieces, ram};
use kernel_hal::frame::Frame;
use kernel_hal::paging::MmuFlags;
use kernel_hal::{hal_impl, VirtAddr, PAGE_SIZE};

fn read(from: VirtAddr, into: &mut [u8]) -> Result<(), VirtAddr> {
    let tables = tables();
    for (at, range) in pieces(from, into.len()) {
        let (phys, _) = translate(&tables, at)
            .filter(|(_, flags)| flags.read)
            .ok_or(at)?;
        ram().read(phys, &mut into[range]);
    }
    Ok(())
}

fn write(to: VirtAddr, from: &[u8]) -> Result<(), VirtAddr> {
    let tables = tables();
    for (at, range) in pieces(to, from.len()) {
        let (phys, _) = translate(&tables, at)
            .filter(|(_, flags)| flags.write)
            .ok_or(at)?;
        ram().write(phys, &from[range]);
    }
    Ok(())
}

/// A store of one word happens as a whole or not at all, also across a page boundary.
fn write_word(to: VirtAddr, from: &[u8]) -> Result<(), VirtAddr> {
    let allowed = |flags: &MmuFlags| flags.write;
    {
        let tables = tables();
        for (at, _) in pieces(to, from.len()) {
            translate(&tables, at)
                .filter(|(_, flags)| allowed(flags))
                .ok_or(at)?;
        }
    }
    write(to, from)
}

hal_impl! {
    kernel_hal::user => fn hal_user_read(from: VirtAddr, into: &mut [u8]) -> Result<(), VirtAddr> {
        read(from, into)
    }
    kernel_hal::user => fn hal_user_write(to: VirtAddr, from: &[u8]) -> Result<(), VirtAddr> {
        write(to, from)
    }
    kernel_hal::user => fn hal_user_read_u32(from: VirtAddr) -> Result<u32, VirtAddr> {
        let mut word = [0; 4];
        read(from, &mut word)?;
        Ok(u32::from_ne_bytes(word))
    }
    kernel_hal::user => fn hal_user_write_u32(to: VirtAddr, value: u32) -> Result<(), VirtAddr> {
        write_word(to, &value.to_ne_bytes())
    }
    kernel_hal::user => fn hal_user_read_u64(from: VirtAddr) -> Result<u64, VirtAddr> {
        let mut word = [0; 8];
        read(from, &mut word)?;
        Ok(u64::from_ne_bytes(word))
    }
    kernel_hal::user => fn hal_user_write_u64(to: VirtAddr, value: u64) -> Result<(), VirtAddr> {
        write_word(to, &value.to_ne_bytes())
    }
    kernel_hal::user => fn hal_user_read_to_frame(from: VirtAddr, frame: &Frame, offset: usize, len: usize) -> Result<(), VirtAddr> {
        assert!(offset + len <= PAGE_SIZE, "the copy leaves the frame");
        for (at, range) in pieces(from, len) {
            let mut piece = vec![0; range.len()];
            read(at, &mut piece)?;
            frame.write(offset + range.start, &piece);
        }
        Ok(())
    }
    kernel_hal::user => fn hal_user_write_from_frame(to: VirtAddr, frame: &Frame, offset: usize, len: usize) -> Result<(), VirtAddr> {
        assert!(offset + len <= PAGE_SIZE, "the copy leaves the frame");
        for (at, range) in pieces(to, len) {
            let mut piece = vec![0; range.len()];
            frame.read(offset + range.start, &mut piece);
            write(at, &piece)?;
        }
        Ok(())
    }
}
