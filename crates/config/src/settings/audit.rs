//! The audit log.

use std::{path::PathBuf, time::Duration};

use crate::{
    read::{Map, Number, Reader, Size, Usual, Value, value},
    syntax::Node,
    vocabulary::{Relation, Rule, Shape, choice, long_form, map},
};

long_form! {
    /// A record of each decision of a policy, in a chain of hashes. See [the audit log](../guide/audit-log.md).
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Audit {
        title: "`audit`";
        name: "audit";
        smallest: "{file: audit.log}";

        /// Where the records go, each after those that are there. `FILE.state` beside it says how far the log has come.
        file: required PathBuf, "audit.log", alias ["path"];
        /// Whether each line holds the hash of the line before it, so that `gatewright audit verify` finds what was changed.
        chain: default bool = true, "off", absent "`on`";
        /// Which admissions have a record: all, or those of some policies. Refusals always have one.
        admissions: default Admitted, "[auth, rate-limit]", absent "`off`";
        /// What becomes of requests while the log cannot be written, when the disk is full say: they are refused with 503, or they
        /// go on, and records that find no room are counted and lost.
        on_failure: default WhenUnwritten = true, "go_on", absent "`refuse`", alias ["when_down", "on_error", "fail"];
        /// Marks by which the end of the log can be checked.
        checkpoint: optional Checkpoint, "{key: audit-key.pem}", alias ["checkpoints", "sign"];
        /// Whether the system is asked to put records on the disk at once (`fdatasync`). No request waits for it.
        sync: default bool = true, "off", absent "`on`", alias ["fsync"];
        /// The records that may wait to be written. When more wait, `on_failure` says what becomes of requests.
        capacity: optional Capacity, "64MiB", absent "16MiB", alias ["buffer"];
    }
}

map! {
    /// Marks by which the end of the log can be checked: signed lines, or places to keep elsewhere.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Checkpoint {
        title: "`checkpoint`";
        name: "audit_checkpoint";
        smallest: "{key: audit-key.pem}";
        rules: [
            Rule::new(Relation::AtLeastOne(&["key", "print"]))
                .missing("name a key, `key: audit-key.pem`, or have checkpoints printed: `print: on`"),
        ];

        /// A private Ed25519 key in PEM (PKCS#8), which signs a line of the log.
        key: optional PathBuf, "audit-key.pem", alias ["private_key", "key_file"];
        /// Whether each checkpoint is printed to stderr as `audit checkpoint SEQ:HASH`, to be kept where nobody who can write the log
        /// can change it.
        print: default bool, "on", absent "`off`";
        /// After how many lines the next one is due.
        lines: optional Number<u32, 2, 1_000_000>, "10000", absent "1000", alias ["every", "records"];
        /// After how much time the next one is due, also when there is no new line to sign.
        interval: optional Duration, "10s", absent "60s";
    }
}

choice! {
    /// Whether requests are refused while the log cannot be written.
    pub(crate) struct WhenUnwritten, "what becomes of requests meanwhile": bool { "refuse" => true, "go_on" => false }
}

choice! {
    /// The policies that a file can make.
    pub(crate) struct PolicyName, "the name of a policy": &'static str {
        "auth" => "auth",
        "rate-limit" => "rate-limit",
        "ip-filter" => "ip-filter",
        "body-limit" => "body-limit",
        "concurrency-limit" => "concurrency-limit",
        "rewrite" => "rewrite",
        "redirect_https" => "redirect_https",
    }
}

/// Which admissions have a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Admitted {
    #[default]
    None,
    All,
    Of(Vec<&'static str>),
}

impl Value for Admitted {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Shape::Flag, Shape::List(&PolicyName::SHAPE)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if Reader::is_off(node) {
            Some(Self::None)
        } else if Reader::is_on(node) {
            Some(Self::All)
        } else {
            Vec::<PolicyName>::read(node, reader).map(Self::Of)
        }
    }
}

/// An audit log, or none.
pub(crate) struct AuditOrOff;

/// The bytes of records that may wait.
pub(crate) struct Capacity;

value! {
    AuditOrOff: Option<Audit> = Shape::Any(&[Shape::Off, Shape::Map(Audit::SECTION)]), |node, reader| {
        if Reader::is_off(node) { Some(None) } else { Audit::read_long(node, reader).map(Some) }
    };
    Capacity: usize = Size::SHAPE, |node, reader| reader.bound(node, &USUAL_CAPACITY);
}

const USUAL_CAPACITY: Usual = Usual {
    least: 64 << 10,
    most: 1 << 30,
    if_less: "a burst of refusals fills it while the disk is only slow",
    if_more: "the gateway may hold so much while the log cannot be written",
};

impl Audit {
    /// Whether one running log can be both: who decides what is recorded may change, how it is written may not.
    pub(crate) fn is_written_like(&self, other: &Self) -> bool {
        let written = |it: &Self| Self { admissions: Admitted::None, on_failure: true, ..it.clone() };
        written(self) == written(other)
    }
}
