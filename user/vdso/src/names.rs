//! Names of statuses and exceptions as C strings.

use core::ffi::c_char;

/// Records of a little-endian status and a NUL-terminated name, written by build.rs.
static STATUS_NAMES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/status_names.bin"));

/// The same form for exception types.
static EXCEPTION_NAMES: &[u8] = b"\
\x08\x00\x00\x00ZX_EXCP_GENERAL\0\
\x08\x01\x00\x00ZX_EXCP_FATAL_PAGE_FAULT\0\
\x08\x02\x00\x00ZX_EXCP_UNDEFINED_INSTRUCTION\0\
\x08\x03\x00\x00ZX_EXCP_SW_BREAKPOINT\0\
\x08\x04\x00\x00ZX_EXCP_HW_BREAKPOINT\0\
\x08\x05\x00\x00ZX_EXCP_UNALIGNED_ACCESS\0\
\x08\x80\x00\x00ZX_EXCP_THREAD_STARTING\0\
\x08\x81\x00\x00ZX_EXCP_THREAD_EXITING\0\
\x08\x82\x00\x00ZX_EXCP_POLICY_ERROR\0\
\x08\x83\x00\x00ZX_EXCP_PROCESS_STARTING\0";

static UNKNOWN: &[u8] = b"(UNKNOWN)\0";

/// `zx_status_get_string`: the name of a status, `(UNKNOWN)` for a number that is none.
#[expect(unsafe_code, reason = "the assembly stub jumps here by name")]
#[unsafe(no_mangle)]
pub extern "C" fn vdso_status_get_string(status: i32) -> *const c_char {
    find(STATUS_NAMES, status)
        .unwrap_or(UNKNOWN)
        .as_ptr()
        .cast()
}

/// `zx_exception_get_string`: the name of an exception type, `(UNKNOWN)` for a number that is none.
#[expect(unsafe_code, reason = "the assembly stub jumps here by name")]
#[unsafe(no_mangle)]
pub extern "C" fn vdso_exception_get_string(exception: u32) -> *const c_char {
    find(EXCEPTION_NAMES, exception.cast_signed())
        .unwrap_or(UNKNOWN)
        .as_ptr()
        .cast()
}

/// The name recorded for `code`, including its NUL.
fn find(mut records: &'static [u8], code: i32) -> Option<&'static [u8]> {
    loop {
        let (head, rest) = records.split_first_chunk::<4>()?;
        let name_len = rest.iter().position(|&byte| byte == 0)? + 1;
        let (name, next) = rest.split_at_checked(name_len)?;
        if i32::from_le_bytes(*head) == code {
            return Some(name);
        }
        records = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_give_their_c_name() {
        assert_eq!(find(STATUS_NAMES, 0), Some(&b"ZX_OK\0"[..]));
        assert_eq!(find(STATUS_NAMES, -11), Some(&b"ZX_ERR_BAD_HANDLE\0"[..]));
        assert_eq!(
            find(STATUS_NAMES, -76),
            Some(&b"ZX_ERR_CONNECTION_ABORTED\0"[..])
        );
        assert_eq!(
            find(EXCEPTION_NAMES, 0x8208),
            Some(&b"ZX_EXCP_POLICY_ERROR\0"[..])
        );
        assert_eq!(
            find(EXCEPTION_NAMES, 0x8308),
            Some(&b"ZX_EXCP_PROCESS_STARTING\0"[..])
        );
    }

    #[test]
    fn unknown_codes_give_none() {
        assert_eq!(find(STATUS_NAMES, -7), None);
        assert_eq!(find(STATUS_NAMES, 1), None);
        assert_eq!(find(EXCEPTION_NAMES, 0), None);
    }
}
