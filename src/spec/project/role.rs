//! A role: what one kind of node runs.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        Problem,
        environment::{is_variable, known_keys, list, mapping, string, variables},
        yaml::{Key, Node, Value},
    },
    airflow::{self, AirflowPart},
    order,
    service::{self, Service},
};

const KEYS: [&str; 9] =
    ["airflow", "environment", "ports", "publishes", "secrets", "services", "system", "user", "volumes"];
const USER_KEYS: [&str; 2] = ["id", "name"];

/// Places of an image that a volume would hide.
const TAKEN: [&str; 9] = ["/opt/envlock", "/bin", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sys", "/usr"];

/// The service that publishes the treeDigest of a role with `publishes: true`.
pub const PUBLISH: &str = "publish";

/// What one kind of node runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// The file of the system environment.
    pub system: Option<String>,
    /// The services, by name.
    pub services: BTreeMap<String, Service>,
    /// Environment variables of all its services.
    pub environment: BTreeMap<String, String>,
    /// Variables whose values are given at run time, by a file or by the surroundings.
    pub secrets: Vec<String>,
    /// TCP ports that it opens, besides those of its services.
    pub ports: Vec<u16>,
    /// Directories that outlive a node, besides those of its services: absolute paths.
    pub volumes: Vec<String>,
    /// Whom the services run as.
    pub user: User,
    /// Whether its environment is the one that guarded services must have.
    pub publishes: bool,
    /// What it does for Airflow, where its services are not stated; `None` once they are.
    pub airflow: Option<AirflowPart>,
    /// Secrets that a node makes for itself at its first start, and where it keeps them: absolute paths.
    pub makes: BTreeMap<String, String>,
    /// Secrets that come of another one.
    pub derives: BTreeMap<String, Derived>,
    /// Variables that name the host of a service, of any role. Where each service has a container of its own, that is
    /// what they name.
    pub hosts: BTreeMap<String, String>,
    /// Those of its volumes that other roles have as well, the same one: absolute paths.
    pub shares: Vec<String>,
}

/// A secret that is HMAC-SHA256 of its own name by another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The other one.
    pub from: String,
    /// Whether it is written in base64 for URLs, as Fernet wants its keys, and not as hex.
    pub base64: bool,
}

/// A user and its group of the same name and number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub id: u32,
}

impl Default for User {
    fn default() -> Self {
        Self { name: "airflow".to_owned(), id: 50_000 }
    }
}

pub(super) fn parse(file: &str, node: &Node) -> Result<Role, Problem> {
    let entries = mapping(file, node, "role")?;
    known_keys(file, entries, &KEYS)?;
    let mut role = Role::default();
    let mut services: &[(Key, Node)] = &[];
    for (key, node) in entries {
        match key.name.as_str() {
            "system" => role.system = Some(string(file, node, "`system`")?.to_owned()),
            "environment" => role.environment = variables(file, node)?,
            "secrets" => role.secrets = secrets(file, node)?,
            "ports" => role.ports = ports(file, node)?,
            "volumes" => role.volumes = volumes(file, node)?,
            "user" => role.user = user(file, node)?,
            "publishes" => role.publishes = service::boolean(file, node, "publishes")?,
            "airflow" => role.airflow = Some(airflow::part(file, node)?),
            _ => {
                services = mapping(file, node, "services")?;
                for (key, node) in services {
                    add_service(file, &mut role, key, node)?;
                }
            }
        }
    }
    if role.publishes && role.services.contains_key(PUBLISH) {
        return Err(node
            .problem(file, format!("`{PUBLISH}` is the service that `publishes: true` adds"))
            .with_hint("give yours another name"));
    }
    if let Some((name, message)) = order::fault(&role) {
        let position = services.iter().find(|(key, _)| key.name == name).map(|(key, _)| key.position);
        return Err(Problem::at(
            file,
            position.unwrap_or(node.position),
            format!("service `{name}`: {message}"),
        )
        .with_hint("list below `after` what does its work before this service starts"));
    }
    Ok(role)
}

fn add_service(file: &str, role: &mut Role, key: &Key, node: &Node) -> Result<(), Problem> {
    let name = &key.name;
    if !is_name(name) {
        let message = format!("`{name}` cannot be the name of a service");
        return Err(
            Problem::at(file, key.position, message).with_hint("use lower-case letters, digits and `-`")
        );
    }
    let service = service::parse(file, name, node)?;
    for (other, known) in &role.services {
        if let Some(port) = service.ports.iter().find(|port| known.ports.contains(port)) {
            let message = format!("the services `{other}` and `{name}` both want port {port}");
            return Err(Problem::at(file, key.position, message).with_hint("give one of them another port"));
        }
    }
    role.services.insert(name.clone(), service);
    Ok(())
}

/// Whether a role or a service can have a name: it becomes a part of paths, of image and of host names.
pub fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// What convert would have refused of a role that comes from elsewhere, such as from an edited lock.
pub fn role_fault(role: &Role) -> Option<String> {
    let environments = role.services.values().map(|service| &service.environment).chain([&role.environment]);
    for (name, value) in environments.flatten() {
        if !is_variable(name) || value.contains('\0') {
            return Some(format!("`{name}` cannot be a variable"));
        }
        if let Some(what) = super::secrets::in_variable(name, value) {
            return Some(format!("{what} holds a secret in plain text"));
        }
    }
    if let Some(name) = role.hosts.keys().find(|name| !is_variable(name)) {
        return Some(format!("`{name}` cannot be a variable"));
    }
    let derived = role.derives.iter().flat_map(|(name, derived)| [name, &derived.from]);
    let names = role.secrets.iter().chain(role.makes.keys()).chain(derived);
    if let Some(name) = names.into_iter().find(|name| !is_variable(name)) {
        return Some(format!("`{name}` cannot be the name of a secret"));
    }
    let ports = role.services.values().flat_map(|service| &service.ports).chain(&role.ports);
    if ports.into_iter().any(|port| *port == 0) {
        return Some("a port is 0".to_owned());
    }
    if role.publishes && role.services.contains_key(PUBLISH) {
        return Some(format!("`{PUBLISH}` is the service that `publishes` adds"));
    }
    if !is_user(&role.user.name, role.user.id) {
        return Some("`user` cannot run services".to_owned());
    }
    if let Some(name) = role.services.keys().find(|name| !is_name(name)) {
        return Some(format!("`{name}` cannot be the name of a service"));
    }
    let volumes = || role.services.values().flat_map(|service| &service.volumes).chain(&role.volumes);
    let is_kept =
        |path: &&String| volumes().any(|volume| within(path, volume)) && volume_fault(path).is_none();
    if let Some(path) = role.makes.values().find(|path| !is_kept(path)) {
        return Some(format!("no secret can be kept at {path}"));
    }
    let mut seen = BTreeSet::new();
    if let Some(port) =
        role.services.values().flat_map(|service| &service.ports).find(|port| !seen.insert(**port))
    {
        return Some(format!("two services want port {port}"));
    }
    if let Some((message, _)) = volumes().find_map(|path| volume_fault(path)) {
        return Some(message);
    }
    let faulty = role.services.iter().find_map(|(name, service)| Some((name.as_str(), service.fault()?)));
    let (name, fault) = faulty.or_else(|| order::fault(role))?;
    Some(format!("{name}: {fault}"))
}

fn secrets(file: &str, node: &Node) -> Result<Vec<String>, Problem> {
    let mut names = Vec::new();
    for item in list(file, node, "secrets")? {
        let name = string(file, item, "the name of a variable")?;
        if !is_variable(name) {
            return Err(item
                .problem(file, "a secret is the name of a variable: letters, digits and `_`")
                .with_hint("write `secrets: [REDIS_PASSWORD]`; its value comes at run time"));
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

pub(super) fn port(file: &str, node: &Node) -> Result<u16, Problem> {
    let port = match &node.value {
        Value::Number(text) | Value::String(text) => text.parse().ok().filter(|port| *port != 0),
        _ => None,
    };
    port.ok_or_else(|| {
        node.problem(file, "a port is a number from 1 to 65535").with_hint("write it like 8080")
    })
}

pub(super) fn ports(file: &str, node: &Node) -> Result<Vec<u16>, Problem> {
    let mut ports = BTreeSet::new();
    for item in list(file, node, "ports")? {
        let port = port(file, item)?;
        if !ports.insert(port) {
            return Err(item
                .problem(file, format!("port {port} is there twice"))
                .with_hint("remove one of the two"));
        }
    }
    Ok(ports.into_iter().collect())
}

pub(super) fn volumes(file: &str, node: &Node) -> Result<Vec<String>, Problem> {
    let mut paths = BTreeSet::new();
    for item in list(file, node, "volumes")? {
        let path = string(file, item, "a volume")?;
        if let Some((message, hint)) = volume_fault(path) {
            return Err(item.problem(file, message).with_hint(hint));
        }
        paths.insert(path.to_owned());
    }
    Ok(paths.into_iter().collect())
}

/// Why a path cannot be a volume, and what to do.
fn volume_fault(path: &str) -> Option<(String, &'static str)> {
    let hides = |taken: &&str| path == *taken || within(path, taken) || within(taken, path);
    if !path.starts_with('/') {
        Some((
            format!("the volume `{path}` is relative"),
            "write the absolute path that it has in the image, such as /var/lib/redis",
        ))
    } else if path.split('/').skip(1).any(|part| matches!(part, "" | "." | ".."))
        || path.contains(|c: char| c.is_control() || c == ':')
        // What file systems and tar files can name.
        || path.len() > 4000
        || path.split('/').any(|part| part.len() > 255)
    {
        Some((format!("the volume `{path}` is no plain path"), "write it like /var/lib/redis"))
    } else if let Some(taken) = TAKEN.into_iter().find(|taken| hides(taken)) {
        Some((
            format!("the volume `{path}` would hide {taken} of the image"),
            "keep what changes elsewhere, such as in /var/lib",
        ))
    } else {
        None
    }
}

fn within(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a user of services can have a name and a number.
fn is_user(name: &str, id: u32) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    begins && name.len() <= 32 && name.chars().all(legal) && name != "root" && (1..=65_533).contains(&id)
}

fn user(file: &str, node: &Node) -> Result<User, Problem> {
    let entries = mapping(file, node, "user")?;
    known_keys(file, entries, &USER_KEYS)?;
    let mut user = User::default();
    for (key, node) in entries {
        if key.name == "name" {
            string(file, node, "`name`")?.clone_into(&mut user.name);
            if !is_user(&user.name, 1) {
                return Err(node
                    .problem(file, format!("`{}` cannot be the user of services", user.name))
                    .with_hint("use lower-case letters, digits, `-` and `_`"));
            }
        } else {
            let id = if let Value::Number(text) = &node.value { text.parse::<u32>().ok() } else { None };
            user.id = id.filter(|id| is_user("a", *id)).ok_or_else(|| {
                node.problem(file, "the number of a user is from 1 to 65533; services do not run as root")
                    .with_hint("write `id: 50000`")
            })?;
        }
    }
    Ok(user)
}
