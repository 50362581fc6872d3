//! The pure data subset of Nix: strings, integers, booleans, lists and attribute sets.
//!
//! Written as nixfmt would format it; read back with rnix, which is a parser of the whole language,
//! so that a file that somebody reformatted still reads.

use std::fmt::Write;

use rnix::ast::{self, AstToken, HasEntry, InterpolPart};
use rowan::ast::AstNode as _;

/// A Nix value that is data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    String(String),
    Integer(u64),
    Bool(bool),
    List(Vec<Value>),
    Set(Vec<(String, Value)>),
}

impl Value {
    pub(super) fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    pub(super) fn strings<T: Into<String>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Self::string).collect())
    }

    pub(super) fn set<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Set(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The value of an attribute.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Set(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    pub(super) fn as_set(&self) -> Option<&[(String, Self)]> {
        if let Self::Set(entries) = self { Some(entries) } else { None }
    }

    /// The text of a file that evaluates to this value.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0);
        text.push('\n');
        text
    }

    fn write(&self, text: &mut String, depth: usize) {
        let indent = "  ".repeat(depth + 1);
        let outer = "  ".repeat(depth);
        match self {
            Self::String(value) => quote(text, value),
            Self::Integer(value) => {
                let _ = write!(text, "{value}");
            }
            Self::Bool(value) => {
                let _ = write!(text, "{value}");
            }
            Self::List(items) if items.is_empty() => text.push_str("[ ]"),
            Self::Set(entries) if entries.is_empty() => text.push_str("{ }"),
            Self::List(items) if items.len() == 1 && !matches!(items[0], Self::List(_) | Self::Set(_)) => {
                text.push_str("[ ");
                items[0].write(text, depth);
                text.push_str(" ]");
            }
            Self::List(items) => {
                text.push_str("[\n");
                for item in items {
                    text.push_str(&indent);
                    item.write(text, depth + 1);
                    text.push('\n');
                }
                let _ = write!(text, "{outer}]");
            }
            Self::Set(entries) => {
                text.push_str("{\n");
                for (key, value) in entries {
                    text.push_str(&indent);
                    if is_identifier(key) {
                        text.push_str(key);
                    } else {
                        quote(text, key);
                    }
                    text.push_str(" = ");
                    value.write(text, depth + 1);
                    text.push_str(";\n");
                }
                let _ = write!(text, "{outer}}}");
            }
        }
    }

    /// Reads the same data as JSON, as `nix eval --json --file envlock.nix` prints it.
    pub(super) fn parse_json(text: &str) -> Result<Self, String> {
        Self::from_json(serde_json::from_str(text).map_err(|error| error.to_string())?)
    }

    fn from_json(value: serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::String(text) => Ok(Self::String(text)),
            serde_json::Value::Number(number) => {
                number.as_u64().map(Self::Integer).ok_or_else(|| format!("`{number}` is not data"))
            }
            serde_json::Value::Bool(value) => Ok(Self::Bool(value)),
            serde_json::Value::Array(items) => {
                items.into_iter().map(Self::from_json).collect::<Result<_, _>>().map(Self::List)
            }
            serde_json::Value::Object(entries) => entries
                .into_iter()
                .map(|(key, value)| Ok((key, Self::from_json(value)?)))
                .collect::<Result<_, _>>()
                .map(Self::Set),
            serde_json::Value::Null => Err("`null` is not data".to_owned()),
        }
    }

    /// Reads the text of a file that is data; the error says what is not.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // rnix recurses: what we write is seven levels deep, and nothing deeper is ours.
        let mut depth = 0_u32;
        for character in text.chars() {
            match character {
                '{' | '[' | '(' => depth += 1,
                '}' | ']' | ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > 64 {
                return Err("it is nested too deeply".to_owned());
            }
        }
        let root = rnix::Root::parse(text).ok().map_err(|error| error.to_string())?;
        Self::from_expression(&root.expr().ok_or("the file is empty")?)
    }

    fn from_expression(expression: &ast::Expr) -> Result<Self, String> {
        let stranger = || format!("`{}` is not data", expression.syntax().text());
        match expression {
            ast::Expr::Str(text) => string(text).map(Self::String).ok_or_else(stranger),
            ast::Expr::Literal(literal) => match literal.kind() {
                ast::LiteralKind::Integer(number) => {
                    number.syntax().text().parse().map(Self::Integer).map_err(|_| stranger())
                }
                _ => Err(stranger()),
            },
            ast::Expr::Ident(name) => match name.syntax().text().to_string().as_str() {
                "true" => Ok(Self::Bool(true)),
                "false" => Ok(Self::Bool(false)),
                _ => Err(stranger()),
            },
            ast::Expr::List(list) => list
                .items()
                .map(|item| Self::from_expression(&item))
                .collect::<Result<_, _>>()
                .map(Self::List),
            ast::Expr::AttrSet(set) => {
                let mut entries = Vec::new();
                for entry in set.entries() {
                    let ast::Entry::AttrpathValue(entry) = entry else { return Err(stranger()) };
                    let path: Vec<_> =
                        entry.attrpath().map(|path| path.attrs().collect()).unwrap_or_default();
                    let ([attribute], Some(value)) = (path.as_slice(), entry.value()) else {
                        return Err(stranger());
                    };
                    let key = match attribute {
                        ast::Attr::Ident(name) => name.syntax().text().to_string(),
                        ast::Attr::Str(text) => string(text).ok_or_else(stranger)?,
                        ast::Attr::Dynamic(_) => return Err(stranger()),
                    };
                    entries.push((key, Self::from_expression(&value)?));
                }
                Ok(Self::Set(entries))
            }
            _ => Err(stranger()),
        }
    }
}

/// The text of a string without interpolation.
fn string(text: &ast::Str) -> Option<String> {
    text.normalized_parts()
        .into_iter()
        .map(|part| match part {
            InterpolPart::Literal(text) => Some(text),
            InterpolPart::Interpolation(_) => None,
        })
        .collect()
}

fn quote(text: &mut String, value: &str) {
    text.push('"');
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' | '\\' => {
                text.push('\\');
                text.push(character);
            }
            '$' if characters.peek() == Some(&'{') => text.push_str("\\$"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            _ => text.push(character),
        }
    }
    text.push('"');
}

/// Whether an attribute name needs no quotes.
fn is_identifier(name: &str) -> bool {
    const KEYWORDS: [&str; 11] =
        ["assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with", "__curPos"];
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '\''))
        && !KEYWORDS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_text_survives() {
        let awkward = "a\"b\\c${d}$$e''f\n\tg\rh\\${i}é";
        let value = Value::set([
            ("if", Value::string(awkward)),
            ("a.b", Value::Integer(7)),
            ("l", Value::List(vec![])),
            ("t", Value::Bool(true)),
        ]);
        assert_eq!(Value::parse(&value.render()).unwrap(), value);
    }

    #[test]
    fn json_says_the_same() {
        let value = Value::set([
            ("a", Value::strings(["x${y}\n"])),
            ("b", Value::Integer(1)),
            ("c", Value::set([("d", Value::Bool(true))])),
        ]);
        let json = r#"{"a": ["x${y}\n"], "b": 1, "c": {"d": true}}"#;
        assert_eq!(Value::parse_json(json).unwrap(), value);
        for text in ["", "null", r#"{"a": null}"#, r#"{"a": -1}"#, r#"{"a": 1.5}"#] {
            assert!(Value::parse_json(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_form_of_nixfmt() {
        let value = Value::set([
            ("a", Value::strings(["x"])),
            ("b", Value::strings(["x", "y"])),
            ("c", Value::set::<String>([])),
            ("d", Value::List(vec![Value::set([("e", Value::Integer(1))])])),
        ]);
        let expected = "{\n  a = [ \"x\" ];\n  b = [\n    \"x\"\n    \"y\"\n  ];\n  c = { };\n  d = [\n    {\n      e = 1;\n    }\n  ];\n}\n";
        assert_eq!(value.render(), expected);
        assert_eq!(nixfmt_rs::format(expected).unwrap(), expected);
    }

    #[test]
    fn what_is_no_data_is_refused() {
        for text in [
            "",
            "{ a = 1 + 1; }",
            "import ./x.nix",
            "{ a = \"${b}\"; }",
            "{ a.b = 1; }",
            "{ inherit a; }",
            "{ a = null; }",
            "{ a = ",
        ] {
            assert!(Value::parse(text).is_err(), "{text}");
        }
    }
}
