use std::ops::ControlFlow;

use http::{HeaderValue, Method, request};
use smallvec::SmallVec;

use crate::{host::Hosts, rule::Rule, tree::Tree};

/// All routes, ready for lookups. A route is an index into `rules`.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) rules: Box<[Rule]>,
    pub(crate) hosts: Hosts<HostTable>,
    /// Whether any route takes paths with an encoded slash.
    pub(crate) encoded_slash: bool,
    /// Whether any route keeps empty segments.
    pub(crate) empty_segments: bool,
    /// The methods of all routes, for `OPTIONS *`.
    pub(crate) allow: HeaderValue,
}

/// The routes of one host.
#[derive(Debug, Default)]
pub(crate) struct HostTable {
    pub(crate) tree: Tree,
    /// The routes with a regex.
    pub(crate) regexes: Vec<u32>,
}

/// The methods of a server that has a route for any method.
const COMMON: [Method; 6] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Adds HEAD to GET, and sorts the methods.
fn complete(methods: &mut Vec<Method>) {
    if methods.contains(&Method::GET) {
        methods.push(Method::HEAD);
    }
    methods.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    methods.dedup();
}

/// The `Allow` of a server with these routes (RFC 9110, section 10.2.1).
pub(crate) fn allow(rules: &[Rule]) -> HeaderValue {
    let mut methods = vec![Method::OPTIONS];
    for rule in rules {
        methods.extend_from_slice(if rule.methods.is_empty() { &COMMON } else { &rule.methods });
    }
    complete(&mut methods);
    let names = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    HeaderValue::try_from(names).unwrap_or_else(|_| HeaderValue::from_static("OPTIONS"))
}

/// The result of a lookup.
#[derive(Debug)]
pub(crate) enum Found {
    Route(u32),
    /// Routes fit the request except for its method. These are the methods that they allow, sorted.
    MethodNotAllowed(Vec<Method>),
    Nothing,
}

/// The position of a route in a lookup. Routes with equal `host` and `path` share both.
pub(crate) struct Place {
    pub(crate) route: u32,
    /// The rank of the host, the most specific first.
    pub(crate) host: usize,
    /// The rank of the path within the host, the most specific first.
    pub(crate) path: usize,
}

impl Table {
    pub(crate) fn rule(&self, route: u32) -> &Rule {
        &self.rules[route as usize]
    }

    /// Looks up the route of a request whose canonical path is `path`.
    pub(crate) fn find(&self, head: &request::Parts, path: &str) -> Found {
        let mut is_path_known = false;
        let found = self.visit(head, path, |route| {
            is_path_known = true;
            let rule = self.rule(route);
            if rule.allows(&head.method) && rule.fits(head) {
                ControlFlow::Break(route)
            } else {
                ControlFlow::Continue(())
            }
        });
        match found {
            ControlFlow::Break(route) => Found::Route(route),
            ControlFlow::Continue(()) if is_path_known => self.allowed(head, path),
            ControlFlow::Continue(()) => Found::Nothing,
        }
    }

    fn allowed(&self, head: &request::Parts, path: &str) -> Found {
        let mut methods = Vec::new();
        let _: ControlFlow<()> = self.visit(head, path, |route| {
            let rule = self.rule(route);
            if rule.fits(head) {
                methods.extend_from_slice(&rule.methods);
            }
            ControlFlow::Continue(())
        });
        if methods.is_empty() {
            return Found::Nothing;
        }
        complete(&mut methods);
        Found::MethodNotAllowed(methods)
    }

    /// Visits the routes of this host and path in order of precedence.
    fn visit<B>(
        &self,
        head: &request::Parts,
        path: &str,
        mut visit: impl FnMut(u32) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.hosts.visit(head, |host| {
            self.visit_host(host, path, |routes| routes.iter().copied().try_for_each(&mut visit))
        })
    }

    /// Visits the routes of one host that take this path. Each call gets the routes that share one path.
    #[inline]
    fn visit_host<B>(
        &self,
        host: &HostTable,
        path: &str,
        mut visit: impl FnMut(&[u32]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let walk = host.tree.walk(path);
        walk.visit(|_, routes| visit(routes))?;
        let mut regexes: SmallVec<[u32; 8]> = walk.regexes().flat_map(|group| group.matching(path)).collect();
        regexes.sort_unstable_by_key(|route| (self.rule(*route).order(), *route));
        visit(&regexes)
    }

    /// The routes of this host and path in order of precedence.
    pub(crate) fn places(&self, head: &request::Parts, path: &str) -> Vec<Place> {
        let mut places = Vec::new();
        let mut hosts = 0;
        let _: ControlFlow<()> = self.hosts.visit(head, |table| {
            hosts += 1;
            let mut paths = 0;
            self.visit_host(table, path, |routes| {
                paths += 1;
                places.extend(routes.iter().map(|route| Place { route: *route, host: hosts, path: paths }));
                ControlFlow::Continue(())
            })
        });
        places
    }

    /// The routes that have this path, whatever their host.
    pub(crate) fn routes_of_any_host(&self, path: &str) -> impl Iterator<Item = u32> {
        self.hosts.iter().flat_map(|host| {
            let mut found = Vec::new();
            let _: ControlFlow<()> = self.visit_host(host, path, |routes| {
                found.extend_from_slice(routes);
                ControlFlow::Continue(())
            });
            found
        })
    }
}
