//! Those who watch the requests.

use std::sync::Arc;

use gatewright_trace::{AccessLog, Observers, audit::AuditLog};

use super::{
    RouteStack, access_log, audit,
    telemetry::{self, Exporter},
};
use crate::{read::Reader, settings::Settings};

/// Those who watch the requests for as long as the configuration asks for them.
#[derive(Clone)]
pub(super) struct Observation {
    pub(super) access_log: Option<AccessLog>,
    pub(super) audit: Option<AuditLog>,
    pub(super) exporter: Option<Exporter>,
}

impl Observation {
    /// Opens the logs and starts the exporter of spans, or takes them over from `before`, the settings of now and what was opened for them. The text of the configuration
    /// is for its hash in the audit log. `None` when something was reported.
    pub(super) fn open(
        settings: &Settings,
        before: Option<(&Settings, &Self)>,
        text: &str,
        routes: &[RouteStack],
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let exporter_before = before.and_then(|(_, logs)| logs.exporter.as_ref());
        let exporter = telemetry::start(&settings.telemetry, exporter_before, reader)?;
        let access_log = match before {
            Some((running, logs)) => {
                access_log::reopen((running, logs.access_log.as_ref()), settings, routes, reader)?
            }
            None => access_log::open(settings, routes, reader)?,
        };
        let audit_before = before.and_then(|(running, logs)| Some((running, logs.audit.as_ref()?)));
        let audit = audit::open(settings, audit_before, text, reader)?;
        Some(Self { access_log, audit, exporter })
    }

    /// All of them, the access log first.
    pub(super) fn observers(&self) -> Observers {
        let log = self.access_log.clone().map(|log| Arc::new(log) as _);
        let audit = self.audit.clone().map(|audit| Arc::new(audit) as _);
        let otlp = self.exporter.as_ref().map(|exporter| Arc::new(exporter.otlp.clone()) as _);
        log.into_iter().chain(audit).chain(otlp).fold(Observers::default(), Observers::and)
    }
}
