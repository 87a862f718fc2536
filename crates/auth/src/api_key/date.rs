//! The ends of keys, as dates and times.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 60 * 60;

/// Reads a date (`2027-06-30`: to the end of that day, UTC) or a time (`2027-06-30T12:00:00Z`, RFC 3339, without
/// fractions).
pub(super) fn end(text: &str) -> Option<SystemTime> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        None => (text, None),
        Some((date, time)) => (date, Some(time)),
    };
    let midnight = days(date)? * DAY;
    let seconds = match time {
        None => midnight + DAY,
        Some(time) => {
            let (clock, offset) = split_offset(time)?;
            let [hours, minutes, seconds] = fields(clock, ':', [2, 2, 2])?;
            if hours > 23 || minutes > 59 || seconds > 59 {
                return None;
            }
            (midnight + hours * 3600 + minutes * 60 + seconds).checked_add_signed(-offset)?
        }
    };
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// The last day before this end, as a keys file writes it.
pub(super) fn last_day(end: SystemTime) -> String {
    let seconds = end.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let day = seconds.saturating_sub(1) / DAY;
    // If years begin in March, the leap day is the last day, and every 400 years have the same number of days.
    let since = day + 719_468;
    let (cycle, day) = (since / 146_097, since % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (year * 365 + year / 4 - year / 100);
    let month = (day * 5 + 2) / 153;
    let day = day - (month * 153 + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", cycle * 400 + year + later)
}

/// The clock time, and the seconds by which it is ahead of UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let [hours, minutes] = fields(&time[at + 1..], ':', [2, 2])?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    let ahead = (hours * 3600 + minutes * 60) as i64;
    Some((&time[..at], if time[at..].starts_with('-') { -ahead } else { ahead }))
}

/// The days from 1970-01-01 to a date of the Gregorian calendar. `None` before 1970.
fn days(date: &str) -> Option<u64> {
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || day == 0 || day > length {
        return None;
    }
    // If years begin in March, the leap day is the last day.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    before.checked_sub(719_468)
}

/// Reads separated numbers with the given numbers of digits.
fn fields<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        Some(end(text)?.duration_since(UNIX_EPOCH).expect("after 1970").as_secs())
    }

    #[test]
    fn a_date_ends_with_its_day_and_a_time_at_once() {
        assert_eq!(seconds("1970-01-01"), Some(DAY));
        assert_eq!(seconds("2000-02-29"), Some(951_868_800));
        assert_eq!(seconds("2027-06-30"), Some(1_814_400_000));
        assert_eq!(seconds("2027-06-30T12:00:00Z"), Some(1_814_356_800));
        assert_eq!(seconds("2027-06-30T12:00:00+02:00"), Some(1_814_349_600));
        assert_eq!(seconds("2027-06-30 12:00:00-00:30"), Some(1_814_358_600));
        assert_eq!(seconds("9999-12-31"), Some(253_402_300_800));
        // The latest clock and the furthest offset.
        assert_eq!(seconds("2027-06-30T23:59:59Z"), Some(1_814_399_999));
        assert_eq!(seconds("2027-06-30T23:59:00+23:59"), Some(1_814_313_600));
    }

    #[test]
    fn the_last_day_of_a_date_is_that_date() {
        for day in 0..200_000 {
            let end = UNIX_EPOCH + Duration::from_secs((day + 1) * DAY);
            assert_eq!(super::end(&last_day(end)), Some(end), "{day}");
        }
        let at = |text| last_day(end(text).expect("a time"));
        assert_eq!(at("2024-02-29"), "2024-02-29");
        assert_eq!(at("2027-06-30T12:00:00Z"), "2027-06-30");
        assert_eq!(at("2027-06-30T00:00:00Z"), "2027-06-29");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "never",
            "2027",
            "2027-6-30",
            "2027-02-29",
            "2100-02-29",
            "2027-13-01",
            "2027-00-01",
            "2027-01-00",
            "1969-12-31",
            "2027-06-30T",
            "2027-06-30T12:00:00",
            "2027-06-30T24:00:00Z",
            "2027-06-30T12:00Z",
            "2027-06-30T12:00:00+2",
            "30.06.2027",
            "2027-06-30T12:00:00+é",
            "1970-01-01T00:00:00+01:00",
            "+027-06-30",
            "2027-06-30-01",
            "２０２７-06-30",
        ] {
            assert_eq!(end(text), None, "{text:?}");
        }
    }
}
