//! `cluster:` of the project file: where the nodes meet.

use super::{
    super::{
        Problem,
        environment::{known_keys, mapping, string},
        yaml::Node,
    },
    secrets,
};

const KEYS: [&str; 2] = ["broker", "name"];

/// What makes several nodes one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Clusters that share a Redis differ by name.
    pub name: String,
    /// The URL of the Redis at which the drift guard meets; `${NAME}` in it is replaced at run time.
    pub broker: String,
}

pub(super) fn parse(file: &str, node: &Node) -> Result<Cluster, Problem> {
    let entries = mapping(file, node, "cluster")?;
    known_keys(file, entries, &KEYS)?;
    let mut cluster = Cluster::default();
    for (key, node) in entries {
        let text = string(file, node, &format!("`{}`", key.name))?;
        if key.name == "name" {
            if !is_cluster_name(text) {
                return Err(node
                    .problem(file, format!("`{text}` cannot be the name of a cluster"))
                    .with_hint("use letters, digits, `.`, `_` and `-`"));
            }
            text.clone_into(&mut cluster.name);
        } else {
            if !is_redis(text) {
                return Err(node
                    .problem(file, format!("`{text}` is not the URL of a Redis"))
                    .with_hint("write it like redis://master:6379/0"));
            }
            secrets::check_text(file, node, text)?;
            text.clone_into(&mut cluster.broker);
        }
    }
    for (name, value) in [("name", &cluster.name), ("broker", &cluster.broker)] {
        if value.is_empty() {
            return Err(node
                .problem(file, format!("`cluster` has no `{name}`"))
                .with_hint("write `cluster: {name: NAME, broker: \"redis://master:6379/0\"}`"));
        }
    }
    Ok(cluster)
}

fn is_cluster_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn is_redis(url: &str) -> bool {
    ["redis://", "rediss://", "unix://", "${"].iter().any(|start| url.starts_with(start))
}

impl Cluster {
    /// What convert would have refused of one that comes from elsewhere, such as from an edited lock.
    pub fn fault(&self) -> Option<&'static str> {
        if !is_cluster_name(&self.name) {
            Some("the name of the cluster is none")
        } else if !is_redis(&self.broker) || secrets::in_text(&self.broker) {
            Some("the broker is no URL of a Redis without a password")
        } else {
            None
        }
    }
}
