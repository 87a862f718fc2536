//! Writes the text. The two formats differ in the names of counters, the forms of bounds, the exemplars and the end.
//!
//! `prometheus_client` writes both formats too, but a collector of one's own cannot give it exemplars.

use std::{
    borrow::Cow,
    fmt::Write,
    time::{Duration, SystemTime},
};

use super::Format;
use crate::metrics::{
    histogram::{Exemplar, HistogramValue},
    samples::{Labels, MetricKind, Snapshot, Value, whole},
};

/// The metrics as text. `began` is the moment from which exemplars count.
pub(crate) fn render(snapshot: &Snapshot, format: Format, began: SystemTime) -> String {
    let mut writer = Writer { text: String::new(), format, began };
    for (name, family) in &snapshot.families {
        if family.samples.is_empty() {
            continue;
        }
        let base = name.strip_suffix("_total").unwrap_or(name);
        let called = if format == Format::OpenMetrics { base } else { name };
        writer.head(called, base, &family.help, family.kind);
        for sample in &family.samples {
            match &sample.value {
                Value::Count(count) => writer.line(name, "", &sample.labels, None, &Number::Whole(*count)),
                Value::Seconds(value) | Value::Gauge(value) => {
                    writer.line(name, "", &sample.labels, None, &Number::Real(*value));
                }
                Value::Sum(value) => {
                    writer.line(name, "", &sample.labels, None, &Number::Real(whole(*value)));
                }
                Value::Histogram(histogram) => writer.histogram(name, &sample.labels, histogram),
            }
        }
    }
    if format == Format::OpenMetrics {
        writer.text.push_str("# EOF\n");
    }
    writer.text
}

struct Writer {
    text: String,
    format: Format,
    began: SystemTime,
}

enum Number {
    Whole(u64),
    Real(f64),
}

impl Writer {
    fn head(&mut self, called: &str, base: &str, help: &str, kind: MetricKind) {
        let kind = match kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        self.text.push_str("# HELP ");
        self.text.push_str(called);
        self.text.push(' ');
        // OpenMetrics escapes quotes in help too, 0.0.4 does not.
        self.escaped(help, self.format == Format::OpenMetrics);
        self.text.push_str("\n# TYPE ");
        for part in [called, " ", kind, "\n"] {
            self.text.push_str(part);
        }
        if self.format == Format::OpenMetrics
            && let Some((_, unit @ ("seconds" | "bytes"))) = base.rsplit_once('_')
        {
            for part in ["# UNIT ", called, " ", unit, "\n"] {
                self.text.push_str(part);
            }
        }
    }

    fn histogram(&mut self, name: &str, labels: &Labels, value: &HistogramValue) {
        for (bound, below, exemplar) in value.buckets() {
            self.line(name, "_bucket", labels, Some(&self.bound(bound)), &Number::Whole(below));
            if let Some(exemplar) = exemplar
                && self.format == Format::OpenMetrics
            {
                // It goes behind the line that has just been ended.
                self.text.pop();
                self.exemplar(exemplar);
            }
        }
        self.line(name, "_sum", labels, None, &Number::Real(value.sum()));
        self.line(name, "_count", labels, None, &Number::Whole(value.count()));
    }

    /// A bound is a float in OpenMetrics, `1.0`, and as short as can be in 0.0.4, `1`.
    fn bound(&self, bound: f64) -> Cow<'static, str> {
        match self.format {
            _ if bound.is_infinite() => "+Inf".into(),
            Format::OpenMetrics => format!("{bound:?}").into(),
            Format::Text => bound.to_string().into(),
        }
    }

    fn line(&mut self, name: &str, suffix: &str, labels: &Labels, bound: Option<&str>, value: &Number) {
        self.text.push_str(name);
        self.text.push_str(suffix);
        let mut before = '{';
        for (name, value) in labels {
            self.text.push(before);
            self.text.push_str(name);
            self.text.push_str("=\"");
            value.with(|value| self.escaped(value, true));
            self.text.push('"');
            before = ',';
        }
        if let Some(bound) = bound {
            self.text.push(before);
            for part in ["le=\"", bound, "\""] {
                self.text.push_str(part);
            }
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
        // Writing to a string does not fail.
        let _ = match value {
            Number::Whole(value) => writeln!(self.text, " {value}"),
            Number::Real(value) if value.is_nan() => writeln!(self.text, " NaN"),
            Number::Real(value) if value.is_infinite() => {
                writeln!(self.text, " {}Inf", if *value > 0.0 { '+' } else { '-' })
            }
            Number::Real(value) => writeln!(self.text, " {value}"),
        };
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        let at = self.began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO) + exemplar.at;
        // Writing to a string does not fail.
        let _ = writeln!(
            self.text,
            " # {{trace_id=\"{:032x}\",span_id=\"{:016x}\"}} {} {}.{:03}",
            exemplar.trace_id,
            exemplar.span_id,
            exemplar.value.as_secs_f64(),
            at.as_secs(),
            at.subsec_millis(),
        );
    }

    fn escaped(&mut self, text: &str, quotes: bool) {
        let mut rest = text;
        while let Some(place) = rest.find(['\\', '\n', '"']) {
            let (plain, special) = rest.split_at(place);
            self.text.push_str(plain);
            self.text.push_str(match special.as_bytes().first() {
                Some(b'\\') => "\\\\",
                Some(b'\n') => "\\n",
                _ if quotes => "\\\"",
                _ => "\"",
            });
            // All three are one byte.
            rest = special.get(1..).unwrap_or_default();
        }
        self.text.push_str(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::samples::Samples;

    fn rendered(format: Format) -> String {
        let mut samples = Samples::new(100);
        samples.counter("a_total", "Counts \"x\" \\ and\nmore.", &[("x", "\"quoted\" \\ \n é")], 2);
        samples.gauge("b_bytes", "Is.", &[], 1.5);
        samples.gauge("c", "Is.", &[("x", "nan")], f64::NAN);
        samples.gauge("c", "Is.", &[("x", "max")], f64::INFINITY);
        samples.gauge("c", "Is.", &[("x", "min")], f64::NEG_INFINITY);
        samples.seconds("d_seconds_total", "Is.", &[], 0.25);
        render(&samples.finish(), format, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn both_formats_are_written_as_they_are_defined() {
        assert_eq!(
            rendered(Format::OpenMetrics),
            "# HELP a Counts \\\"x\\\" \\\\ and\\nmore.\n# TYPE a counter\n\
             a_total{x=\"\\\"quoted\\\" \\\\ \\n é\"} 2\n\
             # HELP b_bytes Is.\n# TYPE b_bytes gauge\n# UNIT b_bytes bytes\nb_bytes 1.5\n\
             # HELP c Is.\n# TYPE c gauge\nc{x=\"max\"} +Inf\nc{x=\"min\"} -Inf\nc{x=\"nan\"} NaN\n\
             # HELP d_seconds Is.\n# TYPE d_seconds counter\n# UNIT d_seconds seconds\nd_seconds_total 0.25\n\
             # EOF\n"
        );
        assert_eq!(
            rendered(Format::Text),
            "# HELP a_total Counts \"x\" \\\\ and\\nmore.\n# TYPE a_total counter\n\
             a_total{x=\"\\\"quoted\\\" \\\\ \\n é\"} 2\n\
             # HELP b_bytes Is.\n# TYPE b_bytes gauge\nb_bytes 1.5\n\
             # HELP c Is.\n# TYPE c gauge\nc{x=\"max\"} +Inf\nc{x=\"min\"} -Inf\nc{x=\"nan\"} NaN\n\
             # HELP d_seconds_total Is.\n# TYPE d_seconds_total counter\nd_seconds_total 0.25\n"
        );
    }
}
