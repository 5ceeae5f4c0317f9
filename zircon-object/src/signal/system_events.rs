//! The events that tell programs how much memory the system has left. Exactly one of them is signaled.

use super::Event;
use crate::object::KernelObject;
use alloc::sync::Arc;
use kernel_hal::sync::Mutex;
use zx_abi::power::SystemEvent;
use zx_abi::{Signals, ZxResult};

static EVENTS: Mutex<[Option<Arc<Event>>; 4]> = Mutex::new([const { None }; 4]);

/// The event of a memory level, made when somebody asks for it first.
///
/// # Errors
/// - `NoMemory`: the kernel heap is exhausted.
pub fn system_event(level: SystemEvent) -> ZxResult<Arc<Event>> {
    let mut events = EVENTS.lock();
    let place = match level {
        SystemEvent::OutOfMemory => &mut events[0],
        SystemEvent::MemoryPressureCritical => &mut events[1],
        SystemEvent::MemoryPressureWarning => &mut events[2],
        SystemEvent::MemoryPressureNormal => &mut events[3],
    };
    if let Some(event) = place {
        return Ok(event.clone());
    }
    let event = Event::create()?;
    if level == SystemEvent::MemoryPressureNormal {
        event
            .base()
            .signals()
            .change(Signals::empty(), Signals::SIGNALED)
            .wake();
    }
    *place = Some(event.clone());
    Ok(event)
}
