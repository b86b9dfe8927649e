//! The tree of a TOML file, read with its places: [`Node`] is one value, [`Table`] one with known keys.
//!
//! Every reader gives none where it added a fault, so that reading goes on and finds the next one. Values
//! that may be secrets are never put into a fault.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::fault::{Fault, Faults, Place};
use crate::error::Code;

/// One value of the file, with its place.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) place: Place,
    /// Where its key stands; an item of an array has none of its own.
    key_span: Range<usize>,
    value: &'a DeValue<'a>,
    faults: &'a Faults,
}

/// A table whose keys are known beforehand; unknown ones have been refused.
#[derive(Debug)]
pub(super) struct Table<'a> {
    pub(super) place: Place,
    entries: BTreeMap<&'a str, Node<'a>>,
    faults: &'a Faults,
}

impl<'a> Table<'a> {
    /// The file itself.
    pub(super) fn root(table: &'a DeTable<'a>, faults: &'a Faults, keys: &[&str]) -> Self {
        let place = Place {
            key: String::new(),
            span: None,
        };
        let entries = entries(table, &place, faults);
        known(entries, place, faults, keys)
    }

    /// The value of a key that may be absent.
    pub(super) fn optional(&self, key: &str) -> Option<Node<'a>> {
        self.entries.get(key).cloned()
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, key: &str, hint: &str) -> Option<Node<'a>> {
        let found = self.optional(key);
        if found.is_none() {
            self.faults.add(Fault {
                code: Code::ConfigValue,
                message: format!("`{}` is missing", joined(&self.place.key, key)),
                place: self.place.clone(),
                hint: hint.to_owned(),
            });
        }
        found
    }

    /// Says what is wrong with the table as a whole.
    pub(super) fn refuse(&self, code: Code, message: impl Into<String>, hint: &str) {
        refuse(self.faults, &self.place, code, message.into(), hint);
    }
}

impl<'a> Node<'a> {
    /// Says what is wrong with this value.
    pub(super) fn refuse(&self, code: Code, message: impl Into<String>, hint: &str) {
        refuse(self.faults, &self.place, code, message.into(), hint);
    }

    /// The text, where it is one.
    pub(super) fn as_string(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// Whether it is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// Whether it is an array.
    pub(super) fn is_array(&self) -> bool {
        self.value.is_array()
    }

    /// A text.
    pub(super) fn string(&self) -> Option<&'a str> {
        self.typed(self.value.as_str(), "a string", "put it in quotes")
    }

    /// A text with something in it.
    pub(super) fn filled(&self) -> Option<&'a str> {
        let text = self.string()?;
        if text.trim().is_empty() {
            self.refuse(
                Code::ConfigValue,
                "the value is empty",
                "write one, or leave the key out",
            );
            return None;
        }
        Some(text)
    }

    /// A text that means something else; its own words for what is wrong become the fault's.
    pub(super) fn parsed<T>(&self, hint: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        match self.string()?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(Code::ConfigValue, error.to_string(), hint);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.string()?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let list: Vec<String> = words
                .iter()
                .map(|(word, _)| format!("`\"{word}\"`"))
                .collect();
            let hint = format!("write {}", list.join(" or "));
            self.refuse(
                Code::ConfigValue,
                format!("`{text}` is not known here"),
                &hint,
            );
        }
        found.map(|(_, value)| *value)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Option<bool> {
        self.typed(
            self.value.as_bool(),
            "`true` or `false`",
            "write it without quotes",
        )
    }

    /// A whole number.
    pub(super) fn integer(&self) -> Option<i64> {
        let number: &DeInteger<'_> = self.typed(
            self.value.as_integer(),
            "a whole number",
            "write its digits without quotes",
        )?;
        let value = i64::from_str_radix(number.as_str(), number.radix()).ok();
        if value.is_none() {
            self.refuse(
                Code::ConfigValue,
                "the number is too big",
                "write a smaller one",
            );
        }
        value
    }

    /// The items of an array.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        let array = self.typed(self.value.as_array(), "an array", "write `[ .., .. ]`")?;
        let item = |(at, value): (usize, &'a Spanned<DeValue<'a>>)| Self {
            place: Place {
                key: format!("{}[{at}]", self.place.key),
                span: Some(value.span()),
            },
            key_span: value.span(),
            value: value.get_ref(),
            faults: self.faults,
        };
        Some(array.iter().enumerate().map(item).collect())
    }

    /// The entries of a table whose keys the writer chooses, in the order of the file.
    pub(super) fn entries(&self) -> Option<Vec<(&'a str, Self)>> {
        let table = self.typed(
            self.value.as_table(),
            "a table",
            "write `{ key = value }` or a section of its own",
        )?;
        Some(entries(table, &self.place, self.faults))
    }

    /// A table with these keys and no other.
    pub(super) fn table(&self, keys: &[&str]) -> Option<Table<'a>> {
        let entries = self.entries()?;
        Some(known(entries, self.place.clone(), self.faults, keys))
    }

    /// The value where the type is right. The value itself is not told: it may be a secret in a wrong place.
    fn typed<T>(&self, value: Option<T>, wanted: &str, hint: &str) -> Option<T> {
        if value.is_none() {
            let found = self.value.type_str();
            let article = if found.starts_with(['a', 'i']) {
                "an"
            } else {
                "a"
            };
            let message = format!("{wanted} is wanted here, not {article} {found}");
            self.refuse(Code::ConfigSyntax, message, hint);
        }
        value
    }
}

fn refuse(faults: &Faults, place: &Place, code: Code, message: String, hint: &str) {
    faults.add(Fault {
        code,
        message,
        place: place.clone(),
        hint: hint.to_owned(),
    });
}

/// The entries of a table by their order in the file. An inner table's place is its key, since the tree
/// gives tables that were never written with a header no place of their own.
fn entries<'a>(
    table: &'a DeTable<'a>,
    place: &Place,
    faults: &'a Faults,
) -> Vec<(&'a str, Node<'a>)> {
    let mut entries: Vec<(&'a str, Node<'a>)> = table
        .iter()
        .map(|(key, value)| {
            let name: &str = key.get_ref();
            let span = if value.get_ref().is_table() {
                key.span()
            } else {
                value.span()
            };
            let place = Place {
                key: joined(&place.key, name),
                span: Some(span),
            };
            (
                name,
                Node {
                    place,
                    key_span: key.span(),
                    value: value.get_ref(),
                    faults,
                },
            )
        })
        .collect();
    entries.sort_by_key(|(_, node)| node.place.span.as_ref().map(|span| span.start));
    entries
}

fn known<'a>(
    entries: Vec<(&'a str, Node<'a>)>,
    place: Place,
    faults: &'a Faults,
    keys: &[&str],
) -> Table<'a> {
    let (known, unknown): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|(key, _)| keys.contains(key));
    for (key, node) in unknown {
        let list: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        let hint = format!("the keys here are {}", list.join(", "));
        let message = format!("key `{key}` is not known here");
        let place = Place {
            span: Some(node.key_span),
            ..node.place
        };
        refuse(faults, &place, Code::ConfigSyntax, message, &hint);
    }
    Table {
        place,
        entries: known.into_iter().collect(),
        faults,
    }
}

/// A path of keys as TOML writes it: quoted where a key is not plain.
fn joined(path: &str, key: &str) -> String {
    let is_plain = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let key = if is_plain {
        key.to_owned()
    } else if key.contains('\'') {
        format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("'{key}'")
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}
