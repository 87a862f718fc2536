use gatewright_core::{PolicyLayer, PolicyService};
use tower_layer::Layer;

use crate::{
    Redirect, Rewrite, RewriteError,
    header_edit::{HeaderEdit, Side},
    host::Host,
    path_rule::PathRule,
};

/// Rewrites requests and their responses, or redirects requests.
///
/// A method whose text may be wrong parses the text at once and returns a `Result`. A prefix and a full path cannot be
/// wrong, since every text stands for one path.
///
/// ```
/// use gatewright_rewrite::RewriteLayer;
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let orders = ServiceBuilder::new()
///     .layer(RewriteLayer::new().replace_prefix("/v1/orders", "/internal/orders"))
///     .service(service_fn(async |request: Request<()>| {
///         Ok::<_, std::convert::Infallible>(Response::new(request.uri().to_string()))
///     }));
///
/// let response = orders.oneshot(Request::get("/v1/orders/1001?full=1").body(())?).await?;
/// # use http_body_util::BodyExt;
/// assert_eq!(response.into_body().collect().await?.to_bytes(), "/internal/orders/1001?full=1");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct RewriteLayer(Rewrite);

/// The service that [`RewriteLayer`] makes.
pub type RewriteService<S> = PolicyService<Rewrite, S>;

impl RewriteLayer {
    /// Changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces a prefix of the path, by whole segments: `/v1` fits `/v1` and `/v1/x`, never `/v1x`. A slash at the
    /// end of either text makes no difference. A prefix that is replaced with `/` or with nothing leaves a path: `/v1/x`
    /// becomes `/x`, and `/v1` becomes `/`.
    ///
    /// Both texts are made canonical: they get a slash in front, and bytes that a path may not hold are percent-encoded.
    pub fn replace_prefix(self, from: &str, to: &str) -> Self {
        self.path_rule(PathRule::prefix(from, to))
    }

    /// Replaces the whole path. The text is made canonical, as in [`replace_prefix`](Self::replace_prefix).
    pub fn replace_path(self, path: &str) -> Self {
        self.path_rule(PathRule::whole(path))
    }

    /// Makes the path from the captures of a [pattern](gatewright_core::pattern):
    /// `("/v1/users/{id}/avatar", "/internal/avatars/{id}")`.
    ///
    /// # Errors
    ///
    /// When the pattern or the template cannot be read, or the template names a capture that the pattern does not have.
    pub fn path_pattern(self, pattern: &str, template: &str) -> Result<Self, RewriteError> {
        Ok(self.path_rule(PathRule::pattern(pattern, template)?))
    }

    /// Makes the path from the captures of a regex: `(r"/legacy/(\d+)", "/v1/orders/$1")`. The regex has to match the
    /// whole path, whether `^` and `$` are written or not. A group is `$1`, `${1}` or `${name}`, a dollar sign `$$`.
    ///
    /// # Errors
    ///
    /// When the regex cannot be read, or the replacement names a group that it does not have.
    pub fn replace_regex(self, regex: &str, replacement: &str) -> Result<Self, RewriteError> {
        Ok(self.path_rule(PathRule::regex(regex, replacement)?))
    }

    fn path_rule(mut self, rule: PathRule) -> Self {
        self.0.paths.push(rule);
        self
    }

    /// Sets the host, with an optional port, in the Host header and in the URI's authority if the URI has one.
    ///
    /// # Errors
    ///
    /// When the text is not a host.
    pub fn host(mut self, host: &str) -> Result<Self, RewriteError> {
        self.0.host = Some(Host::parse(host)?);
        Ok(self)
    }

    /// Sets a header of the request and replaces its values. A trailer of this name is removed.
    ///
    /// # Errors
    ///
    /// When the name or the value is invalid, when the header frames the message (`Content-Length`, `Connection`), and for
    /// `Host`, which [`host`](Self::host) sets.
    pub fn set_request_header(self, name: &str, value: &str) -> Result<Self, RewriteError> {
        Ok(self.request_header(HeaderEdit::set(Side::Request, name, value)?))
    }

    /// Adds a value to a header of the request.
    ///
    /// # Errors
    ///
    /// As [`set_request_header`](Self::set_request_header).
    pub fn add_request_header(self, name: &str, value: &str) -> Result<Self, RewriteError> {
        Ok(self.request_header(HeaderEdit::add(Side::Request, name, value)?))
    }

    /// Removes a header of the request, and a trailer of this name.
    ///
    /// # Errors
    ///
    /// As [`set_request_header`](Self::set_request_header).
    pub fn remove_request_header(self, name: &str) -> Result<Self, RewriteError> {
        Ok(self.request_header(HeaderEdit::remove(Side::Request, name)?))
    }

    fn request_header(mut self, edit: HeaderEdit) -> Self {
        if let Some(name) = edit.replaces() {
            let before = self.0.not_in_trailers.iter();
            self.0.not_in_trailers = before.chain([name]).cloned().collect();
        }
        self.0.request_headers.push(edit);
        self
    }

    /// Sets a header of the response and replaces its values.
    ///
    /// # Errors
    ///
    /// When the name or the value is invalid, and when the header frames the message.
    pub fn set_response_header(self, name: &str, value: &str) -> Result<Self, RewriteError> {
        Ok(self.response_header(HeaderEdit::set(Side::Response, name, value)?))
    }

    /// Adds a value to a header of the response.
    ///
    /// # Errors
    ///
    /// As [`set_response_header`](Self::set_response_header).
    pub fn add_response_header(self, name: &str, value: &str) -> Result<Self, RewriteError> {
        Ok(self.response_header(HeaderEdit::add(Side::Response, name, value)?))
    }

    /// Removes a header of the response.
    ///
    /// # Errors
    ///
    /// As [`set_response_header`](Self::set_response_header).
    pub fn remove_response_header(self, name: &str) -> Result<Self, RewriteError> {
        Ok(self.response_header(HeaderEdit::remove(Side::Response, name)?))
    }

    fn response_header(mut self, edit: HeaderEdit) -> Self {
        self.0.response_headers.push(edit);
        self
    }

    /// Keeps empty segments of the path (`/bucket//key`), as [a route](https://docs.rs/gatewright-router) around the layer
    /// may do. By default, repeated slashes are merged before the path is rewritten or redirected.
    pub fn keep_empty_segments(mut self) -> Self {
        self.0.keep_empty_segments = true;
        self
    }

    /// Answers with a redirect instead of sending the request on.
    pub fn redirect(mut self, redirect: Redirect) -> Self {
        self.0.redirect = Some(redirect);
        self
    }

    /// The policy alone, for stacks that are assembled from optional policies.
    pub fn into_policy(self) -> Rewrite {
        self.0
    }
}

impl<S> Layer<S> for RewriteLayer {
    type Service = RewriteService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PolicyLayer::new(self.0.clone()).layer(inner)
    }
}
