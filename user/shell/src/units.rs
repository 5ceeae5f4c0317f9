//! Durations and sizes as people read them.

use alloc::format;
use alloc::string::String;

/// Nanoseconds with three digits after the point: `4.250 us`, `12.034 ms`, `1.500 s`.
pub(crate) fn duration(nanoseconds: i64) -> String {
    let (unit, name) = match nanoseconds.unsigned_abs() {
        0..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let thousandths = nanoseconds.unsigned_abs() / (unit / 1_000);
    let sign = if nanoseconds < 0 { "-" } else { "" };
    format!(
        "{sign}{}.{:03} {name}",
        thousandths / 1000,
        thousandths % 1000
    )
}

/// Bytes with one digit after the point: `512 B`, `1.5 KiB`, `3.0 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let (shift, name) = match bytes {
        0..1024 => return format!("{bytes} B"),
        1024..0x10_0000 => (10, "KiB"),
        0x10_0000..0x4000_0000 => (20, "MiB"),
        _ => (30, "GiB"),
    };
    let tenths = (bytes >> (shift - 10)) * 10 / 1024;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// Nanoseconds as hours, minutes, seconds and milliseconds: `00:01:02.345`.
pub(crate) fn clock(nanoseconds: i64) -> String {
    let milliseconds = nanoseconds.max(0) / 1_000_000;
    let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}")
}

/// A date of nanoseconds since 1970: `2026-11-20`.
pub(crate) fn date(nanoseconds: i64) -> String {
    // Days are counted from 1 March of year 0, so that the leap day is the last of its year (cycle: 400 years).
    let days = nanoseconds.div_euclid(86_400_000_000_000) + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!("{:04}-{month:02}-{day:02}", cycle * 400 + year + next_year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_pick_their_unit() {
        assert_eq!(duration(999), "0.999 us");
        assert_eq!(duration(-4_250), "-4.250 us");
        assert_eq!(duration(12_034_999), "12.034 ms");
        assert_eq!(duration(1_500_000_000), "1.500 s");
    }

    #[test]
    fn sizes_pick_their_unit() {
        assert_eq!(size(512), "512 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(3 << 20), "3.0 MiB");
        assert_eq!(size(5 << 30), "5.0 GiB");
    }

    #[test]
    fn clocks_and_dates_are_right_around_leap_days() {
        assert_eq!(clock(3_723_004_000_000), "01:02:03.004");
        let day = 86_400_000_000_000;
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016 * day), "2000-02-29");
        assert_eq!(date(11_017 * day), "2000-03-01");
        assert_eq!(date(20_777 * day), "2026-11-20");
    }
}
