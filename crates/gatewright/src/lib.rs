//! Composable Tower layers from which to stack an API gateway in Rust
