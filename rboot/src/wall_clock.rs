//! Calendar time to seconds since 1970.

/// A date and time of day of the Gregorian calendar, as the firmware's clock gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarTime {
    /// Year, four digits.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Minutes that local time is behind UTC (UEFI: UTC = local time + this).
    pub behind_utc_minutes: i16,
}

impl CalendarTime {
    /// Seconds since 1970-01-01 00:00 UTC; 0 for times before that, which no clock of a running machine shows.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        let days = days_since_1970(
            i64::from(self.year),
            i64::from(self.month),
            i64::from(self.day),
        );
        let minutes = (days * 24 + i64::from(self.hour)) * 60 + i64::from(self.minute);
        let seconds = (minutes + i64::from(self.behind_utc_minutes)) * 60 + i64::from(self.second);
        u64::try_from(seconds).unwrap_or(0)
    }
}

/// Days from 1970-01-01. Counts years from March, so that the leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> CalendarTime {
        CalendarTime {
            year,
            month,
            day,
            hour,
            minute,
            second,
            behind_utc_minutes: 0,
        }
    }

    #[test]
    fn known_moments_have_their_known_numbers() {
        assert_eq!(at(1970, 1, 1, 0, 0, 0).unix_seconds(), 0);
        assert_eq!(at(2000, 2, 29, 12, 0, 0).unix_seconds(), 951_825_600);
        assert_eq!(at(2001, 9, 9, 1, 46, 40).unix_seconds(), 1_000_000_000);
        assert_eq!(at(2038, 1, 19, 3, 14, 8).unix_seconds(), 1 << 31);
        assert_eq!(at(2100, 3, 1, 0, 0, 0).unix_seconds(), 4_107_542_400);
    }

    #[test]
    fn a_zone_behind_utc_adds() {
        let time = CalendarTime {
            behind_utc_minutes: 60,
            ..at(1970, 1, 1, 0, 0, 0)
        };
        assert_eq!(time.unix_seconds(), 3600);
    }

    #[test]
    fn a_dead_clock_shows_nothing() {
        assert_eq!(at(1969, 12, 31, 0, 0, 0).unix_seconds(), 0);
    }
}
