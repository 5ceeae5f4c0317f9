//! Streams: the content of a VMO read and written at a position. Calls of 2020.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use libzx::{AsHandle, Rights, Stream, Vmo, ZxResult};
use zx_abi::info::{InfoTopic, StreamInfo};
use zx_abi::property::Property;
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, needs, ok, suite, Case};
use crate::memory::{arg, call, Scratch};
use crate::pages::{pages, resizable, PAGE64};
use crate::world::{basic_info, rights_of, World};

suite! {
    "Stream":
    a_new_one_has_the_rights_of_its_modes,
    reading_moves_the_position,
    reading_at_leaves_the_position,
    reading_ends_with_the_content,
    writing_moves_the_position,
    writing_at_leaves_the_position,
    writing_grows_the_content,
    writing_grows_a_resizable_vmo,
    writing_to_a_fixed_vmo_takes_what_fits,
    writing_behind_the_end_zeroes_the_gap,
    what_lay_behind_the_content_is_zeroed_when_it_grows,
    appending_writes_at_the_end,
    the_position_counts_from_three_places,
    a_position_behind_the_end_reads_nothing,
    vectors_are_filled_in_order,
    vectors_are_written_in_order,
    a_vector_may_name_a_buffer_twice,
    a_vector_may_lie_in_its_own_buffer,
    two_on_one_vmo_share_the_content_only,
    the_content_size_is_a_property_of_the_vmo,
    shrinking_the_vmo_cuts_the_content,
    info_tells_position_and_content,
    appends_of_threads_do_not_mix,
    appends_while_the_vmo_shrinks_are_whole,
}

/// A fixed VMO with this content.
pub(crate) fn with_content(content: &[u8]) -> ZxResult<Vmo> {
    let vmo = pages(2)?;
    vmo.write(content, 0)?;
    set_content(&vmo, content.len() as u64)?;
    Ok(vmo)
}

fn set_content(vmo: &Vmo, size: u64) -> ZxResult {
    vmo.set_property(Property::VmoContentSize, &size.to_le_bytes())
}

pub(crate) fn content(vmo: &Vmo) -> ZxResult<u64> {
    let mut bytes = [0; 8];
    vmo.get_property(Property::VmoContentSize, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn bytes_of(vmo: &Vmo, len: usize) -> ZxResult<Vec<u8>> {
    let mut bytes = vec![0; len];
    vmo.read(&mut bytes, 0)?;
    Ok(bytes)
}

pub(crate) const BOTH: u32 = Stream::READ | Stream::WRITE;
pub(crate) const START: u32 = 0;
pub(crate) const CURRENT: u32 = 1;
pub(crate) const END: u32 = 2;

fn a_new_one_has_the_rights_of_its_modes(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(pages(1));
    let base = Rights::default_for(ObjectType::Stream).difference(Rights::IO);
    for (modes, rights) in [
        (0, Rights::empty()),
        (Stream::READ, Rights::READ),
        (Stream::WRITE, Rights::WRITE),
        (BOTH, Rights::IO),
    ] {
        let stream = ok!(Stream::create(modes, &vmo, 0));
        check_eq!(ok!(rights_of(&stream)), base | rights);
        check_eq!(ok!(basic_info(&stream)).kind, ObjectType::Stream.raw());
    }
    Ok(())
}

fn reading_moves_the_position(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcdefgh"));
    let stream = ok!(Stream::create(BOTH, &vmo, 1));
    let mut bytes = [0; 3];
    check_eq!(ok!(stream.read(&mut bytes)), 3);
    check_eq!(bytes, *b"bcd");
    check_eq!(ok!(stream.read(&mut bytes)), 3);
    check_eq!(bytes, *b"efg");
    check_eq!(ok!(stream.seek(CURRENT, 0)), 7);
    Ok(())
}

fn reading_at_leaves_the_position(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcdefgh"));
    let stream = ok!(Stream::create(BOTH, &vmo, 1));
    let mut bytes = [0; 3];
    check_eq!(ok!(stream.read_at(&mut bytes, 4)), 3);
    check_eq!(bytes, *b"efg");
    check_eq!(ok!(stream.seek(CURRENT, 0)), 1);
    check_eq!(ok!(stream.read_at(&mut bytes, 7)), 1);
    check_eq!(bytes, *b"hfg");
    Ok(())
}

fn reading_ends_with_the_content(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    let stream = ok!(Stream::create(BOTH, &vmo, 2));
    let mut bytes = [9; 8];
    check_eq!(ok!(stream.read(&mut bytes)), 2);
    check_eq!(bytes, [b'c', b'd', 9, 9, 9, 9, 9, 9]);
    check_eq!(ok!(stream.read(&mut bytes)), 0);
    check_eq!(ok!(stream.read_at(&mut bytes, 4)), 0);
    check_eq!(ok!(stream.read_at(&mut bytes, u64::MAX)), 0);
    Ok(())
}

fn writing_moves_the_position(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcdefgh"));
    let stream = ok!(Stream::create(BOTH, &vmo, 1));
    check_eq!(ok!(stream.write(b"12")), 2);
    check_eq!(ok!(stream.write(b"3")), 1);
    check_eq!(ok!(stream.seek(CURRENT, 0)), 4);
    check_eq!(ok!(bytes_of(&vmo, 8)), b"a123efgh");
    check_eq!(ok!(content(&vmo)), 8);
    Ok(())
}

fn writing_at_leaves_the_position(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcdefgh"));
    let stream = ok!(Stream::create(BOTH, &vmo, 1));
    check_eq!(ok!(stream.write_at(b"12", 4)), 2);
    check_eq!(ok!(stream.seek(CURRENT, 0)), 1);
    check_eq!(ok!(bytes_of(&vmo, 8)), b"abcd12gh");
    Ok(())
}

fn writing_grows_the_content(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    let stream = ok!(Stream::create(BOTH, &vmo, 2));
    check_eq!(ok!(stream.write(b"12345")), 5);
    check_eq!(ok!(content(&vmo)), 7);
    check_eq!(ok!(stream.write_at(b"x", 7)), 1);
    check_eq!(ok!(content(&vmo)), 8);
    check_eq!(ok!(bytes_of(&vmo, 8)), b"ab12345x");
    Ok(())
}

fn writing_grows_a_resizable_vmo(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(resizable(1));
    ok!(set_content(&vmo, 0));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    check_eq!(ok!(stream.write(&[7; 5000])), 5000);
    check_eq!((ok!(vmo.size()), ok!(content(&vmo))), (2 * PAGE64, 5000));
    check_eq!(ok!(stream.write_at(b"end", 5 * PAGE64)), 3);
    check_eq!(
        (ok!(vmo.size()), ok!(content(&vmo))),
        (6 * PAGE64, 5 * PAGE64 + 3)
    );
    Ok(())
}

fn writing_to_a_fixed_vmo_takes_what_fits(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(pages(1));
    ok!(set_content(&vmo, 0));
    let stream = ok!(Stream::create(BOTH, &vmo, 4090));
    check_eq!(ok!(stream.write(b"0123456789")), 6);
    check_eq!(ok!(content(&vmo)), 4096);
    fails!(stream.write(b"x"), NoSpace);
    fails!(stream.write_at(b"x", 5000), NoSpace);
    fails!(stream.append(b"x"), NoSpace);
    check_eq!(ok!(stream.write(b"")), 0);
    check_eq!(ok!(stream.seek(CURRENT, 0)), 4096);
    Ok(())
}

fn writing_behind_the_end_zeroes_the_gap(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(resizable(1));
    ok!(vmo.write(&[7; 4096], 0));
    ok!(set_content(&vmo, 10));
    let stream = ok!(Stream::create(BOTH, &vmo, 20));
    check_eq!(ok!(stream.write(b"x")), 1);
    let bytes = ok!(bytes_of(&vmo, 21));
    check!(bytes[..10].iter().all(|byte| *byte == 7));
    check!(bytes[10..20].iter().all(|byte| *byte == 0));
    check_eq!(bytes[20], b'x');
    Ok(())
}

fn what_lay_behind_the_content_is_zeroed_when_it_grows(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(resizable(3));
    ok!(vmo.write(&[7; 3 * 4096], 0));
    ok!(set_content(&vmo, 100));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    check_eq!(ok!(stream.write_at(b"end", 2 * PAGE64 + 50)), 3);
    let bytes = ok!(bytes_of(&vmo, 2 * 4096 + 53));
    check!(bytes[..100].iter().all(|byte| *byte == 7));
    check!(bytes[100..2 * 4096 + 50].iter().all(|byte| *byte == 0));
    check_eq!(&bytes[2 * 4096 + 50..], b"end");
    Ok(())
}

fn appending_writes_at_the_end(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    let stream = ok!(Stream::create(BOTH, &vmo, 1));
    check_eq!(ok!(stream.append(b"12")), 2);
    // The position is behind what was written.
    check_eq!(ok!(stream.seek(CURRENT, 0)), 6);
    ok!(stream.seek(START, 0));
    check_eq!(ok!(stream.append(b"3")), 1);
    check_eq!(ok!(bytes_of(&vmo, 7)), b"abcd123");
    check_eq!(ok!(content(&vmo)), 7);
    Ok(())
}

fn the_position_counts_from_three_places(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcdefgh"));
    let stream = ok!(Stream::create(BOTH, &vmo, 3));
    check_eq!(ok!(stream.seek(CURRENT, 2)), 5);
    check_eq!(ok!(stream.seek(CURRENT, -1)), 4);
    check_eq!(ok!(stream.seek(START, 7)), 7);
    check_eq!(ok!(stream.seek(END, 0)), 8);
    check_eq!(ok!(stream.seek(END, -8)), 0);
    check_eq!(ok!(stream.seek(END, 100)), 108);
    check_eq!(ok!(stream.seek(START, i64::MAX)), i64::MAX as u64);
    Ok(())
}

fn a_position_behind_the_end_reads_nothing(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    for start in [4, 5, 5000, u64::MAX] {
        let stream = ok!(Stream::create(BOTH, &vmo, start));
        check_eq!(ok!(stream.read(&mut [0; 4])), 0);
    }
    Ok(())
}

/// A page that starts with vectors for parts of itself.
pub(crate) fn vectors(parts: &[(usize, usize)]) -> ZxResult<Scratch> {
    let mut page = Scratch::new()?;
    let base = page.address();
    for (index, (offset, len)) in parts.iter().enumerate() {
        page.put(16 * index, &[base + offset, *len]);
    }
    Ok(page)
}

fn vectors_are_filled_in_order(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcdefghij"));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    let page = ok!(vectors(&[(1000, 3), (2000, 0), (500, 4), (3000, 100)]));
    let (at, count) = (page.address(), page.address() + 4000);
    ok!(call(
        SyscallId::StreamReadv,
        &[arg(&stream), 0, at, 4, count]
    ));
    check_eq!(page.get::<u64>(4000), 10);
    check_eq!(page.get::<[u8; 3]>(1000), *b"abc");
    check_eq!(page.get::<[u8; 4]>(500), *b"defg");
    check_eq!(page.get::<[u8; 4]>(3000), *b"hij\0");
    ok!(call(
        SyscallId::StreamReadvAt,
        &[arg(&stream), 0, 8, at, 4, count]
    ));
    check_eq!(page.get::<u64>(4000), 2);
    check_eq!(page.get::<[u8; 3]>(1000), *b"ijc");
    Ok(())
}

fn vectors_are_written_in_order(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b".........."));
    let stream = ok!(Stream::create(BOTH, &vmo, 1));
    let mut page = ok!(vectors(&[(1000, 3), (2000, 0), (500, 2)]));
    page.put(1000, b"abc");
    page.put(500, b"de");
    let (at, count) = (page.address(), page.address() + 4000);
    ok!(call(
        SyscallId::StreamWritev,
        &[arg(&stream), 0, at, 3, count]
    ));
    check_eq!(page.get::<u64>(4000), 5);
    check_eq!(ok!(bytes_of(&vmo, 10)), b".abcde....");
    ok!(call(
        SyscallId::StreamWritevAt,
        &[arg(&stream), 0, 7, at, 3, count]
    ));
    check_eq!(ok!(bytes_of(&vmo, 13)), b".abcde.abcde\0");
    ok!(call(
        SyscallId::StreamWritev,
        &[arg(&stream), 1, at, 1, count]
    ));
    check_eq!(ok!(bytes_of(&vmo, 16)), b".abcde.abcdeabc\0");
    Ok(())
}

fn a_vector_may_name_a_buffer_twice(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcdefgh"));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    let page = ok!(vectors(&[(1000, 4), (1000, 4)]));
    let at = page.address();
    ok!(call(
        SyscallId::StreamReadv,
        &[arg(&stream), 0, at, 2, at + 4000]
    ));
    check_eq!(page.get::<u64>(4000), 8);
    check_eq!(page.get::<[u8; 4]>(1000), *b"efgh");
    Ok(())
}

fn a_vector_may_lie_in_its_own_buffer(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(&[0x11; 64]));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    // The first entry writes over the second one, which the kernel has read by then.
    let page = ok!(vectors(&[(16, 16), (1000, 16)]));
    let at = page.address();
    ok!(call(
        SyscallId::StreamReadv,
        &[arg(&stream), 0, at, 2, at + 4000]
    ));
    check_eq!(page.get::<u64>(4000), 32);
    check_eq!(page.get::<[u8; 16]>(1000), [0x11; 16]);
    Ok(())
}

fn two_on_one_vmo_share_the_content_only(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    let (first, second) = (
        ok!(Stream::create(BOTH, &vmo, 0)),
        ok!(Stream::create(BOTH, &vmo, 0)),
    );
    check_eq!(ok!(first.append(b"12")), 2);
    check_eq!(ok!(second.seek(CURRENT, 0)), 0);
    let mut bytes = [0; 16];
    check_eq!(ok!(second.read(&mut bytes)), 6);
    check_eq!(bytes[..6], *b"abcd12");
    check_eq!(ok!(second.seek(END, 0)), 6);
    Ok(())
}

fn the_content_size_is_a_property_of_the_vmo(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(Vmo::create(100, 0));
    // Nobody has said yet what there is.
    check_eq!(ok!(content(&vmo)), 0);
    check_eq!(ok!(vmo.size()), PAGE64);
    for size in [0, 1, 4096] {
        ok!(set_content(&vmo, size));
        check_eq!(ok!(content(&vmo)), size);
    }
    ok!(vmo.write(b"abcdefgh", 0));
    ok!(set_content(&vmo, 3));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    check_eq!(ok!(stream.read(&mut [0; 8])), 3);
    fails!(
        vmo.set_property(Property::VmoContentSize, &[0; 4]),
        BufferTooSmall
    );
    let poor = ok!(vmo.duplicate(Rights::READ));
    fails!(set_content(&poor, 1), AccessDenied);
    fails!(content(&poor), AccessDenied);
    Ok(())
}

fn shrinking_the_vmo_cuts_the_content(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(resizable(2));
    ok!(vmo.write(&[7; 8192], 0));
    ok!(set_content(&vmo, 8000));
    let stream = ok!(Stream::create(BOTH, &vmo, 4000));
    ok!(vmo.set_size(PAGE64));
    let mut bytes = [0; 200];
    // Whatever the property says, nothing is read behind the VMO's end.
    check_eq!(ok!(stream.read(&mut bytes)), 96);
    check!(bytes[..96].iter().all(|byte| *byte == 7));
    Ok(())
}

fn info_tells_position_and_content(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = ok!(with_content(b"abcd"));
    let stream = ok!(Stream::create(Stream::READ, &vmo, 3));
    let info: StreamInfo = ok!(stream.get_info(InfoTopic::Stream));
    check_eq!((info.options, info.seek, info.content_size), (1, 3, 4));
    fails!(
        ok!(stream.duplicate(Rights::READ)).get_info::<StreamInfo>(InfoTopic::Stream),
        AccessDenied
    );
    fails!(vmo.get_info::<StreamInfo>(InfoTopic::Stream), WrongType);
    Ok(())
}

const THREADS: u8 = 3;
const LINES: usize = 60;
const LINE: usize = 97;

fn appends_of_threads_do_not_mix(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = Arc::new(ok!(resizable(0)));
    let mut writers = Vec::new();
    for number in 1..=THREADS {
        let stream = ok!(Stream::create(BOTH, &vmo, 0));
        writers.push(ok!(libzx::thread::spawn("appender", move || {
            for _ in 0..LINES {
                let _ = stream.append(&[number; LINE]);
                libzx::time::sleep_until(0);
            }
        })));
    }
    for writer in writers {
        ok!(writer.join());
    }
    let total = LINES * LINE * usize::from(THREADS);
    check_eq!(ok!(content(&vmo)), total as u64);
    let bytes = ok!(bytes_of(&vmo, total));
    let mut lines = [0; THREADS as usize + 1];
    for line in bytes.chunks(LINE) {
        check!(line.iter().all(|byte| *byte == line[0]));
        lines[usize::from(line[0])] += 1;
    }
    check_eq!(lines, [0, LINES, LINES, LINES]);
    Ok(())
}

fn appends_while_the_vmo_shrinks_are_whole(_: &World) -> Case {
    needs!(StreamCreate);
    let vmo = Arc::new(ok!(resizable(0)));
    let stream = ok!(Stream::create(BOTH, &vmo, 0));
    let done = Arc::new(AtomicBool::new(false));
    let (told, shrunk) = (Arc::clone(&done), Arc::clone(&vmo));
    let shrinker = ok!(libzx::thread::spawn("shrinker", move || {
        while !told.load(Ordering::SeqCst) {
            let _ = shrunk.set_size(0);
            let _ = set_content(&shrunk, 0);
            libzx::time::sleep_until(0);
        }
    }));
    let line = [5; LINE];
    for _ in 0..300 {
        // Each append finds an end, grows the VMO and writes all of it, or finds that the VMO is too small by now.
        match stream.append(&line) {
            Ok(count) => check!(count <= LINE),
            Err(error) => check_eq!(error, libzx::ZxError::OutOfRange),
        }
        libzx::time::sleep_until(0);
    }
    done.store(true, Ordering::SeqCst);
    ok!(shrinker.join());
    ok!(vmo.set_size(0));
    ok!(set_content(&vmo, 0));
    check_eq!(ok!(stream.append(&line)), LINE);
    check_eq!(ok!(bytes_of(&vmo, LINE)), line);
    check_eq!(ok!(vmo.size()), PAGE64);
    Ok(())
}
