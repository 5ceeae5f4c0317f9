//! A call of each HAL module reaches this crate's body and not the weak one
#![cfg(test)]

use kernel_hal::context::UserContext;
use kernel_hal::frame::{Fill, Frame};
use kernel_hal::paging::{MmuFlags, PageTable};
use kernel_hal::{addr::USER_BASE, console, cpu, frame, irq, paging, rng, time, user};
use std::task::Waker;

/// Calls every function but those that panic by design; a weak body would panic with "has no backend".
#[test]
fn every_hal_function_is_this_crates() {
    kernel_hal_hosted::init();
    let clock = kernel_hal_hosted::time::hold();

    let _ = (
        cpu::id(),
        cpu::info(),
        cpu::counters(0),
        cpu::firmware_tables(),
    );
    cpu::interrupt_window();
    time::arm_timer(time::NEVER);
    let _ = (
        time::now(),
        time::ticks(),
        time::tick_ratio(),
        time::boot_wall_clock(),
        time::take_expiry(),
    );
    drop(clock);

    console::write(b"x");
    console::wake_on_input(Waker::noop());
    assert_eq!(console::read(&mut [0]), 0);
    rng::add_entropy(b"x");
    rng::fill(&mut [0; 3]);

    assert!(irq::is_valid(0));
    irq::unregister(0);
    irq::configure(0, irq::Trigger::LevelLow).unwrap();
    irq::unmask(0);
    irq::mask(0);

    let mut many = [kernel_hal::PhysAddr(0); 2];
    assert_eq!(frame::raw_alloc_many(&mut many, Fill::Garbage), 2);
    frame::raw_free_many(&many);
    frame::raw_free(frame::raw_alloc_contiguous(1, 14).unwrap());
    let page = Frame::zeroed().unwrap();
    page.write(0, b"x");
    page.zero(0, 1);
    drop(page.duplicate());
    let _ = (frame::stats(), frame::image_paddr(0));

    let table = PageTable::new().unwrap();
    let flags = MmuFlags {
        read: true,
        write: true,
        ..MmuFlags::default()
    };
    table.map(USER_BASE, &[page.addr()], flags).unwrap();
    table
        .map_contiguous(USER_BASE, page.addr(), 1, flags)
        .unwrap();
    table.protect(USER_BASE, 1, flags);
    table.activate();
    let copy = Frame::zeroed().unwrap();
    user::raw_write(USER_BASE, b"abc").unwrap();
    user::raw_read(USER_BASE, &mut [0; 3]).unwrap();
    user::raw_write_u32(USER_BASE, user::raw_read_u32(USER_BASE).unwrap()).unwrap();
    user::raw_write_u64(USER_BASE, user::raw_read_u64(USER_BASE).unwrap()).unwrap();
    user::read_to_frame(USER_BASE, &copy, 0, 9).unwrap();
    user::write_from_frame(USER_BASE, &copy, 0, 9).unwrap();
    table.unmap(USER_BASE, 1);
    assert_eq!(table.query(USER_BASE), None);
    paging::deactivate();

    let mut context = UserContext::new(1, 2, 3, 4).unwrap();
    kernel_hal::context::flush(&mut context);
    kernel_hal::context::invalidate(&mut context);
}
