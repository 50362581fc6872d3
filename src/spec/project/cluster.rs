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
            let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if text.is_empty() || !text.chars().all(legal) {
                return Err(node
                    .problem(file, format!("`{text}` cannot be the name of a cluster"))
                    .with_hint("use letters, digits, `.`, `_` and `-`"));
            }
            text.clone_into(&mut cluster.name);
        } else {
            let scheme = ["redis://", "rediss://", "unix://"].iter().any(|scheme| text.starts_with(scheme));
            if !scheme && !text.starts_with("${") {
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
