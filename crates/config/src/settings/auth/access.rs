use super::is_name;
use crate::{
    diagnostics::{Span, Spanned},
    read::{Map, Reader, Referent, Value},
    syntax::{Kind, Node, shorten},
    vocabulary::{Relation, Rule, Shape, long_form},
};

/// Who has to say who calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// Nobody, which is written out.
    Nobody,
    Named(Spanned<String>),
    Any(Vec<Self>),
    All(Vec<Self>),
}

/// In place of callers that could not be read: nobody may come, and no other error follows.
impl Default for Who {
    fn default() -> Self {
        Self::Any(Vec::new())
    }
}

long_form! {
    /// Several authenticators on one route. They may be combinations themselves.
    #[derive(Debug)]
    pub(crate) struct Combination {
        title: "a combination";
        name: "auth_combination";
        smallest: "{any: [app, partner]}";
        rules: [Rule::new(Relation::ExactlyOne(&["any", "all"]))];

        /// One of them has to say who calls; the first in order that can does. With `none` among them, a caller without a
        /// credential may come too, and a caller with a bad one may not.
        any: optional Vec<Who>, "[app, partner]", alias ["one_of", "or"];
        /// All of them have to say who calls. The caller is the one that the first names, with the scopes and claims of all.
        all: optional Vec<Asking>, "[partner, app]", alias ["and"];
    }
}

/// Callers who have to say who they are.
pub(crate) struct Asking;

impl Value for Asking {
    type Kept = Who;
    const SHAPE: Shape = Shape::Any(&[Shape::Auth, Shape::Map(Combination::SECTION)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Who> {
        let who = Who::read(node, reader)?;
        if who == Who::Nobody {
            reader
                .error(node.span, "`none` has no use in `all`")
                .help("leave it out, or write `any: [none, …]` for what need not be shown");
            return None;
        }
        Some(who)
    }
}

impl Value for Who {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Shape::Word(&["none"]), Shape::Auth, Shape::Map(Combination::SECTION)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Scalar(text) if text == "none" => Some(Self::Nobody),
            Kind::Map(_) => {
                let combination = Combination::read_long(node, reader)?;
                combination.any.map(Self::Any).or(combination.all.map(Self::All))
            }
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
}

impl Who {
    fn named(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let name = reader.spanned_text(node, "the name of an authenticator")?;
        if is_name(&name.value) {
            reader.refer(Referent::Authenticator, &name.value, name.span);
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
