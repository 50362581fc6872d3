//! The roles and the cluster in `envlock.nix`.

use std::collections::BTreeMap;

use super::{
    nix::{attribute, read_strings, set, strings, texts},
    nix_value::Value,
};
use crate::spec::project::{Cluster, Readiness, Role, Service, User, role_fault};

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
    Value::set([
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
    ])
}

fn service(service: &Service) -> Value {
    let readiness = match &service.readiness {
        None => Value::set::<String>([]),
        Some(Readiness::Command(words)) => Value::set([("command", Value::strings(words))]),
        Some(Readiness::Http(url)) => Value::set([("http", Value::string(url))]),
        Some(Readiness::Tcp(port)) => Value::set([("tcp", Value::Integer((*port).into()))]),
    };
    Value::set([
        ("command", Value::strings(&service.command)),
        ("environment", strings(&service.environment)),
        ("ports", ports(&service.ports)),
        ("volumes", Value::strings(&service.volumes)),
        ("readiness", readiness),
        ("guard", Value::Bool(service.guard)),
        ("stopTimeout", Value::Integer(service.stop_timeout.into())),
    ])
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
    };
    role_fault(&role).map_or(Ok(role), Err)
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
        ports: read_ports(value)?,
        volumes: texts(value, "volumes")?,
        readiness,
        guard: boolean(value, "guard")?,
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
