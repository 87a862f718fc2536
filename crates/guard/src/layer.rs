use gatewright_core::{IpNetwork, PolicyLayer, PolicyService};
use tower_layer::Layer;

use crate::{list::IpList, policy::IpFilter};

/// Admits and refuses clients by their addresses. See the [crate's page](crate) for the rules.
///
/// ```
/// use gatewright_core::ClientInfoLayer;
/// use gatewright_guard::IpFilterLayer;
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let orders = ServiceBuilder::new()
///     // Gatewright's own listeners know the peer; under another server, say where the peer is found.
///     .layer(ClientInfoLayer::new().peer_from(|_| Some(([192, 0, 2, 7], 4711).into())))
///     .layer(IpFilterLayer::new().allow("10.0.0.0/8".parse()?))
///     .service(service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(()))));
///
/// assert_eq!(orders.oneshot(Request::new(())).await?.status(), 403);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct IpFilterLayer {
    allow: Vec<IpNetwork>,
    deny: Vec<IpNetwork>,
    allow_lists: Vec<IpList>,
    deny_lists: Vec<IpList>,
    allow_unknown: bool,
}

/// The service that [`IpFilterLayer`] makes.
pub type IpFilterService<S> = PolicyService<IpFilter, S>;

impl IpFilterLayer {
    /// Refuses nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows a network. An address in no allow list is then refused.
    pub fn allow(mut self, network: IpNetwork) -> Self {
        self.allow.push(network);
        self
    }

    /// Denies a network, unless a longer prefix is allowed.
    pub fn deny(mut self, network: IpNetwork) -> Self {
        self.deny.push(network);
        self
    }

    /// Allows the networks of a list. An address in no allow list is then refused, also while the list is empty.
    pub fn allow_list(mut self, list: IpList) -> Self {
        self.allow_lists.push(list);
        self
    }

    /// Denies the networks of a list, unless longer prefixes are allowed.
    pub fn deny_list(mut self, list: IpList) -> Self {
        self.deny_lists.push(list);
        self
    }

    /// Allows clients whose address nobody knows. The lists cannot judge these clients, so the layer refuses them by
    /// default: a client on a deny list must not get in because a proxy fails to name the client.
    pub fn allow_unknown(mut self) -> Self {
        self.allow_unknown = true;
        self
    }

    /// The policy alone, for stacks that are assembled from optional policies.
    pub fn into_policy(self) -> IpFilter {
        let join = |networks: Vec<IpNetwork>, mut lists: Vec<IpList>| {
            if !networks.is_empty() {
                lists.push(networks.into_iter().collect());
            }
            lists.into()
        };
        IpFilter {
            allow: join(self.allow, self.allow_lists),
            deny: join(self.deny, self.deny_lists),
            allow_unknown: self.allow_unknown,
        }
    }
}

impl<S> Layer<S> for IpFilterLayer {
    type Service = IpFilterService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PolicyLayer::new(self.clone().into_policy()).layer(inner)
    }
}
