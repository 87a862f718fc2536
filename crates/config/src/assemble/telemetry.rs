//! Traces: the exporter of spans, and what the layer around the router is told of them.

use gatewright_trace::{Otlp, OtlpBuilder, TraceLayer};

use crate::{
    read::Reader,
    settings::{self, Settings},
};

/// The exporter, with all that it was built of.
#[derive(Clone)]
pub(super) struct Exporter {
    settings: settings::Telemetry,
    ca: Option<Vec<u8>>,
    pub(super) otlp: Otlp,
}

/// Whether an exporter could be started.
pub(super) fn check(settings: &settings::Telemetry, reader: &mut Reader<'_>) {
    let Some(ca) = contents(settings, reader) else { return };
    if let Some(builder) = builder(settings, ca.as_deref())
        && let Err(error) = builder.check()
    {
        report(settings, &error, reader);
    }
}

/// The exporter, which is the one of before when nothing of it has changed. `None` inside when there is to be none, outside when
/// what is wrong was reported.
pub(super) fn start(
    settings: &settings::Telemetry,
    before: Option<&Exporter>,
    reader: &mut Reader<'_>,
) -> Option<Option<Exporter>> {
    let ca = contents(settings, reader)?;
    let Some(builder) = builder(settings, ca.as_deref()) else { return Some(None) };
    if let Some(before) = before.filter(|before| before.ca == ca && is_same(&before.settings, settings)) {
        return Some(Some(before.clone()));
    }
    match builder.build() {
        Ok(otlp) => Some(Some(Exporter { settings: settings.clone(), ca, otlp })),
        Err(error) => {
            report(settings, &error, reader);
            None
        }
    }
}

/// The layer with what the file says of traces, without observers yet.
pub(super) fn layer(settings: &Settings) -> TraceLayer {
    let settings::Telemetry { sample, trust, baggage, .. } = &settings.telemetry;
    let mut layer = TraceLayer::new();
    if let Some(share) = sample {
        layer = layer.sample(*share);
    }
    if let Some(trust) = trust {
        layer = layer.trust_traces(*trust);
    }
    if let Some(trust) = baggage {
        layer = layer.trust_baggage(*trust);
    }
    for listener in &settings.listeners {
        if let Some(trust) = listener.trust_traces {
            layer = layer.trust_traces_on(&listener.called(), trust);
        }
    }
    layer
}

/// Whether two exporters would be the same. Where a value stands in the file does not matter, nor what the layer is told.
fn is_same(before: &settings::Telemetry, after: &settings::Telemetry) -> bool {
    let url = |telemetry: &settings::Telemetry| telemetry.otlp.as_ref().map(|url| url.value.clone());
    let of_exporter = |telemetry: &settings::Telemetry| settings::Telemetry {
        otlp: None,
        ca: None,
        sample: None,
        trust: None,
        baggage: None,
        ..telemetry.clone()
    };
    url(before) == url(after) && of_exporter(before) == of_exporter(after)
}

/// The authorities in their file.
fn contents(settings: &settings::Telemetry, reader: &mut Reader<'_>) -> Option<Option<Vec<u8>>> {
    settings::optional(settings.ca.as_ref().map(|file| reader.contents(file)))
}

fn builder(settings: &settings::Telemetry, ca: Option<&[u8]>) -> Option<OtlpBuilder> {
    let mut builder = Otlp::builder(&settings.otlp.as_ref()?.value).late_failures(settings.failures);
    if let Some(protocol) = settings.protocol {
        builder = builder.protocol(protocol);
    }
    if let Some(name) = &settings.service {
        builder = builder.service(name);
    }
    for (key, value) in &settings.attributes {
        builder = builder.attribute(key, value);
    }
    for (name, value) in &settings.headers {
        builder = builder.header(name.as_str(), value.expose());
    }
    if let Some(pem) = ca {
        builder = builder.ca(pem);
    }
    if let Some(timeout) = settings.timeout {
        builder = builder.timeout(timeout);
    }
    if let Some(spans) = settings.queue {
        builder = builder.queue(spans);
    }
    Some(builder)
}

fn report(settings: &settings::Telemetry, error: &gatewright_trace::OtlpError, reader: &mut Reader<'_>) {
    let file = settings.ca.as_ref().filter(|_| error.field() == Some("ca")).map(|file| file.span);
    let place = file.or_else(|| settings.otlp.as_ref().map(|url| url.span));
    match place {
        Some(span) => drop(reader.error(span, error.to_string())),
        None => drop(reader.report(crate::diagnostics::Diagnostic::error(None, error.to_string()))),
    }
}
