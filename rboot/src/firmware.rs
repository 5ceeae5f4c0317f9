//! Facts the firmware knows and the kernel wants: tables, clock, screen, memory map.
use alloc::vec::Vec;

use boot_info::{Framebuffer, MemoryRegion, PixelFormat};
use rboot::config::Resolution;
use rboot::memory_map::region_of;
use rboot::wall_clock::CalendarTime;
use uefi::boot::{self, OpenProtocolAttributes, OpenProtocolParams};
use uefi::mem::memory_map::{MemoryDescriptor, MemoryMap, MemoryType};
use uefi::proto::console::gop::{self, GraphicsOutput};
use uefi::table::cfg::ConfigTableEntry;
use uefi::{runtime, system, Guid};

use crate::console;
use crate::failure::Failure;

/// Physical address of the ACPI RSDP, the newest revision there is; 0 without ACPI.
pub(crate) fn acpi_rsdp() -> u64 {
    newest_table([ConfigTableEntry::ACPI2_GUID, ConfigTableEntry::ACPI_GUID])
}

/// Physical address of the SMBIOS entry point, the newest revision there is; 0 without SMBIOS.
pub(crate) fn smbios() -> u64 {
    newest_table([
        ConfigTableEntry::SMBIOS3_GUID,
        ConfigTableEntry::SMBIOS_GUID,
    ])
}

fn newest_table(wanted: [Guid; 2]) -> u64 {
    system::with_config_table(|entries| {
        let find = |guid| entries.iter().find(|entry| entry.guid == guid);
        wanted
            .into_iter()
            .find_map(find)
            .map_or(0, |entry| entry.address.addr() as u64)
    })
}

/// Wall-clock time in seconds since 1970, UTC; 0 without a clock. A clock without a time zone is taken for UTC.
pub(crate) fn unix_seconds() -> u64 {
    runtime::get_time().map_or(0, |time| {
        let calendar = CalendarTime {
            year: time.year(),
            month: time.month(),
            day: time.day(),
            hour: time.hour(),
            minute: time.minute(),
            second: time.second(),
            behind_utc_minutes: time.time_zone().unwrap_or(0),
        };
        calendar.unix_seconds()
    })
}

/// The framebuffer, switched to the wanted size if the firmware offers it. All zero without a linear one.
pub(crate) fn framebuffer(wanted: Option<Resolution>) -> Framebuffer {
    let Ok(handle) = boot::get_handle_for_protocol::<GraphicsOutput>() else {
        return Framebuffer::default();
    };
    let params = OpenProtocolParams {
        handle,
        agent: boot::image_handle(),
        controller: None,
    };
    // SAFETY: opened shared, because taking the screen exclusively would end the firmware's console on it; the handle was
    // just found, and nothing removes a display while rboot runs.
    let opened = unsafe {
        boot::open_protocol::<GraphicsOutput>(params, OpenProtocolAttributes::GetProtocol)
    };
    let Ok(mut screen) = opened else {
        return Framebuffer::default();
    };
    if let Some(Resolution { width, height }) = wanted {
        let mode = screen
            .modes()
            .find(|mode| mode.info().resolution() == (width, height));
        if mode.is_none_or(|mode| screen.set_mode(&mode).is_err()) {
            console::line(format_args!(
                "resolution {width}x{height} is not offered, ignored"
            ));
        }
    }
    describe(&mut screen).unwrap_or_default()
}

fn describe(screen: &mut GraphicsOutput) -> Option<Framebuffer> {
    let mode = screen.current_mode_info();
    let format = match mode.pixel_format() {
        gop::PixelFormat::Rgb => PixelFormat::Rgbx,
        gop::PixelFormat::Bgr => PixelFormat::Bgrx,
        gop::PixelFormat::Bitmask | gop::PixelFormat::BltOnly => return None,
    };
    let (width, height) = mode.resolution();
    let mut buffer = screen.frame_buffer();
    Some(Framebuffer {
        phys: buffer.as_mut_ptr().addr() as u64,
        size_bytes: buffer.size() as u64,
        width: u32::try_from(width).ok()?,
        height: u32::try_from(height).ok()?,
        stride: u32::try_from(mode.stride()).ok()?,
        format: format as u32,
    })
}

/// The memory map as it is now. It changes with every allocation; where RAM is does not.
///
/// # Errors
/// `NoMemoryMap`.
pub(crate) fn memory_regions() -> Result<Vec<MemoryRegion>, Failure> {
    let map = boot::memory_map(MemoryType::LOADER_DATA)
        .map_err(|error| Failure::NoMemoryMap(error.status()))?;
    Ok(map.entries().filter_map(region).collect())
}

/// An entry of the firmware's map in the kernel's terms.
pub(crate) fn region(entry: &MemoryDescriptor) -> Option<MemoryRegion> {
    region_of(entry.ty.0, entry.phys_start, entry.page_count)
}
