//! The records of the log, as the members of a JSON object without its braces.

use std::{net::IpAddr, time::Duration};

use gatewright_core::{PolicyDecision, PolicyVerdict, ids::Hex};
use serde::{Serialize, Serializer};

use crate::{
    EndedRequest, RefusedRequest,
    access_log::{line::Printable, timestamp::Timestamp},
};

/// What is known of the request that was decided about.
#[derive(Clone, Copy, Default)]
pub(super) struct Request<'a> {
    ago: Duration,
    request_id: Option<&'a str>,
    trace_id: Option<u128>,
    route: Option<&'a str>,
    principal: Option<&'a str>,
    client: Option<IpAddr>,
    config: Option<&'a str>,
}

/// A decision about a request.
#[derive(Serialize)]
struct Record<'a> {
    ts: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "trace_id")]
    trace_id: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    policy: &'a str,
    decision: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a str>,
}

/// What became of the log itself.
#[derive(Serialize, Default)]
pub(super) struct Event<'a> {
    pub(super) event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<&'a str>,
    /// The log of this program; a random text, so that no two logs begin alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) config: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requests: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) every: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sig: Option<&'a str>,
}

#[derive(Serialize)]
struct Dated<'a> {
    ts: Timestamp,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl<'a> Request<'a> {
    pub(super) fn ended(request: &EndedRequest<'a>, config: Option<&'a str>) -> Self {
        Self {
            ago: request.duration(),
            request_id: request.request_id().and_then(|id| id.to_str().ok()),
            trace_id: request.span().map(|span| span.trace_id()),
            route: request.route().map(|route| route.as_str()),
            principal: request.principal().map(|principal| principal.id()),
            client: request.client(),
            config,
        }
    }

    pub(super) fn refused(request: &RefusedRequest<'a>, config: Option<&'a str>) -> Self {
        Self { request_id: request.0.request_id, client: request.0.client, config, ..Self::default() }
    }

    /// Appends the record of a policy's decision, and a newline.
    pub(super) fn decided(&self, decision: &PolicyDecision, records: &mut Vec<u8>) {
        let verdict = match decision.verdict {
            PolicyVerdict::Admitted => "admitted",
            PolicyVerdict::Refused => "refused",
            PolicyVerdict::Answered => "answered",
            _ => "other",
        };
        self.append(&decision.policy, verdict, decision.reason.as_deref(), records);
    }

    /// Appends a record, and a newline.
    pub(super) fn append(&self, policy: &str, decision: &str, reason: Option<&str>, records: &mut Vec<u8>) {
        let record = Record {
            ts: Timestamp::of(self.ago),
            request_id: self.request_id,
            trace_id: self.trace_id,
            route: self.route,
            policy,
            decision,
            reason,
            principal: self.principal,
            client: self.client,
            config: self.config,
        };
        members(&record, records);
        records.push(b'\n');
    }
}

impl Event<'_> {
    /// The members of an event that happens now.
    pub(super) fn members(&self) -> Vec<u8> {
        let mut text = Vec::new();
        members(&Dated { ts: Timestamp::of(Duration::ZERO), event: self }, &mut text);
        text
    }
}

/// Appends a value's members, without the braces around them. They hold no line break, whatever a client wrote.
fn members(value: &impl Serialize, text: &mut Vec<u8>) {
    let begin = text.len();
    let mut serializer = serde_json::Serializer::with_formatter(&mut *text, Printable);
    // A Vec takes anything, and these structs are objects of texts and numbers.
    if value.serialize(&mut serializer).is_err() {
        text.truncate(begin);
        return;
    }
    text.pop();
    text.remove(begin);
}

fn trace_id<S: Serializer>(id: &Option<u128>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(Hex::<32>::new(id.unwrap_or_default()).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_whatever_clients_write() {
        let nasty = "a\n\",\"hash\":\"0\"}\r\u{2028}\u{1b}[31m\u{7f}";
        let request = Request { request_id: Some(nasty), principal: Some(nasty), ..Request::default() };
        let mut text = Vec::new();
        request.append("auth", "refused", Some(nasty), &mut text);
        let text = String::from_utf8(text).expect("UTF-8");
        let line = text.strip_suffix('\n').expect("a newline ends it");
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{2028}'), "{line:?}");
        let read: serde_json::Value = serde_json::from_str(&format!("{{{line}}}")).expect("JSON");
        assert_eq!((&read["principal"], &read["reason"]), (&nasty.into(), &nasty.into()));
    }
}
