//! Platform selectors: `# [linux and not aarch64]` behind a line, and CEP 24's `sel(linux): spec`.
//!
//! Comment selectors are applied to the raw lines before YAML is parsed, because YAML drops
//! comments: a line whose selector does not hold becomes empty, so all positions stay.
//!
//! Source: conda-build's preprocessing selectors; CEP 24.

use rattler_conda_types::Subdir;

use super::{Position, Problem, nearest, yaml};

/// The names that a selector may use.
const NAMES: [&str; 12] = [
    "linux", "linux64", "osx", "osx64", "win", "win64", "unix", "x86_64", "aarch64", "arm64", "ppc64le",
    "s390x",
];

/// Empties the lines of `text` whose selector does not hold for `platform`.
pub(super) fn apply(file: &str, text: &str, platform: Subdir) -> Result<String, Problem> {
    // Duplicate keys that selectors keep apart make the whole file invalid: then no line is known to be text.
    let text_lines = yaml::parse(file, text).map(|root| root.text_lines()).unwrap_or_default();
    let mut result = String::with_capacity(text.len());
    for (index, line) in text.lines().enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let keep = match comment_selector(line).filter(|_| !text_lines.contains(&number)) {
            None => true,
            Some(Selector { column, expression, certain }) => match holds(expression, platform) {
                Ok(holds) => holds,
                Err(_) if !certain => true,
                Err(error) => return Err(error.at(file, Position::new(index + 1, column))),
            },
        };
        if keep {
            result.push_str(line);
        }
        result.push('\n');
    }
    Ok(result)
}

/// The selector of a line.
struct Selector<'a> {
    /// Where its expression begins, from 1.
    column: usize,
    expression: &'a str,
    /// Whether it opens the comment: else it may be no selector but words in brackets.
    certain: bool,
}

/// Finds the last brackets of a line's comment, unless parentheses follow: `[text](link)` is none.
fn comment_selector(line: &str) -> Option<Selector<'_>> {
    let start = comment_start(line)?;
    // A line that is a comment as a whole says nothing to anybody.
    if line[..start].trim().is_empty() {
        return None;
    }
    let comment = &line[start + 1..];
    let close = comment.rfind(']')?;
    let open = comment[..close].rfind('[')?;
    if comment[close..].contains(['(', ')']) {
        return None;
    }
    let offset = start + 1 + open + 1;
    Some(Selector {
        column: line[..offset].chars().count() + 1,
        expression: &comment[open + 1..close],
        certain: comment[..open].trim().is_empty(),
    })
}

/// Where the comment of a line begins: at a `#` after white space and outside quotes.
fn comment_start(line: &str) -> Option<usize> {
    let mut quote = None;
    let mut before = ' ';
    for (index, character) in line.char_indices() {
        match quote {
            Some(open) if character == open => quote = None,
            None if character == '#' && before.is_whitespace() => return Some(index),
            // A quote opens a scalar only where a scalar may begin: `don't` opens nothing.
            None if matches!(character, '\'' | '"')
                && matches!(before, ' ' | '\t' | '[' | '{' | ',' | ':') =>
            {
                quote = Some(character);
            }
            _ => {}
        }
        before = character;
    }
    None
}

/// A selector that cannot be understood.
#[derive(Debug)]
pub(super) struct SelectorError {
    message: String,
    hint: String,
}

impl SelectorError {
    pub(super) fn at(self, file: &str, position: Position) -> Problem {
        Problem::at(file, position, self.message).with_hint(self.hint)
    }
}

/// Whether a selector expression (`linux and not (aarch64 or ppc64le)`) holds for a platform.
pub(super) fn holds(expression: &str, platform: Subdir) -> Result<bool, SelectorError> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let mut parser = Parser { tokens: spaced.split_whitespace().collect(), next: 0, expression, platform };
    let value = parser.any()?;
    match parser.peek() {
        None => Ok(value),
        Some(token) => Err(parser.error(&format!("`{token}` was not expected"))),
    }
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    next: usize,
    expression: &'a str,
    platform: Subdir,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.next).copied()
    }

    fn accept(&mut self, token: &str) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<bool, SelectorError> {
        let mut value = self.all()?;
        while self.accept("or") {
            value |= self.all()?;
        }
        Ok(value)
    }

    fn all(&mut self) -> Result<bool, SelectorError> {
        let mut value = self.one()?;
        while self.accept("and") {
            value &= self.one()?;
        }
        Ok(value)
    }

    fn one(&mut self) -> Result<bool, SelectorError> {
        // A chain of `not` and parentheses is as deep as the line is long: no recursion without end.
        if self.next > 64 {
            return Err(self.error("it is too long"));
        }
        if self.accept("not") {
            return Ok(!self.one()?);
        }
        if self.accept("(") {
            let value = self.any()?;
            return if self.accept(")") { Ok(value) } else { Err(self.error("a `)` is missing")) };
        }
        let Some(name) = self.peek() else { return Err(self.error("a name is missing")) };
        self.next += 1;
        self.named(name)
    }

    fn named(&self, name: &str) -> Result<bool, SelectorError> {
        let platform = self.platform.as_str();
        let (os, architecture) = platform.split_once('-').unwrap_or((platform, ""));
        Ok(match name {
            "linux" | "osx" | "win" => os == name,
            "unix" => os != "win",
            "linux64" | "osx64" | "win64" => format!("{os}{architecture}") == name,
            "x86_64" => architecture == "64",
            "aarch64" | "arm64" => matches!(architecture, "aarch64" | "arm64"),
            "ppc64le" | "s390x" => architecture == name,
            _ => {
                let hint = match nearest(name, NAMES) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => format!(
                        "selectors know {}, with `and`, `or`, `not` and parentheses",
                        NAMES.join(", ")
                    ),
                };
                return Err(SelectorError { message: format!("unknown selector `{name}`"), hint });
            }
        })
    }

    fn error(&self, what: &str) -> SelectorError {
        SelectorError {
            message: format!("selector `{}` cannot be understood: {what}", self.expression.trim()),
            hint: "write it like `# [linux and not aarch64]`".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let on = |expression, platform| holds(expression, platform).unwrap();
        assert!(on("linux", Subdir::Linux64));
        assert!(on("linux64", Subdir::Linux64));
        assert!(!on("linux and not aarch64", Subdir::LinuxAarch64));
        assert!(on("osx or (linux and aarch64)", Subdir::LinuxAarch64));
        assert!(on("not win", Subdir::OsxArm64));
        assert!(on("unix", Subdir::OsxArm64));
        assert!(on("arm64", Subdir::OsxArm64));
        for wrong in ["", "linux and", "(linux", "linux osx", "not", "py==36"] {
            assert!(holds(wrong, Subdir::Linux64).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_keep_their_numbers() {
        let apply = |text: &str| apply("f", text, Subdir::Linux64).unwrap();
        let text = "a # [win]\nb # [linux]\nc # see [1]\n'x # [win]'\nurl#[win]\n  # [win]\n";
        assert_eq!(apply(text), "\nb # [linux]\nc # see [1]\n'x # [win]'\nurl#[win]\n  # [win]\n");
        // Behind words, a selector is one if it reads as one; a link is none.
        assert_eq!(apply("- a # broken [osx]\n- b # [docs](u)\n"), "\n- b # [docs](u)\n");
        // Inside a text there are no comments.
        let block = "a: |\n  keep # [osx]\n  end\nb: x # [osx]\n";
        assert_eq!(apply(block), "a: |\n  keep # [osx]\n  end\n\n");
    }

    #[test]
    fn an_unknown_name_is_placed() {
        let problem = apply("f", "ok: 1\nb: 2 # [linx]\n", Subdir::Linux64).unwrap_err();
        assert_eq!(problem.position, Some(Position { line: 2, column: 9 }));
        assert_eq!(problem.hint.as_deref(), Some("did you mean `linux`?"));
    }
}
