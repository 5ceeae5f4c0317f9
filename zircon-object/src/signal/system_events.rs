//! The events that tell programs how much memory the system has left. Exactly one of them is signaled.

use super::Event;
use crate::object::{KernelObject, Wakes};
use alloc::sync::Arc;
use kernel_hal::sync::Mutex;
use zx_abi::power::SystemEvent;
use zx_abi::{Signals, ZxResult};

static EVENTS: Mutex<Events> = Mutex::new(Events {
    all: [const { None }; 4],
    level: SystemEvent::MemoryPressureNormal,
});

struct Events {
    all: [Option<Arc<Event>>; 4],
    level: SystemEvent,
}

const fn place(level: SystemEvent) -> usize {
    match level {
        SystemEvent::OutOfMemory => 0,
        SystemEvent::MemoryPressureCritical => 1,
        SystemEvent::MemoryPressureWarning => 2,
        SystemEvent::MemoryPressureNormal => 3,
    }
}

/// The event of a memory level, made when somebody asks for it first.
///
/// # Errors
/// - `NoMemory`: the kernel heap is exhausted.
pub fn system_event(level: SystemEvent) -> ZxResult<Arc<Event>> {
    let mut events = EVENTS.lock();
    if let Some(event) = &events.all[place(level)] {
        return Ok(event.clone());
    }
    let event = Event::create()?;
    if events.level == level {
        signal(&event, Signals::empty(), Signals::SIGNALED).wake();
    }
    events.all[place(level)] = Some(event.clone());
    Ok(event)
}

/// Signals the event of a level, and takes the signal of the one before back.
pub(crate) fn show(level: SystemEvent) {
    let wakes = {
        let mut events = EVENTS.lock();
        let before = core::mem::replace(&mut events.level, level);
        if before == level {
            return;
        }
        [
            events.all[place(before)]
                .as_ref()
                .map(|event| signal(event, Signals::SIGNALED, Signals::empty())),
            events.all[place(level)]
                .as_ref()
                .map(|event| signal(event, Signals::empty(), Signals::SIGNALED)),
        ]
    };
    for wake in wakes.into_iter().flatten() {
        wake.wake();
    }
}

fn signal(event: &Event, clear: Signals, set: Signals) -> Wakes {
    event.base().signals().change(clear, set)
}
