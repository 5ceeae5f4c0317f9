//! `Handle/`: what every handle can do.

use libzx::{AsHandle, Event, Handle, Rights, ZxError};
use zx_abi::syscalls::SyscallId;

use crate::bench::{Bench, Call, Kind, Row};
use crate::world::arg;

const DUPLICATE_CLOSE: &[(&str, Kind)] = &[("duplicate", Kind::Control), ("close", Kind::Control)];

pub(crate) fn run(bench: &mut Bench) {
    let about = "Makes another handle to an event, closes it.";
    bench.row(
        Row::control("Handle/DuplicateClose", about).parts(DUPLICATE_CLOSE),
        |sampler| {
            let event = Event::create()?;
            Ok(sampler.run(|laps| {
                let other = event.duplicate_handle(Rights::SAME_RIGHTS)?;
                laps.next();
                drop(other);
                Ok(())
            })?)
        },
    );
    let about = "Replaces a handle by one with the same rights.";
    bench.row(Row::control("Handle/Replace", about), |sampler| {
        let mut event = Some(Event::create()?);
        Ok(sampler.run(|_| {
            let old = event.take().ok_or(ZxError::BadHandle)?;
            event = Some(old.replace(Rights::SAME_RIGHTS)?);
            Ok(())
        })?)
    });
    let about = "Closes a value that is no handle, which is refused.";
    bench.row(Row::control("Handle/CloseBad", about), |sampler| {
        let close = Call::new(SyscallId::HandleClose)?;
        // A value of the right shape whose handle is closed.
        let closed = Event::create()?.raw() as usize;
        Ok(sampler.run(|_| match close.make([closed]) {
            Err(ZxError::BadHandle) => Ok(()),
            _ => Err(ZxError::BadState),
        })?)
    });
    let about = "Closes sixteen events by one call.";
    bench.row(
        Row::control("Handle/CloseMany/16handles", about)
            .parts(&[("create", Kind::Control), ("close", Kind::Control)]),
        |sampler| {
            let close = Call::new(SyscallId::HandleCloseMany)?;
            let mut values = [0u32; 16];
            Ok(sampler.run(|laps| {
                for value in &mut values {
                    *value = Handle::from(Event::create()?).into_raw();
                }
                laps.next();
                let at = core::ptr::from_ref(&values).expose_provenance();
                close.make([at, values.len()])
            })?)
        },
    );
    let about = "Asks whether a handle is valid.";
    bench.row(Row::control("HandleValid/1Threads", about), |sampler| {
        let event = Event::create()?;
        let info = Call::new(SyscallId::ObjectGetInfo)?;
        Ok(sampler.run(|_| info.make([arg(&event), 1, 0, 0, 0, 0]))?)
    });
}
