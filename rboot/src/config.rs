//! `rboot.conf`: `key=value` lines, `#` comments.
//!
//! | key | value |
//! |---|---|
//! | `kernel` | path of the kernel's ELF file on the ESP; the only required key |
//! | `userboot`, `vdso`, `zbi`, `decompress` | paths of the files the kernel wants; it decides which are required |
//! | `cmdline` | the kernel's command line: everything after the `=` |
//! | `resolution` | `WIDTHxHEIGHT` of the framebuffer; the firmware's choice when absent or not offered |
//!
//! Paths may use `/` or `\` and always start at the root of the ESP. An empty value is as good as an absent line. The last
//! line of a key wins. An unknown key is a [`Warning`], so that an old rboot starts a newer disk.
use alloc::string::String;
use alloc::vec::Vec;
use core::{fmt, str};

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Path of the kernel.
    pub kernel: String,
    /// Path of userboot.
    pub userboot: Option<String>,
    /// Path of the vDSO.
    pub vdso: Option<String>,
    /// Path of the boot image.
    pub zbi: Option<String>,
    /// Path of the decompressor image.
    pub decompress: Option<String>,
    /// The command line.
    pub cmdline: String,
    /// The wanted framebuffer size.
    pub resolution: Option<Resolution>,
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Pixels per line.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

/// Something odd that does not stop the boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A key this rboot does not know, with its line number (from 1).
    UnknownKey(usize, String),
}

/// Why the file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The file is not UTF-8.
    NotText,
    /// A line that is neither empty, a comment, nor `key=value`; its number (from 1).
    NotKeyValue(usize),
    /// `resolution` is not `WIDTHxHEIGHT`; its line number (from 1).
    BadResolution(usize),
    /// There is no `kernel=` line.
    NoKernel,
}

impl Config {
    /// Reads the file's bytes.
    ///
    /// # Errors
    /// See [`ConfigError`]: the first line that cannot be understood, or the lack of a kernel.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Vec<Warning>), ConfigError> {
        let text = str::from_utf8(bytes).map_err(|_| ConfigError::NotText)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut config = Self::default();
        let mut warnings = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line
                .split_once('=')
                .ok_or(ConfigError::NotKeyValue(number))?;
            let value = value.trim();
            match key.trim() {
                "kernel" => config.kernel = String::from(value),
                "userboot" => config.userboot = path(value),
                "vdso" => config.vdso = path(value),
                "zbi" => config.zbi = path(value),
                "decompress" => config.decompress = path(value),
                "cmdline" => config.cmdline = String::from(value),
                "resolution" => {
                    let bad = ConfigError::BadResolution(number);
                    config.resolution = if value.is_empty() {
                        None
                    } else {
                        Some(resolution(value).ok_or(bad)?)
                    };
                }
                unknown => warnings.push(Warning::UnknownKey(number, String::from(unknown))),
            }
        }
        if config.kernel.is_empty() {
            return Err(ConfigError::NoKernel);
        }
        Ok((config, warnings))
    }
}

fn path(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| String::from(value))
}

fn resolution(value: &str) -> Option<Resolution> {
    let (width, height) = value.split_once('x')?;
    Some(Resolution {
        width: width.parse().ok()?,
        height: height.parse().ok()?,
    })
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(line, key) => write!(f, "line {line}: unknown key '{key}' ignored"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => write!(f, "not a text file (UTF-8)"),
            Self::NotKeyValue(line) => write!(f, "line {line}: not key=value"),
            Self::BadResolution(line) => write!(f, "line {line}: resolution is not WIDTHxHEIGHT"),
            Self::NoKernel => write!(f, "no kernel= line"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_and_comments_are_skipped() {
        let text = b"\xef\xbb\xbf# disk of today\r\nkernel=/zcore/kernel.elf\r\nuserboot=a\nvdso = b\nzbi=c\ndecompress=d\n\
            \ncmdline=userboot=bin/shell  a.b=c\nresolution=800x600\n";
        let (config, warnings) = Config::parse(text).unwrap();
        assert!(warnings.is_empty());
        assert_eq!(config.kernel, "/zcore/kernel.elf");
        assert_eq!(config.userboot.as_deref(), Some("a"));
        assert_eq!(config.vdso.as_deref(), Some("b"));
        assert_eq!(config.zbi.as_deref(), Some("c"));
        assert_eq!(config.decompress.as_deref(), Some("d"));
        assert_eq!(config.cmdline, "userboot=bin/shell  a.b=c");
        assert_eq!(
            config.resolution,
            Some(Resolution {
                width: 800,
                height: 600
            })
        );
    }

    #[test]
    fn unknown_key_is_a_warning_with_its_line() {
        let (_, warnings) = Config::parse(b"kernel=k\ninitrd=x\n").unwrap();
        assert_eq!(warnings, [Warning::UnknownKey(2, String::from("initrd"))]);
    }

    #[test]
    fn a_file_without_kernel_is_refused() {
        assert_eq!(
            Config::parse(b"zbi=c\nkernel=\n"),
            Err(ConfigError::NoKernel)
        );
    }

    #[test]
    fn a_line_without_equals_sign_is_refused_with_its_number() {
        assert_eq!(
            Config::parse(b"kernel=k\n\ngarbage\n"),
            Err(ConfigError::NotKeyValue(3))
        );
    }

    #[test]
    fn a_resolution_that_is_none_is_refused() {
        for bad in ["800", "800x", "x600", "axb", "-1x5"] {
            let text = alloc::format!("resolution={bad}");
            assert_eq!(
                Config::parse(text.as_bytes()),
                Err(ConfigError::BadResolution(1)),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_empty_value_is_as_good_as_no_line() {
        let (config, _) = Config::parse(b"kernel=k\nzbi=\nresolution=\n").unwrap();
        assert_eq!(config.zbi, None);
        assert_eq!(config.resolution, None);
    }

    #[test]
    fn binary_garbage_is_not_text() {
        assert_eq!(
            Config::parse(&[0xff, 0xfe, 0x00]),
            Err(ConfigError::NotText)
        );
    }
}
