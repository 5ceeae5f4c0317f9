//! Pagers: what is asked for, what is supplied, and what becomes of those who wait.

use super::start;
use crate::object::{Handle, KernelObject};
use crate::signal::Port;
use crate::vm::{ChildKind, PageRequest, Pager, Resizable, Vmo, PAGE, PAGE_BYTES};
use alloc::sync::Arc;
use core::future::Future;
use core::pin::{pin, Pin};
use core::task::{Context, Poll, Waker};
use kernel_hal_hosted::cpu::interrupt_windows;
use zx_abi::packet::PageRequestCommand;
use zx_abi::{ZxError, ZxResult};

const GONE: ZxError = ZxError::NotFound;

fn paged(pages: u64) -> (Arc<Pager>, Arc<Port>, Arc<Vmo>) {
    let (pager, port) = (Pager::create().unwrap(), Port::create().unwrap());
    let vmo = pager
        .create_vmo(port.clone(), 7, pages * PAGE_BYTES, Resizable::Yes, GONE)
        .unwrap();
    (pager, port, vmo)
}

/// Command, first page and number of pages of the next packet.
fn packet(port: &Port) -> Option<(u16, u64, u64)> {
    match pin!(port.wait()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(packet)) => packet.as_page_request().map(|request| {
            (
                request.command,
                request.offset / PAGE_BYTES,
                request.length / PAGE_BYTES,
            )
        }),
        _ => None,
    }
}

fn is_over(request: &mut PageRequest) -> bool {
    Pin::new(request)
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_ready()
}

fn ask(vmo: &Vmo, page: u64, pages: u64) -> PageRequest {
    vmo.ask_for(page * PAGE_BYTES, pages * PAGE_BYTES, u64::MAX)
        .unwrap()
        .unwrap()
}

fn supply(pager: &Pager, vmo: &Vmo, page: u64, bytes: &[u8]) -> ZxResult {
    let aux = Vmo::new(bytes.len() as u64 * PAGE_BYTES, Resizable::No).unwrap();
    for (page, byte) in bytes.iter().enumerate() {
        aux.write((page * PAGE) as u64, &[*byte]).unwrap();
    }
    pager.supply(
        vmo,
        page * PAGE_BYTES,
        bytes.len() as u64 * PAGE_BYTES,
        &aux,
        0,
    )
}

fn byte(vmo: &Vmo, page: u64) -> ZxResult<u8> {
    let mut byte = [0];
    vmo.read(page * PAGE_BYTES, &mut byte)?;
    Ok(byte[0])
}

const READ: u16 = PageRequestCommand::Read.raw();
const COMPLETE: u16 = PageRequestCommand::Complete.raw();

#[test]
fn a_missing_page_is_asked_for_once_and_supplied_to_all_who_wait() {
    let _balance = start();
    let (pager, port, vmo) = paged(4);
    assert_eq!(byte(&vmo, 1), Err(ZxError::ShouldWait));
    let (mut first, mut second) = (ask(&vmo, 1, 2), ask(&vmo, 2, 1));
    assert_eq!(packet(&port), Some((READ, 1, 2)));
    assert_eq!(packet(&port), None);
    supply(&pager, &vmo, 1, &[11]).unwrap();
    assert!(!is_over(&mut first));
    supply(&pager, &vmo, 1, &[99, 12]).unwrap();
    assert!(is_over(&mut first) && is_over(&mut second));
    assert_eq!((byte(&vmo, 1), byte(&vmo, 2)), (Ok(11), Ok(12)));
    assert!(vmo.ask_for(PAGE_BYTES, PAGE_BYTES, 1).unwrap().is_none());
}

#[test]
fn a_request_that_nobody_waits_for_is_taken_back() {
    let _balance = start();
    let (_pager, port, vmo) = paged(1);
    drop(ask(&vmo, 0, 1));
    assert_eq!(packet(&port), None);
}

#[test]
fn a_request_ends_where_pages_are_or_another_request_begins() {
    let _balance = start();
    let (pager, port, vmo) = paged(8);
    supply(&pager, &vmo, 6, &[1]).unwrap();
    let _middle = ask(&vmo, 2, 2);
    let _first = ask(&vmo, 0, 8);
    let _last = ask(&vmo, 4, 4);
    assert_eq!(
        [packet(&port), packet(&port), packet(&port)],
        [Some((READ, 2, 2)), Some((READ, 0, 2)), Some((READ, 4, 2))]
    );
}

#[test]
fn pages_that_are_cut_off_are_not_waited_for() {
    let _balance = start();
    let (pager, _port, vmo) = paged(3);
    let mut request = ask(&vmo, 0, 3);
    vmo.set_size(PAGE_BYTES).unwrap();
    assert!(!is_over(&mut request));
    supply(&pager, &vmo, 0, &[1]).unwrap();
    assert!(is_over(&mut request));
}

#[test]
fn a_detached_vmo_keeps_its_pages_and_says_once_that_it_is_complete() {
    let _balance = start();
    let (pager, port, vmo) = paged(2);
    supply(&pager, &vmo, 1, &[5]).unwrap();
    let mut request = ask(&vmo, 0, 1);
    pager.detach(&vmo).unwrap();
    pager.detach(&vmo).unwrap();
    assert!(is_over(&mut request));
    assert_eq!((byte(&vmo, 0), byte(&vmo, 1)), (Err(GONE), Ok(5)));
    assert_eq!(
        (packet(&port), packet(&port)),
        (Some((COMPLETE, 0, 0)), None)
    );
}

#[test]
fn closing_the_pager_ends_all_waits_without_a_packet() {
    let _balance = start();
    let (pager, port, vmo) = paged(1);
    let handle = Handle::new(pager).unwrap();
    let mut request = ask(&vmo, 0, 1);
    drop(handle);
    assert!(is_over(&mut request));
    assert_eq!(packet(&port), None);
}

#[test]
fn a_child_takes_a_copy_when_it_needs_one_and_zeros_when_nobody_has_it() {
    let _balance = start();
    let (pager, port, vmo) = paged(2);
    assert_eq!(
        vmo.create_child(ChildKind::Snapshot, Resizable::No, 0, PAGE_BYTES)
            .err(),
        Some(ZxError::NotSupported)
    );
    let child = vmo
        .create_child(
            ChildKind::SnapshotAtLeastOnWrite,
            Resizable::No,
            0,
            3 * PAGE_BYTES,
        )
        .unwrap();
    assert_eq!(child.write(0, &[9]), Err(ZxError::ShouldWait));
    let mut request = ask(&child, 0, 1);
    assert_eq!(packet(&port), Some((READ, 0, 1)));
    supply(&pager, &vmo, 0, &[4]).unwrap();
    assert!(is_over(&mut request));
    child.write(1, &[9]).unwrap();
    assert_eq!(
        (byte(&child, 0), byte(&vmo, 0), byte(&child, 2)),
        (Ok(4), Ok(4), Ok(0))
    );
    pager.detach(&vmo).unwrap();
    assert_eq!((byte(&child, 1), byte(&vmo, 1)), (Ok(0), Err(GONE)));
}

#[test]
fn only_plain_committed_pages_can_be_supplied() {
    let _balance = start();
    let (pager, _port, vmo) = paged(1);
    let aux = Vmo::new(PAGE_BYTES, Resizable::No).unwrap();
    let give = |aux: &Vmo, offset| pager.supply(&vmo, 0, PAGE_BYTES, aux, offset);
    assert_eq!(give(&aux, 0), Err(ZxError::BadState));
    aux.commit(0, PAGE_BYTES).unwrap();
    assert_eq!(give(&aux, PAGE_BYTES), Err(ZxError::OutOfRange));
    let child = aux
        .create_child(ChildKind::Snapshot, Resizable::No, 0, PAGE_BYTES)
        .unwrap();
    assert_eq!(give(&aux, 0), Err(ZxError::BadState));
    drop(child);
    aux.pin(0, PAGE_BYTES).unwrap();
    assert_eq!(give(&aux, 0), Err(ZxError::BadState));
    aux.unpin(0, PAGE_BYTES).unwrap();
    assert_eq!(
        pager.supply(&aux, 0, PAGE_BYTES, &aux, 0),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(give(&aux, 0), Ok(()));
    assert_eq!(
        (aux.committed_bytes(), vmo.committed_bytes()),
        (0, PAGE_BYTES)
    );
    assert_eq!(vmo.name().map(|name| name.get()[0]), Some(0));
}

#[test]
fn a_failed_request_tells_all_who_wait_and_its_pages_can_be_asked_for_again() {
    let _balance = start();
    let (pager, port, vmo) = paged(8);
    let (mut first, mut second) = (ask(&vmo, 0, 4), ask(&vmo, 2, 1));
    let mut other = ask(&vmo, 6, 1);
    let fail = |page: u64, pages: u64, error| {
        pager.fail(&vmo, page * PAGE_BYTES, pages * PAGE_BYTES, error)
    };
    assert_eq!(fail(4, 2, ZxError::Io), Ok(()));
    assert!(!is_over(&mut first));
    assert_eq!(fail(3, 1, ZxError::NoMemory), Err(ZxError::InvalidArgs));
    assert_eq!(fail(7, 2, ZxError::Io), Err(ZxError::OutOfRange));
    assert_eq!(fail(3, 1, ZxError::IoDataIntegrity), Ok(()));
    for waiting in [&mut first, &mut second] {
        let heard = Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(heard, Poll::Ready(Err(ZxError::IoDataIntegrity)));
    }
    assert!(!is_over(&mut other));
    let mut again = ask(&vmo, 1, 1);
    assert_eq!(packet(&port), Some((READ, 6, 1)));
    assert_eq!(packet(&port), Some((READ, 1, 1)));
    drop((first, second));
    supply(&pager, &vmo, 0, &[1, 2]).unwrap();
    assert!(is_over(&mut again));
    assert_eq!(byte(&vmo, 1), Ok(2));
}

#[test]
fn supplying_very_many_pages_lets_interrupts_in() {
    const PAGES: u64 = 2048;
    let _balance = start();
    let (pager, _port, vmo) = paged(PAGES);
    let aux = Vmo::new(PAGES * PAGE_BYTES, Resizable::No).unwrap();
    aux.commit(0, PAGES * PAGE_BYTES).unwrap();
    let before = interrupt_windows();
    let len = PAGES * PAGE_BYTES;
    assert_eq!(pager.supply(&vmo, 0, len, &aux, 0), Ok(()));
    assert!(interrupt_windows() - before >= 8);
}
