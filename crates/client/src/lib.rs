//! Gatewright's connections outward: pool, connector, client TLS and resolver
