//! The client's response, made of the upstream's.

use gatewright_client::PoolBody;
use gatewright_core::{Error, ErrorKind, OnUpgrade};
use http::{Response, StatusCode};
use http_body::Body as _;

use super::exchange::Exchange;
use crate::{
    head,
    request_body::RequestBody,
    response_body::ProxyBody,
    tunnel::{self, Upgrade},
    upstream::Pick,
};

impl Exchange {
    /// Makes the client's response of the upstream's.
    pub(super) fn answer(
        &mut self,
        response: Response<PoolBody<RequestBody>>,
        pick: Pick,
    ) -> Result<Response<ProxyBody>, Error> {
        let (mut parts, body) = response.into_parts();
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            body.discard();
            let upstream = parts.extensions.remove::<OnUpgrade>();
            return match (self.upgrade.take(), upstream) {
                (Some(upgrade), Some(upstream)) if tunnel::changes_to_websocket(&parts.headers) => {
                    if let Err(error) = head::clean_response(&mut parts) {
                        pick.fail(&error);
                        return Err(error);
                    }
                    Upgrade::write(&mut parts.headers);
                    upgrade.tunnel(upstream, self.settings.idle_timeout, pick);
                    Ok(Response::from_parts(parts, ProxyBody::empty()))
                }
                _ => {
                    let why = "the upstream changed protocols though nobody asked";
                    let error = Error::new(ErrorKind::Protocol, why);
                    pick.fail(&error);
                    Err(error)
                }
            };
        }
        if let Err(error) = head::clean_response(&mut parts) {
            body.discard();
            pick.fail(&error);
            return Err(error);
        }
        let body = if body.is_end_stream() {
            pick.complete();
            ProxyBody::empty()
        } else {
            ProxyBody::new(body, pick, self.settings.idle_timeout)
        };
        Ok(Response::from_parts(parts, body))
    }
}
