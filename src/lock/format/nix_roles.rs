//! The roles and the cluster in `envlock.nix`.

use std::collections::BTreeMap;

use super::{
    nix::{attribute, read_strings, set, strings, texts},
    nix_value::Value,
};
use crate::spec::project::{Cluster, Derived, Readiness, Role, Service, StopSignal, User, role_fault};

/// What the project says of its cluster; an empty set if nothing.
pub(super) fn cluster(cluster: Option<&Cluster>) -> Value {
    Value::set(cluster.into_iter().flat_map(|cluster| {
        [("name", Value::string(&cluster.name)), ("broker", Value::string(&cluster.broker))]
    }))
}

/// Reads it back.
pub(super) fn read_cluster(root: &Value) -> Result<Option<Cluster>, String> {
    let value = root.get("cluster").ok_or("`cluster` is missing")?;
    if value.as_set().is_some_and(<[_]>::is_empty) {
        return Ok(None);
    }
    let cluster = Cluster { name: attribute(value, "name")?, broker: attribute(value, "broker")? };
    cluster.fault().map_or(Ok(Some(cluster)), |fault| Err(fault.to_owned()))
}

/// What a role runs.
pub(super) fn role(role: &Role) -> Value {
    let mut attributes = vec![
        ("services", Value::set(role.services.iter().map(|(name, it)| (name, service(it))))),
        ("environment", strings(&role.environment)),
        ("secrets", Value::strings(&role.secrets)),
        ("ports", ports(&role.ports)),
        ("volumes", Value::strings(&role.volumes)),
        (
            "user",
            Value::set([
                ("name", Value::string(&role.user.name)),
                ("id", Value::Integer(role.user.id.into())),
            ]),
        ),
        ("publishes", Value::Bool(role.publishes)),
    ];
    if !role.makes.is_empty() {
        attributes.push(("makes", strings(&role.makes)));
    }
    if !role.derives.is_empty() {
        let derived = |it: &Derived| {
            Value::set([("from", Value::string(&it.from)), ("base64", Value::Bool(it.base64))])
        };
        attributes.push(("derives", Value::set(role.derives.iter().map(|(name, it)| (name, derived(it))))));
    }
    if !role.hosts.is_empty() {
        attributes.push(("hosts", strings(&role.hosts)));
    }
    if !role.shares.is_empty() {
        attributes.push(("shares", Value::strings(&role.shares)));
    }
    Value::set(attributes)
}

fn service(service: &Service) -> Value {
    let readiness = match &service.readiness {
        None => Value::set::<String>([]),
        Some(Readiness::Command(words)) => Value::set([("command", Value::strings(words))]),
        Some(Readiness::Http(url)) => Value::set([("http", Value::string(url))]),
        Some(Readiness::Tcp(port)) => Value::set([("tcp", Value::Integer((*port).into()))]),
    };
    let mut attributes = vec![
        ("command", Value::strings(&service.command)),
        ("environment", strings(&service.environment)),
        ("ports", ports(&service.ports)),
        ("volumes", Value::strings(&service.volumes)),
        ("readiness", readiness),
        ("guard", Value::Bool(service.guard)),
        ("stopTimeout", Value::Integer(service.stop_timeout.into())),
    ];
    // What most services do not have: locks of before these were there have none of them.
    if !service.after.is_empty() {
        attributes.push(("after", Value::strings(&service.after)));
    }
    if !service.files.is_empty() {
        attributes.push(("files", strings(&service.files)));
    }
    if service.once {
        attributes.push(("once", Value::Bool(true)));
    }
    if service.stop_signal != StopSignal::default() {
        attributes.push(("stopSignal", Value::string(service.stop_signal.name())));
    }
    Value::set(attributes)
}

fn ports(ports: &[u16]) -> Value {
    Value::List(ports.iter().map(|port| Value::Integer((*port).into())).collect())
}

/// Reads a role back. What convert refuses is refused here as well: the file may have been edited.
pub(super) fn read_role(value: &Value) -> Result<Role, String> {
    let mut services = BTreeMap::new();
    for (name, value) in set(value, "services")? {
        services.insert(name.clone(), read_service(value).map_err(|error| format!("{name}: {error}"))?);
    }
    let role = Role {
        system: None,
        services,
        environment: read_strings(value, "environment")?,
        secrets: texts(value, "secrets")?,
        ports: read_ports(value)?,
        volumes: texts(value, "volumes")?,
        user: read_user(value)?,
        publishes: boolean(value, "publishes")?,
        airflow: None,
        makes: read_optional(value, "makes")?,
        derives: read_derives(value)?,
        hosts: read_optional(value, "hosts")?,
        shares: value.get("shares").map_or(Ok(Vec::new()), |_| texts(value, "shares"))?,
    };
    role_fault(&role).map_or(Ok(role), Err)
}

/// Strings by name, of which there may be none.
fn read_optional(value: &Value, name: &str) -> Result<BTreeMap<String, String>, String> {
    value.get(name).map_or(Ok(BTreeMap::new()), |_| read_strings(value, name))
}

fn read_derives(role: &Value) -> Result<BTreeMap<String, Derived>, String> {
    let mut derives = BTreeMap::new();
    if role.get("derives").is_some() {
        for (name, value) in set(role, "derives")? {
            let it = Derived { from: attribute(value, "from")?, base64: boolean(value, "base64")? };
            derives.insert(name.clone(), it);
        }
    }
    Ok(derives)
}

fn read_user(role: &Value) -> Result<User, String> {
    let value = role.get("user").ok_or("`user` is missing")?;
    Ok(User { name: attribute(value, "name")?, id: number(value, "id")? })
}

fn read_service(value: &Value) -> Result<Service, String> {
    let readiness = match set(value, "readiness")? {
        [] => None,
        [(kind, value)] => Some(match (kind.as_str(), value) {
            ("command", Value::List(_)) => {
                Readiness::Command(texts(&Value::set([("command", value.clone())]), "command")?)
            }
            ("http", Value::String(url)) => Readiness::Http(url.clone()),
            ("tcp", Value::Integer(port)) => {
                Readiness::Tcp(u16::try_from(*port).map_err(|_| format!("{port} is no port"))?)
            }
            _ => return Err(format!("the readiness `{kind}` is not known")),
        }),
        _ => return Err("`readiness` is one thing".to_owned()),
    };
    Ok(Service {
        command: texts(value, "command")?,
        environment: read_strings(value, "environment")?,
        files: read_optional(value, "files")?,
        ports: read_ports(value)?,
        volumes: texts(value, "volumes")?,
        readiness,
        guard: boolean(value, "guard")?,
        after: value.get("after").map_or(Ok(Vec::new()), |_| texts(value, "after"))?,
        once: value.get("once").map_or(Ok(false), |_| boolean(value, "once"))?,
        stop_signal: value.get("stopSignal").map_or(Ok(StopSignal::default()), |name| {
            let known = if let Value::String(name) = name { StopSignal::of_name(name) } else { None };
            known.ok_or("`stopSignal` is no signal that stops a service")
        })?,
        stop_timeout: number(value, "stopTimeout")?,
    })
}

fn read_ports(value: &Value) -> Result<Vec<u16>, String> {
    let ports = value.get("ports").and_then(Value::as_list).ok_or("`ports` is missing")?;
    let port = |port: &Value| match port {
        Value::Integer(port) => u16::try_from(*port).ok(),
        _ => None,
    };
    ports.iter().map(|value| port(value).ok_or_else(|| "`ports` has what is no port".to_owned())).collect()
}

fn boolean(value: &Value, name: &str) -> Result<bool, String> {
    match value.get(name) {
        Some(Value::Bool(value)) => Ok(*value),
        _ => Err(format!("`{name}` is missing")),
    }
}

fn number(value: &Value, name: &str) -> Result<u32, String> {
    match value.get(name) {
        Some(Value::Integer(number)) => u32::try_from(*number).map_err(|_| format!("`{name}` is too large")),
        _ => Err(format!("`{name}` is missing")),
    }
}
