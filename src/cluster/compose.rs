//! A Compose file: one service a container, on one private network.
//!
//! Source: the Compose specification, <https://github.com/compose-spec/compose-spec>. Without a `version`, as it wants.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde::Serialize;

use super::{HEALTH_INTERVAL, HEALTH_RETRIES, HEALTH_START_PERIOD, HEALTH_TIMEOUT, command, services};
use crate::spec::project::{Readiness, Role, Service, StopSignal};

#[derive(Serialize)]
struct File<'a> {
    services: BTreeMap<String, Container<'a>>,
    networks: BTreeMap<&'static str, Options>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    volumes: BTreeMap<String, Options>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<&'a str, Secret>,
}

#[derive(Serialize)]
struct Container<'a> {
    image: String,
    command: [&'a str; 1],
    networks: BTreeMap<&'static str, Network<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expose: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<Mount>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    secrets: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    depends_on: BTreeMap<String, Condition>,
    healthcheck: HealthCheck,
    read_only: bool,
    tmpfs: [&'static str; 1],
    restart: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_signal: Option<String>,
    stop_grace_period: String,
}

/// What must be so of another service.
#[derive(Serialize)]
struct Condition {
    condition: &'static str,
}

/// A volume or a path of the host, in the long form: no character of a path means anything in it but `$`.
#[derive(Serialize)]
struct Mount {
    r#type: &'static str,
    source: String,
    target: String,
    read_only: bool,
}

#[derive(Serialize)]
struct Network<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum HealthCheck {
    Test { test: Vec<String>, interval: String, timeout: String, start_period: String, retries: u32 },
    Disabled { disable: bool },
}

#[derive(Serialize)]
struct Secret {
    file: String,
}

/// Options of a network or a volume: none so far.
type Options = BTreeMap<&'static str, &'static str>;

/// Renders the services of all roles. `image` names the image of a role; `mounts` go into the home of every service, each
/// under its name there.
pub fn render(
    roles: &BTreeMap<String, Role>,
    image: impl Fn(&str) -> String,
    mounts: &BTreeMap<String, String>,
) -> Result<String, String> {
    let mut seen = BTreeSet::new();
    let tables: Vec<_> = roles.iter().map(|(name, role)| (name, role, services(role))).collect();
    let names: Vec<&str> = tables.iter().flat_map(|(_, _, table)| table.keys().copied()).collect();
    let twice: BTreeSet<&str> = names.into_iter().filter(|name| !seen.insert(*name)).collect();

    let container = |role: &str, service: &str| {
        if twice.contains(service) { format!("{role}-{service}") } else { service.to_owned() }
    };
    // The container of a service that some role names, its own or another one's.
    let host = |role: &str, service: &str| {
        let has = |(_, _, table): &&(&String, &Role, BTreeMap<_, _>)| table.contains_key(service);
        let own = tables.iter().filter(|(name, _, _)| *name == role).find(has);
        let (role, _, _) = own.or_else(|| tables.iter().find(has))?;
        Some(container(role, service))
    };

    let mut file = File {
        services: BTreeMap::new(),
        networks: BTreeMap::from([("cluster", Options::new())]),
        volumes: BTreeMap::new(),
        secrets: BTreeMap::new(),
    };
    for (role_name, role, table) in &tables {
        // Who looks for the role finds the service that listens, where there is just one.
        let listening = table.values().filter(|service| !service.ports.is_empty()).count();
        for (name, service) in table {
            let own_name = container(role_name, name);
            let answers = listening == 1 && !service.ports.is_empty() && own_name != **role_name;
            let mut volumes: Vec<Mount> = Vec::new();
            for path in role.volumes.iter().chain(&service.volumes) {
                // By role and path: what the role's services share is one volume. No role has a name with a dot.
                let owner = if role.shares.contains(path) { "shared." } else { role_name };
                let source = volume_name(owner, path);
                file.volumes.insert(source.clone(), Options::new());
                volumes.push(Mount { r#type: "volume", source, target: literal(path), read_only: false });
            }
            for (name, path) in mounts {
                let target = literal(&format!("/home/{}/{name}", role.user.name));
                volumes.push(Mount { r#type: "bind", source: literal(path), target, read_only: true });
            }
            file.secrets.extend(
                role.secrets
                    .iter()
                    .map(|secret| (secret.as_str(), Secret { file: format!("./secrets/{secret}") })),
            );
            let one = Container {
                image: literal(&image(role_name)),
                command: [name],
                networks: BTreeMap::from([(
                    "cluster",
                    Network { aliases: if answers { vec![role_name.as_str()] } else { Vec::new() } },
                )]),
                environment: role
                    .hosts
                    .iter()
                    .filter_map(|(variable, service)| Some((variable.as_str(), host(role_name, service)?)))
                    .collect(),
                expose: service.ports.iter().map(ToString::to_string).collect(),
                volumes,
                secrets: &role.secrets,
                depends_on: service
                    .after
                    .iter()
                    .filter_map(|other| {
                        Some((container(role_name, other), condition(table.get(other.as_str())?)))
                    })
                    .collect(),
                healthcheck: health_check(service.readiness.as_ref()),
                read_only: true,
                tmpfs: ["/tmp"],
                restart: if service.once { "on-failure" } else { "unless-stopped" },
                stop_signal: (service.stop_signal != StopSignal::default())
                    .then(|| format!("SIG{}", service.stop_signal.name())),
                stop_grace_period: format!("{}s", service.stop_timeout),
            };
            if file.services.insert(own_name.clone(), one).is_some() {
                return Err(format!("two services would be named {own_name}"));
            }
        }
    }
    let text = serde_yaml::to_string(&file).map_err(|error| error.to_string())?;
    Ok(format!(
        "# Rendered by envlock; after a change of envlock.yml: envlock convert && envlock render compose\n{text}"
    ))
}

/// When a service does its work, for those that come after it.
fn condition(service: &Service) -> Condition {
    let condition = if service.once {
        "service_completed_successfully"
    } else if service.readiness.is_some() {
        "service_healthy"
    } else {
        "service_started"
    };
    Condition { condition }
}

/// Compose replaces variables everywhere; here it shall not.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// The name of a role's volume, of the characters that engines allow, and another one for every other path: `_` begins
/// an escape, `__` is `/`, `_-` is `_`, `_hXX` is any other byte.
fn volume_name(role: &str, path: &str) -> String {
    let mut name = role.to_owned();
    for byte in path.bytes() {
        match byte {
            b'/' => name.push_str("__"),
            b'_' => name.push_str("_-"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' => name.push(byte.into()),
            // Writing to a string cannot fail.
            _ => drop(write!(name, "_h{byte:02x}")),
        }
    }
    name
}

fn health_check(readiness: Option<&Readiness>) -> HealthCheck {
    if readiness.is_none() {
        return HealthCheck::Disabled { disable: true };
    }
    let seconds = |seconds: u32| format!("{seconds}s");
    HealthCheck::Test {
        test: ["CMD".to_owned()].into_iter().chain(command("health")).collect(),
        interval: seconds(HEALTH_INTERVAL),
        timeout: seconds(HEALTH_TIMEOUT),
        start_period: seconds(HEALTH_START_PERIOD),
        retries: HEALTH_RETRIES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_every_role_has_a_volume_of_its_own() {
        assert_eq!(volume_name("master", "/var/lib/redis"), "master__var__lib__redis");
        let paths = [
            "/data-x", "/data/x", "/data_x", "/data__x", "/data_/x", "/data/_x", "/a b", "/ü", "/a$b", "/h20",
        ];
        let names: BTreeSet<String> = ["m", "m-data"]
            .iter()
            .flat_map(|role| paths.iter().chain(&["/x"]).map(|path| volume_name(role, path)))
            .collect();
        assert_eq!(names.len(), 2 * (paths.len() + 1), "{names:?}");
        let legal = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        assert!(names.iter().all(legal), "{names:?}");
    }
}
