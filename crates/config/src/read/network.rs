//! Addresses, networks and targets.

use std::net::{IpAddr, SocketAddr};

use super::{
    Reader,
    target::{Form, Target, parse_target},
};
use crate::{
    diagnostics::Spanned,
    syntax::{Node, shorten},
};

impl Reader<'_> {
    /// The address of a listener.
    pub(crate) fn address(&mut self, node: &Node) -> Option<Spanned<SocketAddr>> {
        let text = self.text(node, "an address such as `0.0.0.0:8080`")?;
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(Spanned::new(address, node.span));
        }
        let port_of = |text: &str| text.parse::<u16>().ok();
        let help = if let Some(port) = text.strip_prefix(':').or(Some(text)).and_then(port_of) {
            format!("write `0.0.0.0:{port}` for all addresses, `127.0.0.1:{port}` for this machine alone")
        } else if text.parse::<IpAddr>().is_ok() {
            format!(
                "a port is missing: `{}`",
                if text.contains(':') { format!("[{text}]:8080") } else { format!("{text}:8080") }
            )
        } else if let Some(port) = text.strip_prefix("localhost:").and_then(port_of) {
            format!("a listener has an IP address: `127.0.0.1:{port}` or `[::1]:{port}`")
        } else if let Some(port) = text.strip_prefix("*:").and_then(port_of) {
            format!("write `0.0.0.0:{port}` for all addresses")
        } else {
            "write an IP address and a port: `0.0.0.0:8080`, `\"[::]:8080\"`".to_owned()
        };
        self.error(node.span, format!("`{}` is not an address to listen on", shorten(text))).help(help);
        None
    }

    /// A network such as `10.0.0.0/8`, or an address. It has no bits beyond its prefix: `10.1.2.3/8` may be meant for one
    /// address or for sixteen million.
    pub(crate) fn network(&mut self, node: &Node) -> Option<gatewright_core::IpNetwork> {
        let text = self.text(node, "a network such as `10.0.0.0/8`")?;
        let Ok(network) = text.parse::<gatewright_core::IpNetwork>() else {
            self.error(node.span, format!("`{}` is not a network", shorten(text)))
                .help("write a network or an address: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`");
            return None;
        };
        let address = text.split_once('/').and_then(|(address, _)| address.parse::<IpAddr>().ok());
        if address.is_none_or(|address| [address, address.to_canonical()].contains(&network.address())) {
            return Some(network);
        }
        self.error(node.span, format!("`{}` has bits beyond its prefix", shorten(text)))
            .help(format!("write `{network}` for the network, or the address alone"));
        None
    }

    /// The URL of another server, of `http` or `https`.
    pub(crate) fn url(&mut self, node: &Node) -> Option<Spanned<String>> {
        let text = self.text(node, "a URL")?;
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        if text.contains('@') {
            self.error(node.span, "a name or a password does not belong into a URL")
                .help("leave it out; the gateway's own with the issuer are `client` and `secret`")
                .conceal();
            return None;
        }
        if let Some(rest) = rest
            && let Some((_, port)) = rest.split(['/', '?', '#']).next().and_then(|host| host.rsplit_once(':'))
            && !port.ends_with(']')
            && !port.parse::<u16>().is_ok_and(|number| number != 0)
        {
            self.error(node.span, format!("`{}` is not a port", shorten(port))).help(
                "a port is a number from 1 to 65535; without one, it is 443 for `https` and 80 for `http`",
            );
            return None;
        }
        if rest.is_some_and(|rest| {
            !rest.is_empty() && !rest.starts_with(['/', '?', '#']) && !rest.contains(char::is_whitespace)
        }) {
            return Some(Spanned::new(text.to_owned(), node.span));
        }
        self.error(node.span, format!("`{}` is not a URL", shorten(text)))
            .help("write it with its scheme: `https://id.example.com/…`");
        None
    }

    /// The URL of an issuer (OpenID Connect Discovery 1.0, section 3).
    pub(crate) fn issuer_url(&mut self, node: &Node) -> Option<Spanned<String>> {
        let url = self.url(node)?;
        let (bare, _) = url.value.split_once(['?', '#']).unwrap_or((&url.value, ""));
        let issuer = bare.strip_suffix("/.well-known/openid-configuration").unwrap_or(bare);
        if bare.len() < url.value.len() {
            self.error(node.span, "an issuer has no query and no fragment")
                .help(format!("leave it out: `{}`", shorten(issuer)));
            return None;
        }
        if issuer.len() < bare.len() {
            self.error(node.span, format!("`{}` is where the issuer describes itself", shorten(bare)))
                .help(format!("name the issuer, as its tokens do in `iss`: `{}`", shorten(issuer)));
            return None;
        }
        Some(url)
    }

    /// `host:port`, as one of an upstream's targets.
    pub(crate) fn target(&mut self, node: &Node) -> Option<Spanned<Target>> {
        self.target_in(node, Form::Target)
    }

    /// `host:port`, as a whole upstream.
    pub(crate) fn upstream(&mut self, node: &Node) -> Option<Spanned<Target>> {
        self.target_in(node, Form::Upstream)
    }

    fn target_in(&mut self, node: &Node, form: Form) -> Option<Spanned<Target>> {
        let text = self.text(node, "a target such as `orders:8080`")?;
        match parse_target(text) {
            Ok(target) => Some(Spanned::new(target, node.span)),
            Err(wrong) => {
                let help = wrong.help(form);
                // A password may stand there, also in what came from the environment.
                if text.contains('@') {
                    self.error(node.span, "a name or a password does not belong into a target")
                        .help(help)
                        .conceal();
                } else {
                    self.error(node.span, format!("`{}` is not a target", shorten(text))).help(help);
                }
                None
            }
        }
    }
}
