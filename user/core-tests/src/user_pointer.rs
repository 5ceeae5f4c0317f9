//! Pointers that programs pass and should not: each is refused with a status, and the kernel lives on.

use libzx::{AsHandle, Channel, Event, Port, Signals, Vmo};
use zx_abi::syscalls::SyscallId;

use crate::check::{check_eq, fails, ok, suite, Case};
use crate::memory::{arg, call, Edge, Scratch, BAD_ADDRESSES, PAGE};
use crate::world::World;

suite! {
    "UserPointer":
    creation_calls_refuse_bad_result_pointers,
    a_buffer_may_end_at_the_end_of_a_mapping,
    a_buffer_that_leaves_its_mapping_is_refused,
    a_buffer_that_wraps_around_is_refused,
    a_buffer_in_the_kernel_is_refused,
    a_misaligned_result_is_fine_on_this_cpu,
    writing_to_read_only_memory_is_refused,
    console_output_from_nowhere_is_refused,
    a_bad_name_is_refused,
}

fn creation_calls_refuse_bad_result_pointers(_: &World) -> Case {
    for bad in BAD_ADDRESSES {
        fails!(call(SyscallId::EventCreate, &[0, bad]), InvalidArgs);
        fails!(call(SyscallId::PortCreate, &[0, bad]), InvalidArgs);
        fails!(call(SyscallId::TimerCreate, &[0, 0, bad]), InvalidArgs);
        fails!(call(SyscallId::VmoCreate, &[4096, 0, bad]), InvalidArgs);
    }
    Ok(())
}

fn a_buffer_may_end_at_the_end_of_a_mapping(_: &World) -> Case {
    let edge = ok!(Edge::new());
    let vmo = ok!(Vmo::create(4096, 0));
    for bytes in [1, 7, 8, 64, 4096] {
        ok!(call(
            SyscallId::VmoRead,
            &[arg(&vmo), edge.before_end(bytes), 0, bytes]
        ));
        ok!(call(
            SyscallId::VmoWrite,
            &[arg(&vmo), edge.before_end(bytes), 0, bytes]
        ));
    }
    ok!(call(SyscallId::EventCreate, &[0, edge.before_end(4)]));
    Ok(())
}

fn a_buffer_that_leaves_its_mapping_is_refused(_: &World) -> Case {
    let edge = ok!(Edge::new());
    let vmo = ok!(Vmo::create(4096, 0));
    for bytes in [2, 8, 64, 4096] {
        let address = edge.before_end(bytes - 1);
        fails!(
            call(SyscallId::VmoRead, &[arg(&vmo), address, 0, bytes]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::VmoWrite, &[arg(&vmo), address, 0, bytes]),
            InvalidArgs
        );
    }
    for missing in 1..4 {
        fails!(
            call(SyscallId::EventCreate, &[0, edge.before_end(4 - missing)]),
            InvalidArgs
        );
    }
    Ok(())
}

fn a_buffer_that_wraps_around_is_refused(_: &World) -> Case {
    let page = ok!(Scratch::new());
    let (left, right) = ok!(Channel::create());
    // Counts of items that overflow when multiplied must not look small.
    fails!(
        call(
            SyscallId::ObjectWaitMany,
            &[page.address(), usize::MAX / 8, 0]
        ),
        OutOfRange
    );
    fails!(
        call(
            SyscallId::ChannelWrite,
            &[arg(&left), 0, usize::MAX - 3, 16, 0, 0]
        ),
        InvalidArgs
    );
    let count = usize::MAX - page.address() + 2;
    fails!(
        call(SyscallId::DebugWrite, &[usize::MAX - 100, 200]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::HandleCloseMany, &[usize::MAX - 7, count]),
        InvalidArgs
    );
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn a_buffer_in_the_kernel_is_refused(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    for kernel in [
        0xffff_8000_0000_0000,
        0xffff_ffff_8000_0000,
        usize::MAX - 4095,
    ] {
        fails!(
            call(SyscallId::ChannelWrite, &[arg(&left), 0, kernel, 64, 0, 0]),
            InvalidArgs
        );
        fails!(call(SyscallId::EventCreate, &[0, kernel]), InvalidArgs);
    }
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn a_misaligned_result_is_fine_on_this_cpu(_: &World) -> Case {
    let page = ok!(Scratch::new());
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    let args = [arg(&event), 8, 0, page.address() + 1];
    ok!(call(SyscallId::ObjectWaitOne, &args));
    check_eq!(page.u32(1), 8);
    Ok(())
}

fn writing_to_read_only_memory_is_refused(_: &World) -> Case {
    let vmo = ok!(Vmo::create(PAGE as u64, 0));
    let mapping = ok!(libzx::Mapping::readable(&vmo));
    fails!(
        call(SyscallId::EventCreate, &[0, mapping.address()]),
        InvalidArgs
    );
    let port = ok!(Port::create());
    ok!(port.queue(&zx_abi::PortPacket::user(1, zx_abi::Status::OK, [0; 32])));
    fails!(
        call(SyscallId::PortWait, &[arg(&port), 0, mapping.address()]),
        InvalidArgs
    );
    Ok(())
}

fn console_output_from_nowhere_is_refused(_: &World) -> Case {
    for bad in BAD_ADDRESSES {
        fails!(call(SyscallId::DebugWrite, &[bad, 10]), InvalidArgs);
    }
    let page = ok!(Scratch::new());
    ok!(call(SyscallId::DebugWrite, &[page.address(), 0]));
    Ok(())
}

fn a_bad_name_is_refused(_: &World) -> Case {
    let result = ok!(Scratch::new());
    let process = arg(&libzx::own_process());
    for bad in BAD_ADDRESSES {
        let args = [process, bad, 5, 0, result.address()];
        fails!(call(SyscallId::ThreadCreate, &args), InvalidArgs);
    }
    Ok(())
}
