//! The declaration of a map: its struct, its table of keys and its reading in one place.
//!
//! ```text
//! map! {
//!     /// What the map is for; the same text stands in the reference.
//!     #[derive(Debug)]
//!     pub(crate) struct Target {
//!         title: "a target"; name: "target"; smallest: "{address: orders:8080}";
//!
//!         /// What the key means; the same text stands in the reference.
//!         address: required Spanned<Target>, "orders:8080", alias ["host"];
//!         /// How many turns the target takes.
//!         weight: default Number<u32, 1, 100> = 1, "2", absent "1";
//!     }
//! }
//! ```
//!
//! 1. A key has the name of its field; another name follows the field in parentheses.
//! 2. The type is a [`Value`](crate::read::Value), which has the shape and the reader. The word before it says what becomes of a
//!    key that is left out or wrong:
//!
//!    | word | left out | wrong |
//!    | --- | --- | --- |
//!    | `required` | an error | no struct |
//!    | `optional` | `None` | no struct |
//!    | `default` | the value after `=`, or else the type's default | no struct |
//!    | `lenient` | the type's default | the type's default |
//!
//! 3. After the type stand an example, what holds when the key is left out (`absent`), and names of the key elsewhere (`alias`).
//!    The section's own `aliases` lead to keys that are planned.
//! 4. `first` and `groups` are structs whose keys stand in the same map, before and after the map's own; `also` are fields that no
//!    key gives ([`Extra`](crate::read::Extra)).
//! 5. The rules are enforced before any value is read, and a map that breaks one gives no struct.
//!
//! `long_form!` is the same for a map that has a short form too: how the two are told apart is written by hand. `group!` declares
//! keys of several maps, `settings!` those that a route (or an upstream) and `defaults` share. `choice!` declares the words that a value may be.

/// Declares a regular map of the file.
macro_rules! map {
    ($(#[$($attribute:tt)*])* pub(crate) struct $map:ident $body:tt) => {
        $crate::vocabulary::long_form! { $(#[$($attribute)*])* pub(crate) struct $map $body }

        impl $crate::read::Value for $map {
            type Kept = Self;
            const SHAPE: $crate::vocabulary::Shape =
                $crate::vocabulary::Shape::Map(<Self as $crate::read::Map>::SECTION);

            fn read(node: &$crate::syntax::Node, reader: &mut $crate::read::Reader<'_>) -> Option<Self> {
                <Self as $crate::read::Map>::read_long(node, reader)
            }
        }
    };
}

/// Declares the long form of a value that has a short form too.
macro_rules! long_form {
    (
        $(#[doc = $about:literal])+
        #[derive($($derive:ident),*)]
        pub(crate) struct $map:ident {
            title: $title:literal;
            name: $name:literal;
            smallest: $smallest:literal;
            $($rest:tt)*
        }
    ) => {
        $crate::vocabulary::long_form! {
            @section $map { about: &[$($about),+], title: $title, name: $name, smallest: $smallest }
            rules: []; later: []; aliases: [];
            { $(#[doc = $about])+ #[derive($($derive),*)] }
            $($rest)*
        }
    };
    (@section $map:ident $head:tt rules: []; later: $later:tt; aliases: $aliases:tt; $struct:tt
        rules: $rules:tt; $($rest:tt)*) => {
        $crate::vocabulary::long_form! {
            @section $map $head rules: $rules; later: $later; aliases: $aliases; $struct $($rest)*
        }
    };
    (@section $map:ident $head:tt rules: $rules:tt; later: []; aliases: $aliases:tt; $struct:tt
        later: $later:tt; $($rest:tt)*) => {
        $crate::vocabulary::long_form! {
            @section $map $head rules: $rules; later: $later; aliases: $aliases; $struct $($rest)*
        }
    };
    (@section $map:ident $head:tt rules: $rules:tt; later: $later:tt; aliases: []; $struct:tt
        aliases: $aliases:tt; $($rest:tt)*) => {
        $crate::vocabulary::long_form! {
            @section $map $head rules: $rules; later: $later; aliases: $aliases; $struct $($rest)*
        }
    };
    (@section $map:ident { $($head:tt)* } rules: $rules:tt; later: $later:tt; aliases: $aliases:tt;
        { $($struct:tt)* } $($rest:tt)*) => {
        $crate::vocabulary::group! { $($struct)* pub(crate) struct $map { $($rest)* } }

        impl $crate::read::Map for $map {
            const SECTION: &'static $crate::vocabulary::Section = {
                static SECTION: $crate::vocabulary::Section = $crate::vocabulary::Section {
                    $($head)*,
                    rules: &$rules,
                    later: &$later,
                    aliases: &$aliases,
                    table: || <$map as $crate::read::Keys>::TABLE,
                };
                &SECTION
            };
        }
    };
}

/// Declares keys that stand in several maps, or are a part of one.
macro_rules! group {
    (
        $(#[doc = $about:literal])+
        #[derive($($derive:ident),*)]
        pub(crate) struct $map:ident {
            $(also { $($extra:ident: $extra_type:ty),* $(,)? })?
            $(first { $($first:ident: $first_type:ty),* $(,)? })?
            $(groups { $($group:ident: $group_type:ty),* $(,)? })?
            $(
                $(#[doc = $meaning:literal])+
                $field:ident $(($key:literal))?: $mode:ident $kind:ty $(= $default:expr)?,
                $example:literal $(, absent $absent:literal)? $(, alias [$($alias:literal),*])?;
            )*
        }
    ) => {
        $(#[doc = $about])+
        #[derive($($derive),*)]
        pub(crate) struct $map {
            $($(pub(crate) $extra: $extra_type,)*)?
            $($(pub(crate) $first: $first_type,)*)?
            $(
                $(#[doc = $meaning])+
                pub(crate) $field: $crate::vocabulary::declare::kept!($mode $kind),
            )*
            $($(pub(crate) $group: $group_type,)*)?
        }

        impl $crate::read::Keys for $map {
            const TABLE: &'static $crate::vocabulary::Table = &$crate::vocabulary::Table {
                first: &[$($(<$first_type as $crate::read::Keys>::TABLE),*)?],
                keys: &[$(
                    $crate::vocabulary::Key {
                        name: $crate::vocabulary::declare::name!($field $($key)?),
                        shape: <$kind as $crate::read::Value>::SHAPE,
                        about: &[$($meaning),+],
                        example: $example,
                        absent: $crate::vocabulary::declare::option!($($absent)?),
                        is_required: $crate::vocabulary::declare::is_required!($mode),
                        is_shared: false,
                        aliases: &[$($($alias),*)?],
                    },
                )*],
                groups: &[$($(<$group_type as $crate::read::Keys>::TABLE),*)?],
            };

            fn of(fields: &$crate::read::Fields<'_>, reader: &mut $crate::read::Reader<'_>) -> Option<Self> {
                $($(let $first = <$first_type as $crate::read::Keys>::of(fields, reader);)*)?
                $(let $field = $crate::vocabulary::declare::read!(
                    $mode $kind, fields, $crate::vocabulary::declare::name!($field $($key)?), reader $(, $default)?
                );)*
                $($(let $group = <$group_type as $crate::read::Keys>::of(fields, reader);)*)?
                Some(Self {
                    $($($extra: $crate::read::Extra::of(fields),)*)?
                    $($($first: $first?,)*)?
                    $($field: $field?,)*
                    $($($group: $group?,)*)?
                })
            }
        }
    };
}

/// Declares keys that `defaults` has as well.
///
/// Each field is an `Option`: `None` stands for a key that is left out, so that `or` takes it from `defaults`. A value that is
/// wrong, or whose key is misspelt, was reported; the type's default stands for it, so that no other error follows.
macro_rules! settings {
    (
        $(#[doc = $about:literal])+
        #[derive($($derive:ident),*)]
        pub(crate) struct $map:ident {
            $(
                $(#[doc = $meaning:literal])+
                $field:ident $(($key:literal))?: $kind:ty, $example:literal, absent $absent:literal
                $(, alias [$($alias:literal),*])?;
            )*
        }
    ) => {
        $(#[doc = $about])+
        #[derive($($derive),*)]
        pub(crate) struct $map {
            $(
                $(#[doc = $meaning])+
                pub(crate) $field: Option<<$kind as $crate::read::Value>::Kept>,
            )*
        }

        impl $crate::read::Keys for $map {
            const TABLE: &'static $crate::vocabulary::Table = &$crate::vocabulary::Table {
                first: &[],
                keys: &[$(
                    $crate::vocabulary::Key {
                        name: $crate::vocabulary::declare::name!($field $($key)?),
                        shape: <$kind as $crate::read::Value>::SHAPE,
                        about: &[$($meaning),+],
                        example: $example,
                        absent: Some($absent),
                        is_required: false,
                        is_shared: true,
                        aliases: &[$($($alias),*)?],
                    },
                )*],
                groups: &[],
            };

            fn of(fields: &$crate::read::Fields<'_>, reader: &mut $crate::read::Reader<'_>) -> Option<Self> {
                Some(Self {
                    $($field: fields.shared::<$kind>(
                        $crate::vocabulary::declare::name!($field $($key)?), reader
                    ),)*
                })
            }
        }

        impl $map {
            /// The settings here, and those of `defaults` for what is left out here.
            pub(crate) fn or(&self, defaults: &Self) -> Self {
                Self { $($field: self.$field.clone().or_else(|| defaults.$field.clone()),)* }
            }
        }
    };
}

/// Declares a [`Value`](crate::read::Value) that is one of a few words; `off` may be one of them. The type is an enum of the
/// words, or stands for values of another type, or exists already.
macro_rules! choice {
    (
        $(#[$($attribute:tt)*])*
        pub(crate) enum $kind:ident, $what:literal {
            $($(#[$($of_variant:tt)*])* $variant:ident = $word:tt),+ $(,)?
        }
    ) => {
        $(#[$($attribute)*])*
        pub(crate) enum $kind {
            $($(#[$($of_variant)*])* $variant),+
        }

        $crate::vocabulary::choice! { $kind, $what: $kind { $($word => $kind::$variant),+ } }
    };
    (
        $(#[$($attribute:tt)*])*
        pub(crate) struct $kind:ident, $what:literal: $kept:ty { $($words:tt)* }
    ) => {
        $(#[$($attribute)*])*
        pub(crate) struct $kind;

        $crate::vocabulary::choice! { $kind, $what: $kept { $($words)* } }
    };
    ($kind:ident, $what:literal: $kept:ty {
        $($word:literal => $value:expr),+ $(, off => $off:expr)? $(,)?
    }) => {
        impl $crate::read::Value for $kind {
            type Kept = $kept;
            const SHAPE: $crate::vocabulary::Shape = $crate::vocabulary::declare::words!([$($word),+] $($off)?);

            fn read(node: &$crate::syntax::Node, reader: &mut $crate::read::Reader<'_>) -> Option<$kept> {
                $(if $crate::read::Reader::is_off(node) {
                    return Some($off);
                })?
                reader.choice(node, $what, &[$(($word, $value)),+ $(, ("off", $off))?])
            }
        }
    };
}

macro_rules! kept {
    (required $kind:ty) => { <$kind as $crate::read::Value>::Kept };
    (default $kind:ty) => { <$kind as $crate::read::Value>::Kept };
    (optional $kind:ty) => { Option<<$kind as $crate::read::Value>::Kept> };
    (lenient $kind:ty) => { <$kind as $crate::read::Value>::Kept };
}

macro_rules! read {
    (required $kind:ty, $fields:ident, $key:expr, $reader:ident) => {
        $fields.optional::<$kind>($key, $reader).flatten()
    };
    (optional $kind:ty, $fields:ident, $key:expr, $reader:ident) => {
        $fields.optional::<$kind>($key, $reader)
    };
    (default $kind:ty, $fields:ident, $key:expr, $reader:ident, $default:expr) => {
        $fields.optional::<$kind>($key, $reader).map(|value| value.unwrap_or_else(|| $default))
    };
    (default $kind:ty, $fields:ident, $key:expr, $reader:ident) => {
        $fields.optional::<$kind>($key, $reader).map(Option::unwrap_or_default)
    };
    (lenient $kind:ty, $fields:ident, $key:expr, $reader:ident) => {
        Some($fields.optional::<$kind>($key, $reader).flatten().unwrap_or_default())
    };
}

macro_rules! is_required {
    (required) => {
        true
    };
    ($mode:ident) => {
        false
    };
}

macro_rules! name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

macro_rules! option {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

macro_rules! words {
    ([$($word:literal),+]) => { $crate::vocabulary::Shape::Word(&[$($word),+]) };
    ([$($word:literal),+] $off:expr) => {
        $crate::vocabulary::Shape::Any(&[
            $crate::vocabulary::Shape::Word(&[$($word),+]),
            $crate::vocabulary::Shape::Off,
        ])
    };
}

pub(crate) use {choice, group, is_required, kept, long_form, map, name, option, read, settings, words};
