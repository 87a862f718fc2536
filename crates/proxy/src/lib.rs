//! ProxyService: a streaming HTTP reverse proxy as a Tower service
