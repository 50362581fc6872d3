//! The lines of a `pip:` section, read as pip reads a requirements file.
//!
//! Guarantees: every line is understood or refused with its place; `-r` and `-c` files are read
//! with their own positions, and cycles are found. Nothing is resolved here.
//!
//! Source: pip's requirements file format; PEP 508.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use pep508_rs::{Requirement, Scheme, VerbatimUrl, VersionOrUrl, split_scheme};

use super::{Position, Problem, nearest};
use crate::fs;

/// One line of a `pip:` section or of a requirements file that it names.
#[derive(Clone, Debug)]
pub struct PipLine {
    /// The file it stands in.
    pub file: Arc<str>,
    /// Where.
    pub position: Position,
    /// The line without its comment, and without credentials.
    pub text: String,
    /// The category of its environment file.
    pub category: Arc<str>,
    /// What it says.
    pub item: PipItem,
}

/// What a line says.
#[derive(Clone, Debug)]
pub enum PipItem {
    /// A PEP 508 requirement, by name.
    Requirement {
        /// Name, extras, version or URL, marker.
        requirement: Box<Requirement<VerbatimUrl>>,
        /// `--hash` values, such as `sha256:…`.
        hashes: Vec<String>,
        /// From a `-c` file: limits versions, installs nothing.
        constraint: bool,
    },
    /// A requirement without a name: a URL, a path, or a version control URL.
    Location {
        /// As written.
        location: String,
        /// `-e`.
        editable: bool,
        /// `--hash` values.
        hashes: Vec<String>,
    },
    /// `--index-url`, `--extra-index-url`, `--find-links` and the like.
    Option {
        /// The long name, with its dashes.
        name: &'static str,
        /// Its value; empty for a switch.
        value: String,
    },
}

impl PipLine {
    /// The directory that relative paths of this line start from.
    pub fn directory(&self) -> &Path {
        Path::new(&*self.file).parent().unwrap_or(Path::new(""))
    }

    /// A problem with this line.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(&self.file, self.position, message)
    }
}

/// A requirement by name alone, as a package states what builds it: no options, no files, no places. The error is a
/// sentence.
pub fn by_name(text: &str) -> Result<Requirement<VerbatimUrl>, String> {
    super::environment::bounded(text)?;
    let parsed = text.parse::<Requirement<VerbatimUrl>>();
    let parsed = parsed.map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())?;
    match parsed.version_or_url {
        Some(VersionOrUrl::Url(_)) => Err("a URL cannot stand here".to_owned()),
        _ => Ok(parsed),
    }
}

/// Options of a requirements file: short name, long name, whether it takes a value.
const OPTIONS: [(&str, &str, bool); 14] = [
    ("-i", "--index-url", true),
    ("", "--pypi-url", true),
    ("", "--extra-index-url", true),
    ("", "--no-index", false),
    ("-f", "--find-links", true),
    ("", "--no-binary", true),
    ("", "--only-binary", true),
    ("", "--prefer-binary", false),
    ("", "--require-hashes", false),
    ("", "--pre", false),
    ("", "--trusted-host", true),
    ("-r", "--requirement", true),
    ("-c", "--constraint", true),
    ("-e", "--editable", true),
];

/// Options that pip knows and a lock cannot honour.
const UNSUPPORTED: [&str; 5] = [
    "--use-feature",
    "--global-option",
    "--config-settings",
    "--install-option",
    "--process-dependency-links",
];

/// Reads one line of a `pip:` section, with the files that it names.
pub fn read_line(
    file: &Arc<str>,
    directory: &Path,
    position: Position,
    category: &str,
    text: &str,
    lines: &mut Vec<PipLine>,
) -> Result<(), Problem> {
    let mut reader = Reader { lines, category: category.into(), open: Vec::new(), seen: BTreeSet::new() };
    reader.line(file, directory, position, text, false)
}

struct Reader<'a> {
    lines: &'a mut Vec<PipLine>,
    category: Arc<str>,
    /// The requirements files that are being read, outermost first.
    open: Vec<PathBuf>,
    seen: BTreeSet<(PathBuf, bool)>,
}

impl Reader<'_> {
    fn line(
        &mut self,
        file: &Arc<str>,
        directory: &Path,
        position: Position,
        text: &str,
        constraint: bool,
    ) -> Result<(), Problem> {
        let text = without_comment(text).trim();
        if text.is_empty() {
            return Ok(());
        }
        let shown = super::channel::redact_words(text);
        let problem = |message: String| Problem::at(file, position, message);
        super::environment::bounded(text)
            .map_err(|message| problem(message).with_hint("split it, or write it more simply"))?;
        let category = self.category.clone();
        let push = |lines: &mut Vec<PipLine>, item| {
            let (file, text) = (file.clone(), shown.clone());
            lines.push(PipLine { file, position, text, category: category.clone(), item });
        };
        if !text.starts_with('-') {
            let (body, hashes) = split_hashes(text)
                .map_err(|message| problem(message).with_hint("write it like `--hash=sha256:0123…`"))?;
            let item = if is_location(body) {
                PipItem::Location { location: body.to_owned(), editable: false, hashes }
            } else {
                let requirement = parse_requirement(body).map_err(|error| {
                    problem(format!("`{}` is not a requirement: {error}", super::channel::redact_words(body)))
                        .with_hint("write it like `name[extra]>=1.0; python_version < \"3.12\"`")
                })?;
                PipItem::Requirement { requirement: Box::new(requirement), hashes, constraint }
            };
            push(self.lines, item);
            return Ok(());
        }
        let (name, value) = option(text).map_err(|(message, hint)| problem(message).with_hint(hint))?;
        match name {
            "--requirement" | "--constraint" => {
                let constraint = constraint || name == "--constraint";
                self.file(file, directory, position, &value, constraint)
            }
            "--editable" => {
                push(self.lines, PipItem::Location { location: value, editable: true, hashes: Vec::new() });
                Ok(())
            }
            _ => {
                push(self.lines, PipItem::Option { name, value });
                Ok(())
            }
        }
    }

    fn file(
        &mut self,
        from: &Arc<str>,
        directory: &Path,
        position: Position,
        name: &str,
        constraint: bool,
    ) -> Result<(), Problem> {
        let problem = |message: String, hint: &str| Problem::at(from, position, message).with_hint(hint);
        if name.contains("://") {
            return Err(problem(
                format!("requirements file `{}` is a URL", super::channel::redact(name)),
                "download it and keep it beside env.yml: a lock needs inputs that stay",
            ));
        }
        let path = fs::normal(&directory.join(name));
        if self.open.contains(&path) {
            return Err(problem(format!("requirements file `{name}` includes itself"), "remove this line"));
        }
        if !self.seen.insert((path.clone(), constraint)) {
            return Ok(());
        }
        let text = fs::read_input(&path).map_err(|error| {
            problem(
                format!("requirements file `{name}`: {}", crate::causes::chain(&error)),
                "paths in a requirements file are relative to that file",
            )
        })?;
        let shown: Arc<str> =
            fs::normal(&Path::new(&**from).with_file_name(name)).display().to_string().into();
        let parent = path.parent().unwrap_or(directory).to_path_buf();
        self.open.push(path);
        for (number, line) in logical_lines(&text) {
            self.line(&shown, &parent, Position::new(number, 1), &line, constraint)?;
        }
        self.open.pop();
        Ok(())
    }
}

/// The lines of a requirements file with `\` continuations joined, and the number where each begins.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let (body, continues) = match line.strip_suffix('\\') {
            Some(body) => (body, true),
            None => (line, false),
        };
        match lines.last_mut() {
            Some((_, joined)) if open => joined.push_str(body),
            _ => lines.push((index + 1, body.to_owned())),
        }
        open = continues;
    }
    lines
}

/// pip's comment: a `#` at the beginning or after white space.
fn without_comment(text: &str) -> &str {
    let mut before = ' ';
    for (index, character) in text.char_indices() {
        if character == '#' && before.is_whitespace() {
            return &text[..index];
        }
        before = character;
    }
    text
}

fn split_hashes(text: &str) -> Result<(&str, Vec<String>), String> {
    let Some(start) = text.find(" --") else { return Ok((text, Vec::new())) };
    let mut hashes = Vec::new();
    let mut words = text[start..].split_whitespace().flat_map(|word| word.splitn(2, '='));
    while let Some(word) = words.next() {
        if word != "--hash" {
            return Err(format!("`{word}` behind a requirement is not supported"));
        }
        match words.next().and_then(|hash| hash.split_once(':').map(|(kind, hex)| (hash, kind, hex))) {
            Some((hash, "sha256" | "sha384" | "sha512", hex))
                if hex.chars().all(|c| c.is_ascii_hexdigit()) =>
            {
                hashes.push(hash.to_owned());
            }
            _ => return Err("`--hash` wants sha256:, sha384: or sha512: and hex digits".to_owned()),
        }
    }
    Ok((text[..start].trim_end(), hashes))
}

/// Whether a line without an option is a place instead of a name.
fn is_location(text: &str) -> bool {
    let head = text.split([' ', '@', ';']).next().unwrap_or(text);
    let archive = [".whl", ".tar.gz", ".tar.bz2", ".zip", ".tgz"];
    text.starts_with(['.', '/'])
        || head.contains("://")
        || (head.contains('/') && !text.contains(" @ "))
        || archive.iter().any(|ending| head.ends_with(ending))
}

fn parse_requirement(text: &str) -> Result<Requirement<VerbatimUrl>, String> {
    // Whether pep508_rs takes a path here depends on the features that it was built with.
    let place = text.split(';').next().and_then(|text| text.split_once('@'));
    let place = place.and_then(|(_, place)| place.split_whitespace().next()).filter(|it| !it.contains("${"));
    if let Some(place) = place
        && split_scheme(place).and_then(|(scheme, _)| Scheme::parse(scheme)).is_none()
    {
        return Err(format!("`{place}` is no URL that pip reads"));
    }
    Requirement::from_str(text).map_err(|error| {
        // The first line is the reason; pep508_rs draws the place below it.
        error.to_string().lines().next().unwrap_or_default().to_owned()
    })
}

fn option(text: &str) -> Result<(&'static str, String), (String, String)> {
    let split = text.find([' ', '=', '\t']).unwrap_or(text.len());
    let (word, mut value) = (&text[..split], text[split..].trim_start_matches(['=', ' ', '\t']).trim());
    let known =
        OPTIONS.iter().find(|(short, long, _)| (!short.is_empty() && *short == word) || *long == word);
    // pip takes `-rfile` as well.
    let known = known.or_else(|| {
        let (short, rest) = (text.get(..2)?, text.get(2..)?);
        let found =
            OPTIONS.iter().find(|(known, _, takes)| *known == short && *takes && !text.starts_with("--"))?;
        value = rest.trim();
        Some(found)
    });
    let Some((_, name, takes_value)) = known else {
        let hint = if UNSUPPORTED.contains(&word) {
            "remove it: it changes how a package is built or installed, which a lock cannot promise"
                .to_owned()
        } else {
            nearest(word, OPTIONS.iter().map(|(_, long, _)| *long)).map_or_else(
                || "see pip's requirements file format".to_owned(),
                |known| format!("did you mean `{known}`?"),
            )
        };
        return Err((format!("unknown pip option `{word}`"), hint));
    };
    let name = if *name == "--pypi-url" { "--index-url" } else { name };
    match (takes_value, value.is_empty()) {
        (true, true) => Err((format!("`{name}` wants a value"), format!("write it like `{name} VALUE`"))),
        (false, false) => Err((format!("`{name}` takes no value"), format!("write `{name}` alone"))),
        _ => Ok((name, value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<PipItem>, Problem> {
        let mut lines = Vec::new();
        let position = Position { line: 1, column: 1 };
        read_line(&"env.yml".into(), Path::new("/nowhere"), position, "main", text, &mut lines)?;
        Ok(lines.into_iter().map(|line| line.item).collect())
    }

    #[test]
    fn requirements() {
        let items =
            read("Celery[redis]>=5,<6 ; python_version>'3.8' --hash=sha256:00 --hash sha256:11 # why")
                .unwrap();
        let PipItem::Requirement { requirement, hashes, .. } = &items[0] else { panic!("{items:?}") };
        assert_eq!(requirement.name.to_string(), "celery");
        assert_eq!(requirement.extras.len(), 1);
        assert_eq!(hashes, &["sha256:00", "sha256:11"]);
        assert!(matches!(
            &read("a @ https://h/a-1.tar.gz#sha256=00").unwrap()[0],
            PipItem::Requirement { .. }
        ));
    }

    #[test]
    fn locations() {
        for text in
            ["./pkg", "https://h/a-1-py3-none-any.whl", "git+https://h/a@v1#egg=a", "a-1.tar.gz", "sub/dir"]
        {
            assert!(matches!(&read(text).unwrap()[0], PipItem::Location { editable: false, .. }), "{text}");
        }
        assert!(matches!(&read("-e ./pkg").unwrap()[0], PipItem::Location { editable: true, .. }));
    }

    #[test]
    fn options() {
        let value = |text| match read(text).unwrap().remove(0) {
            PipItem::Option { name, value } => (name, value),
            other => panic!("{other:?}"),
        };
        assert_eq!(value("-i https://h/simple"), ("--index-url", "https://h/simple".to_owned()));
        assert_eq!(value("--extra-index-url=https://h/s"), ("--extra-index-url", "https://h/s".to_owned()));
        assert_eq!(value("--no-index"), ("--no-index", String::new()));
        assert!(read("--indx-url x").unwrap_err().hint.unwrap().contains("--index-url"));
        assert!(read("--pre yes").is_err());
        assert!(read("-i").is_err());
        assert!(read("--use-feature x").is_err());
        assert!(read("requests ===").is_err());
    }

    #[test]
    fn files_are_followed_and_cycles_found() {
        let directory = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            use std::io::Write;
            fs::temporary_in(directory.path())
                .and_then(|mut file| {
                    file.write_all(text.as_bytes()).unwrap();
                    fs::publish(file, &directory.path().join(name))
                })
                .unwrap();
        };
        put("a.txt", "one\\\n==1\n-c c.txt\n");
        put("c.txt", "two<2\n-r a.txt\n");
        let mut lines = Vec::new();
        let problem = read_line(
            &"env.yml".into(),
            directory.path(),
            Position { line: 9, column: 7 },
            "main",
            "-r a.txt",
            &mut lines,
        )
        .unwrap_err();
        assert_eq!(problem.to_string(), "c.txt:2:1: requirements file `a.txt` includes itself");
        put("c.txt", "two<2\n");
        lines.clear();
        read_line(
            &"env.yml".into(),
            directory.path(),
            Position { line: 9, column: 7 },
            "main",
            "-ra.txt",
            &mut lines,
        )
        .unwrap();
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["one==1", "two<2"]);
        assert!(matches!(lines[1].item, PipItem::Requirement { constraint: true, .. }));
    }
}
