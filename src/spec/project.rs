//! `envlock.yml`: the project file that names every environment and the options not to forget.
//!
//! Guarantees: every key is understood or refused with its place. It reads no other file.

use std::collections::BTreeMap;

use super::{
    Position, Problem,
    environment::{known_keys, list, mapping, string, variables},
    options::{self, Options},
    yaml::{self, Node, Value},
};

const KEYS: [&str; 9] = [
    "environment",
    "runtime",
    "roles",
    "exclude-newer",
    "pip-resolver",
    "virtual-packages",
    "channel-priority",
    "channel-alias",
    "name-map",
];
const ROLE_KEYS: [&str; 4] = ["system", "services", "environment", "ports"];

/// Names that a role cannot have: they are environments of every project.
const RESERVED: [&str; 2] = [super::USER, super::RUNTIME];

/// A project: which files make which environment.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// The files of the user environment, relative to the project file.
    pub environment: Vec<String>,
    /// The file of the runtime.
    pub runtime: Option<String>,
    /// The roles, by name.
    pub roles: BTreeMap<String, Role>,
    /// Options of convert; those of the command line win.
    pub options: Options,
}

/// What one kind of node runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// The file of the system environment.
    pub system: Option<String>,
    /// Service name → command, as a list of words.
    pub services: BTreeMap<String, Vec<String>>,
    /// Environment variables of all its services.
    pub environment: BTreeMap<String, String>,
    /// TCP ports that it opens.
    pub ports: Vec<u16>,
}

/// Reads a project file.
pub fn parse(file: &str, text: &str) -> Result<Project, Problem> {
    let root = yaml::parse(file, text)?;
    let entries = mapping(file, &root, "envlock.yml")?;
    known_keys(file, entries, &KEYS)?;
    let mut project = Project::default();
    for (key, node) in entries {
        match key.name.as_str() {
            "environment" => {
                project.environment = match &node.value {
                    Value::Sequence(items) => items
                        .iter()
                        .map(|item| string(file, item, "`environment`").map(str::to_owned))
                        .collect::<Result<_, _>>()?,
                    _ => vec![string(file, node, "`environment`")?.to_owned()],
                }
            }
            "runtime" => project.runtime = Some(string(file, node, "`runtime`")?.to_owned()),
            "roles" => {
                for (name, node) in mapping(file, node, "roles")? {
                    check_role_name(file, &name.name, name.position)?;
                    project.roles.insert(name.name.clone(), role(file, node)?);
                }
            }
            "virtual-packages" => {
                for (name, node) in mapping(file, node, "virtual-packages")? {
                    let written =
                        format!("{}={}", name.name, string(file, node, "a virtual package's version")?);
                    let (name, version) = options::parse_virtual_package(&written)
                        .map_err(|(message, hint)| node.problem(file, message).with_hint(hint))?;
                    project.options.virtual_packages.insert(name, version);
                }
            }
            name => {
                let value = string(file, node, &format!("`{name}`"))?;
                project
                    .options
                    .set(name, value)
                    .map_err(|(message, hint)| node.problem(file, message).with_hint(hint))?;
            }
        }
    }
    if project.environment.is_empty() {
        return Err(root
            .problem(file, "`environment` is missing")
            .with_hint("name the environment file: `environment: env.yml`"));
    }
    Ok(project)
}

fn check_role_name(file: &str, name: &str, position: Position) -> Result<(), Problem> {
    let legal = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let problem = |message| {
        Err(Problem::at(file, position, message).with_hint("name it for what it does, such as `master`"))
    };
    if RESERVED.contains(&name) {
        problem(format!("a role cannot be named `{name}`: that is an environment of every project"))
    } else if !legal {
        problem(format!("`{name}` cannot be the name of a role: use lower-case letters, digits and `-`"))
    } else {
        Ok(())
    }
}

fn role(file: &str, node: &Node) -> Result<Role, Problem> {
    let entries = mapping(file, node, "role")?;
    known_keys(file, entries, &ROLE_KEYS)?;
    let mut role = Role::default();
    for (key, node) in entries {
        match key.name.as_str() {
            "system" => role.system = Some(string(file, node, "`system`")?.to_owned()),
            "environment" => role.environment = variables(file, node)?,
            "ports" => {
                for item in list(file, node, "ports")? {
                    let port = match &item.value {
                        Value::Number(text) | Value::String(text) => {
                            text.parse().ok().filter(|port| *port != 0)
                        }
                        _ => None,
                    };
                    role.ports.push(port.ok_or_else(|| {
                        item.problem(file, "a port is a number from 1 to 65535").with_hint("write `- 8080`")
                    })?);
                }
            }
            _ => {
                for (name, node) in mapping(file, node, "services")? {
                    let command = list(file, node, &name.name)?
                        .iter()
                        .map(|word| string(file, word, "a word of a command").map(str::to_owned))
                        .collect::<Result<Vec<_>, _>>()?;
                    if command.is_empty() {
                        return Err(node
                            .problem(file, format!("service `{}` has no command", name.name))
                            .with_hint("write its words as a list: `[celery, -A, tasks, worker]`"));
                    }
                    role.services.insert(name.name.clone(), command);
                }
            }
        }
    }
    Ok(role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_project() {
        let project = parse(
            "envlock.yml",
            "environment: env.yml\nruntime: runtime.yml\nexclude-newer: 2024-01-02\nvirtual-packages: {__cuda: \"12.4\"}\n\
             roles:\n  master:\n    system: master.yml\n    services: {redis: [redis-server, --port, \"6379\"]}\n    \
             environment: {A: b}\n    ports: [6379]\n  worker: {}\n",
        )
        .unwrap();
        assert_eq!(project.environment, ["env.yml"]);
        assert_eq!(project.roles["master"].ports, [6379]);
        assert_eq!(project.roles["master"].services["redis"].len(), 3);
        assert_eq!(project.roles["worker"], Role::default());
        assert!(project.options.exclude_newer.is_some());
    }

    #[test]
    fn what_cannot_be_is_placed() {
        let problem = |text: &str| parse("p", text).unwrap_err().to_string();
        assert_eq!(problem("enviroment: env.yml\n"), "p:1:1: unknown key `enviroment`");
        assert_eq!(problem("runtime: r.yml\n"), "p:1:1: `environment` is missing");
        assert!(problem("environment: e\nroles: {user: {}}\n").starts_with("p:2:9: a role cannot be named"));
        assert!(problem("environment: e\nroles: {m: {ports: [0]}}\n").contains("a port is a number"));
        assert!(problem("environment: e\npip-resolver: lax\n").contains("lax"));
    }
}
