//! Whether an image is what its lock says: every layer, every file, and what a container starts with.

use std::collections::{BTreeMap, BTreeSet};

use rattler_conda_types::Subdir;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Archive, Content, Error, Found, Image, LayerOf, Members, Planned, archive, config, plan};
use crate::{lock::fingerprint::hex, tree};

/// What an audit found.
#[derive(Debug, Default)]
pub struct Audit {
    /// treeDigest of the files at the user environment's prefix.
    pub tree_digest: String,
    /// How many paths the image has.
    pub paths: usize,
    /// What is wrong, most important first.
    pub findings: Vec<Finding>,
}

/// Something that is not as the lock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub what: String,
    /// The path, if it is about one.
    pub path: Option<String>,
    /// The layer by what it holds: for a path, what the package is of.
    pub of: Option<String>,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        match &self.path {
            Some(path) => write!(formatter, "{}: /{path}", self.what)?,
            None => formatter.write_str(&self.what)?,
        }
        match &self.of {
            Some(of) => write!(formatter, " ({of})"),
            None => Ok(()),
        }
    }
}

/// What is wrong with the layers themselves; with what is planned, also at which file.
pub fn faults(image: &Image, layers: &[Found], planned: &[Planned]) -> Vec<Finding> {
    let count = image.layers.len();
    let finding = |(index, (layer, found)): (usize, (&LayerOf, &Found))| {
        let fault = found.fault.as_ref()?;
        // Where nothing was seen on the way, the first file that is not as planned is the one.
        let planned = planned.iter().find(|planned| planned.about == layer.about);
        let differs = |path: &&String| {
            planned.is_some_and(|planned| found.members.get(*path) != planned.members.get(*path))
        };
        let path = planned.and_then(|planned| planned.members.keys().find(differs).cloned());
        Some(Finding {
            what: format!("layer {} of {count} (sha256:{}): {}", index + 1, layer.digest, fault.reason),
            path: path.or_else(|| fault.path.clone()),
            of: Some(layer.about.clone()).filter(|about| !about.is_empty()),
        })
    };
    image.layers.iter().zip(layers).enumerate().filter_map(finding).collect()
}

/// Compares an image with what is planned for its role, platform and lock.
pub fn audit(
    image: &Image,
    layers: Vec<Found>,
    content: &Content,
    planned: &[Planned],
    platform: Subdir,
) -> Result<Audit, Error> {
    let mut findings = faults(image, &layers, planned);
    let is_damaged = !findings.is_empty();
    let found = super::flatten(layers.into_iter().map(|layer| layer.members));
    let tree_digest = tree_digest(&found, &content.user.manifest.marker.prefix);
    let paths = found.len();
    // What is missing from a layer that cannot be read is no news.
    if !is_damaged {
        compare(&found, planned, &mut findings);
    }
    let expected = config::process(content, platform)?;
    compare_keys(&image.config["config"], &expected, &mut findings);
    let machine = |config: &Value| json!({ "architecture": config["architecture"], "os": config["os"] });
    let expected = json!({ "architecture": config::architecture(platform)?, "os": "linux" });
    compare_keys(&machine(&image.config), &expected, &mut findings);
    Ok(Audit { tree_digest, paths, findings })
}

fn compare(found: &Members, planned: &[Planned], findings: &mut Vec<Finding>) {
    let owner = |path: &str| {
        let owner = planned.iter().rev().find(|layer| layer.members.contains_key(path));
        owner.map(|layer| layer.about.clone())
    };
    let expected = plan::flatten(planned);
    for (path, member) in &expected {
        let what = match found.get(*path) {
            None => "missing".to_owned(),
            Some(found) if found.entry != member.entry => "changed".to_owned(),
            Some(found) if found != *member => format!(
                "mode {:o} of {}:{} instead of {:o} of {}:{}",
                found.mode, found.owner, found.group, member.mode, member.owner, member.group
            ),
            Some(_) => continue,
        };
        findings.push(Finding { what, path: Some((*path).to_owned()), of: owner(path) });
    }
    for path in found.keys().filter(|path| !expected.contains_key(path.as_str())) {
        findings.push(Finding { what: "not of the lock".to_owned(), path: Some(path.clone()), of: None });
    }
}

fn compare_keys(stated: &Value, expected: &Value, findings: &mut Vec<Finding>) {
    for key in keys(stated, expected).into_iter().filter(|key| stated[key] != expected[key]) {
        let what = format!("the configuration says {key} = {}, the lock {}", stated[&key], expected[&key]);
        findings.push(Finding { what, path: None, of: None });
    }
}

/// What an archive has besides its images, or describes in two ways that are not the same.
pub fn audit_archive(archive: &Archive) -> Vec<Finding> {
    let finding = |what: String| Finding { what, path: None, of: None };
    let mut findings: Vec<Finding> = archive
        .strangers
        .iter()
        .map(|name| finding(format!("the archive has {name}, which is of no image")))
        .collect();
    let blobs: BTreeSet<&str> = archive.blobs().collect();
    for stranger in blobs.difference(&archive.referred()) {
        findings.push(finding(format!("the archive has sha256:{stranger}, which is of no image")));
    }
    // Old engines read Docker's description alone.
    if let Some(docker) = &archive.docker {
        let of_image = |image: &Image| {
            let layers = image.layers.iter().map(|layer| archive::blob_path(&layer.digest));
            let config = archive::blob_path(image.manifest.config().digest().digest());
            json!({ "Config": config, "Layers": layers.collect::<Vec<_>>() })
        };
        let expected: Vec<Value> = archive.images.iter().map(of_image).collect();
        let stated = docker.as_array().into_iter().flatten();
        let stated: Vec<Value> =
            stated.map(|it| json!({ "Config": it["Config"], "Layers": it["Layers"] })).collect();
        if stated != expected {
            let what = "manifest.json, which Docker reads, names another image than index.json";
            findings.push(finding(what.to_owned()));
        }
    }
    findings
}

fn keys(left: &Value, right: &Value) -> Vec<String> {
    let keys =
        |value: &Value| value.as_object().into_iter().flat_map(|it| it.keys().cloned()).collect::<Vec<_>>();
    let mut all: Vec<String> = keys(left).into_iter().chain(keys(right)).collect();
    all.sort();
    all.dedup();
    all
}

/// treeDigest of what is below a prefix.
pub fn tree_digest(members: &Members, prefix: &str) -> String {
    let below = format!("{}/", prefix.trim_start_matches('/'));
    let entries: BTreeMap<&str, _> = members
        .range(below.clone()..)
        .take_while(|(path, _)| path.starts_with(&below))
        .map(|(path, member)| (&path[below.len()..], member))
        .collect();
    let mut hasher = Sha256::new();
    for (path, member) in entries {
        tree::digest_entry(&mut hasher, path, &member.entry, member.mode);
    }
    hex(&hasher.finalize())
}
