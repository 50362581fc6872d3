//! `airflow:` of the project file: what of Airflow's own cluster is different from the usual.

use super::{
    super::{
        Problem,
        environment::{known_keys, list, mapping, string},
        yaml::Node,
    },
    service::seconds,
};

const KEYS: [&str; 6] = ["flower-path", "path", "sync", "sync-interval", "tls", "without"];
/// A path that has a meaning already.
const HEALTH: &str = "/health";
const TLS_KEYS: [&str; 2] = ["certificate", "key"];

/// What a role does for Airflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AirflowPart {
    /// It has the web server, the scheduler and what they need.
    Master,
    /// It runs tasks.
    Worker,
}

/// How DAGs come to the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DagSync {
    /// By rsync from the master, again after so many seconds.
    Rsync {
        /// Seconds from one time to the next.
        interval: u32,
    },
    /// Not at all: all nodes have the same volume.
    SharedVolume,
}

/// The certificate of the web server and its key: paths that they have at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, and those between it and an authority.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// What of an Airflow cluster can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Airflow {
    /// Where the web server is, as a path of URLs: `/airflow`, or nothing for the root.
    pub path: String,
    /// Where Flower is.
    pub flower_path: String,
    /// How DAGs come to the workers.
    pub sync: DagSync,
    /// What HTTPS needs, if it is wanted.
    pub tls: Option<Tls>,
    /// Services that something else does the work of.
    pub without: Vec<String>,
}

impl Default for Airflow {
    fn default() -> Self {
        Self {
            path: "/airflow".to_owned(),
            flower_path: "/flower".to_owned(),
            sync: DagSync::Rsync { interval: 60 },
            tls: None,
            without: Vec::new(),
        }
    }
}

pub(super) fn parse(file: &str, node: &Node) -> Result<Airflow, Problem> {
    let entries = mapping(file, node, "airflow")?;
    known_keys(file, entries, &KEYS)?;
    let mut airflow = Airflow::default();
    let mut interval = None;
    for (key, node) in entries {
        match key.name.as_str() {
            "path" => airflow.path = url_path(file, node)?,
            "flower-path" => airflow.flower_path = url_path(file, node)?,
            "sync" => match string(file, node, "`sync`")? {
                "rsync" => airflow.sync = DagSync::Rsync { interval: 60 },
                "shared-volume" => airflow.sync = DagSync::SharedVolume,
                other => {
                    return Err(node
                        .problem(file, format!("`{other}` is no way for DAGs to come to the workers"))
                        .with_hint("write `sync: rsync`, or `sync: shared-volume` where all nodes have the same volume"));
                }
            },
            "sync-interval" => interval = Some((node, seconds(file, node, "sync-interval")?)),
            "tls" => airflow.tls = Some(tls(file, node)?),
            _ => {
                for item in list(file, node, "without")? {
                    airflow.without.push(string(file, item, "the name of a service")?.to_owned());
                }
            }
        }
    }
    match (interval, &mut airflow.sync) {
        (Some((_, seconds)), DagSync::Rsync { interval }) => *interval = seconds,
        (Some((node, _)), DagSync::SharedVolume) => {
            return Err(node
                .problem(file, "`sync-interval` says nothing where DAGs are on a shared volume")
                .with_hint("remove one of the two"));
        }
        (None, _) => {}
    }
    if airflow.path == airflow.flower_path {
        return Err(node
            .problem(file, "Airflow and Flower cannot have the same path")
            .with_hint("write `path: /airflow` and `flower-path: /flower`"));
    }
    Ok(airflow)
}

/// Reads what a role does for Airflow.
pub(super) fn part(file: &str, node: &Node) -> Result<AirflowPart, Problem> {
    match string(file, node, "`airflow`")? {
        "master" => Ok(AirflowPart::Master),
        "worker" => Ok(AirflowPart::Worker),
        other => Err(node
            .problem(file, format!("`{other}` is no part of Airflow"))
            .with_hint("write `airflow: master` or `airflow: worker`")),
    }
}

/// A path without the slash at its end, so that one may follow; it enters URLs and NGINX's configuration as it is.
fn url_path(file: &str, node: &Node) -> Result<String, Problem> {
    let path = string(file, node, "a path")?.trim_end_matches('/');
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._~-".contains(c))
    };
    if path == HEALTH {
        return Err(node
            .problem(file, format!("`{HEALTH}` is where NGINX says whether Airflow is well"))
            .with_hint("choose another path, such as /airflow"));
    }
    if path.is_empty() || path.strip_prefix('/').is_some_and(|path| path.split('/').all(is_part)) {
        Ok(path.to_owned())
    } else {
        Err(node
            .problem(file, format!("`{path}` is no path of a URL"))
            .with_hint("write it like /myorg/airflow; `/` alone is the root"))
    }
}

fn tls(file: &str, node: &Node) -> Result<Tls, Problem> {
    let entries = mapping(file, node, "tls")?;
    known_keys(file, entries, &TLS_KEYS)?;
    let mut tls = Tls { certificate: String::new(), key: String::new() };
    for (key, node) in entries {
        let path = string(file, node, &format!("`{}`", key.name))?;
        let is_plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "._/+@-".contains(c));
        if !path.starts_with('/') || !is_plain {
            return Err(node
                .problem(file, format!("`{path}` is no absolute path"))
                .with_hint("name where the file is at run time, such as /run/secrets/tls.key"));
        }
        path.clone_into(if key.name == "key" { &mut tls.key } else { &mut tls.certificate });
    }
    if tls.certificate.is_empty() || tls.key.is_empty() {
        return Err(node
            .problem(file, "`tls` wants both `certificate` and `key`")
            .with_hint("write `tls: {certificate: /run/secrets/tls.crt, key: /run/secrets/tls.key}`"));
    }
    Ok(tls)
}
