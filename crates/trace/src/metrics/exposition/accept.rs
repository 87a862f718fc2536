//! Which format a scraper asks for (RFC 9110, section 12.5.1).

/// A format of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, version 0.0.4.
    Text,
}

/// More elements than this are not read.
const MOST: usize = 32;

impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// The format that an `Accept` asks for. Where it names neither, or likes neither, that is 0.0.4, which everybody
    /// reads.
    pub(crate) fn of(accept: Option<&str>) -> Self {
        let mut open_metrics = Liking::default();
        let mut text = Liking::default();
        for element in accept.unwrap_or_default().split(',').take(MOST) {
            let mut parts = element.split(';').map(str::trim);
            let range = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut version, mut quality) = (None, Some(1000));
            for parameter in parts {
                let Some((name, value)) = parameter.split_once('=') else { continue };
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "version" => version = Some(value),
                    "q" => quality = thousandths(value),
                    _ => {}
                }
            }
            // An element that cannot be read says nothing.
            let Some(quality) = quality else { continue };
            let fits = |known| version.is_none_or(|version| version == known);
            match &*range {
                "application/openmetrics-text" if fits("1.0.0") => open_metrics.named(2, quality),
                "text/plain" if fits("0.0.4") => text.named(2, quality),
                "application/*" => open_metrics.named(1, quality),
                "text/*" => text.named(1, quality),
                "*/*" => {
                    open_metrics.named(0, quality);
                    text.named(0, quality);
                }
                _ => {}
            }
        }
        let (ours, theirs) = (open_metrics.quality(), text.quality());
        let prefers = ours > theirs || (ours == theirs && open_metrics.is_named());
        if ours > 0 && prefers { Self::OpenMetrics } else { Self::Text }
    }
}

/// How much a format is liked. The most specific range that covers it says so.
#[derive(Default)]
struct Liking([Option<u16>; 3]);

impl Liking {
    /// Of several elements of one specificity, the best counts.
    fn named(&mut self, specificity: usize, quality: u16) {
        self.0[specificity] = self.0[specificity].max(Some(quality));
    }

    fn quality(&self) -> u16 {
        self.0.iter().rev().find_map(|quality| *quality).unwrap_or(0)
    }

    fn is_named(&self) -> bool {
        self.0[2].is_some()
    }
}

/// A weight (RFC 9110, section 12.4.2), from 0 to 1 with three digits at most.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, digits) = weight.split_once('.').unwrap_or((weight, ""));
    let is_weight = digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let part = format!("{digits:0<3}").parse::<u16>().ok().filter(|_| is_weight)?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        use Format::{OpenMetrics, Text};
        for (accept, format) in [
            // Prometheus 2.42, and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OpenMetrics,
            ),
            // curl, a browser.
            ("*/*", Text),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Text),
            ("", Text),
            ("text/plain", Text),
            ("text/*", Text),
            ("application/*", OpenMetrics),
            ("application/openmetrics-text", OpenMetrics),
            ("APPLICATION/OpenMetrics-Text ; Version = 1.0.0", OpenMetrics),
            ("application/openmetrics-text; version=\"1.0.0\"", OpenMetrics),
            ("application/openmetrics-text; version=0.0.1", Text),
            ("application/openmetrics-text; version=2.0.0", Text),
            ("application/openmetrics-text;q=0.4, text/plain;q=0.5", Text),
            ("application/openmetrics-text;q=0.5, text/plain;q=0.5", OpenMetrics),
            ("application/openmetrics-text;q=0.001, */*;q=0", OpenMetrics),
            ("application/openmetrics-text;q=0, */*", Text),
            ("application/openmetrics-text;q=0", Text),
            // Weights that are none: the element says nothing.
            ("application/openmetrics-text;q=2, text/plain;q=0.1", Text),
            ("application/openmetrics-text;q=0.1234, text/plain;q=0.1", Text),
            ("application/openmetrics-text;q=-1", Text),
            ("application/openmetrics-text;q=1.000", OpenMetrics),
            ("application/openmetrics-text;q=é", Text),
            (";;;=,,=;q", Text),
        ] {
            assert_eq!(Format::of(Some(accept)), format, "{accept}");
        }
        assert_eq!(Format::of(None), Text);
    }

    #[test]
    fn an_endless_list_is_read_to_a_point() {
        let mut accept = "text/html,".repeat(MOST);
        accept.push_str("application/openmetrics-text");
        assert_eq!(Format::of(Some(&accept)), Format::Text);
        assert_eq!(Format::of(Some(&accept["text/html,".len()..])), Format::OpenMetrics);
    }
}
