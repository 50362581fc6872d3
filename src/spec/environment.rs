//! One `env.yml` as it reads on one platform.
//!
//! Guarantees: every key and every entry is understood or refused with line and column; nothing is
//! dropped in silence. It does not resolve anything.

use std::{collections::BTreeMap, str::FromStr, sync::Arc};

use rattler_conda_types::{MatchSpec, PackageName, ParseMatchSpecOptions, Subdir};
use rattler_digest::{Md5, Md5Hash, Sha256, Sha256Hash, parse_digest_from_hex};

use super::{
    Position, Problem,
    channel::{Channel, ChannelProblem, Context},
    nearest,
    pip::{self, PipLine},
    selectors,
    yaml::{self, Key, Node, Value},
};

const KEYS: [&str; 9] = [
    "name",
    "channels",
    "dependencies",
    "variables",
    "prefix",
    "platforms",
    "category",
    "pip-repositories",
    "allow-pypi-requests",
];

/// A match spec of `dependencies:`.
#[derive(Clone, Debug)]
pub struct CondaSpec {
    /// The file it stands in.
    pub file: Arc<str>,
    /// Where.
    pub position: Position,
    /// As written, with single spaces, and with variables for credentials.
    pub text: String,
    /// What it says about name, version and build, or the URL of the package.
    pub spec: MatchSpec,
    /// The channel before `::` or in `[channel=…]`, if any.
    pub channel: Option<Channel>,
    /// The subdir behind that channel or in `[subdir=…]`, if any.
    pub subdir: Option<String>,
    /// The file in `[fn=…]`, if any.
    pub file_name: Option<String>,
    /// What the file must hash to.
    pub pin: Pin,
    /// The category of its file.
    pub category: String,
}

impl Default for CondaSpec {
    fn default() -> Self {
        Self {
            file: "".into(),
            position: Position { line: 1, column: 1 },
            text: String::new(),
            spec: MatchSpec::from(PackageName::new_unchecked("")),
            channel: None,
            subdir: None,
            file_name: None,
            pin: Pin::default(),
            category: String::new(),
        }
    }
}

/// The digests that a requirement states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pin {
    /// md5 of the artifact.
    pub md5: Option<Md5Hash>,
    /// sha256 of the artifact.
    pub sha256: Option<Sha256Hash>,
}

/// An `env.yml`, read for one platform.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `channels:`, without `nodefaults`.
    pub channels: Vec<Channel>,
    /// The match specs of `dependencies:`.
    pub conda: Vec<CondaSpec>,
    /// The lines of `pip:` sections.
    pub pip: Vec<PipLine>,
    /// `variables:`.
    pub variables: BTreeMap<String, String>,
    /// What was ignored on purpose, in words.
    pub notes: Vec<String>,
}

impl Environment {
    /// The channels it lists, then those that only stand in front of a requirement.
    pub fn all_channels(&self) -> impl Iterator<Item = &Channel> {
        let in_front = self.conda.iter().filter_map(|spec| spec.channel.as_ref());
        self.channels.iter().chain(in_front.filter(|channel| !self.channels.contains(channel)))
    }
}

/// Reads the `platforms:` of a file; they cannot depend on the platform.
pub fn platforms(file: &str, text: &str) -> Result<Option<Vec<Subdir>>, Problem> {
    let root = yaml::parse(file, text)?;
    let Value::Mapping(entries) = &root.value else { return Ok(None) };
    let Some((_, node)) = entries.iter().find(|(key, _)| key.name == "platforms") else { return Ok(None) };
    let mut platforms = Vec::new();
    for item in list(file, node, "platforms")? {
        let platform = parse_platform(string(file, item, "a platform")?)
            .map_err(|(message, hint)| item.problem(file, message).with_hint(hint))?;
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok((!platforms.is_empty()).then_some(platforms))
}

/// Reads the `name:` of a file.
pub fn name(file: &str, text: &str) -> Result<Option<String>, Problem> {
    let root = yaml::parse(file, text)?;
    let Value::Mapping(entries) = &root.value else { return Ok(None) };
    let node = entries.iter().find(|(key, _)| key.name == "name").map(|(_, node)| node);
    Ok(node.and_then(|node| if let Value::String(name) = &node.value { Some(name.clone()) } else { None }))
}

/// Reads a platform name; the error is a message and a hint.
pub fn parse_platform(text: &str) -> Result<Subdir, (String, String)> {
    match Subdir::from_str(text) {
        Ok(platform) if platform != Subdir::NoArch => Ok(platform),
        _ => {
            let known = nearest(text, Subdir::all().map(Subdir::as_str).filter(|name| *name != "noarch"));
            let hint = known.map_or_else(
                || "platforms are named like linux-64 and linux-aarch64".to_owned(),
                |known| format!("did you mean `{known}`?"),
            );
            Err((format!("unknown platform `{text}`"), hint))
        }
    }
}

/// Reads an `env.yml` for one platform. `context.directory` is where its relative paths start.
pub fn parse(
    file: &Arc<str>,
    text: &str,
    platform: Subdir,
    context: Context,
) -> Result<Environment, Problem> {
    let selected = selectors::apply(file, text, platform)?;
    let root = yaml::parse(file, &selected)?;
    let mut reader =
        Reader { file, platform, context, category: "main".to_owned(), result: Environment::default() };
    match &root.value {
        Value::Mapping(entries) => reader.top(entries)?,
        Value::Null => {
            return Err(root
                .problem(file, "the file is empty")
                .with_hint("an environment file has `channels:` and `dependencies:`"));
        }
        _ => {
            return Err(root
                .problem(file, format!("expected keys such as `dependencies:`, found {}", root.kind()))
                .with_hint("an environment file has `channels:` and `dependencies:`"));
        }
    }
    Ok(reader.result)
}

struct Reader<'a> {
    file: &'a Arc<str>,
    platform: Subdir,
    context: Context<'a>,
    category: String,
    result: Environment,
}

impl Reader<'_> {
    fn top(&mut self, entries: &[(Key, Node)]) -> Result<(), Problem> {
        known_keys(self.file, entries, &KEYS)?;
        // The category belongs to every dependency, wherever its key stands.
        if let Some((_, node)) = entries.iter().find(|(key, _)| key.name == "category") {
            string(self.file, node, "`category`")?.clone_into(&mut self.category);
        }
        for (key, node) in entries {
            match key.name.as_str() {
                // Of no use here: an environment is named by its place in the project.
                "name" if matches!(node.value, Value::Null | Value::Number(_)) => {}
                "name" => drop(string(self.file, node, "`name`")?),
                "channels" => self.channels(node)?,
                "dependencies" => self.dependencies(node)?,
                "variables" => self.variables(node)?,
                "prefix" => self.result.notes.push(format!(
                    "{}:{}: `prefix` is ignored: an environment is built for its fixed prefix",
                    self.file, key.position.line
                )),
                "pip-repositories" => {
                    for item in list(self.file, node, "pip-repositories")? {
                        let url = string(self.file, item, "an index URL")?;
                        let text = format!("--extra-index-url {url}");
                        pip::read_line(
                            self.file,
                            self.context.directory,
                            item.position,
                            &self.category,
                            &text,
                            &mut self.result.pip,
                        )?;
                    }
                }
                // Read by `platforms`, above, and by conda-lock.
                _ => {}
            }
        }
        Ok(())
    }

    fn channels(&mut self, node: &Node) -> Result<(), Problem> {
        for item in list(self.file, node, "channels")? {
            let written = string(self.file, item, "a channel")?;
            if written == "nodefaults" {
                continue;
            }
            let channel = Channel::parse(written, self.context)
                .map_err(|(message, hint)| item.problem(self.file, message).with_hint(hint))?;
            if !self.result.channels.contains(&channel) {
                self.result.channels.push(channel);
            }
        }
        Ok(())
    }

    fn dependencies(&mut self, node: &Node) -> Result<(), Problem> {
        for item in list(self.file, node, "dependencies")? {
            match &item.value {
                // What a selector leaves of an entry; conda tolerates it as well.
                Value::Null => {}
                Value::String(text) => self.conda_spec(text, item.position)?,
                Value::Mapping(entries) => {
                    for (key, value) in entries {
                        self.section(key, value)?;
                    }
                }
                _ => {
                    return Err(item
                        .problem(self.file, format!("expected a match spec, found {}", item.kind()))
                        .with_hint("write a dependency like `- python=3.11`"));
                }
            }
        }
        Ok(())
    }

    /// An entry of `dependencies:` that is a mapping: `pip:` or `sel(…):`.
    fn section(&mut self, key: &Key, value: &Node) -> Result<(), Problem> {
        let file = self.file;
        if key.name == "pip" {
            let items: &[Node] = match &value.value {
                Value::Null => &[],
                Value::String(_) => std::slice::from_ref(value),
                _ => list(file, value, "pip")?,
            };
            for item in items {
                if matches!(item.value, Value::Null) {
                    continue;
                }
                let text = string(file, item, "a requirement")?;
                pip::read_line(
                    file,
                    self.context.directory,
                    item.position,
                    &self.category,
                    text,
                    &mut self.result.pip,
                )?;
            }
            return Ok(());
        }
        if let Some(expression) = key.name.strip_prefix("sel(").and_then(|rest| rest.strip_suffix(')')) {
            let holds =
                selectors::holds(expression, self.platform).map_err(|error| error.at(file, key.position))?;
            let items: &[Node] = match &value.value {
                Value::Sequence(items) => items,
                _ => std::slice::from_ref(value),
            };
            for item in items {
                let text = string(file, item, "a match spec")?;
                if holds {
                    self.conda_spec(text, item.position)?;
                }
            }
            return Ok(());
        }
        let problem =
            Problem::at(file, key.position, format!("unknown section `{}` of dependencies", key.name));
        Err(match (&value.value, key.name.as_str()) {
            (_, "npm") => problem.with_hint("envlock locks conda and PyPI packages; install npm packages apart"),
            (Value::Number(number), name) => problem.with_hint(format!(
                "write the version in one piece, `- {name}={number}`: a {number} alone is a number in YAML, where 3.10 is 3.1"
            )),
            (Value::String(version), name) => {
                problem.with_hint(format!("write the version in one piece: `- {name}={version}`"))
            }
            _ => problem.with_hint("dependencies hold match specs, `pip:` lists and `sel(linux): spec`"),
        })
    }

    fn conda_spec(&mut self, written: &str, position: Position) -> Result<(), Problem> {
        let text = written.split_whitespace().collect::<Vec<_>>().join(" ");
        let problem = |message: String| Problem::at(self.file, position, message);
        bounded(&text).map_err(|message| problem(message).with_hint("split it, or write it more simply"))?;
        let head = text.find('[').unwrap_or(text.len());
        let mut read = if text[..head].contains("://") && !text[..head].contains("::") {
            package_url(&text)
        } else {
            self.match_spec(&text)
        }
        .map_err(|(message, hint)| problem(message).with_hint(hint))?;
        read.file = self.file.clone();
        read.position = position;
        read.category.clone_from(&self.category);
        self.result.conda.push(read);
        Ok(())
    }

    /// `name`, `name=version=build`, `channel/subdir::name[key=value]`.
    fn match_spec(&self, text: &str) -> Result<CondaSpec, ChannelProblem> {
        let head = text.find('[').unwrap_or(text.len());
        let (prefix, rest) = match text[..head].rfind("::") {
            Some(at) => (&text[..at], text[at + 2..].trim_start()),
            None => ("", text),
        };
        let (prefix, mut subdir) = match prefix.rsplit_once('/') {
            Some((channel, last)) if Subdir::from_str(last).is_ok() => (channel, Some(last.to_owned())),
            _ => (prefix, None),
        };
        let mut channel = if prefix.is_empty() { None } else { Some(Channel::parse(prefix, self.context)?) };
        // What is shown and locked names a credential's variable, never its value.
        let in_front = channel.as_ref().map_or_else(String::new, |channel| {
            let subdir = subdir.as_ref().map_or_else(String::new, |subdir| format!("/{subdir}"));
            format!("{}{subdir}::", channel.lock_url)
        });
        let text = format!("{in_front}{rest}");
        let wrong = |message: String| (message, WRITE_SPEC.to_owned());
        let head = rest.find('[').unwrap_or(rest.len());
        if rest[head..].contains("://") {
            return Err((
                format!(
                    "`{}` has a URL in its brackets",
                    super::channel::redact(&text[..text.len() - rest.len() + head])
                ),
                "write a channel in front, `https://host/channel::name`, and a package by its URL alone"
                    .to_owned(),
            ));
        }
        if rest[..head].contains(':') {
            return Err((
                format!("`{text}` has a single colon"),
                "a channel stands in front of two: `conda-forge::numpy`".to_owned(),
            ));
        }
        let mut spec = MatchSpec::from_str(rest, ParseMatchSpecOptions::lenient()).map_err(|error| {
            wrong(format!("`{text}` is not a match spec: {}", crate::causes::chain(&error)))
        })?;
        // `foo bar` parses as version `bar`: almost always two packages on one line.
        if let Some(version) = &spec.version
            && !version.to_string().contains(|c: char| c.is_ascii_digit() || c == '*')
        {
            let version = version.to_string();
            return Err((
                format!("`{text}` asks for the version `{}`", version.trim_start_matches('=')),
                "one package a line; a version has a digit in it".to_owned(),
            ));
        }
        if let Some(stated) = spec.channel.take() {
            let name = stated.name.clone().unwrap_or_else(|| stated.base_url.to_string());
            let stated = Channel::parse(&name, self.context)?;
            if channel.as_ref().is_some_and(|channel| *channel != stated) {
                return Err(wrong(format!("`{text}` names two channels")));
            }
            channel = Some(stated);
        }
        if let Some(stated) = spec.subdir.take()
            && subdir.replace(stated.clone()).is_some_and(|subdir| subdir != stated)
        {
            return Err(wrong(format!("`{text}` names two subdirs")));
        }
        let file_name = spec.file_name.take();
        let pin = Pin { md5: spec.md5.take(), sha256: spec.sha256.take() };
        Ok(CondaSpec { text, spec, channel, subdir, file_name, pin, ..CondaSpec::default() })
    }

    fn variables(&mut self, node: &Node) -> Result<(), Problem> {
        self.result.variables = variables(self.file, node)?;
        Ok(())
    }
}

/// Whether an environment variable can have a name.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reads a mapping of environment variables.
pub(super) fn variables(file: &str, node: &Node) -> Result<BTreeMap<String, String>, Problem> {
    let mut result = BTreeMap::new();
    for (key, value) in mapping(file, node, "variables")? {
        if !is_variable(&key.name) {
            return Err(Problem::at(
                file,
                key.position,
                format!("`{}` cannot be the name of a variable", key.name),
            )
            .with_hint("use letters, digits and `_`"));
        }
        let text = match &value.value {
            Value::String(text) if value.plain && changes_in_yaml_1_1(text) => {
                return Err(value
                    .problem(file, format!("the unquoted {text} is no text to every YAML reader"))
                    .with_hint(format!("quote it: `{}: \"{text}\"`", key.name)));
            }
            Value::String(text) => text.clone(),
            Value::Null => {
                return Err(value
                    .problem(file, format!("`{}` has no value", key.name))
                    .with_hint(format!("for an empty one write `{}: \"\"`", key.name)));
            }
            // 8080 reads the same in every YAML; 3.10, 0o17 and 1e3 do not.
            Value::Number(written)
                if written.parse::<i64>().is_ok_and(|number| number.to_string() == *written) =>
            {
                written.clone()
            }
            Value::Number(written) => {
                return Err(value
                    .problem(file, format!("the unquoted {written} is a number, and not every reader keeps it as it is written"))
                    .with_hint(format!("quote it: `{}: \"{written}\"`", key.name)));
            }
            Value::Bool(_) => {
                return Err(value
                    .problem(file, "an unquoted boolean has no text of its own: conda makes `True` of it")
                    .with_hint(format!("quote it: `{}: \"true\"`", key.name)));
            }
            _ => {
                return Err(value
                    .problem(file, format!("a variable is text, found {}", value.kind()))
                    .with_hint(format!("write one value: `{}: \"…\"`", key.name)));
            }
        };
        if text.contains('\0') {
            return Err(value.problem(file, "a variable cannot hold a NUL byte").with_hint("remove it"));
        }
        super::project::check_variable(file, value, &key.name, &text)?;
        result.insert(key.name.clone(), text);
    }
    Ok(result)
}

const WRITE_SPEC: &str = "write it like `python=3.11`, `numpy >=1.26,<3` or `conda-forge::celery`";

/// Refuses what is longer or nested deeper than any requirement: parsers behind us may recurse.
pub(super) fn bounded(text: &str) -> Result<(), String> {
    let mut depth = 0_u32;
    let deep = text.chars().any(|character| {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > 32
    });
    if text.len() > 4096 || deep {
        let start: String = text.chars().take(40).collect();
        return Err(format!("`{start}…` is longer or nested deeper than a requirement may be"));
    }
    Ok(())
}

/// A package by its URL, with `#md5` or `#sha256:…` behind it if its content is to be checked.
fn package_url(text: &str) -> Result<CondaSpec, ChannelProblem> {
    if super::channel::redact(text) != text || text.contains('$') {
        return Err((
            "a package URL holds credentials".to_owned(),
            "give them in ~/.netrc, and leave them out of the URL".to_owned(),
        ));
    }
    let wrong = |message: String| {
        (message, "write it like https://host/channel/linux-64/name-1.0-0.conda#sha256:…".to_owned())
    };
    let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
    let digits = fragment.rsplit([':', '=']).next().unwrap_or_default();
    let mut pin = Pin::default();
    match digits.len() {
        0 if fragment.is_empty() => {}
        32 => pin.md5 = parse_digest_from_hex::<Md5>(digits),
        64 => pin.sha256 = parse_digest_from_hex::<Sha256>(digits),
        _ => {}
    }
    if !fragment.is_empty() && pin == Pin::default() {
        return Err(wrong(format!("`#{fragment}` is neither an md5 nor a sha256")));
    }
    let spec = MatchSpec::from_str(url, ParseMatchSpecOptions::lenient())
        .map_err(|error| wrong(format!("`{text}` is not a package URL: {}", crate::causes::chain(&error))))?;
    Ok(CondaSpec { text: text.to_owned(), spec, pin, ..CondaSpec::default() })
}

/// Whether a YAML 1.1 reader takes this plain text for a boolean, a date or a number to the base 60.
fn changes_in_yaml_1_1(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let parts = |separator: char| text.split(separator).all(digits) && text.contains(separator);
    matches!(word.as_str(), "y" | "n" | "yes" | "no" | "on" | "off")
        || parts(':')
        || (parts('-') && text.matches('-').count() == 2)
}

/// Refuses a key that is not known, with the nearest one that is.
pub(super) fn known_keys(file: &str, entries: &[(Key, Node)], known: &[&str]) -> Result<(), Problem> {
    match entries.iter().find(|(key, _)| !known.contains(&key.name.as_str())) {
        None => Ok(()),
        Some((key, _)) => {
            let hint = nearest(&key.name, known.iter().copied()).map_or_else(
                || format!("known keys are {}", known.join(", ")),
                |known| format!("did you mean `{known}`?"),
            );
            Err(Problem::at(file, key.position, format!("unknown key `{}`", key.name)).with_hint(hint))
        }
    }
}

/// The items of a list; nothing is an empty one.
pub(super) fn list<'a>(file: &str, node: &'a Node, what: &str) -> Result<&'a [Node], Problem> {
    match &node.value {
        Value::Sequence(items) => Ok(items),
        Value::Null => Ok(&[]),
        _ => Err(node
            .problem(file, format!("`{what}` wants a list, found {}", node.kind()))
            .with_hint(format!("write one entry a line, each behind `- `, below `{what}:`"))),
    }
}

/// The entries of a mapping; nothing is an empty one.
pub(super) fn mapping<'a>(file: &str, node: &'a Node, what: &str) -> Result<&'a [(Key, Node)], Problem> {
    match &node.value {
        Value::Mapping(entries) => Ok(entries),
        Value::Null => Ok(&[]),
        _ => Err(node
            .problem(file, format!("`{what}` wants keys and values, found {}", node.kind()))
            .with_hint("write `KEY: value`, one a line")),
    }
}

/// The text of a node.
pub(super) fn string<'a>(file: &str, node: &'a Node, what: &str) -> Result<&'a str, Problem> {
    match &node.value {
        Value::String(text) => Ok(text),
        Value::Number(written) => Err(node
            .problem(file, format!("{what} wants text, and the unquoted {written} is a number"))
            .with_hint(format!("quote it: \"{written}\""))),
        _ => Err(node
            .problem(file, format!("{what} wants text, found {}", node.kind()))
            .with_hint("write one value in this place, in quotes if YAML reads it as something else")),
    }
}
