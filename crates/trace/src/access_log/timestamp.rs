//! RFC 3339 in UTC with milliseconds, on the stack.

use std::{
    str,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, Serializer};

const SECONDS_A_DAY: u64 = 86_400;

/// `2026-11-24T03:17:42.123Z`
pub(crate) struct Timestamp([u8; 24]);

impl Timestamp {
    /// The moment that lies `ago` in the past.
    pub(crate) fn of(ago: Duration) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_epoch(since_epoch.saturating_sub(ago))
    }

    fn from_epoch(time: Duration) -> Self {
        let seconds = time.as_secs();
        let (year, month, day) = civil(seconds / SECONDS_A_DAY);
        let second = seconds % SECONDS_A_DAY;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |end: usize, width: usize, mut value: u64| {
            for digit in text[end - width..end].iter_mut().rev() {
                *digit = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(4, 4, year);
        put(7, 2, month);
        put(10, 2, day);
        put(13, 2, second / 3600);
        put(16, 2, second / 60 % 60);
        put(19, 2, second % 60);
        put(23, 3, time.subsec_millis().into());
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar. Years begin in March
/// here, so that the leap day is the last of its year (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097); // 400 years each
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_right() {
        let cases = [
            (0, 0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, 999, "2000-02-28T23:59:59.999Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.001Z"),
            (951_868_800, 0, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800, 50, "2024-02-29T00:00:00.050Z"),
            (1_735_689_599, 0, "2024-12-31T23:59:59.000Z"),
            (1_764_000_000, 0, "2025-11-24T16:00:00.000Z"),
            (4_107_542_399, 0, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000Z"),
        ];
        for (seconds, millis, text) in cases {
            let time = Duration::from_secs(seconds) + Duration::from_millis(millis);
            assert_eq!(Timestamp::from_epoch(time).as_str(), text);
        }
    }
}
