//! `envlock.yml`: the project file that names every environment and the options not to forget.
//!
//! Guarantees: every key is understood or refused with its place. It reads no other file.

mod airflow;
mod cluster;
mod order;
mod role;
mod secrets;
mod service;

use std::collections::BTreeMap;

pub use airflow::{Airflow, AirflowPart, DagSync, Tls};
pub use cluster::Cluster;
pub use role::{Derived, PUBLISH, Role, User, is_name, role_fault};
pub(super) use secrets::{check_variable, in_variable as secret_in};
pub use service::{Readiness, Service, StopSignal};

use super::{
    Position, Problem,
    environment::{known_keys, mapping, string},
    name_map::normalised,
    options::{self, Options},
    yaml::{self, Node, Value},
};

const KEYS: [&str; 15] = [
    "airflow",
    "cluster",
    "environment",
    "runtime",
    "roles",
    "exclude-newer",
    "pip-resolver",
    "virtual-packages",
    "channel-priority",
    "channel-alias",
    "name-map",
    "build-constraints",
    "build-requires",
    "build-timeout",
    "build-variables",
];

/// Names that a role cannot have: they are environments of every project.
const RESERVED: [&str; 2] = [super::USER, super::RUNTIME];

/// A project: which files make which environment.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// The files of the user environment, relative to the project file.
    pub environment: Vec<String>,
    /// The file of the runtime.
    pub runtime: Option<String>,
    /// What the roles together are, if the project says so.
    pub cluster: Option<Cluster>,
    /// What of Airflow's own cluster is different from the usual, if roles are parts of one.
    pub airflow: Option<Airflow>,
    /// The roles, by name.
    pub roles: BTreeMap<String, Role>,
    /// Options of convert; those of the command line win.
    pub options: Options,
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
            "airflow" => project.airflow = Some(airflow::parse(file, node)?),
            "cluster" => project.cluster = Some(cluster::parse(file, node)?),
            "runtime" => project.runtime = Some(string(file, node, "`runtime`")?.to_owned()),
            "roles" => {
                for (name, node) in mapping(file, node, "roles")? {
                    check_role_name(file, &name.name, name.position)?;
                    project.roles.insert(name.name.clone(), role::parse(file, node)?);
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
            "build-constraints" => {
                project.options.build_constraints = requirements(file, node, "build-constraints")?;
            }
            "build-requires" => {
                for (name, node) in mapping(file, node, "build-requires")? {
                    let requirements = requirements(file, node, &format!("what builds {}", name.name))?;
                    project.options.build_requires.insert(normalised(&name.name), requirements);
                }
            }
            "build-timeout" => {
                project.options.build_timeout = Some(service::seconds(file, node, "build-timeout")?);
            }
            "build-variables" => {
                for (name, node) in mapping(file, node, "build-variables")? {
                    let value = string(file, node, "a variable's value")?;
                    project
                        .options
                        .add_build_variable(&name.name, value)
                        .map_err(|(message, hint)| node.problem(file, message).with_hint(hint))?;
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
    check_cluster(file, &root, &mut project)?;
    Ok(project)
}

/// Refuses roles that cannot be one cluster together.
fn check_cluster(file: &str, root: &Node, project: &mut Project) -> Result<(), Problem> {
    let publishing: Vec<&str> =
        project.roles.iter().filter(|(_, role)| role.publishes).map(|(name, _)| name.as_str()).collect();
    if publishing.len() > 1 {
        return Err(root
            .problem(file, format!("the roles {} all say `publishes: true`", publishing.join(", ")))
            .with_hint(
                "one role of a cluster says which environment its workers must have: leave it to the master",
            ));
    }
    let has = |part| project.roles.values().filter(|role| role.airflow == Some(part)).count();
    match (has(AirflowPart::Master), has(AirflowPart::Worker), &project.airflow) {
        (0, 0, None) => {}
        (0, 0, Some(_)) => {
            return Err(root
                .problem(file, "`airflow` is there, and no role is a part of it")
                .with_hint("write `airflow: master` in one role, and `airflow: worker` in another"));
        }
        (1, ..) => project.airflow = Some(project.airflow.take().unwrap_or_default()),
        (masters, ..) => {
            return Err(root
                .problem(file, format!("{masters} roles are the master of Airflow, and one has to be"))
                .with_hint("write `airflow: master` in one role, and `airflow: worker` in the others"));
        }
    }
    // What Airflow's roles need is known: the cluster is one of it.
    let broker = |role: &Role| {
        role.airflow.is_none() && (role.publishes || role.services.values().any(|service| service.guard))
    };
    match project.roles.iter().find(|(_, role)| broker(role)) {
        Some((name, _)) if project.cluster.is_none() => Err(root
            .problem(file, format!("role `{name}` asks for the drift guard, and `cluster` is missing"))
            .with_hint(
                "say where the guard meets: `cluster: {name: NAME, broker: \"redis://master:6379/0\"}`",
            )),
        _ => Ok(()),
    }
}

/// A list of requirements, or one alone.
fn requirements(file: &str, node: &Node, what: &str) -> Result<Vec<String>, Problem> {
    let items = match &node.value {
        Value::Sequence(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut found = Vec::new();
    for item in items {
        let text = string(file, item, &format!("`{what}`"))?;
        let read = options::requirements(std::iter::once(text));
        found.extend(read.map_err(|(message, hint)| item.problem(file, message).with_hint(hint))?);
    }
    found.sort();
    Ok(found)
}

fn check_role_name(file: &str, name: &str, position: Position) -> Result<(), Problem> {
    let problem = |message| {
        Err(Problem::at(file, position, message).with_hint("name it for what it does, such as `master`"))
    };
    if RESERVED.contains(&name) {
        problem(format!("a role cannot be named `{name}`: that is an environment of every project"))
    } else if !is_name(name) {
        problem(format!("`{name}` cannot be the name of a role: use lower-case letters, digits and `-`"))
    } else {
        Ok(())
    }
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
        assert_eq!(project.roles["master"].services["redis"].command.len(), 3);
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
