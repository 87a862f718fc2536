//! Those who watch the requests.

use std::sync::Arc;

use gatewright_trace::{AccessLog, Observers, audit::AuditLog};

use super::{RouteStack, access_log, audit};
use crate::{read::Reader, settings::Settings};

/// Those who watch the requests for as long as the configuration asks for them.
#[derive(Clone)]
pub(super) struct Observation {
    pub(super) access_log: Option<AccessLog>,
    pub(super) audit: Option<AuditLog>,
}

impl Observation {
    /// Opens the logs, or takes them over from `before`, the settings of now and their logs. The text of the configuration
    /// is for its hash in the audit log. `None` when something was reported.
    pub(super) fn open(
        settings: &Settings,
        before: Option<(&Settings, &Self)>,
        text: &str,
        routes: &[RouteStack],
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let access_log = match before {
            Some((running, logs)) => {
                access_log::reopen((running, logs.access_log.as_ref()), settings, routes, reader)?
            }
            None => access_log::open(settings, routes, reader)?,
        };
        let audit_before = before.and_then(|(running, logs)| Some((running, logs.audit.as_ref()?)));
        let audit = audit::open(settings, audit_before, text, reader)?;
        Some(Self { access_log, audit })
    }

    /// All of them, the access log first.
    pub(super) fn observers(&self) -> Observers {
        let log = self.access_log.clone().map(|log| Arc::new(log) as _);
        let audit = self.audit.clone().map(|audit| Arc::new(audit) as _);
        log.into_iter().chain(audit).fold(Observers::default(), Observers::and)
    }
}
