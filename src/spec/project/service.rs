//! A service: one process of a role, which runs for ever or does something once.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        Problem,
        environment::{known_keys, list, mapping, string, variables},
        yaml::{Node, Value},
    },
    role::{ports, volumes},
    secrets,
};

const KEYS: [&str; 11] = [
    "after",
    "command",
    "environment",
    "files",
    "guard",
    "once",
    "ports",
    "readiness",
    "stop-signal",
    "stop-timeout",
    "volumes",
];
const READINESS_KEYS: [&str; 3] = ["command", "http", "tcp"];

const ONCE_AND_READY: &str = "what runs once is ready when it has ended";

/// How many seconds a service has to stop, unless it says otherwise.
const STOP_TIMEOUT: u32 = 60;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its words; `${NAME}` and `${NAME:-default}` are replaced by variables at run time.
    pub command: Vec<String>,
    /// Environment variables, besides those of its role.
    pub environment: BTreeMap<String, String>,
    /// Texts of files that it finds in `${ENVLOCK_FILES}`, by name; references are replaced in them.
    pub files: BTreeMap<String, String>,
    /// TCP ports that it listens on.
    pub ports: Vec<u16>,
    /// Directories that outlive it: absolute paths.
    pub volumes: Vec<String>,
    /// How to see that it does its work.
    pub readiness: Option<Readiness>,
    /// Whether it starts only on a node whose environment the master has published.
    pub guard: bool,
    /// Services of the same role that are to do their work before it starts.
    pub after: Vec<String>,
    /// Whether it does something and ends, each time that its node starts.
    pub once: bool,
    /// How it is told to stop.
    pub stop_signal: StopSignal,
    /// How many seconds it has to end its work when it is told to stop.
    pub stop_timeout: u32,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            environment: BTreeMap::new(),
            files: BTreeMap::new(),
            ports: Vec::new(),
            volumes: Vec::new(),
            readiness: None,
            guard: false,
            after: Vec::new(),
            once: false,
            stop_signal: StopSignal::default(),
            stop_timeout: STOP_TIMEOUT,
        }
    }
}

impl Service {
    /// What convert would have refused of it.
    pub(super) fn fault(&self) -> Option<String> {
        let probe: &[String] =
            if let Some(Readiness::Command(words)) = &self.readiness { words } else { &[] };
        for words in [&self.command, probe] {
            if words.first().is_some_and(String::is_empty) || words.iter().any(|word| word.contains('\0')) {
                return Some("a command cannot be run".to_owned());
            }
            if let Some((_, what)) = secrets::in_command(words) {
                return Some(format!("{what} holds a secret in plain text"));
            }
        }
        if let Some((name, _)) = self.files.iter().find(|(name, text)| !is_file(name) || text.contains('\0'))
        {
            return Some(format!("`{name}` cannot be one of its files"));
        }
        if self.files.values().any(|text| secrets::in_text(text)) {
            return Some("one of its files holds a secret in plain text".to_owned());
        }
        match &self.readiness {
            _ if self.command.is_empty() => Some("it has no command".to_owned()),
            Some(Readiness::Command(words)) if words.is_empty() => {
                Some("the command of its readiness is empty".to_owned())
            }
            Some(Readiness::Http(url)) if !is_http(url) || secrets::in_text(url) => {
                Some("its readiness asks no HTTP URL".to_owned())
            }
            Some(Readiness::Tcp(0)) => Some("its readiness asks port 0".to_owned()),
            Some(_) if self.once => Some(ONCE_AND_READY.to_owned()),
            _ => None,
        }
    }
}

fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

/// A signal that means: end your work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopSignal {
    /// What most programs expect.
    #[default]
    Term,
    /// `PostgreSQL` does not wait for its clients then.
    Int,
    /// Celery and NGINX know it as another way to stop.
    Quit,
}

impl StopSignal {
    const ALL: [Self; 3] = [Self::Term, Self::Int, Self::Quit];

    /// Its name without `SIG`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Quit => "QUIT",
        }
    }

    /// Finds one by its name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.name() == name)
    }
}

/// How to see that a service does its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// A command ends with code 0.
    Command(Vec<String>),
    /// A URL answers with a status below 400.
    Http(String),
    /// A port of this host accepts a connection.
    Tcp(u16),
}

/// Reads one: a list of words, or keys and values.
pub(super) fn parse(file: &str, name: &str, node: &Node) -> Result<Service, Problem> {
    let mut service = Service::default();
    if let Value::Sequence(_) = &node.value {
        service.command = words(file, node, name)?;
    } else {
        let entries = mapping(file, node, name)?;
        known_keys(file, entries, &KEYS)?;
        for (key, node) in entries {
            match key.name.as_str() {
                "command" => service.command = words(file, node, "command")?,
                "environment" => service.environment = variables(file, node)?,
                "files" => service.files = files(file, node)?,
                "ports" => service.ports = ports(file, node)?,
                "volumes" => service.volumes = volumes(file, node)?,
                "readiness" => service.readiness = Some(readiness(file, node)?),
                "guard" => service.guard = boolean(file, node, "guard")?,
                "after" => service.after = after(file, node)?,
                "once" => service.once = boolean(file, node, "once")?,
                "stop-signal" => service.stop_signal = stop_signal(file, node)?,
                _ => service.stop_timeout = seconds(file, node, "stop-timeout")?,
            }
        }
    }
    if service.command.is_empty() {
        return Err(node
            .problem(file, format!("service `{name}` has no command"))
            .with_hint("write its words as a list: `[celery, -A, tasks, worker]`"));
    }
    if service.once && service.readiness.is_some() {
        return Err(node
            .problem(file, format!("service `{name}`: {ONCE_AND_READY}"))
            .with_hint("remove `readiness`; whatever comes `after` it waits for its end"));
    }
    Ok(service)
}

fn words(file: &str, node: &Node, what: &str) -> Result<Vec<String>, Problem> {
    let nodes = list(file, node, what)?;
    let words = nodes
        .iter()
        .map(|word| string(file, word, "a word of a command").map(str::to_owned))
        .collect::<Result<Vec<_>, _>>()?;
    secrets::check_command(file, nodes, &words)?;
    if let Some(index) = words.iter().position(|word| word.contains('\0')) {
        return Err(nodes[index].problem(file, "a word cannot hold a NUL byte").with_hint("remove it"));
    }
    match words.first() {
        Some(first) if first.is_empty() => Err(node
            .problem(file, "the first word of a command is empty")
            .with_hint("start with the name of a program")),
        _ => Ok(words),
    }
}

fn files(file: &str, node: &Node) -> Result<BTreeMap<String, String>, Problem> {
    let mut files = BTreeMap::new();
    for (key, node) in mapping(file, node, "files")? {
        let text = string(file, node, "the text of a file")?;
        if !is_file(&key.name) {
            return Err(Problem::at(
                file,
                key.position,
                format!("`{}` cannot be the name of a file", key.name),
            )
            .with_hint("use letters, digits, `.`, `_` and `-`; it lies in ${ENVLOCK_FILES}"));
        }
        if text.contains('\0') {
            return Err(node.problem(file, "a file cannot hold a NUL byte").with_hint("remove it"));
        }
        secrets::check_text(file, node, text)?;
        files.insert(key.name.clone(), text.to_owned());
    }
    Ok(files)
}

/// Whether a file can have a name.
fn is_file(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 100
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn after(file: &str, node: &Node) -> Result<Vec<String>, Problem> {
    let names = list(file, node, "after")?.iter();
    let names = names.map(|item| string(file, item, "the name of a service").map(str::to_owned));
    Ok(names.collect::<Result<BTreeSet<_>, _>>()?.into_iter().collect())
}

fn stop_signal(file: &str, node: &Node) -> Result<StopSignal, Problem> {
    let name = string(file, node, "`stop-signal`")?;
    StopSignal::of_name(name.strip_prefix("SIG").unwrap_or(name)).ok_or_else(|| {
        let known = StopSignal::ALL.map(StopSignal::name).join(", ");
        node.problem(file, format!("`{name}` is no signal that stops a service"))
            .with_hint(format!("write one of {known}"))
    })
}

fn readiness(file: &str, node: &Node) -> Result<Readiness, Problem> {
    let entries = mapping(file, node, "readiness")?;
    known_keys(file, entries, &READINESS_KEYS)?;
    let [(key, value)] = entries else {
        return Err(node
            .problem(file, format!("`readiness` wants one of {}", READINESS_KEYS.join(", ")))
            .with_hint("write `readiness: {tcp: 6379}`"));
    };
    match key.name.as_str() {
        "command" => match words(file, value, "command")? {
            words if words.is_empty() => Err(value
                .problem(file, "the command of `readiness` is empty")
                .with_hint("write its words as a list: `[redis-cli, ping]`")),
            words => Ok(Readiness::Command(words)),
        },
        "http" => {
            let url = string(file, value, "`http`")?;
            secrets::check_text(file, value, url)?;
            if is_http(url) {
                Ok(Readiness::Http(url.to_owned()))
            } else {
                Err(value
                    .problem(file, format!("`{url}` is not an HTTP URL"))
                    .with_hint("write `http: http://127.0.0.1:8080/health`"))
            }
        }
        _ => Ok(Readiness::Tcp(super::role::port(file, value)?)),
    }
}

pub(super) fn boolean(file: &str, node: &Node, what: &str) -> Result<bool, Problem> {
    match node.value {
        Value::Bool(value) => Ok(value),
        _ => Err(node
            .problem(file, format!("`{what}` wants true or false, found {}", node.kind()))
            .with_hint(format!("write `{what}: true`"))),
    }
}

pub(super) fn seconds(file: &str, node: &Node, what: &str) -> Result<u32, Problem> {
    let number = if let Value::Number(text) = &node.value { text.parse().ok() } else { None };
    number.filter(|number| (1..=86_400 * 7).contains(number)).ok_or_else(|| {
        node.problem(file, format!("`{what}` is a whole number of seconds, at most a week"))
            .with_hint(format!("write `{what}: 600`"))
    })
}
