use super::{is_name, scopes, texts};
use crate::{
    diagnostics::{Span, Spanned},
    read::{Fields, Reader},
    settings::optional,
    syntax::{Kind, Node, shorten},
    vocabulary::{Key, Rule, Section, Shape},
};

/// Who may come to a route, as it says itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Access {
    /// As `defaults` has it when nothing is said.
    pub(crate) who: Option<Who>,
    pub(crate) scopes: Option<Spanned<Vec<String>>>,
    pub(crate) roles: Option<Spanned<Vec<String>>>,
}

/// Who has to say who calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// Nobody, which is written out.
    Nobody,
    Named(Spanned<String>),
    Any(Vec<Self>),
    All(Vec<Self>),
}

const WHO: Shape = Shape::Any(&[Shape::Word(&["none"]), Shape::Auth, Shape::Map(&COMBINATION)]);

pub(in crate::settings) const AUTH_KEY: Key = Key::new(
    "auth",
    WHO,
    "Who has to say who calls: a name of `auth`, several of them, or `none` for a route that everybody may use. Who does not is \
     refused with 401, or with 403 where a certificate is all that is asked for.",
    "{any: [app, partner]}",
);

pub(in crate::settings) const SCOPES_KEY: Key = Key::new(
    "scopes",
    Shape::List(&Shape::Scope),
    "Scopes that a caller has to have, all of them; others get 403.",
    "[payments:write]",
);

pub(in crate::settings) const ROLES_KEY: Key = Key::new(
    "roles",
    Shape::List(&Shape::Text),
    "Roles of which a caller has to have one; others get 403. Only tokens have roles: see `roles_claim`.",
    "[clerk, admin]",
);

static COMBINATION: Section = Section {
    title: "a combination",
    name: "auth_combination",
    about: "Several authenticators on one route. They may be combinations themselves.",
    keys: &[
        Key::new(
            "any",
            Shape::List(&Shape::Any(&[Shape::Word(&["none"]), Shape::Auth, Shape::Map(&COMBINATION)])),
            "One of them has to say who calls; the first in order that can does. With `none` among them, whoever shows no credential \
             may come too, and whoever shows a bad one may not.",
            "[app, partner]",
        ),
        Key::new(
            "all",
            Shape::List(&Shape::Any(&[Shape::Auth, Shape::Map(&COMBINATION)])),
            "All of them have to. The caller is who the first says, with the scopes and claims of all.",
            "[partner, app]",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["any", "all"])],
    smallest: "{any: [app, partner]}",
    later: &[],
    aliases: &[("one_of", "any"), ("or", "any"), ("and", "all")],
};

impl Access {
    /// What is wrong is reported and left out, so that the rest can be looked at further.
    pub(in crate::settings) fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let who = match fields.get("auth") {
            Some(node) => Some(Who::read(node, reader).unwrap_or(Who::UNREAD)),
            None => fields.is_meant(&["auth"]).then_some(Who::UNREAD),
        };
        let scopes = fields
            .entry("scopes")
            .map(|entry| scopes(&entry.value, reader).map(|scopes| Spanned::new(scopes, entry.key_span)));
        let roles = fields.entry("roles").map(|entry| {
            texts(&entry.value, "a list of roles", "a role", reader)
                .map(|roles| Spanned::new(roles, entry.key_span))
        });
        Self { who, scopes: scopes.flatten(), roles: roles.flatten() }
    }
}

impl Who {
    /// In the place of what was meant and could not be read: nobody may come, and no other error follows from it.
    pub(in crate::settings) const UNREAD: Self = Self::Any(Vec::new());

    pub(in crate::settings) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Scalar(text) if text == "none" => Some(Self::Nobody),
            Kind::Map(_) => Self::combination(node, reader),
            Kind::List(nodes) => {
                let several = node.on_one_line();
                let help = match &**nodes {
                    [only] => format!("write it without the brackets: `{}`", only.plain_word().unwrap_or("…")),
                    _ => format!(
                        "write `{{any: {several}}}` for one of them, `{{all: {several}}}` for all of them"
                    ),
                };
                reader.error(node.span, "expected the name of an authenticator, found a list").help(help);
                nodes.iter().for_each(|node| drop(Self::read(node, reader)));
                None
            }
            _ => Self::named(node, reader),
        }
    }

    fn combination(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &COMBINATION, reader)?;
        let is_whole = fields.keep_their_rules(reader);
        let any = fields.get("any").map(|node| {
            let nodes = reader.list(node, "a list of authenticators");
            together(nodes.iter().map(|node| Self::read(node, reader)).collect())
        });
        let all = fields.get("all").map(|node| {
            let nodes = reader.list(node, "a list of authenticators");
            together(nodes.iter().map(|node| Self::read_asking(node, reader)).collect())
        });
        let (any, all) = (optional(any)?, optional(all)?);
        let combined = any.map(Self::Any).or(all.map(Self::All))?;
        is_whole.then_some(combined)
    }

    /// The same, but for `none`.
    fn read_asking(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match Self::read(node, reader)? {
            Self::Nobody => {
                reader
                    .error(node.span, "`none` has no use in `all`")
                    .help("leave it out, or write `any: [none, …]` for what need not be shown");
                None
            }
            who => Some(who),
        }
    }

    fn named(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let name = reader.spanned_text(node, "the name of an authenticator")?;
        if is_name(&name.value) {
            reader.use_auth(&name.value, name.span);
            return Some(Self::Named(name));
        }
        let help = match Reader::is_off(node) {
            true => "a route that everybody may use says `auth: none`",
            false => "a name begins with a letter and holds letters, digits, `_`, `-` and `.`",
        };
        reader
            .error(name.span, format!("`{}` is not the name of an authenticator", shorten(&name.value)))
            .help(help);
        None
    }

    /// Each name in it, with its place.
    pub(crate) fn names(&self) -> Vec<(&str, Span)> {
        match self {
            Self::Nobody => Vec::new(),
            Self::Named(name) => vec![(&name.value, name.span)],
            Self::Any(several) | Self::All(several) => several.iter().flat_map(Self::names).collect(),
        }
    }
}

fn together(read: Vec<Option<Who>>) -> Option<Vec<Who>> {
    read.into_iter().collect::<Option<Vec<_>>>().filter(|several| !several.is_empty())
}
