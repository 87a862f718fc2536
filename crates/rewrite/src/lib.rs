//! RewriteLayer: paths, hosts and headers rewritten, and redirects, for any Tower service
