//! Durations and sizes, as text with a unit.

use std::time::Duration;

/// The longest duration that is taken: beyond it lies a slip of the pen.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

const DURATION_UNITS: &[(&str, f64)] =
    &[("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 24.0 * 3600.0)];

const SIZE_UNITS: &[(&str, f64)] = &[
    ("B", 1.0),
    ("KiB", 1024.0),
    ("MiB", 1024.0 * 1024.0),
    ("GiB", 1024.0 * 1024.0 * 1024.0),
    ("KB", 1e3),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
];

/// Why a text is no quantity: what is wrong, and how to mend it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadQuantity {
    pub(super) message: &'static str,
    pub(super) help: String,
}

/// `250ms`, `10s`, `1.5m`, `2h`, `1d`, and several of them: `1m30s`.
pub(super) fn duration(text: &str) -> Result<Duration, BadQuantity> {
    let examples = "write `500ms`, `10s`, `1m30s` or `1h`";
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    // A part ends where a digit follows a unit.
    let ends = (1..bytes.len()).filter(|at| is_digit(bytes.get(*at)) && bytes[at - 1].is_ascii_alphabetic());
    let (mut seconds, mut begin, mut above) = (0.0, 0, f64::INFINITY);
    for end in ends.chain([bytes.len()]) {
        let (part, unit) =
            (&text[begin..end], text[begin..end].trim_start_matches(|c: char| !c.is_ascii_alphabetic()));
        let size = DURATION_UNITS.iter().find(|(name, _)| *name == unit).map_or(0.0, |(_, size)| *size);
        seconds += quantity(part, DURATION_UNITS, "s", examples)?;
        if size >= above {
            return Err(BadQuantity {
                message: "does not go from the larger unit to the smaller",
                help: examples.to_owned(),
            });
        }
        (begin, above) = (end, size);
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(BadQuantity { message: "is longer than a year", help: examples.to_owned() }),
    }
}

/// `512B`, `64KiB`, `1MiB`, `10MB`, in bytes.
pub(super) fn size(text: &str) -> Result<u64, BadQuantity> {
    let examples = "write `512B`, `64KiB` or `10MiB`";
    let bytes = quantity(text, SIZE_UNITS, "KiB", examples)?;
    // A float holds whole numbers up to 2^53 exactly.
    if bytes.fract() != 0.0 || bytes > 9e15 {
        return Err(BadQuantity { message: "is not a whole number of bytes", help: examples.to_owned() });
    }
    Ok(bytes as u64)
}

/// A size as it is written, in the largest unit that it is a whole number of.
pub(super) fn in_units(bytes: usize) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
        _ => format!("{bytes}B"),
    }
}

fn quantity(text: &str, units: &[(&str, f64)], usual: &str, examples: &str) -> Result<f64, BadQuantity> {
    let bad = |message, help: String| Err(BadQuantity { message, help });
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let whole =
        number.starts_with(|c: char| c.is_ascii_digit()) && number.ends_with(|c: char| c.is_ascii_digit());
    let number = match number.parse::<f64>() {
        Ok(value) if whole => value,
        _ => return bad("is not a number with a unit", examples.to_owned()),
    };
    if unit.is_empty() {
        return bad("has no unit", format!("is it `{text}{usual}`? {examples}"));
    }
    match units.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => Ok(number * factor),
        None => {
            let names: Vec<_> = units.iter().map(|(name, _)| *name).collect();
            bad("has a unit that is not known", format!("the units are {}; {examples}", names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_written_as_it_is_read() {
        for text in ["1B", "256B", "1023B", "1KiB", "1025B", "64KiB", "1MiB", "1025KiB", "16MiB"] {
            assert_eq!(in_units(usize::try_from(size(text).expect("a size")).expect("fits")), text);
        }
    }

    #[test]
    fn durations_carry_units() {
        for (text, millis) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("1.5m", 90_000),
            ("2h", 7_200_000),
            ("0s", 0),
            ("1m30s", 90_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("1s500ms", 1_500),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "", "10", "s", "10 s", "10sec", "-1s", "1e3s", "1.s", ".5s", "1..2s", "400d", "30s1m", "1s1s",
            "1m30", "1m30x", "∞s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_carry_units() {
        for (text, bytes) in
            [("512B", 512), ("64KiB", 65_536), ("1.5KiB", 1536), ("1MB", 1_000_000), ("1GiB", 1 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["64", "64K", "0.5B", "-1B", "99999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
