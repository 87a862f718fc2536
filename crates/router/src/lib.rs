//! RouterService: host, path, method, header and query to a stacked Tower service
