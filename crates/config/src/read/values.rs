//! Values of the file: each type has its shape, for the tables, and its reading.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use http::HeaderName;

use super::{Fields, Reader, Secret, Target};
use crate::{
    diagnostics::{At, Span, Spanned},
    syntax::{Entry, Kind, Node},
    vocabulary::{Section, Shape, Table},
};

/// What a value of the file may be, and how it is read.
pub(crate) trait Value {
    /// What is kept of the value.
    type Kept;
    const SHAPE: Shape;

    /// Reads a value. What is wrong with it is reported.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept>;

    /// Reads the value of a key, for what depends on the key too.
    fn read_entry(entry: &Entry, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        Self::read(&entry.value, reader)
    }
}

/// Keys that stand in a map together.
pub(crate) trait Keys: Sized {
    const TABLE: &'static Table;

    /// Reads the values of the keys.
    fn of(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self>;
}

/// A map with a section of its own.
pub(crate) trait Map: Keys {
    const SECTION: &'static Section;

    /// Reads the map. One that breaks a rule of its section is read to its end, and not taken.
    fn read_long(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, Self::SECTION, reader)?;
        Self::of(&fields, reader).filter(|_| fields.is_whole())
    }
}

/// A field of a struct that no key gives.
pub(crate) trait Extra {
    fn of(fields: &Fields<'_>) -> Self;
}

/// Where the map begins.
impl Extra for At {
    fn of(fields: &Fields<'_>) -> Self {
        Self(fields.span())
    }
}

/// The name of the map, which whoever reads it sets.
impl Extra for String {
    fn of(_: &Fields<'_>) -> Self {
        Self::new()
    }
}

/// Implements [`Value`] by an expression.
macro_rules! value {
    ($($kind:ty: $kept:ty = $shape:expr, |$node:ident, $reader:ident| $read:expr;)*) => {$(
        impl $crate::read::Value for $kind {
            type Kept = $kept;
            const SHAPE: $crate::vocabulary::Shape = $shape;

            fn read($node: &$crate::syntax::Node, $reader: &mut $crate::read::Reader<'_>) -> Option<$kept> {
                $read
            }
        }
    )*};
}

pub(crate) use value;

/// The address of a listener.
pub(crate) struct Address;
/// A time, or zero for `off`.
pub(crate) struct DurationOrOff;
/// A regular expression.
pub(crate) struct Regex;
/// A host name.
pub(crate) struct Host;
/// A path that takes the place of another one.
pub(crate) struct NewPath;
/// A secret that may not be written out.
pub(crate) struct HiddenSecret;
/// A size in bytes.
pub(crate) struct Size;
/// The URL of another server.
pub(crate) struct Url;

value! {
    String: String = Shape::Text, |node, reader| reader.text(node, "a text").map(str::to_owned);
    bool: bool = Shape::Flag, |node, reader| reader.flag(node);
    Duration: Duration = Shape::Duration, |node, reader| reader.duration(node);
    PathBuf: Spanned<PathBuf> = Shape::File, |node, reader| reader.file(node);
    DurationOrOff: Duration = Shape::Any(&[Shape::Duration, Shape::Off]), |node, reader| {
        reader.duration_or_off(node).map(Option::unwrap_or_default)
    };
    HeaderName: HeaderName = Shape::HeaderName, |node, reader| {
        let text = reader.text(node, "the name of a header")?;
        reader.header_name(text, node.span)
    };
    gatewright_core::IpNetwork: gatewright_core::IpNetwork = Shape::Network, |node, reader| reader.network(node);
    gatewright_core::Quota: gatewright_core::Quota = Shape::Rate, |node, reader| reader.rate(node);
    Target: Spanned<Target> = Shape::Target, |node, reader| reader.target(node);
    Secret: Secret = Shape::Text, |node, reader| reader.secret(node, "a secret");
    Address: Spanned<std::net::SocketAddr> = Shape::Address, |node, reader| reader.address(node);
    Host: Spanned<String> = Shape::Host, |node, reader| reader.spanned_text(node, "a host name");
    HiddenSecret: Secret = Shape::Secret, |node, reader| reader.hidden_secret(node, "a secret");
    Size: usize = Shape::Size, |node, reader| reader.size(node);
    Url: Spanned<String> = Shape::Url, |node, reader| reader.url(node);
    Regex: Spanned<String> = Shape::Regex, |node, reader| reader.regex(node);
    NewPath: Spanned<String> = Shape::NewPath, |node, reader| {
        let path = reader.spanned_text(node, "a path")?;
        if path.value.starts_with(['/', '$']) {
            return Some(path);
        }
        let help = format!("write `/{}`", path.value);
        reader.error(path.span, "the new path does not begin with `/`").help(help);
        None
    };
}

/// A value that a struct may lack.
impl<V: Value> Value for Option<V> {
    type Kept = Option<V::Kept>;
    const SHAPE: Shape = V::SHAPE;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        V::read(node, reader).map(Some)
    }

    fn read_entry(entry: &Entry, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        V::read_entry(entry, reader).map(Some)
    }
}

impl<V: Value> Value for Spanned<V> {
    type Kept = Spanned<V::Kept>;
    const SHAPE: Shape = V::SHAPE;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        V::read(node, reader).map(|value| Spanned::new(value, node.span))
    }

    fn read_entry(entry: &Entry, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        V::read_entry(entry, reader).map(|value| Spanned::new(value, entry.value.span))
    }
}

/// A value, or `off` for none.
pub(crate) struct OrOff<V>(std::marker::PhantomData<V>);

impl<V: Value> Value for OrOff<V> {
    type Kept = Option<V::Kept>;
    const SHAPE: Shape = Shape::Any(&[V::SHAPE, Shape::Off]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        if Reader::is_off(node) { Some(None) } else { V::read(node, reader).map(Some) }
    }
}

/// A value with the place of its key.
pub(crate) struct AtKey<V>(std::marker::PhantomData<V>);

impl<V: Value> Value for AtKey<V> {
    type Kept = Spanned<V::Kept>;
    const SHAPE: Shape = V::SHAPE;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        Spanned::<V>::read(node, reader)
    }

    fn read_entry(entry: &Entry, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        V::read_entry(entry, reader).map(|value| Spanned::new(value, entry.key_span))
    }
}

/// A whole number from `LEAST` to `MOST`.
pub(crate) struct Number<N, const LEAST: i64, const MOST: i64>(std::marker::PhantomData<N>);

impl<N: Whole, const LEAST: i64, const MOST: i64> Value for Number<N, LEAST, MOST> {
    type Kept = N;
    const SHAPE: Shape = Shape::Number(LEAST, MOST);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<N> {
        reader.number(node, LEAST..=MOST).and_then(N::whole)
    }
}

/// A type of numbers.
pub(crate) trait Whole: Sized {
    fn whole(number: i64) -> Option<Self>;
}

macro_rules! whole {
    ($($number:ty),*) => {$(
        impl Whole for $number {
            fn whole(number: i64) -> Option<Self> {
                number.try_into().ok()
            }
        }
    )*};
}

whole!(i32, u16, u32, usize);

impl Whole for NonZeroUsize {
    fn whole(number: i64) -> Option<Self> {
        usize::whole(number).and_then(Self::new)
    }
}

/// A list, or one value that stands for a list of it. A list with a wrong item is not taken.
impl<V: Value> Value for Vec<V> {
    type Kept = Vec<V::Kept>;
    const SHAPE: Shape = Shape::List(&V::SHAPE);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        all(reader.list(node, Self::SHAPE).iter().collect(), V::read, reader)
    }

    fn read_entry(entry: &Entry, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        match V::SHAPE.sections().first() {
            Some(section) => {
                let items = reader.items(entry, Self::SHAPE, section);
                all(items.iter().map(|item| item.node).collect(), V::read, reader)
            }
            None => Self::read(&entry.value, reader),
        }
    }
}

/// Reads every item. An error in one leaves the others to be read, but not to be taken; a list without items was reported.
fn all<T>(
    nodes: Vec<&Node>,
    read: impl Fn(&Node, &mut Reader<'_>) -> Option<T>,
    reader: &mut Reader<'_>,
) -> Option<Vec<T>> {
    let read: Vec<_> = nodes.into_iter().map(|node| read(node, reader)).collect();
    read.into_iter().collect::<Option<Vec<_>>>().filter(|read| !read.is_empty())
}

/// A list whose wrong items are left out.
pub(crate) struct Readable<V>(std::marker::PhantomData<V>);

impl<V: Value> Value for Readable<V> {
    type Kept = Vec<V::Kept>;
    const SHAPE: Shape = Shape::List(&V::SHAPE);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        let nodes = reader.list(node, Self::SHAPE);
        Some(nodes.iter().filter_map(|node| V::read(node, reader)).collect())
    }
}

/// The name that leads to a value in a map of the user's own names.
pub(crate) trait Name: Value {
    fn name(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<Self::Kept>;
}

impl Name for String {
    fn name(text: &str, _: Span, _: &mut Reader<'_>) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Name for HeaderName {
    fn name(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<Self> {
        reader.header_name(text, span)
    }
}

impl<N: Name> Name for Spanned<N> {
    fn name(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        N::name(text, span, reader).map(|name| Spanned::new(name, span))
    }
}

/// A map from names of the user's own to values. A map with a wrong entry is not taken.
pub(crate) struct Named<N, V>(std::marker::PhantomData<(N, V)>);

impl<N: Name, V: Value> Value for Named<N, V> {
    type Kept = Vec<(N::Kept, V::Kept)>;
    const SHAPE: Shape = Shape::Named(&N::SHAPE, &V::SHAPE);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        let entries = reader.named(node, Self::SHAPE)?;
        let read: Vec<_> = entries
            .iter()
            .map(|entry| {
                let name = N::name(&entry.key, entry.key_span, reader);
                let value = V::read_entry(entry, reader);
                name.zip(value)
            })
            .collect();
        read.into_iter().collect()
    }
}

impl Reader<'_> {
    /// The entries of a map from names of the user's own.
    pub(crate) fn named<'n>(&mut self, node: &'n Node, shape: Shape) -> Option<&'n [Entry]> {
        match &node.kind {
            Kind::Map(entries) => Some(entries),
            Kind::Invalid => None,
            _ => {
                let message = format!("expected {}, found {}", shape, node.describe());
                self.error(node.span, message);
                None
            }
        }
    }
}
