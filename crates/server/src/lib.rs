//! Listeners for an API gateway: TLS, HTTP/1 and HTTP/2, strict framing, limits and graceful drain
