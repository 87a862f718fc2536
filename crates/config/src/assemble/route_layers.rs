//! One type for all policies that a route of a file may have.

/// Declares the layers of a route in their order, outermost first. A line is the name of a layer and the function that
/// builds it for a route; a route has those layers that the functions give. A policy has its type in its line too.
///
/// Written out, this is `of_route`, which builds the list; and for the policies the enum of them, the enum of their grants
/// and that of their decisions, and each method of [`Policy`](gatewright_core::Policy), passed on to the policy that is
/// there. So the policies of a route are one [`PolicyList`](gatewright_core::PolicyList), without a box for each.
macro_rules! route_layers {
    (for $site:ty: $($name:ident $(: $policy:ty)? = $build:path;)+) => {
        /// The layers of a route, outermost first.
        pub(super) fn of_route(site: &mut $site) -> Vec<RouteLayer> {
            let layers = [$(
                $build(site)$(.map(|policy: $policy| RouteLayer::Policy(RoutePolicy::$name(policy))))?
            ),+];
            layers.into_iter().flatten().collect()
        }

        /// A policy of a route.
        #[expect(clippy::large_enum_variant, reason = "a route has a few, and a request goes through them without a box")]
        pub(super) enum RoutePolicy {
            $($($name($policy),)?)+
        }

        /// The grant of a [`RoutePolicy`].
        pub(super) enum RouteGrant {
            $($($name(<$policy as Policy>::Grant),)?)+
        }

        pin_project! {
            /// The decision of a [`RoutePolicy`] that has to wait.
            #[project = RouteDecisionProjection]
            pub(super) enum RouteDecision {
                $($($name { #[pin] decision: <$policy as Policy>::Future },)?)+
            }
        }

        impl Policy for RoutePolicy {
            type Grant = RouteGrant;
            type Future = RouteDecision;

            fn name(&self) -> &'static str {
                match self {
                    $($(Self::$name(policy) => <$policy as Policy>::name(policy),)?)+
                }
            }

            fn decide(&self, request: &mut request::Parts) -> Decision<RouteGrant, RouteDecision> {
                match self {
                    $($(Self::$name(policy) => match <$policy as Policy>::decide(policy, request) {
                        Decision::Allow(grant) => Decision::Allow(RouteGrant::$name(grant)),
                        Decision::Refuse(rejection) => Decision::Refuse(rejection),
                        Decision::Answer(response) => Decision::Answer(response),
                        Decision::Later(decision) => Decision::Later(RouteDecision::$name { decision }),
                    },)?)+
                }
            }

            fn granted(&self, grant: &mut RouteGrant, request: &mut request::Parts) {
                match (self, grant) {
                    $($((Self::$name(policy), RouteGrant::$name(grant)) => {
                        <$policy as Policy>::granted(policy, grant, request);
                    })?)+
                    _ => {}
                }
            }

            fn lease(&self, grant: &mut RouteGrant) -> Option<Lease> {
                match (self, grant) {
                    $($((Self::$name(policy), RouteGrant::$name(grant)) => {
                        <$policy as Policy>::lease(policy, grant)
                    })?)+
                    _ => None,
                }
            }

            fn respond(&self, grant: RouteGrant, response: &mut response::Parts) {
                match (self, grant) {
                    $($((Self::$name(policy), RouteGrant::$name(grant)) => {
                        <$policy as Policy>::respond(policy, grant, response);
                    })?)+
                    _ => {}
                }
            }
        }

        impl Future for RouteDecision {
            type Output = Result<RouteGrant, Rejection>;

            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                match self.project() {
                    $($(RouteDecisionProjection::$name { decision } => {
                        <<$policy as Policy>::Future as Future>::poll(decision, cx).map_ok(RouteGrant::$name)
                    })?)+
                }
            }
        }

        impl<S: Clone> TakeReady<S> for RouteDecision {
            fn take_ready(&self, service: &mut S) -> S {
                match self {
                    $($(Self::$name { decision } => {
                        <<$policy as Policy>::Future as TakeReady<S>>::take_ready(decision, service)
                    })?)+
                }
            }
        }
    };
}

pub(super) use route_layers;
