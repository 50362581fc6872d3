//! YAML text to a tree of nodes that know their line and column.
//!
//! Guarantees: bounded work (depth, size, anchors), duplicate keys refused, numbers kept as they
//! were written. It does not know what any key means.

use std::{collections::BTreeSet, fmt, ops::RangeInclusive};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;

use super::{Position, Problem};

/// One YAML node and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it begins.
    pub position: Position,
    /// Whether it is text without quotes, which other YAML readers may take for something else.
    pub plain: bool,
    /// The lines that are this text and nothing else; empty for what stands on one line.
    inside: RangeInclusive<u32>,
}

/// What a [`Node`] holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, with the text it was written with: `3.10` is not `3.1` here.
    Number(String),
    /// Text.
    String(String),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order of the file.
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Clone, Debug)]
pub struct Key {
    /// The text of the key.
    pub name: String,
    /// Where it begins.
    pub position: Position,
}

impl Node {
    /// What the node is, in words for a message.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// The lines inside of texts that span several: what looks like a comment there is none.
    pub fn text_lines(&self) -> BTreeSet<u32> {
        let mut lines: BTreeSet<u32> = self.inside.clone().collect();
        match &self.value {
            Value::Sequence(items) => lines.extend(items.iter().flat_map(Self::text_lines)),
            Value::Mapping(entries) => lines.extend(entries.iter().flat_map(|(_, node)| node.text_lines())),
            _ => {}
        }
        lines
    }

    /// A problem at this node.
    pub fn problem(&self, file: &str, message: impl Into<String>) -> Problem {
        Problem::at(file, self.position, message)
    }
}

/// Parses one document. Positions count from 1; an empty document is [`Value::Null`].
pub fn parse(file: &str, text: &str) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 32,
            max_nodes: 100_000,
            max_aliases: 1_000,
            max_anchors: 100,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 8,
        },
        with_snippet: false,
        strict_booleans: true,
        reject_unsupported_tags: true,
    };
    // A document of comments alone has no node at all.
    if text.lines().all(|line| line.trim_start().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Node {
            value: Value::Null,
            position: Position { line: 1, column: 1 },
            plain: false,
            inside: EMPTY,
        });
    }
    let raw: Spanned<Raw> =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| problem(file, error))?;
    Ok(node(raw, text))
}

/// The parser's error in our words.
fn problem(file: &str, mut error: serde_saphyr::Error) -> Problem {
    use serde_saphyr::{Error, budget::BudgetBreach};

    let position = error.location().map(Position::from);
    while let Error::AliasError { error: inner, .. } | Error::WithSnippet { error: inner, .. } = error {
        error = *inner;
    }
    let too_much = "an environment file needs no such thing: write it out";
    let (message, hint) = match &error {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or_default();
            (format!("the key `{key}` stands here a second time"), "merge the two: only one would count")
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            ("the aliases multiply beyond all bounds".to_owned(), too_much)
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            ("it is nested too deeply".to_owned(), too_much)
        }
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            ("a second document begins here".to_owned(), "write one file for each environment")
        }
        Error::Budget { .. } => ("it is larger than any environment".to_owned(), too_much),
        other => (
            format!("invalid YAML: {}", sentence(&other.to_string())),
            if matches!(other, Error::UnsupportedTag { .. }) {
                "remove the tag"
            } else {
                "look for a missing quote, bracket or space at this place or just above"
            },
        ),
    };
    Problem { file: file.to_owned(), position, message, hint: Some(hint.to_owned()) }
}

/// The parser's message without its own statement of the place.
fn sentence(message: &str) -> String {
    let end = message.find(" at line ").or_else(|| message.find('\n')).unwrap_or(message.len());
    message[..end].trim().to_owned()
}

impl From<serde_saphyr::Location> for Position {
    fn from(location: serde_saphyr::Location) -> Self {
        let clamp = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self { line: clamp(location.line()), column: clamp(location.column()) }
    }
}

/// No line at all.
#[allow(clippy::reversed_empty_ranges, reason = "that is the point")]
const EMPTY: RangeInclusive<u32> = 1..=0;

/// Whether the text at `start` is a block scalar: it begins its line, and `|` or `>` ends the one before.
fn is_block(text: &str, start: u64) -> bool {
    let Some(before) = usize::try_from(start).ok().and_then(|start| text.get(..start)) else { return false };
    let (above, indentation) = before.rsplit_once('\n').unwrap_or(("", before));
    let header = above.trim_end().lines().next_back().unwrap_or_default();
    let header = header.split(" #").next().unwrap_or_default().trim_end();
    let header = header.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    indentation.trim().is_empty() && header.ends_with(['|', '>'])
}

fn node(raw: Spanned<Raw>, text: &str) -> Node {
    let position = Position::from(raw.referenced);
    let span = raw.defined.span();
    let written = span.byte_offset().zip(span.byte_len()).and_then(|(offset, length)| {
        let start = usize::try_from(offset).ok()?;
        text.get(start..start.checked_add(usize::try_from(length).ok()?)?)
    });
    let is_text = matches!(raw.value, Raw::String(_));
    let block = is_text && span.byte_offset().is_some_and(|start| is_block(text, start));
    let plain = is_text && !block && written.is_some_and(|text| !text.starts_with(['"', '\'']));
    let breaks = written.filter(|_| is_text).map_or(0, |text| text.trim_end().matches('\n').count());
    let last = position.line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
    let inside = position.line.saturating_add(u32::from(!block))..=last;
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Number(parsed) => Value::Number(written.map_or(parsed, |text| text.trim().to_owned())),
        Raw::String(text) => Value::String(text),
        Raw::Sequence(items) => Value::Sequence(items.into_iter().map(|item| node(item, text)).collect()),
        Raw::Mapping(entries) => Value::Mapping(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let key = Key { position: key.referenced.into(), name: key.value };
                    (key, node(value, text))
                })
                .collect(),
        ),
    };
    Node { value, position, plain, inside }
}

enum Raw {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Sequence(Vec<Spanned<Raw>>),
    Mapping(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;

        impl<'de> Visitor<'de> for RawVisitor {
            type Value = Raw;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a YAML value")
            }
            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_none<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Number(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Number(value.to_string()))
            }
            fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
                Ok(Raw::Number(value.to_string()))
            }
            fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
                Ok(Raw::Number(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Number(value.to_string()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::String(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Raw, E> {
                Ok(Raw::String(value))
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
                Raw::deserialize(deserializer)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Raw::Sequence(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = access.next_entry()? {
                    entries.push(entry);
                }
                Ok(Raw::Mapping(entries))
            }
        }

        deserializer.deserialize_any(RawVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(text: &str) -> Vec<(Key, Node)> {
        match parse("env.yml", text).unwrap().value {
            Value::Mapping(entries) => entries,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn positions_and_numbers_are_kept() {
        let entries = mapping("name: x\ndependencies:\n  - python: 3.10\n");
        assert_eq!(entries[1].0.position, Position { line: 2, column: 1 });
        let Value::Sequence(items) = &entries[1].1.value else { panic!() };
        assert_eq!(items[0].position, Position { line: 3, column: 5 });
        let Value::Mapping(inner) = &items[0].value else { panic!() };
        assert!(matches!(&inner[0].1.value, Value::Number(text) if text == "3.10"), "{inner:?}");
    }

    #[test]
    fn texts_of_several_lines_are_known() {
        let lines = |text: &str| parse("x", text).unwrap().text_lines().into_iter().collect::<Vec<_>>();
        assert_eq!(lines("a: |\n  one\n  two\nb: x\n"), [2, 3]);
        assert_eq!(lines("a: >-\n  one\n  two\n\nb: x\n"), [2, 3]);
        assert_eq!(lines("a: \"one\n  two\"\nb: x\n"), [2]);
        assert_eq!(lines("- |\n  one\n- two\n"), [2]);
        assert!(lines("a: one\nb: [c, d]\n").is_empty());
    }

    #[test]
    fn comments_alone_are_nothing() {
        assert!(matches!(parse("x", "# only\n\n").unwrap().value, Value::Null));
    }

    #[test]
    fn duplicate_keys_are_refused() {
        let problem = parse("x", "a: 1\na: 2\n").unwrap_err();
        assert_eq!(problem.position.map(|position| position.line), Some(2));
    }

    #[test]
    fn alias_bombs_are_refused() {
        let mut text = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (from, to) in "abcdefgh".chars().zip("bcdefghi".chars()) {
            use std::fmt::Write;
            writeln!(
                text,
                "{to}: &{to} [*{from},*{from},*{from},*{from},*{from},*{from},*{from},*{from},*{from}]"
            )
            .unwrap();
        }
        assert!(parse("x", &text).unwrap_err().message.contains("aliases multiply"));
    }
}
