//! TraceLayer: request ids, W3C trace context and a JSON access log for any Tower service
