//! `ObjectInfo/`: questions about objects.

use alloc::vec;

use libzx::{own_process, AsHandle, Channel, Event, Vmo};
use zx_abi::info::InfoTopic;
use zx_abi::property::Property;

use crate::bench::{Bench, Row};
use crate::child::Mode;
use crate::world::World;

/// Bytes for an answer.
const ROOM: usize = 64 << 10;

pub(crate) fn run(bench: &mut Bench, world: &World) {
    let about = "Koid, type and rights of an event.";
    question(
        bench,
        "ObjectInfo/HandleBasic",
        about,
        Event::create,
        InfoTopic::HandleBasic,
        32,
    );
    let about = "How many handles an event has.";
    question(
        bench,
        "ObjectInfo/HandleCount",
        about,
        Event::create,
        InfoTopic::HandleCount,
        4,
    );
    let about = "Size, pages and names of a memory object.";
    question(
        bench,
        "ObjectInfo/Vmo",
        about,
        || Vmo::create(4096, 0),
        InfoTopic::Vmo,
        ROOM,
    );
    let about = "State and exit code of this process.";
    question(
        bench,
        "ObjectInfo/Process",
        about,
        || Ok(own_process()),
        InfoTopic::Process,
        ROOM,
    );
    let about = "Memory that this process uses.";
    question(
        bench,
        "ObjectInfo/TaskStats",
        about,
        || Ok(own_process()),
        InfoTopic::TaskStats,
        ROOM,
    );
    let about = "Koids of the threads of this process.";
    question(
        bench,
        "ObjectInfo/ProcessThreads",
        about,
        || Ok(own_process()),
        InfoTopic::ProcessThreads,
        ROOM,
    );
    let about = "All mappings of a process that has just begun.";
    bench.row(Row::control("ObjectInfo/ProcessMaps", about), |sampler| {
        // A kernel of 2019 refuses to tell a process about itself.
        let (_near, far) = Channel::create()?;
        let child = world.start_child(Mode::Echo, Some(far.into()))?;
        let mut bytes = vec![0; ROOM];
        sampler.run(|_| {
            child
                .get_info_bytes(InfoTopic::ProcessMaps, &mut bytes)
                .map(drop)
        })?;
        Ok(child.kill()?)
    });
    let about = "Base and length of the root VMAR.";
    bench.row(Row::control("ObjectInfo/Vmar", about), |sampler| {
        let (vmar, mut bytes) = (world.root_vmar()?, [0; 16]);
        Ok(sampler.run(|_| vmar.get_info_bytes(InfoTopic::Vmar, &mut bytes).map(drop))?)
    });
    let about = "Reads a name.";
    bench.row(Row::control("ObjectInfo/GetName", about), |sampler| {
        let (vmo, mut name) = (Vmo::create(4096, 0)?, [0; 32]);
        Ok(sampler.run(|_| vmo.get_property(Property::Name, &mut name))?)
    });
    let about = "Gives a name.";
    bench.row(Row::control("ObjectInfo/SetName", about), |sampler| {
        let vmo = Vmo::create(4096, 0)?;
        Ok(sampler.run(|_| vmo.set_property(Property::Name, b"benchmark"))?)
    });
}

fn question<T: AsHandle>(
    bench: &mut Bench,
    name: &str,
    about: &str,
    make: impl Fn() -> libzx::ZxResult<T>,
    topic: InfoTopic,
    room: usize,
) {
    bench.row(Row::control(name, about), |sampler| {
        let (object, mut bytes) = (make()?, vec![0; room]);
        Ok(sampler.run(|_| object.get_info_bytes(topic, &mut bytes).map(drop))?)
    });
}
