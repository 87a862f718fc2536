//! Authenticators of signed and of opaque tokens.

use gatewright_auth::{Clock, Introspection, Jwt};

use super::{
    super::client_tls::check_authorities,
    keys::Keys,
    problems::{no_provider, token_header, told},
};
use crate::{
    diagnostics::Diagnostic,
    read::Reader,
    settings::{self, Claims, Issuer, Provider, TokenPlaces},
};

/// The longest leeway, in seconds: the authenticator's own bound.
const MOST_LEEWAY: u64 = 60;

/// From where on a leeway is doubted, in seconds.
const USUAL_LEEWAY: u64 = 10;

pub(super) fn jwt(settings: &settings::Jwt, keys: &mut Keys, reader: &mut Reader<'_>) -> Option<Jwt> {
    twice(&settings.issuers, reader)?;
    let TokenPlaces { header, cookie, query, forward, realm, max_cached } = &settings.places;
    let header = header.as_ref().map(|header| token_header(header, reader));
    let issuers: Vec<_> = settings.issuers.iter().map(|settings| issuer(settings, keys, reader)).collect();
    let jwt = issuers.into_iter().collect::<Option<Vec<_>>>()?.into_iter().reduce(Jwt::or)?;
    let mut jwt = match settings::optional(header)? {
        Some(header) => jwt.from_header(header),
        None => jwt,
    };
    if let Some(cookie) = cookie {
        jwt = jwt.from_cookie(cookie);
    }
    if let Some(query) = query {
        jwt = jwt.from_query(query);
    }
    if *forward {
        jwt = jwt.forward_token();
    }
    if let Some(realm) = realm {
        jwt = jwt.realm(realm.as_str());
    }
    if let Some(most) = max_cached {
        jwt = jwt.cache_capacity(*most);
    }
    if let Some(most) = settings.max_size {
        jwt = jwt.max_size(most);
    }
    Some(jwt)
}

/// A token is verified by the issuer that it names, so that a second one of that name would never be asked.
fn twice(issuers: &[Issuer], reader: &mut Reader<'_>) -> Option<()> {
    let mut whole = Some(());
    for (index, issuer) in issuers.iter().enumerate() {
        let Some(first) = issuers[..index].iter().find(|first| first.name() == issuer.name()) else { continue };
        let place = reader.place(first.at.0);
        let name = issuer.name().map_or("any", |name| &name.value);
        reader
            .error(issuer.at.0, format!("two issuers `{name}`"))
            .related(place, "the first one is here, and the only one that would be asked");
        whole = None;
    }
    whole
}

fn issuer(settings: &Issuer, keys: &mut Keys, reader: &mut Reader<'_>) -> Option<Jwt> {
    let keys = keys.of(settings, reader);
    let leeway = settings.leeway.as_ref().map(|leeway| {
        let is_right = leeway.value.subsec_nanos() == 0 && leeway.value.as_secs() <= MOST_LEEWAY;
        if !is_right {
            reader.error(leeway.span, format!("a leeway is in whole seconds, {MOST_LEEWAY}s at most"));
        } else if leeway.value.as_secs() > USUAL_LEEWAY {
            let place = Some(reader.place(leeway.span));
            let message = format!("tokens are taken for {}s after they have expired", leeway.value.as_secs());
            reader
                .report(Diagnostic::warning(place, message))
                .help(format!("set the clocks by NTP, and keep to {USUAL_LEEWAY}s or less"));
        }
        is_right.then_some(leeway.value)
    });
    let told = told(&settings.claims, reader);
    let jwt = Jwt::new(keys?);
    let jwt = match settings.name() {
        Some(name) => jwt.issuer(name.value.as_str()),
        None => jwt.any_issuer(),
    };
    let mut jwt = match &settings.audiences {
        Some(audiences) => jwt.audiences(audiences.iter().map(String::as_str)),
        None => jwt.any_audience(),
    };
    if let Some(algorithms) = &settings.algorithms {
        jwt = jwt.algorithms(algorithms.value.iter().copied());
    }
    if !settings.types.is_empty() {
        jwt = jwt.types(settings.types.iter().map(String::as_str));
    }
    if let Some(leeway) = settings::optional(leeway)? {
        jwt = jwt.leeway(leeway);
    }
    if let Some(age) = settings.max_age {
        jwt = jwt.max_age(age);
    }
    for (claim, values) in &settings.required {
        jwt = match values.is_empty() {
            true => jwt.require_claim(claim.as_str()),
            false => jwt.require_claim_value(claim.as_str(), values.iter().map(String::as_str)),
        };
    }
    let Claims { subject, scopes, .. } = &settings.claims;
    if let Some(claim) = subject {
        jwt = jwt.subject_claim(claim.as_str());
    }
    if let Some(claim) = scopes {
        jwt = jwt.scope_claim(claim.as_str());
    }
    Some(told?.into_iter().fold(jwt, |jwt, (name, claim)| jwt.claim_header(name, claim)))
}

pub(super) fn introspection(
    settings: &settings::Introspect,
    clock: &Clock,
    reader: &mut Reader<'_>,
) -> Option<Introspection> {
    let Provider { ca, timeout, cleartext } = &settings.provider;
    let TokenPlaces { header, cookie, query, forward, realm, max_cached } = &settings.places;
    let Claims { subject, scopes, .. } = &settings.claims;
    let ca = ca.as_ref().map(|file| {
        let contents = reader.contents(file)?;
        check_authorities(file, &contents, &settings.url.value, reader)?;
        Some(contents)
    });
    let header = header.as_ref().map(|header| token_header(header, reader));
    let told = told(&settings.claims, reader);
    let mut builder = Introspection::builder(&settings.url.value).clock(clock.clone());
    if let Some((client, secret)) = settings.client() {
        builder = builder.client(client, secret.expose());
    }
    if let Some(ca) = settings::optional(ca)? {
        builder = builder.ca(ca);
    }
    if let Some(timeout) = timeout {
        builder = builder.timeout(*timeout);
    }
    if *cleartext {
        builder = builder.allow_cleartext();
    }
    if let Some(cache) = settings.cache {
        builder = builder.max_cache(cache);
    }
    if let Some(most) = max_cached {
        builder = builder.cache_capacity(*most);
    }
    if let Some(issuer) = &settings.issuer {
        builder = builder.issuer(issuer.value.as_str());
    }
    builder = settings.audiences.iter().fold(builder, |builder, audience| builder.audience(audience.as_str()));
    if let Some(claim) = subject {
        builder = builder.subject_claim(claim.as_str());
    }
    if let Some(claim) = scopes {
        builder = builder.scope_claim(claim.as_str());
    }
    if let Some(header) = settings::optional(header)? {
        builder = builder.from_header(header);
    }
    if let Some(cookie) = cookie {
        builder = builder.from_cookie(cookie);
    }
    if let Some(query) = query {
        builder = builder.from_query(query);
    }
    if *forward {
        builder = builder.forward_token();
    }
    if let Some(realm) = realm {
        builder = builder.realm(realm.as_str());
    }
    let builder = told?.into_iter().fold(builder, |builder, (name, claim)| builder.claim_header(name, claim));
    builder.build().map_err(|error| no_provider(&error, &settings.url, &settings.provider, reader)).ok()
}
