use std::sync::Arc;

use gatewright_core::{
    Decision, Immediate, Policy, Rejection, RequestRecord,
    path::{self, EncodedSlash, PathError, PathRules, canonical},
};
use http::{HeaderName, StatusCode, request, response};

use crate::{Redirect, header_edit::HeaderEdit, host::Host, path_rule::PathRule, redirect::Unfit};

/// The policy of [`RewriteLayer`](crate::RewriteLayer).
#[derive(Debug, Clone, Default)]
pub struct Rewrite {
    pub(crate) paths: Vec<PathRule>,
    pub(crate) host: Option<Host>,
    pub(crate) request_headers: Vec<HeaderEdit>,
    /// Headers of the request that the client may not set. The client may not set them in a trailer either.
    pub(crate) not_in_trailers: Arc<[HeaderName]>,
    pub(crate) response_headers: Vec<HeaderEdit>,
    pub(crate) redirect: Option<Redirect>,
    pub(crate) keep_empty_segments: bool,
}

const POLICY: &str = "rewrite";

impl Policy for Rewrite {
    type Grant = ();
    type Future = Immediate;

    fn name(&self) -> &'static str {
        POLICY
    }

    fn decide(&self, head: &mut request::Parts) -> Decision<(), Immediate> {
        match self.redirect.as_ref().map(|redirect| redirect.answer(head, self.path_rules())) {
            None | Some(Ok(None)) => {}
            Some(Ok(Some(response))) => return Decision::Answer(response),
            Some(Err(Unfit::Path(error))) => return Decision::Refuse(bad_path(error)),
            Some(Err(Unfit::NoHost)) => return Decision::Refuse(no_host()),
        }
        if let Err(error) = self.rewrite_path(head) {
            return Decision::Refuse(bad_path(error));
        }
        if let Some(host) = &self.host {
            host.set(head);
        }
        for edit in &self.request_headers {
            edit.apply(&mut head.headers);
        }
        if !self.not_in_trailers.is_empty() {
            RequestRecord::of_or_insert(&mut head.extensions)
                .with_layers(|_, layers| layers.bar_from_trailers(&self.not_in_trailers));
        }
        Decision::Allow(())
    }

    fn respond(&self, (): (), response: &mut response::Parts) {
        for edit in &self.response_headers {
            edit.apply(&mut response.headers);
        }
    }
}

impl Rewrite {
    fn path_rules(&self) -> PathRules {
        let rules = PathRules::from(EncodedSlash::Keep);
        if self.keep_empty_segments { rules.keep_empty_segments() } else { rules }
    }

    fn rewrite_path(&self, head: &mut request::Parts) -> Result<(), PathError> {
        if self.paths.is_empty() {
            return Ok(());
        }
        // Gatewright's router has made the path canonical already; another router leaves the path as the client wrote it.
        let rules = self.path_rules();
        let before = canonical(head.uri.path(), rules)?;
        let after = match self.paths.iter().find_map(|rule| rule.apply(&before, rules)) {
            Some(after) => after?,
            None => before,
        };
        if after != head.uri.path() {
            let after = after.into_owned();
            path::replace(&mut head.uri, &after)?;
        }
        Ok(())
    }
}

fn bad_path(error: PathError) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, POLICY, error.reason())
        .detail(format!("The request is refused: {error}."))
}

fn no_host() -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, POLICY, "no_host").detail("The request does not name a host.")
}
