//! Calls through channels: a request, and the reply that carries its number.

use alloc::vec;

use libzx::{Channel, ZxResult};
use zx_abi::syscalls::SyscallId;
use zx_abi::ChannelCallArgs;

use crate::check::{check, check_eq, fails, needs, ok, suite, Case};
use crate::memory::{arg, call, Scratch};
use crate::world::{in_ms, soon, World};

suite! {
    "ChannelCall":
    a_call_gets_the_reply_to_its_number,
    a_call_times_out,
    a_call_needs_room_for_its_number,
    a_call_sees_the_peer_close,
    a_late_reply_is_an_ordinary_message,
}

/// Calls through a channel with `wr_num_bytes` bytes: request at 1024, reply at 2048, counts at 4000 and 4004.
fn call_through(channel: &Channel, bytes: u32, deadline: i64, page: &mut Scratch) -> ZxResult {
    let at = page.address();
    let args = ChannelCallArgs {
        wr_bytes: at + 1024,
        rd_bytes: at + 2048,
        rd_handles: at + 3000,
        wr_num_bytes: bytes,
        rd_num_bytes: 512,
        rd_num_handles: 8,
        ..ChannelCallArgs::default()
    };
    page.put(0, &args);
    let deadline = usize::try_from(deadline).unwrap_or(usize::MAX);
    let args = [arg(channel), 0, deadline, at, at + 4000, at + 4004];
    call(SyscallId::ChannelCall, &args)
}

fn a_call_gets_the_reply_to_its_number(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let service = ok!(libzx::thread::spawn("service", move || {
        let Ok(request) = server.read_by(soon()) else {
            return;
        };
        // First something that is no reply, then the reply.
        let _ = server.write(b"noise", vec![]);
        let mut reply = request.bytes;
        reply.extend_from_slice(b" and back");
        let _ = server.write(&reply, vec![]);
    }));
    let mut page = ok!(Scratch::new());
    page.put(1024, b"\0\0\0\0there");
    ok!(call_through(&client, 9, soon(), &mut page));
    check_eq!((page.u32(4000), page.u32(4004)), (18, 0));
    check!(page.u32(2048) >= 0x8000_0000);
    check_eq!(page.get::<[u8; 14]>(2052), *b"there and back");
    ok!(service.join());
    check_eq!(ok!(client.read()).bytes, b"noise");
    Ok(())
}

fn a_call_times_out(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let mut page = ok!(Scratch::new());
    fails!(call_through(&client, 4, in_ms(5), &mut page), TimedOut);
    fails!(call_through(&client, 8, 0, &mut page), TimedOut);
    check_eq!(ok!(server.read()).bytes.len(), 4);
    check_eq!(ok!(server.read()).bytes.len(), 8);
    Ok(())
}

fn a_call_needs_room_for_its_number(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let mut page = ok!(Scratch::new());
    fails!(call_through(&client, 3, soon(), &mut page), InvalidArgs);
    fails!(call_through(&client, 0, soon(), &mut page), InvalidArgs);
    fails!(server.read(), ShouldWait);
    Ok(())
}

fn a_call_sees_the_peer_close(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let service = ok!(libzx::thread::spawn("service", move || {
        let _ = server.read_by(soon());
    }));
    let mut page = ok!(Scratch::new());
    fails!(call_through(&client, 4, soon(), &mut page), PeerClosed);
    ok!(service.join());
    fails!(call_through(&client, 4, soon(), &mut page), PeerClosed);
    Ok(())
}

fn a_late_reply_is_an_ordinary_message(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let mut page = ok!(Scratch::new());
    fails!(call_through(&client, 4, in_ms(1), &mut page), TimedOut);
    let request = ok!(server.read());
    ok!(server.write(&request.bytes, vec![]));
    check_eq!(ok!(client.read()).bytes, request.bytes);
    Ok(())
}
