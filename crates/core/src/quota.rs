//! How much, how often.

use std::{fmt, str::FromStr, time::Duration};

/// How much, how often: a number of units per period, and how many of them at once (the burst).
///
/// A quota stands for a bucket that holds the burst and refills evenly, at the rate of its units per period. It is
/// written `100/min`, `5000/day`, `10/30s`, or with its burst `100/min burst 20`.
///
/// ```
/// use gatewright_core::Quota;
///
/// let quota = Quota::per_minute(100).burst(20);
/// assert_eq!("100/min burst 20".parse(), Ok(quota));
/// // All at once, when no burst is said.
/// assert_eq!(Quota::per_minute(100).burst_size(), 100);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    units: u32,
    period: Duration,
    burst: u32,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest period: 366 days.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Quota {
    /// So many units per second, and as many at once.
    ///
    /// # Panics
    ///
    /// When `units` is zero.
    pub const fn per_second(units: u32) -> Self {
        Self::per(units, SECOND)
    }

    /// So many units per minute, and as many at once.
    ///
    /// # Panics
    ///
    /// When `units` is zero.
    pub const fn per_minute(units: u32) -> Self {
        Self::per(units, MINUTE)
    }

    /// So many units per hour, and as many at once.
    ///
    /// # Panics
    ///
    /// When `units` is zero.
    pub const fn per_hour(units: u32) -> Self {
        Self::per(units, HOUR)
    }

    /// So many units per day of 24 hours, and as many at once.
    ///
    /// # Panics
    ///
    /// When `units` is zero.
    pub const fn per_day(units: u32) -> Self {
        Self::per(units, DAY)
    }

    /// So many units per period, and as many at once.
    ///
    /// # Panics
    ///
    /// When `units` is zero, and when the period is shorter than a millisecond or longer than 366 days.
    pub const fn per(units: u32, period: Duration) -> Self {
        assert!(units > 0, "a quota has at least one unit");
        assert!(is_period(period), "a quota's period is a millisecond at least and 366 days at most");
        Self { units, period, burst: units }
    }

    /// Sets how many units the bucket holds, and so how many may go at once.
    ///
    /// # Panics
    ///
    /// When `burst` is zero.
    #[must_use]
    pub const fn burst(self, burst: u32) -> Self {
        assert!(burst > 0, "a quota's burst is one unit at least");
        Self { burst, ..self }
    }

    /// The units of a period.
    pub const fn units(&self) -> u32 {
        self.units
    }

    /// The period.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// How many units the bucket holds.
    pub const fn burst_size(&self) -> u32 {
        self.burst
    }
}

const fn is_period(period: Duration) -> bool {
    period.as_nanos() >= 1_000_000 && period.as_nanos() <= LONGEST.as_nanos()
}

/// The text is no quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAQuota(());

impl fmt::Display for NotAQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a rate such as 100/min, 5000/day or 10/30s, above zero")
    }
}

impl std::error::Error for NotAQuota {}

impl FromStr for Quota {
    type Err = NotAQuota;

    fn from_str(text: &str) -> Result<Self, NotAQuota> {
        let (rate, burst) = match text.split_once(" burst ") {
            Some((rate, burst)) => (rate, Some(number(burst)?)),
            None => (text, None),
        };
        let (units, period) = rate.split_once('/').ok_or(NotAQuota(()))?;
        let quota = Self::per(number(units)?, read_period(period.trim()).ok_or(NotAQuota(()))?);
        Ok(burst.map_or(quota, |burst| quota.burst(burst)))
    }
}

/// A whole number above zero.
fn number(text: &str) -> Result<u32, NotAQuota> {
    text.trim().parse().ok().filter(|number| *number > 0).ok_or(NotAQuota(()))
}

/// A unit of time, perhaps with a number before it.
fn read_period(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let count = match &text[..text.len() - unit.len()] {
        "" => 1,
        count => count.parse::<u32>().ok()?,
    };
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" | "sec" | "second" => SECOND,
        "m" | "min" | "minute" => MINUTE,
        "h" | "hour" => HOUR,
        "d" | "day" => DAY,
        _ => return None,
    };
    unit.checked_mul(count).filter(|period| is_period(*period))
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.units)?;
        match self.period {
            SECOND => f.write_str("s")?,
            MINUTE => f.write_str("min")?,
            HOUR => f.write_str("h")?,
            DAY => f.write_str("day")?,
            period if period.subsec_nanos() == 0 => write!(f, "{}s", period.as_secs())?,
            period => write!(f, "{}ms", period.as_millis())?,
        }
        if self.burst != self.units {
            write!(f, " burst {}", self.burst)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        for quota in [
            Quota::per_second(1000),
            Quota::per_minute(100).burst(20),
            Quota::per_hour(5),
            Quota::per_day(10_000).burst(1),
            Quota::per(3, Duration::from_secs(30)),
            Quota::per(3, Duration::from_millis(1500)),
        ] {
            assert_eq!(quota.to_string().parse(), Ok(quota), "{quota}");
        }
        assert_eq!("100 / minute".parse(), Ok(Quota::per_minute(100)));
    }

    #[test]
    fn what_is_no_quota_is_refused() {
        for text in [
            "",
            "100",
            "100/",
            "/min",
            "0/s",
            "-1/s",
            "1.5/s",
            "100/fortnight",
            "100/0s",
            "1/367day",
            "5/min burst 0",
            "4294967296/s",
            "1/99999999999s",
            "100/min burst",
            "100/min 20",
        ] {
            assert!(text.parse::<Quota>().is_err(), "{text:?}");
        }
    }
}
