//! Devices that the kernel itself needs: the serial port, and firmware's description of the machine.

pub(crate) mod acpi;
pub(crate) mod uart;
