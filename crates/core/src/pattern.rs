//! Patterns of paths.
