//! Streams: what they refuse, of whom and in which order. Calls of 2020.

use alloc::vec;

use libzx::{AsHandle, Mapping, Rights, Stream, Vmo, ZxError, ZxResult};
use zx_abi::property::Property;
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, needs, ok, suite, Case};
use crate::demand::{Demand, Packet};
use crate::memory::{arg, call, Edge, Scratch, BAD_ADDRESSES};
use crate::pages::{op, pages, resizable, same, stamp, stamp_of, PAGE64, ZERO};
use crate::stream::{content, vectors, with_content, BOTH, CURRENT, END, START};
use crate::world::{soon, World};

suite! {
    "StreamRule":
    creation_checks_options_and_rights,
    positions_that_are_none_are_refused,
    empty_vectors_are_fine,
    bad_vectors_are_refused,
    buffers_without_memory_are_not_found,
    buffers_that_may_not_be_written_are_refused,
    vectors_that_overflow_are_refused,
    offsets_that_overflow_are_refused,
    unknown_options_are_refused,
    modes_are_needed,
    rights_are_needed,
    wrong_types_and_handles_are_refused,
    the_count_is_optional_and_its_pointer_checked,
    a_write_far_behind_the_end_returns_at_once,
    a_write_behind_the_end_of_a_pagers_content_waits_for_its_page,
}

fn creation_checks_options_and_rights(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(pages(1));
    for options in [4, 8, 1 << 31] {
        fails!(Stream::create(options, &vmo, 0), InvalidArgs);
    }
    let (reader, writer) = (
        ok!(vmo.duplicate(Rights::READ)),
        ok!(vmo.duplicate(Rights::WRITE)),
    );
    fails!(Stream::create(Stream::WRITE, &reader, 0), AccessDenied);
    fails!(Stream::create(Stream::READ, &writer, 0), AccessDenied);
    ok!(Stream::create(Stream::READ, &reader, u64::MAX));
    ok!(Stream::create(0, &ok!(vmo.duplicate(Rights::empty())), 0));
    let event = ok!(libzx::Event::create());
    let page = ok!(Scratch::new());
    fails!(
        call(
            SyscallId::StreamCreate,
            &[1, arg(&event), 0, page.address()]
        ),
        WrongType
    );
    fails!(
        call(SyscallId::StreamCreate, &[1, 0, 0, page.address()]),
        BadHandle
    );
    for bad in BAD_ADDRESSES {
        fails!(
            call(SyscallId::StreamCreate, &[1, arg(&vmo), 0, bad]),
            InvalidArgs
        );
    }
    Ok(())
}

fn positions_that_are_none_are_refused(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcdefgh"));
    let stream = ok!(Stream::create(BOTH, &vmo, 3));
    fails!(stream.seek(START, -1), InvalidArgs);
    fails!(stream.seek(CURRENT, -4), InvalidArgs);
    fails!(stream.seek(END, -9), InvalidArgs);
    fails!(stream.seek(START, i64::MIN), InvalidArgs);
    for whence in [3, 4, u32::MAX] {
        fails!(stream.seek(whence, 0), InvalidArgs);
    }
    check_eq!(ok!(stream.seek(CURRENT, 0)), 3);
    for bad in BAD_ADDRESSES.into_iter().skip(1) {
        fails!(
            call(SyscallId::StreamSeek, &[arg(&stream), 0, 0, bad]),
            InvalidArgs
        );
    }
    ok!(call(SyscallId::StreamSeek, &[arg(&stream), 0, 5, 0]));
    check_eq!(ok!(stream.seek(CURRENT, 0)), 5);
    Ok(())
}

fn empty_vectors_are_fine(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    let stream = ok!(Stream::create(BOTH, &vmo, 1));
    let page = ok!(vectors(&[(1000, 0), (0, 0)]));
    let at = page.address();
    for count in [0, 1, 2] {
        ok!(call(
            SyscallId::StreamReadv,
            &[arg(&stream), 0, at, count, at + 4000]
        ));
        check_eq!(page.get::<u64>(4000), 0);
        ok!(call(
            SyscallId::StreamWritev,
            &[arg(&stream), 0, at, count, at + 4000]
        ));
        check_eq!(page.get::<u64>(4000), 0);
    }
    check_eq!(ok!(stream.seek(CURRENT, 0)), 1);
    check_eq!(ok!(content(&vmo)), 4);
    Ok(())
}

fn bad_vectors_are_refused(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    let kept = ok!(Stream::create(BOTH, &vmo, 0));
    let stream = arg(&kept);
    for bad in BAD_ADDRESSES {
        fails!(
            call(SyscallId::StreamReadv, &[stream, 0, bad, 1, 0]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::StreamWritev, &[stream, 0, bad, 1, 0]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::StreamReadvAt, &[stream, 0, 0, bad, 1, 0]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::StreamWritevAt, &[stream, 0, 0, bad, 1, 0]),
            InvalidArgs
        );
    }
    // No vector at all, before the handle is looked at.
    for id in [SyscallId::StreamReadv, SyscallId::StreamWritev] {
        fails!(call(id, &[0, 0, 0, 0, 0]), InvalidArgs);
    }
    for id in [SyscallId::StreamReadvAt, SyscallId::StreamWritevAt] {
        fails!(call(id, &[0, 0, 0, 0, 0, 0]), InvalidArgs);
    }
    Ok(())
}

/// A vector with one buffer at an address of its own, whether something is there or not.
fn vector_at(address: usize, len: usize) -> ZxResult<Scratch> {
    let mut page = Scratch::new()?;
    page.put(0, &[address, len]);
    Ok(page)
}

/// What reading and writing say about a buffer, at the position and elsewhere.
fn with_buffer(stream: &Stream, address: usize, len: usize) -> ZxResult<[ZxResult; 4]> {
    let page = vector_at(address, len)?;
    let (handle, at) = (arg(stream), page.address());
    Ok([
        call(SyscallId::StreamReadvAt, &[handle, 0, 0, at, 1, 0]),
        call(SyscallId::StreamWritevAt, &[handle, 0, 0, at, 1, 0]),
        stream
            .seek(START, 0)
            .and_then(|_| call(SyscallId::StreamReadv, &[handle, 0, at, 1, 0])),
        stream
            .seek(START, 0)
            .and_then(|_| call(SyscallId::StreamWritev, &[handle, 0, at, 1, 0])),
    ])
}

fn buffers_without_memory_are_not_found(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcdefgh"));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    let edge = ok!(Edge::new());
    for address in [0, 0x1000, edge.before_end(4)] {
        check_eq!(
            ok!(with_buffer(&stream, address, 8)),
            [Err(ZxError::NotFound); 4]
        );
    }
    // Beyond what a program can have, there is nothing to find.
    for address in [0x7fff_ffff_f000, 0x8000_0000_0000, 0xffff_ffff_8010_0000] {
        check_eq!(
            ok!(with_buffer(&stream, address, 8)),
            [Err(ZxError::InvalidArgs); 4]
        );
    }
    check_eq!(ok!(content(&vmo)), 8);
    Ok(())
}

fn buffers_that_may_not_be_written_are_refused(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcdefgh"));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    let memory = ok!(Mapping::readable(&ok!(pages(1))));
    let refused = Err(ZxError::InvalidArgs);
    check_eq!(
        ok!(with_buffer(&stream, memory.address(), 8)),
        [refused, Ok(()), refused, Ok(())]
    );
    Ok(())
}

fn vectors_that_overflow_are_refused(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    let page = ok!(vectors(&[(1000, usize::MAX), (2000, 2)]));
    let (at, handle) = (page.address(), arg(&stream));
    fails!(
        call(SyscallId::StreamReadv, &[handle, 0, at, 2, 0]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::StreamWritev, &[handle, 0, at, 2, 0]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::StreamReadvAt, &[handle, 0, 0, at, 2, 0]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::StreamWritevAt, &[handle, 0, 0, at, 2, 0]),
        InvalidArgs
    );
    Ok(())
}

fn offsets_that_overflow_are_refused(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(resizable(1));
    let stream = ok!(Stream::create(BOTH, &vmo, u64::MAX - 2));
    fails!(stream.write(b"abcd"), FileBig);
    fails!(stream.write_at(b"abcd", u64::MAX - 2), FileBig);
    check_eq!(ok!(vmo.size()), PAGE64);
    Ok(())
}

fn unknown_options_are_refused(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    let page = ok!(vectors(&[(1000, 2)]));
    let (at, handle) = (page.address(), arg(&stream));
    for options in [2, 4, 1 << 31] {
        fails!(
            call(SyscallId::StreamWritev, &[handle, options, at, 1, 0]),
            InvalidArgs
        );
    }
    for options in [1, 2, 1 << 31] {
        fails!(
            call(SyscallId::StreamReadv, &[handle, options, at, 1, 0]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::StreamReadvAt, &[handle, options, 0, at, 1, 0]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::StreamWritevAt, &[handle, options, 0, at, 1, 0]),
            InvalidArgs
        );
    }
    Ok(())
}

fn modes_are_needed(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    let reader = ok!(Stream::create(Stream::READ, &vmo, 0));
    let writer = ok!(Stream::create(Stream::WRITE, &vmo, 0));
    let neither = ok!(Stream::create(0, &vmo, 0));
    for stream in [&writer, &neither] {
        fails!(stream.read(&mut [0]), AccessDenied);
        fails!(stream.read_at(&mut [0], 0), AccessDenied);
    }
    for stream in [&reader, &neither] {
        fails!(stream.write(b"x"), AccessDenied);
        fails!(stream.write_at(b"x", 0), AccessDenied);
        fails!(stream.append(b"x"), AccessDenied);
    }
    ok!(reader.seek(START, 0));
    ok!(writer.seek(START, 0));
    fails!(neither.seek(START, 0), AccessDenied);
    Ok(())
}

fn rights_are_needed(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    let reader = ok!(stream.duplicate(Rights::READ));
    let writer = ok!(stream.duplicate(Rights::WRITE));
    fails!(reader.write(b"x"), AccessDenied);
    fails!(writer.read(&mut [0]), AccessDenied);
    // They are one stream: the position is shared.
    check_eq!(ok!(writer.write(b"1")), 1);
    let mut byte = [0];
    check_eq!(ok!(reader.read(&mut byte)), 1);
    check_eq!(byte, *b"b");
    fails!(
        ok!(stream.duplicate(Rights::empty())).seek(START, 0),
        AccessDenied
    );
    Ok(())
}

fn wrong_types_and_handles_are_refused(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    let page = ok!(vectors(&[(1000, 2)]));
    let at = page.address();
    for (handle, expected) in [(0, ZxError::BadHandle), (arg(&vmo), ZxError::WrongType)] {
        for (id, args) in [
            (SyscallId::StreamReadv, vec![handle, 0, at, 1, 0]),
            (SyscallId::StreamWritev, vec![handle, 0, at, 1, 0]),
            (SyscallId::StreamReadvAt, vec![handle, 0, 0, at, 1, 0]),
            (SyscallId::StreamWritevAt, vec![handle, 0, 0, at, 1, 0]),
            (SyscallId::StreamSeek, vec![handle, 0, 0, 0]),
        ] {
            check_eq!(call(id, &args), Err(expected));
        }
    }
    Ok(())
}

fn the_count_is_optional_and_its_pointer_checked(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcdefgh"));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    let page = ok!(vectors(&[(1000, 2)]));
    let (at, handle) = (page.address(), arg(&stream));
    ok!(call(SyscallId::StreamReadv, &[handle, 0, at, 1, 0]));
    ok!(call(SyscallId::StreamWritev, &[handle, 0, at, 1, 0]));
    check_eq!(ok!(stream.seek(CURRENT, 0)), 4);
    for bad in BAD_ADDRESSES.into_iter().skip(1) {
        fails!(
            call(SyscallId::StreamReadvAt, &[handle, 0, 0, at, 1, bad]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::StreamWritevAt, &[handle, 0, 0, at, 1, bad]),
            InvalidArgs
        );
    }
    Ok(())
}

/// Bytes that no step of a gigabyte gets through in a second.
const VERY_MUCH: u64 = 1 << 62;

/// A second of work on a slow machine.
fn is_late(begun: i64) -> bool {
    libzx::time::now() - begun > 1_000_000_000
}

fn a_write_far_behind_the_end_returns_at_once(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(Vmo::create(2 * VERY_MUCH, 2));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    let pages = [1, 5, 1 << 30, VERY_MUCH / PAGE64 - 1];
    for page in pages {
        ok!(stamp(&vmo, page, 7));
    }
    let begun = libzx::time::now();
    check_eq!(ok!(stream.write_at(b"x", VERY_MUCH)), 1);
    check!(!is_late(begun));
    check_eq!(ok!(content(&vmo)), VERY_MUCH + 1);
    for page in pages {
        check_eq!(ok!(stamp_of(&vmo, page)), 0);
    }
    // The same of a call that zeroes, and of one that cuts off.
    let begun = libzx::time::now();
    ok!(op(&vmo, ZERO, 0, VERY_MUCH / PAGE64 + 1));
    check_eq!(ok!(stamp_of(&vmo, VERY_MUCH / PAGE64)), 0);
    check!(!is_late(begun));
    ok!(stamp(&vmo, 1, 7));
    ok!(stamp(&vmo, 1 << 30, 7));
    ok!(vmo.set_size(2 * PAGE64));
    check_eq!((ok!(vmo.size()), ok!(stamp_of(&vmo, 1))), (2 * PAGE64, 7));
    check!(!is_late(begun));
    Ok(())
}

fn a_write_behind_the_end_of_a_pagers_content_waits_for_its_page(_: &World) -> Case {
    const KEY: u64 = 0x57;
    needs!(StreamCreate);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, KEY));
    ok!(vmo.set_property(Property::VmoContentSize, &100u64.to_le_bytes()));
    let written = ok!(same(&vmo));
    let writer = ok!(libzx::thread::spawn("writer", move || {
        let _ = Stream::create(BOTH, &written, 0)
            .and_then(|stream| stream.write_at(b"end", 2 * PAGE64));
    }));
    // The page where the content ends is zeroed in part, and the one that is written is filled in part.
    for page in [0, 2] {
        check_eq!(ok!(demand.next()), Packet::Read(KEY, page, 1));
        ok!(demand.supply(&vmo, page, 1));
    }
    let ends = libzx::Signals::THREAD_TERMINATED;
    ok!(writer.thread().wait_one(ends, soon()));
    ok!(writer.join());
    check_eq!(ok!(content(&vmo)), 2 * PAGE64 + 3);
    let mut bytes = [0; 4];
    ok!(vmo.read(&mut bytes, 2 * PAGE64));
    check_eq!(bytes, *b"end\0");
    check_eq!(ok!(stamp_of(&vmo, 0)), crate::demand::supplied(0));
    check_eq!(ok!(stamp_of(&vmo, 1)), 0);
    Ok(())
}
