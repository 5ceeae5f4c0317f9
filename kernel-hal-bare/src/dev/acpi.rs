//! What the kernel needs of firmware's tables: interrupt controllers, the PM timer, power off and reset.
//!
//! A few fixed fields of MADT and FADT, and the `_S5_` package found by scanning the DSDT, are all that is wanted, so
//! they are read directly; an interpreter for AML would be many times the size. Whatever a table says is checked for
//! bounds; a table that makes no sense counts as absent.

use crate::irq::ioapic::MAX_IO_APICS;
use crate::mm::direct;
use kernel_hal::hal_impl;
use kernel_hal::irq::Trigger;
use kernel_hal::sync::Mutex;
use kernel_hal::PhysAddr;

const MAX_OVERRIDES: usize = 16;
const MAX_TABLE_BYTES: usize = 4 << 20;
const DEFAULT_LOCAL_APIC: u64 = 0xfee0_0000;

/// What [`read`] found, for the power functions; and where firmware's tables are.
pub(crate) static PLATFORM: Mutex<Option<Platform>> = Mutex::new(None);

/// An I/O APIC as the MADT lists it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IoApicInfo {
    pub(crate) registers: PhysAddr,
    pub(crate) first_line: u32,
}

/// An ISA line that is not what its number says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Override {
    pub(crate) isa: u32,
    pub(crate) line: u32,
    pub(crate) trigger: Trigger,
}

/// The ACPI timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PmTimer {
    pub(crate) port: u16,
    pub(crate) mask: u64,
}

/// How to enter S5.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SleepControl {
    pub(crate) pm1a: u16,
    pub(crate) pm1b: u16,
    pub(crate) type_a: u16,
    pub(crate) type_b: u16,
    pub(crate) smi_port: u16,
    pub(crate) acpi_enable: u8,
}

/// How to reset the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ResetRegister {
    /// By an I/O port.
    Port {
        /// Its number.
        port: u16,
        /// What to write.
        value: u8,
    },
    /// By memory.
    Memory {
        /// Where.
        at: PhysAddr,
        /// What to write.
        value: u8,
    },
}

/// The machine as firmware describes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Platform {
    pub(crate) rsdp: PhysAddr,
    pub(crate) smbios: PhysAddr,
    pub(crate) local_apic: PhysAddr,
    pub(crate) io_apics: [Option<IoApicInfo>; MAX_IO_APICS],
    pub(crate) overrides: [Option<Override>; MAX_OVERRIDES],
    pub(crate) pm_timer: Option<PmTimer>,
    pub(crate) sleep: Option<SleepControl>,
    pub(crate) reset: Option<ResetRegister>,
}

impl Platform {
    /// The global line of an ISA line.
    pub(crate) fn line_of_isa(&self, isa: u32) -> u32 {
        self.overrides
            .iter()
            .flatten()
            .find(|found| found.isa == isa)
            .map_or(isa, |found| found.line)
    }
}

/// Memory that firmware's pointers may lead to.
#[derive(Clone, Copy)]
struct Firmware {
    direct_map_len: u64,
}

/// Reads the tables below the RSDP.
pub(crate) fn read(rsdp: u64, smbios: u64, direct_map_len: u64) -> Platform {
    let firmware = Firmware { direct_map_len };
    let mut platform = Platform {
        rsdp: PhysAddr(rsdp),
        smbios: PhysAddr(smbios),
        local_apic: PhysAddr(DEFAULT_LOCAL_APIC),
        io_apics: [None; MAX_IO_APICS],
        overrides: [None; MAX_OVERRIDES],
        pm_timer: None,
        sleep: None,
        reset: None,
    };
    if rsdp != 0 {
        // A table that ends too early leaves what was read so far.
        let _ = firmware.for_each_table(rsdp, |signature, table| {
            let _ = match signature {
                b"APIC" => read_madt(&mut platform, table),
                b"FACP" => read_fadt(&mut platform, table, firmware),
                _ => None,
            };
        });
    }
    platform
}

fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl Firmware {
    fn bytes(self, at: u64, len: usize) -> Option<&'static [u8]> {
        let end = at.checked_add(len as u64)?;
        if at == 0 || end > self.direct_map_len {
            return None;
        }
        // SAFETY: the range is in the direct map; firmware's tables are in regions that nobody is given.
        Some(unsafe { core::slice::from_raw_parts(direct::pointer::<u8>(PhysAddr(at)), len) })
    }

    /// A table with the length that its header says.
    fn table(self, at: u64) -> Option<&'static [u8]> {
        let len = u32_at(self.bytes(at, 36)?, 4)? as usize;
        if !(36..=MAX_TABLE_BYTES).contains(&len) {
            return None;
        }
        self.bytes(at, len)
    }

    fn for_each_table(
        self,
        rsdp: u64,
        mut action: impl FnMut(&[u8; 4], &'static [u8]),
    ) -> Option<()> {
        let pointer = self.bytes(rsdp, 20)?;
        let extended = u8_at(pointer, 15)? >= 2;
        let xsdt = if extended {
            u64_at(self.bytes(rsdp, 36)?, 24)?
        } else {
            0
        };
        let (root, width) = if xsdt != 0 {
            (xsdt, 8)
        } else {
            (u64::from(u32_at(pointer, 16)?), 4)
        };
        for entry in self.table(root)?.get(36..)?.chunks_exact(width) {
            let at = u64_at(entry, 0).or_else(|| u32_at(entry, 0).map(u64::from))?;
            if let Some(table) = self.table(at) {
                if let Some(Ok(signature)) = table.get(..4).map(<&[u8; 4]>::try_from) {
                    action(signature, table);
                }
            }
        }
        Some(())
    }
}

fn read_madt(platform: &mut Platform, table: &[u8]) -> Option<()> {
    platform.local_apic = PhysAddr(u64::from(u32_at(table, 36)?));
    let (mut apics, mut overrides) = (0, 0);
    let mut rest = table.get(44..)?;
    while let (Some(kind), Some(len)) = (u8_at(rest, 0), u8_at(rest, 1)) {
        let Some((entry, behind)) = rest.split_at_checked(usize::from(len.max(2))) else {
            break;
        };
        match kind {
            1 => {
                if let (Some(slot), Some(at), Some(first_line)) = (
                    platform.io_apics.get_mut(apics),
                    u32_at(entry, 4),
                    u32_at(entry, 8),
                ) {
                    *slot = Some(IoApicInfo {
                        registers: PhysAddr(u64::from(at)),
                        first_line,
                    });
                    apics += 1;
                }
            }
            2 => {
                let found = read_override(entry);
                if let (Some(slot), Some(_)) = (platform.overrides.get_mut(overrides), found) {
                    *slot = found;
                    overrides += 1;
                }
            }
            5 => {
                if let Some(at) = u64_at(entry, 4) {
                    platform.local_apic = PhysAddr(at);
                }
            }
            _ => {}
        }
        rest = behind;
    }
    Some(())
}

fn read_override(entry: &[u8]) -> Option<Override> {
    let flags = u16_at(entry, 8)?;
    let low = flags & 0b11 == 0b11;
    let level = flags >> 2 & 0b11 == 0b11;
    // "As the bus has it" is edge and high for ISA.
    let trigger = match (level, low) {
        (false, false) => Trigger::EdgeHigh,
        (false, true) => Trigger::EdgeLow,
        (true, false) => Trigger::LevelHigh,
        (true, true) => Trigger::LevelLow,
    };
    Some(Override {
        isa: u32::from(u8_at(entry, 3)?),
        line: u32_at(entry, 4)?,
        trigger,
    })
}

fn port_at(table: &[u8], at: usize) -> Option<u16> {
    u16::try_from(u32_at(table, at)?)
        .ok()
        .filter(|&port| port != 0)
}

fn read_fadt(platform: &mut Platform, table: &[u8], firmware: Firmware) -> Option<()> {
    const TIMER_32_BIT: u32 = 1 << 8;
    const RESET_SUPPORTED: u32 = 1 << 10;
    let flags = u32_at(table, 112)?;
    let mask = if flags & TIMER_32_BIT != 0 {
        0xffff_ffff
    } else {
        0xff_ffff
    };
    platform.pm_timer = port_at(table, 76).map(|port| PmTimer { port, mask });
    if flags & RESET_SUPPORTED != 0 {
        platform.reset = read_reset(table, firmware);
    }
    let dsdt = u64_at(table, 140)
        .filter(|&at| at != 0)
        .or_else(|| u32_at(table, 40).map(u64::from))?;
    let (type_a, type_b) = sleep_types(firmware.table(dsdt)?)?;
    platform.sleep = Some(SleepControl {
        pm1a: port_at(table, 64)?,
        pm1b: port_at(table, 68).unwrap_or(0),
        type_a,
        type_b,
        smi_port: port_at(table, 48).unwrap_or(0),
        acpi_enable: u8_at(table, 52)?,
    });
    Some(())
}

fn read_reset(table: &[u8], firmware: Firmware) -> Option<ResetRegister> {
    let (space, at, value) = (u8_at(table, 116)?, u64_at(table, 120)?, u8_at(table, 128)?);
    match space {
        0 if at != 0 && at < firmware.direct_map_len => Some(ResetRegister::Memory {
            at: PhysAddr(at),
            value,
        }),
        1 => Some(ResetRegister::Port {
            port: u16::try_from(at).ok()?,
            value,
        }),
        _ => None,
    }
}

/// SLP_TYPa and SLP_TYPb of S5: the first two numbers of the package named `_S5_`.
fn sleep_types(dsdt: &[u8]) -> Option<(u16, u16)> {
    const PACKAGE: u8 = 0x12;
    let name = dsdt
        .windows(5)
        .position(|bytes| bytes == [b'_', b'S', b'5', b'_', PACKAGE])?;
    let package = dsdt.get(name + 5..)?;
    // The top two bits of the first length byte say how many more there are; then the number of elements.
    let body = package.get(usize::from(u8_at(package, 0)? >> 6) + 2..)?;
    let (first, body) = small_integer(body)?;
    let (second, _) = small_integer(body)?;
    Some((first, second))
}

/// A constant of AML: zero, one, or a byte with its prefix.
fn small_integer(aml: &[u8]) -> Option<(u16, &[u8])> {
    match *aml {
        [number @ (0 | 1), ref rest @ ..] => Some((u16::from(number), rest)),
        [0x0a, number, ref rest @ ..] => Some((u16::from(number & 0b111), rest)),
        _ => None,
    }
}

hal_impl! {
    kernel_hal::cpu => fn hal_firmware_tables() -> (PhysAddr, PhysAddr) {
        PLATFORM.lock().map_or((PhysAddr(0), PhysAddr(0)), |platform| (platform.rsdp, platform.smbios))
    }
}
