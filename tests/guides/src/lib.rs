//! The code of the guides, which `cargo test --doc -p guides` compiles and runs. Each crate does so with its own README, and the
//! program of the tree's README is an example.

macro_rules! pages {
    ($($name:ident: $file:literal),* $(,)?) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../../", $file))]
            struct $name;
        )*
    };
}

// Those that show code; a test says which is missing.
pages! {
    Addresses: "docs/guide/allow-and-deny-addresses.md",
    AuditLog: "docs/guide/audit-log.md",
    Authenticator: "docs/guide/write-an-authenticator.md",
    Axum: "docs/guide/embed-in-axum.md",
    Certificates: "docs/guide/require-client-certificates.md",
    Failures: "docs/guide/when-a-service-fails.md",
    Features: "docs/guide/features.md",
    Hyper: "docs/guide/embed-in-hyper.md",
    KeysFile: "docs/guide/keys-file.md",
    Layer: "docs/guide/write-a-layer.md",
    Limits: "docs/guide/limit-by-user.md",
    LogFields: "docs/guide/log-fields.md",
    SharedLimits: "docs/guide/share-limits-between-nodes.md",
    TestAStack: "docs/guide/test-a-stack.md",
}
