//! What calls through channels refuse, and what becomes of handles and replies then.

use alloc::vec;
use alloc::vec::Vec;

use libzx::thread::JoinHandle;
use libzx::{AsHandle, Channel, Event, EventPair, Handle, Rights, Signals, ZxResult};
use zx_abi::syscalls::SyscallId;
use zx_abi::ChannelCallArgs;

use crate::check::{check, check_eq, fails, needs, ok, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{in_ms, soon, World};

suite! {
    "ChannelCallRule":
    unknown_options_take_the_handles,
    too_short_a_request_takes_the_handles,
    unreadable_arguments_leave_the_handles,
    bad_bytes_take_the_handles,
    a_closed_peer_takes_the_handles,
    handles_travel_both_ways,
    a_reply_with_another_number_stays,
    a_reply_too_long_is_lost,
    a_reply_with_too_many_handles_is_lost_with_them,
    bad_counts_are_refused,
    a_call_needs_reading_and_writing,
    other_objects_have_the_wrong_type,
    a_message_too_long_is_out_of_range,
    a_call_leaves_other_messages,
    numbers_are_of_the_kernels_half_and_differ,
    channel_call_checks_options_before_the_handle,
    channel_call_checks_the_length_before_the_handle,
}

/// A page for one call: arguments at 0, handles at 512, request at 1024, reply at 2048, its handles at 3000, counts at 4000.
struct Request {
    page: Scratch,
    args: ChannelCallArgs,
    options: usize,
}

impl Request {
    /// A request of four bytes with room for 64 bytes and 2 handles.
    fn new() -> ZxResult<Self> {
        let page = Scratch::new()?;
        let at = page.address();
        let args = ChannelCallArgs {
            wr_bytes: at + 1024,
            wr_handles: at + 512,
            rd_bytes: at + 2048,
            rd_handles: at + 3000,
            wr_num_bytes: 4,
            wr_num_handles: 0,
            rd_num_bytes: 64,
            rd_num_handles: 2,
        };
        Ok(Self {
            page,
            args,
            options: 0,
        })
    }

    /// The same with a handle; its other end sees what becomes of it.
    fn with_handle() -> ZxResult<(Self, EventPair)> {
        let (witness, sent) = EventPair::create()?;
        let mut request = Self::new()?;
        request.page.put(512, &Handle::from(sent).into_raw());
        request.args.wr_num_handles = 1;
        Ok((request, witness))
    }

    fn send(&mut self, channel: usize, deadline: i64) -> ZxResult {
        self.page.put(0, &self.args);
        let deadline = usize::try_from(deadline).unwrap_or(usize::MAX);
        let at = self.page.address();
        let args = [channel, self.options, deadline, at, at + 4000, at + 4004];
        call(SyscallId::ChannelCall, &args)
    }
}

fn gone(witness: &EventPair) -> ZxResult<bool> {
    Ok(witness.signals_now(Signals::all())? == Signals::PEER_CLOSED)
}

/// A thread that answers one request with its number, `more` bytes, and these handles.
fn answer(server: Channel, more: usize, handles: Vec<Handle>) -> ZxResult<JoinHandle> {
    libzx::thread::spawn("answer", move || {
        if let Ok(request) = server.read_by(soon()) {
            let mut reply = request.bytes;
            reply.resize(4 + more, 9);
            let _ = server.write(&reply, handles);
        }
    })
}

fn unknown_options_take_the_handles(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let (mut request, witness) = ok!(Request::with_handle());
    request.options = 1;
    fails!(request.send(arg(&client), soon()), InvalidArgs);
    check!(ok!(gone(&witness)));
    fails!(server.read(), ShouldWait);
    Ok(())
}

fn too_short_a_request_takes_the_handles(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let (mut request, witness) = ok!(Request::with_handle());
    request.args.wr_num_bytes = 3;
    fails!(request.send(arg(&client), soon()), InvalidArgs);
    check!(ok!(gone(&witness)));
    fails!(server.read(), ShouldWait);
    Ok(())
}

fn unreadable_arguments_leave_the_handles(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let page = ok!(Scratch::new());
    for bad in BAD_ADDRESSES.into_iter().filter(|address| *address != 0) {
        let args = [arg(&client), 0, 0, bad, page.address(), page.address() + 4];
        fails!(call(SyscallId::ChannelCall, &args), InvalidArgs);
    }
    fails!(server.read(), ShouldWait);
    Ok(())
}

fn bad_bytes_take_the_handles(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    for bad in BAD_ADDRESSES {
        let (mut request, witness) = ok!(Request::with_handle());
        request.args.wr_bytes = bad;
        fails!(request.send(arg(&client), soon()), InvalidArgs);
        check!(ok!(gone(&witness)));
    }
    fails!(server.read(), ShouldWait);
    Ok(())
}

fn a_closed_peer_takes_the_handles(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    drop(server);
    let (mut request, witness) = ok!(Request::with_handle());
    fails!(request.send(arg(&client), soon()), PeerClosed);
    check!(ok!(gone(&witness)));
    Ok(())
}

fn handles_travel_both_ways(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let events = [ok!(Event::create()), ok!(Event::create())];
    let koids = [ok!(events[0].koid()), ok!(events[1].koid())];
    let [first, second] = events.map(Handle::from);
    let service = ok!(answer(server, 0, vec![first, second]));
    let (mut request, witness) = ok!(Request::with_handle());
    ok!(request.send(arg(&client), soon()));
    check_eq!((request.page.u32(4000), request.page.u32(4004)), (4, 2));
    for (index, koid) in koids.into_iter().enumerate() {
        let handle = Handle::from_raw(request.page.u32(3000 + 4 * index));
        check_eq!(ok!(handle.koid()), koid);
    }
    ok!(service.join());
    // The request's handle went with the service's message.
    check!(ok!(gone(&witness)));
    Ok(())
}

fn a_reply_with_another_number_stays(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    ok!(server.write(&[1, 2, 3, 4], vec![]));
    ok!(server.write(&[0, 0, 0, 0x80], vec![]));
    let mut request = ok!(Request::new());
    fails!(request.send(arg(&client), in_ms(5)), TimedOut);
    check_eq!(ok!(client.read()).bytes, [1, 2, 3, 4]);
    check_eq!(ok!(client.read()).bytes, [0, 0, 0, 0x80]);
    Ok(())
}

fn a_reply_too_long_is_lost(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let (witness, sent) = ok!(EventPair::create());
    let service = ok!(answer(server, 61, vec![sent.into()]));
    let mut request = ok!(Request::new());
    fails!(request.send(arg(&client), soon()), BufferTooSmall);
    ok!(service.join());
    check!(ok!(gone(&witness)));
    fails!(client.read(), PeerClosed);
    Ok(())
}

fn a_reply_with_too_many_handles_is_lost_with_them(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let (witness, sent) = ok!(EventPair::create());
    let handles = vec![
        sent.into(),
        ok!(Event::create()).into(),
        ok!(Event::create()).into(),
    ];
    let service = ok!(answer(server, 0, handles));
    let mut request = ok!(Request::new());
    fails!(request.send(arg(&client), soon()), BufferTooSmall);
    ok!(service.join());
    check!(ok!(gone(&witness)));
    Ok(())
}

fn bad_counts_are_refused(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let service = ok!(answer(server, 0, vec![]));
    let mut request = ok!(Request::new());
    request.page.put(0, &request.args);
    let deadline = usize::try_from(soon()).unwrap_or(usize::MAX);
    let at = request.page.address();
    let args = [arg(&client), 0, deadline, at, 0x1000, 0x1000];
    fails!(call(SyscallId::ChannelCall, &args), InvalidArgs);
    ok!(service.join());
    fails!(client.read(), PeerClosed);
    Ok(())
}

fn a_call_needs_reading_and_writing(_: &World) -> Case {
    needs!(ChannelCall);
    for rights in [Rights::READ, Rights::WRITE] {
        let (client, server) = ok!(Channel::create());
        let client = ok!(client.replace(rights));
        let (mut request, witness) = ok!(Request::with_handle());
        fails!(request.send(arg(&client), soon()), AccessDenied);
        check!(ok!(gone(&witness)));
        fails!(server.read(), ShouldWait);
    }
    Ok(())
}

fn other_objects_have_the_wrong_type(_: &World) -> Case {
    needs!(ChannelCall);
    let event = ok!(Event::create());
    fails!(ok!(Request::new()).send(arg(&event), 0), WrongType);
    fails!(ok!(Request::new()).send(0, 0), BadHandle);
    Ok(())
}

fn a_message_too_long_is_out_of_range(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, _server) = ok!(Channel::create());
    let (mut request, witness) = ok!(Request::with_handle());
    request.args.wr_num_bytes = 65_537;
    fails!(request.send(arg(&client), soon()), OutOfRange);
    check!(ok!(gone(&witness)));
    Ok(())
}

fn a_call_leaves_other_messages(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    ok!(server.write(b"before", vec![]));
    let service = ok!(answer(server, 0, vec![]));
    ok!(ok!(Request::new()).send(arg(&client), soon()));
    ok!(service.join());
    check_eq!(ok!(client.read()).bytes, b"before");
    fails!(client.read(), PeerClosed);
    Ok(())
}

fn numbers_are_of_the_kernels_half_and_differ(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let mut last = 0;
    for _ in 0..5 {
        fails!(ok!(Request::new()).send(arg(&client), 0), TimedOut);
        let bytes = ok!(server.read()).bytes;
        let number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        check!(number >= 0x8000_0000 && number != last);
        last = number;
    }
    Ok(())
}

fn channel_call_checks_options_before_the_handle(_: &World) -> Case {
    needs!(ChannelCall);
    let mut request = ok!(Request::new());
    request.options = 1;
    fails!(request.send(0, 0), InvalidArgs);
    Ok(())
}

fn channel_call_checks_the_length_before_the_handle(_: &World) -> Case {
    needs!(ChannelCall);
    let mut request = ok!(Request::new());
    request.args.wr_num_bytes = 3;
    fails!(request.send(0, 0), InvalidArgs);
    Ok(())
}
