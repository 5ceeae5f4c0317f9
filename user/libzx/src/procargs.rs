//! Bootstrap messages: writing and reading the processargs format.

use alloc::string::String;
use alloc::vec::Vec;

use zerocopy::{FromBytes, IntoBytes};
use zx_abi::procargs::{ProcArgs, PROCARGS_PROTOCOL, PROCARGS_VERSION};
use zx_abi::{ZxError, ZxResult};

/// The bytes of a message with one tag per handle, arguments and environment.
#[must_use]
pub fn build(tags: &[u32], args: &[&str], env: &[&str]) -> Vec<u8> {
    let args_off = size_of::<ProcArgs>() + size_of_val(tags);
    let environ_off = args_off + strings_size(args);
    let header = ProcArgs {
        protocol: PROCARGS_PROTOCOL,
        version: PROCARGS_VERSION,
        handle_info_off: to_u32(size_of::<ProcArgs>()),
        args_off: to_u32(args_off),
        args_num: to_u32(args.len()),
        environ_off: to_u32(environ_off),
        environ_num: to_u32(env.len()),
        names_off: 0,
        names_num: 0,
    };
    let mut bytes = Vec::with_capacity(environ_off + strings_size(env));
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(tags.as_bytes());
    for text in args.iter().chain(env) {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn strings_size(strings: &[&str]) -> usize {
    strings.iter().map(|text| text.len() + 1).sum()
}

/// A message is at most 64 KiB long; channel_write refuses what is longer.
fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// A received message whose header and tags are in bounds.
#[derive(Debug)]
pub struct Received<'a> {
    bytes: &'a [u8],
    header: ProcArgs,
    tags: &'a [u8],
}

impl<'a> Received<'a> {
    /// Checks the message that came with `handle_count` handles.
    ///
    /// # Errors
    /// `InvalidArgs`: it is no processargs message, or lacks a tag for some handle.
    pub fn parse(bytes: &'a [u8], handle_count: usize) -> ZxResult<Self> {
        let (header, _) = ProcArgs::read_from_prefix(bytes).map_err(|_| ZxError::InvalidArgs)?;
        if header.protocol != PROCARGS_PROTOCOL || header.version != PROCARGS_VERSION {
            return Err(ZxError::InvalidArgs);
        }
        let start = header.handle_info_off as usize;
        let end = handle_count
            .checked_mul(4)
            .and_then(|len| start.checked_add(len))
            .ok_or(ZxError::InvalidArgs)?;
        let tags = bytes.get(start..end).ok_or(ZxError::InvalidArgs)?;
        Ok(Self {
            bytes,
            header,
            tags,
        })
    }

    /// One tag per handle.
    pub fn tags(&self) -> impl Iterator<Item = u32> + 'a {
        self.tags
            .chunks_exact(4)
            .map(|tag| u32::read_from_bytes(tag).unwrap_or(0))
    }

    /// The arguments.
    pub fn args(&self) -> impl Iterator<Item = String> + 'a {
        self.strings(self.header.args_off, self.header.args_num)
    }

    /// The environment.
    pub fn env(&self) -> impl Iterator<Item = String> + 'a {
        self.strings(self.header.environ_off, self.header.environ_num)
    }

    /// The names of namespace entries.
    pub fn names(&self) -> impl Iterator<Item = String> + 'a {
        self.strings(self.header.names_off, self.header.names_num)
    }

    fn strings(&self, offset: u32, count: u32) -> impl Iterator<Item = String> + 'a {
        let bytes = self.bytes.get(offset as usize..).unwrap_or_default();
        let pieces = bytes.split(|&byte| byte == 0).take(count as usize);
        pieces.map(|piece| String::from_utf8_lossy(piece).into_owned())
    }
}
