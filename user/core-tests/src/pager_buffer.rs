//! System calls whose buffers lie in memory that a pager has yet to supply.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use libzx::{AsHandle, Channel, Event, Fifo, Handle, Port, Signals, Socket, Vmo, ZxResult};
use zx_abi::info::{InfoTopic, ThreadState};
use zx_abi::syscalls::SyscallId;
use zx_abi::{PortPacket, Status};

use crate::check::{check, check_eq, fail, fails, home_only, needs, ok, suite, Case};
use crate::demand::{Demand, Packet};
use crate::memory::{arg, call, Scratch};
use crate::other_thread::Call;
use crate::pages::{pages, stamp_of, stamped, View};
use crate::world::World;

suite! {
    "PagerBuffer":
    vmo_write_reads_its_bytes,
    vmo_write_reads_bytes_of_several_pages,
    vmo_read_writes_its_bytes,
    vmo_read_of_a_pagers_vmo_into_a_pagers_vmo,
    channel_write_reads_its_bytes,
    channel_write_with_a_handle_reads_its_bytes,
    channel_write_etc_with_a_handle_reads_its_bytes,
    handle_close_many_across_a_page_closes_all,
    socket_write_reads_its_bytes,
    socket_read_writes_its_bytes,
    fifo_write_reads_its_elements,
    fifo_read_writes_its_elements,
    port_queue_reads_its_packet,
    object_wait_one_writes_its_signals,
    object_wait_many_reads_and_writes_its_items,
    object_get_info_writes_its_record,
    object_set_property_reads_its_value,
    object_get_property_writes_its_value,
    event_create_writes_its_handle,
    channel_create_writes_its_handles,
    vmar_map_writes_its_address,
    futex_wait_reads_its_word,
    stream_reads_and_writes_its_vectors,
    channel_read_writes_its_bytes,
    port_wait_writes_its_packet,
    process_read_memory_reads_a_pagers_page,
    a_detached_buffer_is_refused,
    a_buffer_that_is_supplied_and_unmapped_is_refused,
    a_suspended_call_goes_on_with_its_buffer,
    a_buffer_across_a_page_asks_for_both,
}

const KEY: u64 = 0xb0f;

/// Two mapped pages that a pager has yet to supply.
struct Buffer {
    demand: Demand,
    vmo: Vmo,
    view: View,
}

impl Buffer {
    fn new() -> ZxResult<Self> {
        let demand = Demand::new()?;
        let vmo = demand.vmo(2, KEY)?;
        let view = View::new(&vmo, 2)?;
        Ok(Self { demand, vmo, view })
    }

    /// The address in the first page.
    fn at(&self, offset: usize) -> usize {
        self.view.at(0) + offset
    }

    /// Supplies the first page with bytes from its start on.
    fn supply(&self, bytes: &[u8]) -> ZxResult {
        let source = pages(1)?;
        source.op_range(1, 0, 4096)?;
        source.write(bytes, 0)?;
        self.demand.pager.supply(&self.vmo, 0, 4096, &source, 0)
    }

    /// Makes a call in a thread, waits for the request, supplies `bytes`, gives the call's result.
    fn during(&self, bytes: &[u8], id: SyscallId, args: &[usize]) -> Result<ZxResult, String> {
        let started = Call::start(id, args).map_err(|error| alloc::format!("starting: {error}"))?;
        let asked = self.demand.next();
        if asked != Ok(Packet::Read(KEY, 0, 1)) {
            return Err(alloc::format!("asked for {asked:?}"));
        }
        if !started.is_in(ThreadState::BlockedPager) {
            return Err("does not wait for its pager".into());
        }
        self.supply(bytes)
            .map_err(|error| alloc::format!("supplying: {error}"))?;
        Ok(started.end())
    }

    /// Bytes of the first page.
    fn bytes<const N: usize>(&self, offset: u64) -> ZxResult<[u8; N]> {
        let mut bytes = [0; N];
        self.vmo.read(&mut bytes, offset)?;
        Ok(bytes)
    }
}

/// Makes the call while its buffer is supplied; it must succeed.
macro_rules! served {
    ($buffer:expr, $bytes:expr, $id:ident, $args:expr) => {
        match $buffer.during($bytes, SyscallId::$id, $args) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => fail!("{}: {error}", stringify!($id)),
            Err(what) => fail!("{}: {what}", stringify!($id)),
        }
    };
}

fn vmo_write_reads_its_bytes(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let vmo = ok!(pages(1));
    served!(
        buffer,
        b"paged in",
        VmoWrite,
        &[arg(&vmo), buffer.at(0), 100, 8]
    );
    let mut bytes = [0; 8];
    ok!(vmo.read(&mut bytes, 100));
    check_eq!(bytes, *b"paged in");
    Ok(())
}

fn vmo_write_reads_bytes_of_several_pages(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let vmo = ok!(pages(2));
    let started = ok!(Call::start(
        SyscallId::VmoWrite,
        &[arg(&vmo), buffer.at(0), 0, 8192]
    ));
    for page in 0..2 {
        check_eq!(ok!(buffer.demand.next()), Packet::Read(KEY, page, 1));
        ok!(buffer.demand.supply(&buffer.vmo, page, 1));
    }
    ok!(started.end());
    check_eq!(
        ok!(crate::pages::stamps(&vmo)),
        ok!(crate::pages::stamps(&buffer.vmo))
    );
    Ok(())
}

fn vmo_read_writes_its_bytes(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let vmo = ok!(pages(1));
    ok!(vmo.write(b"result", 0));
    served!(
        buffer,
        b"0123456789",
        VmoRead,
        &[arg(&vmo), buffer.at(2), 0, 6]
    );
    check_eq!(ok!(buffer.bytes::<10>(0)), *b"01result89");
    Ok(())
}

fn vmo_read_of_a_pagers_vmo_into_a_pagers_vmo(_: &World) -> Case {
    let (from, to) = (ok!(Buffer::new()), ok!(Buffer::new()));
    let started = ok!(Call::start(
        SyscallId::VmoRead,
        &[arg(&from.vmo), to.at(0), 0, 8]
    ));
    // Either is asked for first; both are needed.
    let mut supplied = 0;
    while supplied < 2 {
        check!(started.is_in(ThreadState::BlockedPager));
        for side in [&from, &to] {
            if side.demand.port.wait(0).is_ok() {
                ok!(side.supply(b"both ends"));
                supplied += 1;
            }
        }
    }
    ok!(started.end());
    check_eq!(ok!(to.bytes::<9>(0)), *b"both ends");
    Ok(())
}

fn channel_write_reads_its_bytes(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let (left, right) = ok!(Channel::create());
    served!(
        buffer,
        b"message",
        ChannelWrite,
        &[arg(&left), 0, buffer.at(0), 7, 0, 0]
    );
    check_eq!(ok!(right.read()).bytes, b"message");
    Ok(())
}

/// The call that is made again still has its handle.
fn channel_write_with_a_handle_reads_its_bytes(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let (left, right) = ok!(Channel::create());
    let event = Handle::from(ok!(Event::create())).into_raw();
    let mut list = ok!(Scratch::new());
    list.put(0, &event);
    served!(
        buffer,
        b"message",
        ChannelWrite,
        &[arg(&left), 0, buffer.at(0), 7, list.address(), 1]
    );
    check_eq!(ok!(right.read()).handles.len(), 1);
    Ok(())
}

fn channel_write_etc_with_a_handle_reads_its_bytes(world: &World) -> Case {
    home_only!(world);
    let buffer = ok!(Buffer::new());
    let (left, right) = ok!(Channel::create());
    let event = Handle::from(ok!(Event::create())).into_raw();
    let mut list = ok!(Scratch::new());
    // To be moved, of any type, with the rights that it has.
    list.put(0, &[0, event, 0, 1 << 31, 0]);
    served!(
        buffer,
        b"message",
        ChannelWriteEtc,
        &[arg(&left), 0, buffer.at(0), 7, list.address(), 1]
    );
    check_eq!(ok!(right.read()).handles.len(), 1);
    Ok(())
}

fn handle_close_many_across_a_page_closes_all(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let mut events = Vec::new();
    for _ in 0..100 {
        events.push(Handle::from(ok!(Event::create())).into_raw());
    }
    let bytes: Vec<u8> = events
        .iter()
        .flat_map(|event| event.to_le_bytes())
        .collect();
    let source = ok!(pages(2));
    ok!(source.write(&bytes, 4096 - 256));
    let supply = |at| {
        buffer
            .demand
            .pager
            .supply(&buffer.vmo, at, 4096, &source, at)
    };
    ok!(source.op_range(1, 0, 8192));
    ok!(supply(0));
    let started = ok!(Call::start(
        SyscallId::HandleCloseMany,
        &[buffer.at(4096 - 256), 100]
    ));
    check_eq!(ok!(buffer.demand.next()), Packet::Read(KEY, 1, 1));
    check!(started.is_in(ThreadState::BlockedPager));
    ok!(supply(4096));
    ok!(started.end());
    let valid = InfoTopic::HandleValid.raw() as usize;
    for event in events {
        fails!(
            call(
                SyscallId::ObjectGetInfo,
                &[event as usize, valid, 0, 0, 0, 0]
            ),
            BadHandle
        );
    }
    Ok(())
}

fn socket_write_reads_its_bytes(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let (left, right) = ok!(Socket::create(0));
    served!(
        buffer,
        b"stream",
        SocketWrite,
        &[arg(&left), 0, buffer.at(0), 6, 0]
    );
    let mut bytes = [0; 6];
    check_eq!(ok!(right.read(0, &mut bytes)), 6);
    check_eq!(bytes, *b"stream");
    Ok(())
}

fn socket_read_writes_its_bytes(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let (left, right) = ok!(Socket::create(0));
    ok!(left.write(0, b"stream"));
    served!(
        buffer,
        b"XXXXXXXX",
        SocketRead,
        &[arg(&right), 0, buffer.at(0), 100, 0]
    );
    check_eq!(ok!(buffer.bytes::<8>(0)), *b"streamXX");
    Ok(())
}

fn fifo_write_reads_its_elements(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let (left, right) = ok!(Fifo::create(4, 8, 0));
    served!(
        buffer,
        b"elementselement2",
        FifoWrite,
        &[arg(&left), 8, buffer.at(0), 2, 0]
    );
    let mut bytes = [0; 16];
    check_eq!(ok!(right.read(8, &mut bytes)), 2);
    check_eq!(bytes, *b"elementselement2");
    Ok(())
}

fn fifo_read_writes_its_elements(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let (left, right) = ok!(Fifo::create(4, 8, 0));
    ok!(left.write(8, b"elements"));
    served!(
        buffer,
        b"XXXXXXXXXX",
        FifoRead,
        &[arg(&right), 8, buffer.at(0), 4, 0]
    );
    check_eq!(ok!(buffer.bytes::<10>(0)), *b"elementsXX");
    Ok(())
}

fn port_queue_reads_its_packet(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let port = ok!(Port::create());
    let packet = PortPacket::user(7, Status::OK, [9; 32]);
    let bytes = zerocopy::IntoBytes::as_bytes(&packet);
    served!(buffer, bytes, PortQueue, &[arg(&port), buffer.at(0)]);
    check_eq!(ok!(port.wait(0)).key, 7);
    Ok(())
}

fn object_wait_one_writes_its_signals(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    served!(
        buffer,
        b"",
        ObjectWaitOne,
        &[arg(&event), 8, usize::MAX >> 1, buffer.at(0)]
    );
    check_eq!(ok!(stamp_of(&buffer.vmo, 0)), 8);
    Ok(())
}

fn object_wait_many_reads_and_writes_its_items(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    let item = [event.raw(), 8, 0].map(u32::to_le_bytes).concat();
    served!(
        buffer,
        &item,
        ObjectWaitMany,
        &[buffer.at(0), 1, usize::MAX >> 1]
    );
    check_eq!(ok!(buffer.bytes::<4>(8)), 8u32.to_le_bytes());
    Ok(())
}

fn object_get_info_writes_its_record(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let event = ok!(Event::create());
    let topic = InfoTopic::HandleBasic.raw() as usize;
    served!(
        buffer,
        b"",
        ObjectGetInfo,
        &[arg(&event), topic, buffer.at(0), 32, 0, 0]
    );
    check_eq!(ok!(stamp_of(&buffer.vmo, 0)), ok!(event.koid()));
    Ok(())
}

fn object_set_property_reads_its_value(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let vmo = ok!(pages(1));
    served!(
        buffer,
        b"name",
        ObjectSetProperty,
        &[arg(&vmo), 3, buffer.at(0), 4]
    );
    check_eq!(ok!(vmo.name()), "name");
    Ok(())
}

fn object_get_property_writes_its_value(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let vmo = ok!(pages(1));
    ok!(vmo.set_name("name"));
    served!(
        buffer,
        b"XXXXXX",
        ObjectGetProperty,
        &[arg(&vmo), 3, buffer.at(0), 32]
    );
    check_eq!(ok!(buffer.bytes::<6>(0)), *b"name\0\0");
    Ok(())
}

fn event_create_writes_its_handle(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    served!(buffer, b"", EventCreate, &[0, buffer.at(0)]);
    let value = u32::from_le_bytes(ok!(buffer.bytes::<4>(0)));
    ok!(call(SyscallId::HandleClose, &[value as usize]));
    Ok(())
}

fn channel_create_writes_its_handles(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    served!(buffer, b"", ChannelCreate, &[0, buffer.at(0), buffer.at(8)]);
    for offset in [0, 8] {
        let value = u32::from_le_bytes(ok!(buffer.bytes::<4>(offset)));
        ok!(call(SyscallId::HandleClose, &[value as usize]));
    }
    Ok(())
}

fn vmar_map_writes_its_address(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let vmo = ok!(stamped(1, 77));
    let root = ok!(crate::memory::root_vmar());
    served!(
        buffer,
        b"",
        VmarMap,
        &[arg(&root), 1, 0, arg(&vmo), 0, 4096, buffer.at(0)]
    );
    let address = ok!(usize::try_from(ok!(stamp_of(&buffer.vmo, 0))));
    check_eq!(libzx::raw::peek(address), 77);
    ok!(root.unmap(address, 4096));
    Ok(())
}

fn futex_wait_reads_its_word(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let args = [buffer.at(0), 5, 0, usize::MAX >> 1];
    // The word turns out to be another one.
    match buffer.during(b"\x06\0\0\0", SyscallId::FutexWait, &args) {
        Ok(result) => fails!(result, BadState),
        Err(what) => fail!("{what}"),
    }
    Ok(())
}

fn stream_reads_and_writes_its_vectors(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(pages(1));
    let stream = ok!(libzx::Stream::create(3, &vmo, 0));
    let buffer = ok!(Buffer::new());
    let vector = [(buffer.at(16) as u64).to_le_bytes(), 5u64.to_le_bytes()].concat();
    let mut page = vector;
    page.extend_from_slice(b"bytes");
    served!(
        buffer,
        &page,
        StreamWritev,
        &[arg(&stream), 0, buffer.at(0), 1, 0]
    );
    let mut bytes = [0; 5];
    check_eq!(ok!(stream.read_at(&mut bytes, 0)), 5);
    check_eq!(bytes, *b"bytes");
    Ok(())
}

fn a_detached_buffer_is_refused(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let vmo = ok!(pages(1));
    let started = ok!(Call::start(
        SyscallId::VmoWrite,
        &[arg(&vmo), buffer.at(0), 0, 8]
    ));
    check!(started.is_in(ThreadState::BlockedPager));
    ok!(buffer.demand.pager.detach(&buffer.vmo));
    fails!(started.end(), InvalidArgs);
    fails!(
        call(SyscallId::VmoWrite, &[arg(&vmo), buffer.at(0), 0, 8]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::EventCreate, &[0, buffer.at(0)]),
        InvalidArgs
    );
    Ok(())
}

fn a_buffer_that_is_supplied_and_unmapped_is_refused(_: &World) -> Case {
    let Buffer { demand, vmo, view } = ok!(Buffer::new());
    let target = ok!(pages(1));
    let started = ok!(Call::start(
        SyscallId::VmoWrite,
        &[arg(&target), view.at(0), 0, 8]
    ));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    check!(started.is_in(ThreadState::BlockedPager));
    drop(view);
    ok!(demand.supply(&vmo, 0, 1));
    fails!(started.end(), InvalidArgs);
    Ok(())
}

fn a_suspended_call_goes_on_with_its_buffer(world: &World) -> Case {
    home_only!(world);
    let buffer = ok!(Buffer::new());
    let (left, right) = ok!(Channel::create());
    let args = [arg(&left), 0, buffer.at(0), 7, 0, 0];
    let started = ok!(Call::start(SyscallId::ChannelWrite, &args));
    check_eq!(ok!(buffer.demand.next()), Packet::Read(KEY, 0, 1));
    check!(started.is_in(ThreadState::BlockedPager));
    drop(ok!(crate::demand::suspended(started.thread())));
    check_eq!(ok!(buffer.demand.next()), Packet::Read(KEY, 0, 1));
    ok!(buffer.supply(b"message"));
    ok!(started.end());
    check_eq!(ok!(right.read()).bytes, b"message");
    // Once and not twice.
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn a_buffer_across_a_page_asks_for_both(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let (left, right) = ok!(Channel::create());
    let args = [arg(&left), 0, buffer.at(4094), 4, 0, 0];
    let started = ok!(Call::start(SyscallId::ChannelWrite, &args));
    for page in 0..2 {
        check_eq!(ok!(buffer.demand.next()), Packet::Read(KEY, page, 1));
        ok!(buffer.demand.supply(&buffer.vmo, page, 1));
    }
    ok!(started.end());
    let first = buffer.view.load(1).to_le_bytes();
    check_eq!(ok!(right.read()).bytes, [0, 0, first[0], first[1]]);
    Ok(())
}

fn channel_read_writes_its_bytes(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"message", vec![]));
    let args = [arg(&right), 0, buffer.at(0), 0, 100, 0, 0, 0];
    served!(buffer, b"XXXXXXXXX", ChannelRead, &args);
    check_eq!(ok!(buffer.bytes::<9>(0)), *b"messageXX");
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn port_wait_writes_its_packet(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let port = ok!(Port::create());
    ok!(port.queue(&PortPacket::user(7, Status::OK, [9; 32])));
    served!(
        buffer,
        b"",
        PortWait,
        &[arg(&port), usize::MAX >> 1, buffer.at(0)]
    );
    check_eq!(u64::from_le_bytes(ok!(buffer.bytes::<8>(0))), 7);
    fails!(port.wait(0), TimedOut);
    Ok(())
}

fn process_read_memory_reads_a_pagers_page(_: &World) -> Case {
    let buffer = ok!(Buffer::new());
    let target = ok!(pages(1));
    let view = ok!(View::new(&target, 1));
    let process = arg(&libzx::own_process());
    let args = [process, buffer.at(0), view.at(0), 8, view.at(0) + 64];
    served!(buffer, b"12345678", ProcessReadMemory, &args);
    check_eq!(view.load(0), u64::from_le_bytes(*b"12345678"));
    Ok(())
}
