//! Operations of the object layer, to be timed and counted inside a Linux process.
//!
//! There is no system call around them, no emulator and no page table: what is left is the objects' own work, on the host's
//! real processor. `benches/objects.rs` times them with criterion, the program of this crate runs one of them so many times
//! for callgrind.
#![forbid(unsafe_code)]

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use kernel_hal::addr::{USER_BASE, USER_SIZE};
use kernel_hal::PAGE_SIZE;
use zircon_object::ipc::channel::{Read, Unfit};
use zircon_object::ipc::{Channel, Message};
use zircon_object::object::{Handle, HandleTable, KernelObject};
use zircon_object::signal::port::AsyncWait;
use zircon_object::signal::port_packet::Style;
use zircon_object::signal::{Event, Port};
use zircon_object::vm::{ChildKind, Perms, Resizable, Vmar, VmarOptions, Vmo};
use zx_abi::packet::PortPacket;
use zx_abi::{Rights, Signals, Status, ZxError, ZxResult};

/// Bytes of the larger memory object.
const LARGE: u64 = 2 << 20;
/// A page's bytes as the calls take them.
const PAGE: u64 = PAGE_SIZE as u64;

/// One operation: runs once per call, and has been prepared.
pub type Operation = Box<dyn FnMut() -> ZxResult>;

/// Group, name, and what prepares the operation.
pub type Entry = (&'static str, &'static str, fn() -> ZxResult<Operation>);

/// All operations.
pub const OPERATIONS: &[Entry] = &[
    ("channel", "write_read_64_bytes", channel_64),
    ("channel", "write_read_4_KiB", channel_4096),
    ("channel", "write_read_1_handle", channel_handle),
    ("channel", "create_close", channel_create),
    ("event", "create_close", event_create),
    ("event", "signal", event_signal),
    ("port", "queue_wait", port_queue),
    ("port", "wait_async_fire_wait", port_wait_async),
    ("handle_table", "add_remove_among_1000", handle_table_add),
    ("handle_table", "get_among_1000", handle_table_get),
    ("vmo", "read_4_KiB", vmo_read),
    ("vmo", "write_4_KiB", vmo_write),
    ("vmo", "commit_close_2_MiB", vmo_commit),
    ("vmo", "snapshot_close_2_MiB", vmo_snapshot),
    ("vmo", "snapshot_write_all_close_2_MiB", vmo_snapshot_write),
    ("vmar", "map_unmap_4_KiB", vmar_map),
    ("vmar", "map_unmap_4_KiB_among_1000", vmar_map_among),
    ("vmar", "map_range_unmap_2_MiB", vmar_map_range),
];

/// The operation of this name, `group/name`.
///
/// # Errors
/// - `NotFound`: there is none.
/// - what its preparation says.
pub fn prepare(name: &str) -> ZxResult<Operation> {
    kernel_hal_hosted::init();
    let entry = OPERATIONS.iter().find(|(group, own, _)| {
        name.strip_prefix(group)
            .and_then(|rest| rest.strip_prefix('/'))
            == Some(own)
    });
    entry.map_or(Err(ZxError::NotFound), |(_, _, prepare)| prepare())
}

fn channel(bytes: usize) -> ZxResult<Operation> {
    let (left, right) = Channel::create()?;
    let bytes = vec![7; bytes];
    Ok(Box::new(move || {
        send(&left, Message::from_kernel(&bytes, Vec::new())?)?;
        take(&right, bytes.len(), 0).map(drop)
    }))
}

fn send(channel: &Channel, message: Message) -> ZxResult {
    channel
        .write(message)
        .map(drop)
        .map_err(|_| ZxError::PeerClosed)
}

fn take(channel: &Channel, bytes: usize, handles: usize) -> ZxResult<Message> {
    match channel.read(bytes, handles, Unfit::Keep)? {
        Read::Message(message) => Ok(message),
        _ => Err(ZxError::BufferTooSmall),
    }
}

fn channel_64() -> ZxResult<Operation> {
    channel(64)
}

fn channel_4096() -> ZxResult<Operation> {
    channel(4096)
}

fn channel_handle() -> ZxResult<Operation> {
    let (left, right) = Channel::create()?;
    let event = Event::create()?;
    Ok(Box::new(move || {
        let handle = Handle::new(event.clone())?;
        send(&left, Message::from_kernel(&[7; 64], vec![handle])?)?;
        take(&right, 64, 1).map(drop)
    }))
}

fn channel_create() -> ZxResult<Operation> {
    Ok(Box::new(|| {
        let (left, right) = Channel::create()?;
        drop((Handle::new(left)?, Handle::new(right)?));
        Ok(())
    }))
}

fn event_create() -> ZxResult<Operation> {
    Ok(Box::new(|| Handle::new(Event::create()?).map(drop)))
}

fn event_signal() -> ZxResult<Operation> {
    let event = Event::create()?;
    Ok(Box::new(move || {
        event
            .base()
            .signals()
            .change(Signals::USER_0, Signals::USER_1)
            .wake();
        Ok(())
    }))
}

fn wait(port: &Port) -> ZxResult<PortPacket> {
    match pin!(port.wait()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(packet) => packet,
        Poll::Pending => Err(ZxError::ShouldWait),
    }
}

fn port_queue() -> ZxResult<Operation> {
    let port = Port::create()?;
    Ok(Box::new(move || {
        port.queue(1, Status::OK, [0; 32])?;
        wait(&port).map(drop)
    }))
}

fn port_wait_async() -> ZxResult<Operation> {
    let (port, event) = (Port::create()?, Event::create()?);
    let handle = Handle::new(event.clone())?;
    let object: Arc<dyn KernelObject> = event;
    Ok(Box::new(move || {
        let request = AsyncWait {
            key: 1,
            trigger: Signals::USER_0,
            handle: handle.key(),
            style: Style::default(),
        };
        port.wait_async(&object, request, 0)?;
        object
            .base()
            .signals()
            .change(Signals::empty(), Signals::USER_0)
            .wake();
        object
            .base()
            .signals()
            .change(Signals::USER_0, Signals::empty())
            .wake();
        wait(&port).map(drop)
    }))
}

/// A table with a thousand handles.
fn handle_table() -> ZxResult<(HandleTable, Arc<Event>)> {
    let mut table = HandleTable::new(0x1234_5678);
    let event = Event::create()?;
    for _ in 0..1000 {
        table.add(Handle::new(event.clone())?)?;
    }
    Ok((table, event))
}

fn handle_table_add() -> ZxResult<Operation> {
    let (mut table, event) = handle_table()?;
    Ok(Box::new(move || {
        let value = table.add(Handle::new(event.clone())?)?;
        table.remove(value).map(drop)
    }))
}

fn handle_table_get() -> ZxResult<Operation> {
    let (mut table, event) = handle_table()?;
    let value = table.add(Handle::new(event)?)?;
    Ok(Box::new(move || {
        table
            .get::<Event>(black_box(value), Rights::SIGNAL)
            .map(drop)
    }))
}

fn committed(size: u64) -> ZxResult<Arc<Vmo>> {
    let vmo = Vmo::new(size, Resizable::No)?;
    vmo.commit(0, size)?;
    Ok(vmo)
}

fn vmo_read() -> ZxResult<Operation> {
    let vmo = committed(LARGE)?;
    let mut bytes = vec![0; PAGE_SIZE];
    Ok(Box::new(move || vmo.read(LARGE / 2, &mut bytes)))
}

fn vmo_write() -> ZxResult<Operation> {
    let vmo = committed(LARGE)?;
    let bytes = vec![7; PAGE_SIZE];
    Ok(Box::new(move || vmo.write(LARGE / 2, &bytes)))
}

fn vmo_commit() -> ZxResult<Operation> {
    Ok(Box::new(|| committed(LARGE).map(drop)))
}

fn vmo_snapshot() -> ZxResult<Operation> {
    let vmo = committed(LARGE)?;
    Ok(Box::new(move || {
        let child = vmo.create_child(ChildKind::Snapshot, Resizable::No, 0, LARGE)?;
        Handle::new(child).map(drop)
    }))
}

fn vmo_snapshot_write() -> ZxResult<Operation> {
    let vmo = committed(LARGE)?;
    Ok(Box::new(move || {
        let child = vmo.create_child(ChildKind::Snapshot, Resizable::No, 0, LARGE)?;
        for offset in (0..LARGE).step_by(PAGE_SIZE) {
            child.write(offset, &[7; 64])?;
        }
        Handle::new(child).map(drop)
    }))
}

const READ_WRITE: VmarOptions = VmarOptions::PERM_READ.union(VmarOptions::PERM_WRITE);

/// A region with so many mappings of one page, each a page away from the next.
fn region(count: u64) -> ZxResult<Arc<Vmar>> {
    let root = Vmar::new_root(USER_BASE, USER_SIZE)?;
    let vmo = committed(PAGE)?;
    for index in 0..count {
        let options = READ_WRITE.union(VmarOptions::SPECIFIC);
        root.map(options, 2 * index * PAGE, &vmo, 0, PAGE, Perms::ALL)?;
    }
    Ok(root)
}

fn map_unmap(root: Arc<Vmar>, options: VmarOptions, len: u64) -> ZxResult<Operation> {
    let vmo = committed(len)?;
    Ok(Box::new(move || {
        let address = root.map(READ_WRITE.union(options), 0, &vmo, 0, len, Perms::ALL)?;
        root.unmap(address, len)
    }))
}

fn vmar_map() -> ZxResult<Operation> {
    map_unmap(region(0)?, VmarOptions::empty(), PAGE)
}

fn vmar_map_among() -> ZxResult<Operation> {
    map_unmap(region(1000)?, VmarOptions::empty(), PAGE)
}

fn vmar_map_range() -> ZxResult<Operation> {
    map_unmap(region(0)?, VmarOptions::MAP_RANGE, LARGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_can_be_run_again_and_again() {
        for (group, name, _) in OPERATIONS {
            let mut operation = prepare(&format!("{group}/{name}")).unwrap();
            for _ in 0..3 {
                operation().unwrap();
            }
        }
        assert!(prepare("channel/none").is_err());
    }
}
