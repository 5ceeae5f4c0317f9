//! `Channel/`: messages into one end and out of the other, on one thread.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use libzx::{Channel, Handle, Port, Rights};
use zx_abi::{HandleDisposition, HandleInfo};

use crate::bench::{Bench, Kind, Row};

/// Bytes of the messages.
const SIZES: [usize; 4] = [64, 1 << 10, 32 << 10, 64 << 10];
/// From here on a row is mostly copying.
const LONG: usize = 32 << 10;

pub(crate) fn run(bench: &mut Bench) {
    let about = "Makes a channel, closes both ends.";
    let parts = &[("create", Kind::Control), ("close", Kind::Control)];
    bench.row(
        Row::control("Channel/CreateClose", about).parts(parts),
        |sampler| {
            Ok(sampler.run(|laps| {
                let channel = Channel::create()?;
                laps.next();
                drop(channel);
                Ok(())
            })?)
        },
    );
    for size in SIZES {
        for handles in [0, 1] {
            write_read(bench, size, handles);
            write_etc_read_etc(bench, size, handles);
        }
    }
}

fn kind_of(size: usize) -> Kind {
    match size {
        LONG.. => Kind::Copying,
        _ => Kind::Control,
    }
}

fn row<'a>(name: String, about: &'a str, parts: &'a [(&'a str, Kind)]) -> Row<'a> {
    match parts {
        [(_, Kind::Copying), ..] => Row::copying(name, about).parts(parts),
        _ => Row::control(name, about).parts(parts),
    }
}

fn write_read(bench: &mut Bench, size: usize, handles: usize) {
    let kind = kind_of(size);
    let name = format!("Channel/WriteRead/{size}bytes/{handles}handles");
    let about =
        "Writes a message and reads it at the other end, with channel_write and channel_read.";
    bench.row(
        row(name, about, &[("write", kind), ("read", kind)]),
        |sampler| {
            let (left, right) = Channel::create()?;
            let mut bytes = vec![7; size];
            let mut values = vec![0; handles];
            for value in &mut values {
                *value = Handle::from(Port::create()?).into_raw();
            }
            sampler.run(|laps| {
                left.write_raw(&bytes, &values)?;
                laps.next();
                right.read_raw(&mut bytes, &mut values).0
            })?;
            values.into_iter().map(Handle::from_raw).for_each(drop);
            Ok(())
        },
    );
}

fn write_etc_read_etc(bench: &mut Bench, size: usize, handles: usize) {
    let kind = kind_of(size);
    let name = format!("Channel/WriteEtcReadEtc/{size}bytes/{handles}handles");
    let about = "Writes a message and reads it at the other end, with channel_write_etc and channel_read_etc.";
    bench.row(
        row(name, about, &[("write_etc", kind), ("read_etc", kind)]),
        |sampler| {
            let (left, right) = Channel::create()?;
            let mut bytes = vec![7; size];
            let mut sent = vec![];
            for _ in 0..handles {
                let port = Port::create()?;
                sent.push(HandleDisposition {
                    operation: 0,
                    handle: Handle::from(port).into_raw(),
                    kind: libzx::ObjectType::Port.raw(),
                    rights: Rights::SAME_RIGHTS,
                    result: 0,
                });
            }
            let mut received: Vec<HandleInfo> =
                (0..handles).map(|_| HandleInfo::default()).collect();
            sampler.run(|laps| {
                left.write_etc_raw(&bytes, &mut sent)?;
                laps.next();
                let read = right.read_etc_raw(&mut bytes, &mut received).0;
                for (to, from) in sent.iter_mut().zip(&received) {
                    to.handle = from.handle;
                }
                read
            })?;
            for entry in sent {
                drop(Handle::from_raw(entry.handle));
            }
            Ok(())
        },
    );
}
