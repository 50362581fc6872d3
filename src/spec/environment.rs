//! One `env.yml` as it reads on one platform.
//!
//! Guarantees: every key and every entry is understood or refused with line and column; nothing is
//! dropped in silence. It does not resolve anything.

use std::{collections::BTreeMap, str::FromStr, sync::Arc};

use rattler_conda_types::{MatchSpec, ParseMatchSpecOptions, Subdir};

use super::{
    Position, Problem,
    channel::{Channel, Context},
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
    /// As written, with single spaces.
    pub text: String,
    /// What it says.
    pub spec: MatchSpec,
    /// The channel before `::` or in `[channel=…]`, if any.
    pub channel: Option<Channel>,
    /// The category of its file.
    pub category: String,
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
                pip::read_line(file, self.context.directory, item.position, text, &mut self.result.pip)?;
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
        let spec = MatchSpec::from_str(&text, ParseMatchSpecOptions::lenient()).map_err(|error| {
            problem(format!("`{text}` is not a match spec: {}", crate::causes::chain(&error)))
                .with_hint("write it like `python=3.11`, `numpy >=1.26,<3` or `conda-forge::celery`")
        })?;
        // `foo bar` parses as version `bar`: almost always two packages on one line.
        if let Some(version) = &spec.version
            && spec.url.is_none()
            && !version.to_string().contains(|c: char| c.is_ascii_digit() || c == '*')
        {
            let version = version.to_string();
            let version = version.trim_start_matches('=');
            return Err(problem(format!("`{text}` asks for the version `{version}`"))
                .with_hint("one package a line; a version has a digit in it"));
        }
        let channel = match &spec.channel {
            None => None,
            Some(channel) => {
                let name = channel.name.clone().unwrap_or_else(|| channel.base_url.to_string());
                let written = text.split_once("::").map_or(name.as_str(), |(prefix, _)| prefix);
                let parsed =
                    Channel::parse(written, self.context).or_else(|_| Channel::parse(&name, self.context));
                Some(parsed.map_err(|(message, hint)| problem(message).with_hint(hint))?)
            }
        };
        let category = self.category.clone();
        self.result.conda.push(CondaSpec {
            file: self.file.clone(),
            position,
            text,
            spec,
            channel,
            category,
        });
        Ok(())
    }

    fn variables(&mut self, node: &Node) -> Result<(), Problem> {
        self.result.variables = variables(self.file, node)?;
        Ok(())
    }
}

/// Reads a mapping of environment variables.
pub(super) fn variables(file: &str, node: &Node) -> Result<BTreeMap<String, String>, Problem> {
    let mut result = BTreeMap::new();
    for (key, value) in mapping(file, node, "variables")? {
        let legal = !key.name.is_empty()
            && !key.name.starts_with(|c: char| c.is_ascii_digit())
            && key.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !legal {
            return Err(Problem::at(
                file,
                key.position,
                format!("`{}` cannot be the name of a variable", key.name),
            )
            .with_hint("use letters, digits and `_`"));
        }
        let text = match &value.value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
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
        result.insert(key.name.clone(), text);
    }
    Ok(result)
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
