//! The JSON of an admin, asked for by our own proxy and its pool.

use std::time::Duration;

use gatewright::{Body, ProxyService};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use tower::ServiceExt;

use crate::failure::Failure;

/// How long an answer may take, and how large it may be.
const PATIENCE: Duration = Duration::from_secs(5);
const LARGEST: usize = 4 << 20;

/// An admin.
pub(super) struct Api {
    address: String,
    service: ProxyService,
}

impl Api {
    /// The admin at `host:port`, or at the URL that `run` prints.
    pub(super) fn new(admin: &str) -> Result<Self, Failure> {
        let address = admin.strip_prefix("http://").unwrap_or(admin).trim_end_matches('/').to_owned();
        let service = ProxyService::builder().target(address.as_str()).timeout(PATIENCE).build();
        let help = "  help: write the address of `admin`, such as 127.0.0.1:9901";
        match service {
            Ok(service) => Ok(Self { address, service }),
            Err(error) => Err(Failure::new(format!("error: {error}\n{help}"))),
        }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The document at this path.
    pub(super) async fn get(&self, target: &str) -> Result<Value, String> {
        let request = Request::get(target).header("host", &self.address).body(Body::empty());
        let request = request.map_err(|error| error.to_string())?;
        let exchange = async {
            let response = self.service.clone().oneshot(request).await.map_err(|error| told(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST)
                .collect()
                .await
                .map_err(|error| error.to_string())?;
            match status {
                StatusCode::OK => serde_json::from_slice(&body.to_bytes())
                    .map_err(|_| format!("what answers at {} is no admin of Gatewright", self.address)),
                StatusCode::MISDIRECTED_REQUEST => {
                    Err("the admin does not answer under this name: use its IP address, or name it in `hosts`"
                        .to_owned())
                }
                status => Err(format!("{} answers {target} with {status}", self.address)),
            }
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("{} does not answer within {PATIENCE:?}", self.address)),
        }
    }
}

/// An error with its causes.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes: Vec<_> =
        std::iter::successors(Some(error), |cause| (*cause).source()).map(ToString::to_string).collect();
    causes.join(": ")
}
