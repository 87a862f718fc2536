//! The one canonical form of a path.
