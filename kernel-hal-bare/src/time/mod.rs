//! Clocks: the time-stamp counter tells the time, the local APIC's one-shot timer ends sleeps.

mod calibration;
pub(crate) mod lapic_timer;
pub(crate) mod tsc;

pub(crate) use calibration::calibrate;
