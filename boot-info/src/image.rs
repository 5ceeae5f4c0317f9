//! Loaded files and the framebuffer.

/// A run of physical bytes. `len == 0` means absent.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhysRange {
    /// Physical address of the first byte. Ranges that rboot allocates start on a page.
    pub phys: u64,
    /// Length in bytes. The rest of the last page is zero.
    pub len: u64,
}

impl PhysRange {
    /// Whether nothing is there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The files rboot read, byte for byte as on the disk. Absent ones are empty.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Images {
    /// The kernel's ELF file (for its symbol table); the running copy is elsewhere.
    pub kernel_elf: PhysRange,
    /// userboot's ELF file.
    pub userboot: PhysRange,
    /// The vDSO's ELF file.
    pub vdso: PhysRange,
    /// The boot image (ZBI). When present, its container and checksums have been verified.
    pub zbi: PhysRange,
    /// The decompressor image that userboots of 2019 need.
    pub decompressor: PhysRange,
}

/// The linear framebuffer; `size_bytes == 0` when there is none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Framebuffer {
    /// Physical address of the first pixel. May lie outside the direct map: map it before use.
    pub phys: u64,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Visible pixels per line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Pixels from one line to the next; at least `width`.
    pub stride: u32,
    /// One of [`PixelFormat`], as a number.
    pub format: u32,
}

/// Order of the bytes of a pixel in memory. Pixels are 32 bits.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelFormat {
    /// No framebuffer.
    None = 0,
    /// Red, green, blue, unused.
    Rgbx = 1,
    /// Blue, green, red, unused.
    Bgrx = 2,
}
