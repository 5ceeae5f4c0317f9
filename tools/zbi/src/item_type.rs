//! The types of boot image items: numbers, names, and how a person may write them.

use std::fmt;

/// The type word of an item.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ItemType(pub u32);

impl ItemType {
    /// The outermost item, which holds all others.
    pub const CONTAINER: Self = Self(0x544f_4f42);
    /// A BOOTFS, possibly compressed.
    pub const BOOTFS: Self = Self(0x4253_4642);
    /// A RAM disk, possibly compressed.
    pub const RAMDISK: Self = Self(0x4b53_4452);
    /// Words of a kernel command line.
    pub const CMDLINE: Self = Self(0x4c44_4d43);
    /// A kernel for x86-64.
    pub const KERNEL_X64: Self = Self(0x4c4e_524b);
    /// Nothing; to be passed over.
    pub const DISCARD: Self = Self(0x5049_4b53);

    /// The name in Zircon's headers, without `ZBI_TYPE_`.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        NAMES
            .iter()
            .find(|(number, _)| *number == self.0)
            .map(|(_, name)| *name)
    }

    /// Reads a name (`CMDLINE`), the four characters of the word (`CMDL`), or a number (`0x4c444d43`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((number, _)) = NAMES
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(text))
        {
            return Some(Self(*number));
        }
        if let Some(digits) = text.strip_prefix("0x") {
            return u32::from_str_radix(digits, 16).ok().map(Self);
        }
        let characters: [u8; 4] = text.as_bytes().try_into().ok()?;
        Some(Self(u32::from_le_bytes(characters)))
    }

    /// Whether items of this type may be compressed, with the uncompressed size in their `extra` word.
    #[must_use]
    pub fn is_storage(self) -> bool {
        matches!(self, Self::BOOTFS | Self::RAMDISK)
    }
}

impl fmt::Display for ItemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name() {
            return f.pad(name);
        }
        let characters = self.0.to_le_bytes();
        if characters.iter().all(|c| c.is_ascii_graphic()) {
            f.pad(&String::from_utf8_lossy(&characters))
        } else {
            f.pad(&format!("{:#010x}", self.0))
        }
    }
}

impl fmt::Debug for ItemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const NAMES: &[(u32, &str)] = &[
    (0x544f_4f42, "CONTAINER"),
    (0x4c4e_524b, "KERNEL_X64"),
    (0x384e_524b, "KERNEL_ARM64"),
    (0x5049_4b53, "DISCARD"),
    (0x5853_4642, "BOOTFS_DISCARD"),
    (0x4b53_4452, "STORAGE_RAMDISK"),
    (0x4253_4642, "STORAGE_BOOTFS"),
    (0x4c44_4d43, "CMDLINE"),
    (0x4d4f_4f42, "CRASHLOG"),
    (0x4c4c_564e, "NVRAM"),
    (0x4449_4c50, "PLATFORM_ID"),
    (0x4350_5543, "CPU_CONFIG"),
    (0x544f_504f, "CPU_TOPOLOGY"),
    (0x434d_454d, "MEM_CONFIG"),
    (0x5652_444b, "KERNEL_DRIVER"),
    (0x5044_5352, "ACPI_RSDP"),
    (0x4942_4d53, "SMBIOS"),
    (0x4d49_4645, "EFI_MEMORY_MAP"),
    (0x5349_4645, "EFI_SYSTEM_TABLE"),
    (0x3032_3845, "E820_TABLE"),
    (0x5452_4155, "DEBUG_UART"),
    (0x4246_5753, "FRAMEBUFFER"),
    (0x4746_4342, "BOOT_CONFIG"),
    (0x5352_5642, "BOOT_VERSION"),
    (0x4341_4d6d, "DRV_MAC_ADDRESS"),
    (0x5452_506d, "DRV_PARTITION_MAP"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_by_name_by_characters_and_by_number() {
        assert_eq!(ItemType::parse("CMDLINE"), Some(ItemType::CMDLINE));
        assert_eq!(ItemType::parse("CMDL"), Some(ItemType::CMDLINE));
        assert_eq!(ItemType::parse("0x4c444d43"), Some(ItemType::CMDLINE));
        assert_eq!(ItemType::parse("nonsense"), None);
    }

    #[test]
    fn an_unnamed_type_is_shown_by_its_characters_or_its_number() {
        assert_eq!(ItemType(0x4b4e_554a).to_string(), "JUNK");
        assert_eq!(ItemType(0x0100_0002).to_string(), "0x01000002");
    }
}
