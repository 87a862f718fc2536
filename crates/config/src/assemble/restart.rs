//! What a running gateway cannot take on: its sockets and its threads are what they are, and so are the limits that the
//! server was started with.

use super::listeners::{BuiltListener, pair};
use crate::{
    diagnostics::{Diagnostic, Span},
    read::Reader,
    settings::{Listener, Settings, Timeouts},
};

/// Reports each difference that needs a restart.
pub(super) fn check(before: &Settings, listening: &[BuiltListener], after: &Settings, reader: &mut Reader<'_>) {
    listeners(listening, after, reader);
    if before.workers != after.workers {
        let now = match before.workers {
            Some(count) => format!("there are {count} now"),
            None => "there is one a core now".to_owned(),
        };
        report("`workers` cannot change while the gateway runs", &now, after.keys.place("workers"), reader);
    }
    if before.admin != after.admin {
        let message = "`admin` cannot change while the gateway runs";
        report(message, "", after.keys.place("admin"), reader);
    }
    // How long a drain may take is asked when it begins.
    let served = |timeouts: &Timeouts| Timeouts { drain: None, ..timeouts.clone() };
    if served(&before.timeouts) != served(&after.timeouts) {
        let message = "`timeouts` other than `drain` cannot change while the gateway runs";
        report(message, "", after.keys.place("timeouts"), reader);
    }
    if before.client_limits != after.client_limits {
        let message = "`client_limits` cannot change while the gateway runs";
        report(message, "", after.keys.place("client_limits"), reader);
    }
}

fn listeners(listening: &[BuiltListener], after: &Settings, reader: &mut Reader<'_>) {
    let pairs = pair(&after.listeners, listening);
    for (index, built) in listening.iter().enumerate() {
        if !pairs.contains(&Some(index)) {
            let address = built.settings().address.value;
            let message = format!("the gateway listens on `{address}`, and cannot leave it while it runs");
            let place = after.keys.place("listen").or_else(|| after.keys.place("listeners"));
            report(&message, "", place, reader);
        }
    }
    for (listener, before) in after.listeners.iter().zip(pairs) {
        let span = Some(listener.address.span);
        match before.and_then(|index| listening.get(index)).map(BuiltListener::settings) {
            Some(before) => listener_that_stays(before, listener, reader),
            None => {
                let address = listener.address.value;
                let message = format!("the gateway cannot begin to listen on `{address}` while it runs");
                report(&message, "", span, reader);
            }
        }
    }
}

fn listener_that_stays(before: &Listener, after: &Listener, reader: &mut Reader<'_>) {
    let span = Some(after.address.span);
    let address = after.address.value;
    if before.tls.is_some() != after.tls.is_some() {
        let (verb, now) = if after.tls.is_some() { ("begin", "cleartext") } else { ("end", "TLS") };
        let message = format!("`{address}` cannot {verb} to speak TLS while the gateway runs");
        report(&message, &format!("it speaks {now} now"), span, reader);
    }
    if before.name != after.name {
        let message = format!("the `name` of `{address}` cannot change while the gateway runs");
        report(&message, "", span, reader);
    }
    if before.proxy_protocol != after.proxy_protocol {
        let message = format!("the `proxy_protocol` of `{address}` cannot change while the gateway runs");
        report(&message, "", span, reader);
    }
}

fn report(message: &str, now: &str, span: Option<Span>, reader: &mut Reader<'_>) {
    let place = span.map(|span| reader.place(span));
    let now = if now.is_empty() { String::new() } else { format!("{now}: ") };
    let help = format!("{now}restart it, or take this change back so that the others can be reloaded");
    reader.report(Diagnostic::error(place, message)).help(help);
}
