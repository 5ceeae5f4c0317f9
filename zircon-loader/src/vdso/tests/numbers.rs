//! How call sites get their names: by symbol, by the function around them, by the function that calls them.

use super::sites;
use crate::vdso::image::{Image, ImageError};
use crate::vdso::sample::{return_of_stub, stub, Hash, Sample, Symbols, RET};
use crate::vdso::{level_of, scan, Level};
use zircon_syscall::abi::Site;
use zx_abi::syscalls::SyscallId;

fn site(number: u32, call: SyscallId, return_offset: usize) -> Site {
    Site {
        number,
        call,
        return_offset: u32::try_from(return_offset).unwrap(),
    }
}

#[test]
fn an_exported_stub_names_its_number() {
    let mut sample = Sample::new();
    let create = sample.function("zx_event_create", &stub(7));
    let close = sample.function("zx_handle_close", &stub(0));
    let expected = [
        site(7, SyscallId::EventCreate, return_of_stub(create)),
        site(0, SyscallId::HandleClose, return_of_stub(close)),
    ];
    assert_eq!(sites(&sample).unwrap(), expected);
}

#[test]
fn a_stub_without_a_symbol_is_named_by_the_function_that_calls_it() {
    let mut sample = Sample::new();
    sample.code(&[RET]);
    let first = sample.code(&stub(3));
    let second = sample.code(&stub(4));
    sample.caller("zx_vmo_create", &[second]);
    sample.caller("zx_port_create", &[first]);
    let expected = [
        site(3, SyscallId::PortCreate, return_of_stub(first)),
        site(4, SyscallId::VmoCreate, return_of_stub(second)),
    ];
    assert_eq!(sites(&sample).unwrap(), expected);
}

#[test]
fn the_two_stubs_of_channel_call_are_told_apart() {
    let mut sample = Sample::new();
    let noretry = sample.code(&stub(20));
    let finish = sample.code(&stub(21));
    sample.caller("zx_channel_call", &[noretry, finish]);
    let expected = [
        site(20, SyscallId::ChannelCallNoretry, return_of_stub(noretry)),
        site(21, SyscallId::ChannelCallFinish, return_of_stub(finish)),
    ];
    assert_eq!(sites(&sample).unwrap(), expected);
}

#[test]
fn a_channel_call_that_makes_both_calls_itself_is_understood() {
    let mut sample = Sample::new();
    let call = sample.function("zx_channel_call", &[stub(20), stub(21)].concat());
    let expected = [
        site(20, SyscallId::ChannelCallNoretry, return_of_stub(call)),
        site(
            21,
            SyscallId::ChannelCallFinish,
            return_of_stub(call + stub(20).len()),
        ),
    ];
    assert_eq!(sites(&sample).unwrap(), expected);
}

#[test]
fn a_function_that_makes_three_calls_gives_a_site_for_each() {
    let mut sample = Sample::new();
    let unmap = sample.function("zx_vmar_unmap", &stub(1));
    let close = sample.function("zx_handle_close", &stub(2));
    let exit = sample.function("zx_thread_exit", &stub(3));
    let all = [stub(1), stub(2), stub(3)].concat();
    let helper = sample.function("zx_vmar_unmap_handle_close_thread_exit", &all);
    let length = stub(0).len();
    let expected = [
        site(1, SyscallId::VmarUnmap, return_of_stub(unmap)),
        site(2, SyscallId::HandleClose, return_of_stub(close)),
        site(3, SyscallId::ThreadExit, return_of_stub(exit)),
        site(1, SyscallId::VmarUnmap, return_of_stub(helper)),
        site(2, SyscallId::HandleClose, return_of_stub(helper + length)),
        site(
            3,
            SyscallId::ThreadExit,
            return_of_stub(helper + 2 * length),
        ),
    ];
    assert_eq!(sites(&sample).unwrap(), expected);
}

#[test]
fn symbols_behind_the_sites_name_them_exactly() {
    let mut sample = Sample::new();
    let raw = sample.code(&stub(9));
    sample.caller("zx_cprng_draw", &[raw]);
    sample.local(
        "CODE_SYSRET_zx_cprng_draw_once_VIA_zx_cprng_draw",
        return_of_stub(raw),
    );
    sample.local(
        "CODE_SYSRET_zx_event_create_VIA_zx_event_create",
        return_of_stub(raw) + 1,
    );
    let file = sample.build(Hash::Sysv, Symbols::Kept);
    let image = Image::parse(&file).unwrap();
    assert_eq!(
        scan(&image).unwrap(),
        [site(9, SyscallId::CprngDrawOnce, return_of_stub(raw))]
    );
}

/// Zircon of 2019 enters the kernel for the clock where the home ABI's vDSO reads a counter.
#[test]
fn a_clock_that_is_a_kernel_call_gets_the_same_name_with_symbols_and_without() {
    let mut sample = Sample::new();
    let clock = sample.function("zx_clock_get_monotonic", &stub(2));
    sample.local(
        "CODE_SYSRET_zx_clock_get_monotonic_VIA_zx_clock_get_monotonic",
        return_of_stub(clock),
    );
    for symbols in [Symbols::Stripped, Symbols::Kept] {
        let file = sample.build(Hash::Sysv, symbols);
        let found = scan(&Image::parse(&file).unwrap()).unwrap();
        assert_eq!(
            found,
            [site(
                2,
                SyscallId::ClockGetMonotonicViaKernel,
                return_of_stub(clock)
            )]
        );
    }
}

#[test]
fn a_site_that_nothing_names_is_left_out() {
    let mut sample = Sample::new();
    let create = sample.function("zx_event_create", &stub(7));
    sample.function("zx_no_such_call", &stub(8));
    assert_eq!(
        sites(&sample).unwrap(),
        [site(7, SyscallId::EventCreate, return_of_stub(create))]
    );
}

#[test]
fn a_syscall_without_a_number_before_it_is_left_out() {
    let mut sample = Sample::new();
    let create = sample.function("zx_event_create", &stub(7));
    sample.function("zx_handle_close", &[0x0f, 0x05, RET]);
    assert_eq!(
        sites(&sample).unwrap(),
        [site(7, SyscallId::EventCreate, return_of_stub(create))]
    );
}

#[test]
fn an_image_without_any_call_is_refused() {
    let mut sample = Sample::new();
    sample.function("zx_event_create", &[RET]);
    assert_eq!(sites(&sample), Err(ImageError::NoSyscalls));
}

#[test]
fn a_number_that_stands_for_two_calls_is_refused() {
    let mut sample = Sample::new();
    let create = sample.function("zx_event_create", &stub(7));
    let close = sample.function("zx_handle_close", &stub(7));
    assert_eq!(sites(&sample), Err(ImageError::Ambiguous));
    sample.local(
        "CODE_SYSRET_zx_event_create_VIA_zx_event_create",
        return_of_stub(create),
    );
    sample.local(
        "CODE_SYSRET_zx_handle_close_VIA_zx_handle_close",
        return_of_stub(close),
    );
    let file = sample.build(Hash::Sysv, Symbols::Kept);
    assert_eq!(
        scan(&Image::parse(&file).unwrap()),
        Err(ImageError::Ambiguous)
    );
}

#[test]
fn the_level_follows_from_the_exports() {
    let mut sample = Sample::new();
    sample.function("zx_event_create", &stub(7));
    assert_eq!(
        level_of(&Image::parse(&sample.stripped()).unwrap()),
        Level::Zircon2019
    );
    sample.function("zx_stream_create", &stub(8));
    assert_eq!(
        level_of(&Image::parse(&sample.stripped()).unwrap()),
        Level::Home
    );
}
