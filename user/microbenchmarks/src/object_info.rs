//! `ObjectInfo/`: questions about objects.

use libzx::{AsHandle, Event};
use zx_abi::info::{HandleBasicInfo, InfoTopic};

use crate::measure::Bench;

/// - `ObjectInfo/HandleBasic`: koid, type and rights of an event.
pub(crate) fn run(bench: &mut Bench) {
    let Ok(event) = Event::create() else {
        return bench.missing("ObjectInfo/HandleBasic");
    };
    bench.run("ObjectInfo/HandleBasic", || {
        let info = event.get_info::<HandleBasicInfo>(InfoTopic::HandleBasic);
        info.map(drop)
    });
}
