//! The loader service (`fuchsia.ldsvc.Loader`): hands libraries out of BOOTFS to the program's dynamic linker.
//!
//! A request is a 16-byte header {txid, flags, ordinal}, then for most methods a string {size, presence} and its bytes.
//! The header of 2018 and of 2020 differ in meaning but not in place, and are echoed as they came.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use libzx::{AsHandle, Channel, Handle, Message};
use zx_abi::{Signals, Status, ZxError};

use crate::files::Files;
use crate::log::{Failure, Line, Log, Outcome};

const HEADER_SIZE: usize = 16;
/// Where the string's bytes start: behind its size and its presence marker.
const STRING_AT: usize = HEADER_SIZE + 16;
/// Marks a present handle or string in a message.
const PRESENT: u32 = u32::MAX;

/// What the dynamic linker asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Done,
    LoadObject,
    Config,
    /// Anything that userboot refuses.
    Other,
}

impl Method {
    /// From the eight bytes of the ordinal. Each method has had three: counted from 1 in the upper half (2018), a 32-bit
    /// hash in the upper half (2019), a 64-bit hash (2020).
    const fn from_ordinal(ordinal: u64) -> Self {
        match ordinal {
            0x63ba_6b76_d367_1001 | 0x5016_35da_0000_0000 | 0x1_0000_0000 => Self::Done,
            0x48c5_a151_d6df_2853 | 0x18d3_5e60_0000_0000 | 0x2_0000_0000 => Self::LoadObject,
            0x6a8a_1a14_6463_2841 | 0x1ade_b78d_0000_0000 | 0x4_0000_0000 => Self::Config,
            _ => Self::Other,
        }
    }
}

/// A request in bounds.
#[derive(Debug, PartialEq, Eq)]
struct Request<'a> {
    header: [u8; HEADER_SIZE],
    method: Method,
    /// The string, empty for methods without one.
    text: &'a str,
}

impl<'a> Request<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = *bytes.first_chunk::<HEADER_SIZE>()?;
        let method = Method::from_ordinal(u64::from_le_bytes(*header.last_chunk::<8>()?));
        let text = match method {
            Method::LoadObject | Method::Config => string(bytes)?,
            Method::Done | Method::Other => "",
        };
        Some(Self {
            header,
            method,
            text,
        })
    }
}

fn string(bytes: &[u8]) -> Option<&str> {
    let size = u64::from_le_bytes(*bytes.get(HEADER_SIZE..)?.first_chunk::<8>()?);
    let end = STRING_AT.checked_add(usize::try_from(size).ok()?)?;
    core::str::from_utf8(bytes.get(STRING_AT..end)?).ok()
}

/// What `Config` chose: libraries of a variant first, or only those.
#[derive(Debug, Default)]
struct Config {
    prefix: String,
    exclusive: bool,
}

impl Config {
    /// `asan` or, exclusively, `asan!`.
    fn new(text: &str) -> Self {
        let (name, exclusive) = text
            .strip_suffix('!')
            .map_or((text, false), |name| (name, true));
        let mut prefix = String::from(name);
        if !prefix.is_empty() {
            prefix.push('/');
        }
        Self { prefix, exclusive }
    }

    /// Where to look for a library, in order.
    fn paths(&self, name: &str) -> Vec<String> {
        let path = |prefix: &str| {
            let mut path = String::from("lib/");
            path.push_str(prefix);
            path.push_str(name);
            path
        };
        let mut paths = vec![path(&self.prefix)];
        if !self.prefix.is_empty() && !self.exclusive {
            paths.push(path(""));
        }
        paths
    }
}

/// Serves until the dynamic linker is done or gone.
pub(crate) fn serve(channel: &Channel, files: &Files, log: &Log) -> Outcome {
    let mut config = Config::default();
    loop {
        let signals = Signals::CHANNEL_READABLE | Signals::CHANNEL_PEER_CLOSED;
        let observed = channel.wait_one(signals, libzx::time::INFINITE);
        let observed = observed.map_err(|error| Failure::call("object_wait_one", error))?;
        if !observed.contains(Signals::CHANNEL_READABLE) {
            return Ok(());
        }
        let Message { bytes, .. } = channel
            .read()
            .map_err(|error| Failure::call("channel_read", error))?;
        let request =
            Request::parse(&bytes).ok_or_else(|| Failure::text("malformed loader request"))?;
        let reply = match request.method {
            Method::Done => return Ok(()),
            Method::LoadObject => load(files, &config, request.text, log),
            Method::Config => {
                config = Config::new(request.text);
                Ok(None)
            }
            Method::Other => Err(ZxError::NotSupported),
        };
        let (rv, object) = match reply {
            Ok(object) => (Status::OK, object),
            Err(error) => (Status::from(error), None),
        };
        let bytes = response(&request.header, rv, object.is_some());
        match channel.write(&bytes, object.into_iter().collect()) {
            Ok(()) | Err(ZxError::PeerClosed) => {}
            Err(error) => return Err(Failure::call("channel_write", error)),
        }
    }
}

fn load(files: &Files, config: &Config, name: &str, log: &Log) -> Result<Option<Handle>, ZxError> {
    for path in config.paths(name) {
        if let Some(file) = files.find(&path) {
            return files.vmo_of(&file, &path).map(|vmo| Some(vmo.into()));
        }
    }
    log.write(
        &Line::new()
            .text("library '")
            .text(name)
            .text("' is not in BOOTFS"),
    );
    Err(ZxError::NotFound)
}

fn response(header: &[u8; HEADER_SIZE], rv: Status, has_object: bool) -> [u8; HEADER_SIZE + 8] {
    let mut bytes = [0; HEADER_SIZE + 8];
    let object = if has_object { PRESENT } else { 0 };
    let fields = header
        .iter()
        .copied()
        .chain(rv.0.to_le_bytes())
        .chain(object.to_le_bytes());
    for (place, byte) in bytes.iter_mut().zip(fields) {
        *place = byte;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(ordinal: u64, text: &str) -> Vec<u8> {
        let mut bytes = vec![7, 0, 0, 0, 0, 0, 0, 1];
        bytes.extend(ordinal.to_le_bytes());
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend([0xff; 8]);
        bytes.extend(text.as_bytes());
        bytes
    }

    #[test]
    fn every_generation_of_ordinals_is_understood() {
        for ordinal in [2 << 32, 0x18d3_5e60 << 32, 0x48c5_a151_d6df_2853] {
            let bytes = request(ordinal, "libfdio.so");
            let parsed = Request::parse(&bytes).unwrap();
            assert_eq!(
                (parsed.method, parsed.text),
                (Method::LoadObject, "libfdio.so")
            );
        }
        assert_eq!(
            Request::parse(&request(1 << 32, "")).unwrap().method,
            Method::Done
        );
        assert_eq!(
            Request::parse(&request(99, "")).unwrap().method,
            Method::Other
        );
    }

    #[test]
    fn a_string_beyond_the_message_is_refused() {
        let mut bytes = request(2 << 32, "libc.so");
        bytes.pop();
        assert_eq!(Request::parse(&bytes), None);
        assert_eq!(Request::parse(&bytes[..12]), None);
    }

    #[test]
    fn a_variant_is_looked_for_first_and_alone_if_exclusive() {
        assert_eq!(Config::default().paths("x"), ["lib/x"]);
        assert_eq!(Config::new("asan").paths("x"), ["lib/asan/x", "lib/x"]);
        assert_eq!(Config::new("asan!").paths("x"), ["lib/asan/x"]);
    }

    #[test]
    fn a_response_echoes_the_header() {
        let header = *request(2 << 32, "").first_chunk::<16>().unwrap();
        let bytes = response(&header, Status(-25), false);
        assert_eq!(bytes[..16], header);
        assert_eq!(bytes[16..], [0xe7, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        assert_eq!(
            response(&header, Status::OK, true)[16..],
            [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]
        );
    }
}
