//! TLS towards the services behind the gateway.

use std::path::PathBuf;

use crate::{
    diagnostics::{At, Spanned},
    read::{Host, Map, Reader, Value},
    syntax::Node,
    vocabulary::{Relation, Rule, Shape, long_form},
};

long_form! {
    /// TLS towards a service. Files are PEM.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(crate) struct UpstreamTls {
        title: "an upstream's `tls`";
        name: "upstream_tls";
        smallest: "{ca: internal.pem}";
        rules: [Rule::new(Relation::Together("cert", "key"))];
        later: ["verify"];
        also { at: At }

        /// The authorities that the service's certificate is checked against. The service's own certificate may be among them: that
        /// certificate is then taken, whoever issued it, while its names and dates are right.
        ca: optional PathBuf, "internal.pem", absent "the system's";
        /// The gateway's own certificate, for services that ask for one.
        cert: optional PathBuf, "gw.pem", alias ["client_cert"];
        /// The private key of the gateway's certificate.
        key: optional PathBuf, "gw.key", alias ["client_key"];
        /// The name that the service's certificate has to bear, and that the service is asked for (SNI).
        server_name: optional Host, "orders.internal", absent "the target's host", alias ["sni"];
    }
}

impl UpstreamTls {
    /// The gateway's own certificate and key.
    pub(crate) fn identity(&self) -> Option<(&Spanned<PathBuf>, &Spanned<PathBuf>)> {
        self.cert.as_ref().zip(self.key.as_ref())
    }
}

/// `on` stands for TLS as the system has it, `off` for none.
impl Value for UpstreamTls {
    type Kept = Option<Self>;
    const SHAPE: Shape = Shape::Any(&[Shape::On, Shape::Off, Shape::Map(Self::SECTION)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Option<Self>> {
        if Reader::is_off(node) {
            return Some(None);
        }
        if Reader::is_on(node) {
            let (ca, cert, key) = Default::default();
            return Some(Some(Self { at: At(node.span), ca, cert, key, server_name: None }));
        }
        Self::read_long(node, reader).map(Some)
    }
}
