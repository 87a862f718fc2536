//! Warnings about a TLS configuration: probable mistakes, and certificates that expire soon.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime},
};

use gatewright_core::{CertificateFacts, IdentityFault, RevocationListFacts};
use rustls::pki_types::CertificateDer;

use super::revocation::Lists;

/// How often the log repeats the warnings about expiry, while there are handshakes.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// The doubtful parts of a configuration.
#[derive(Debug)]
pub(super) struct Doubts {
    fixed: Vec<String>,
    certificates: Vec<(String, CertificateFacts)>,
    lists: Vec<(String, RevocationListFacts)>,
    since: Instant,
    /// The time of the next warning, in seconds since `since`.
    next: AtomicU64,
}

impl Default for Doubts {
    fn default() -> Self {
        let next = AtomicU64::new(EVERY.as_secs());
        Self { fixed: Vec::new(), certificates: Vec::new(), lists: Vec::new(), since: Instant::now(), next }
    }
}

impl Doubts {
    /// Notes a chain.
    pub(super) fn certificates(&mut self, label: &str, chain: &[CertificateDer<'_>]) {
        let chain: Vec<_> =
            chain.iter().filter_map(|certificate| CertificateFacts::read(certificate)).collect();
        self.fixed.extend(IdentityFault::order_doubt(&chain, label));
        let names = chain.first().and_then(CertificateFacts::name_doubt);
        self.fixed.extend(names.map(|doubt| format!("the certificate in {label} {doubt}")));
        self.certificates.extend(chain.into_iter().enumerate().map(|(index, facts)| {
            let what = match index {
                0 => format!("the certificate in {label}"),
                _ => format!("certificate {} in {label}", index + 1),
            };
            (what, facts)
        }));
    }

    /// Notes a certificate that no client will get.
    pub(super) fn never_served(&mut self, label: &str) {
        self.fixed.push(format!(
            "the certificate in {label} is never served: an earlier one with a key of the same kind has each of its DNS names. Leave it \
             out, or give it other names"
        ));
    }

    /// Notes the certificate of an authority, or a client's certificate that is named itself.
    pub(super) fn authority(&mut self, label: &str, certificate: &CertificateDer<'_>) {
        let Some(facts) = CertificateFacts::read(certificate) else { return };
        let what = format!("the certificate of `{}` in {label}", facts.shown_subject());
        self.fixed.extend(facts.flaw().map(|flaw| format!("{what} {flaw}")));
        self.certificates.push((what, facts));
    }

    /// Notes revocation lists.
    pub(super) fn lists(&mut self, lists: &Lists<'_>) {
        self.fixed.extend(lists.gaps());
        self.lists.extend(lists.that_count());
    }

    /// All doubts at this time.
    pub(super) fn at(&self, now: SystemTime) -> Vec<String> {
        let mut all = self.fixed.clone();
        all.extend(self.dated(now));
        all
    }

    fn dated(&self, now: SystemTime) -> impl Iterator<Item = String> {
        let certificates = self.certificates.iter().map(move |(what, facts)| (what, facts.doubt(now)));
        let lists = self.lists.iter().map(move |(what, facts)| (what, facts.doubt(now)));
        certificates.chain(lists).filter_map(|(what, doubt)| Some(format!("{what} {}", doubt?)))
    }

    /// Warns in the log of certificates near their end, once an hour. The first hour is left to the program that loads the
    /// configuration.
    pub(super) fn tell(&self) {
        let (next, now) = (self.next.load(Ordering::Relaxed), self.since.elapsed().as_secs());
        let later = now.saturating_add(EVERY.as_secs());
        if now < next || self.next.compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        self.dated(SystemTime::now()).for_each(|doubt| tracing::warn!("{doubt}"));
    }
}
