//! Gatewright's YAML file: read, checked and assembled into a gateway
