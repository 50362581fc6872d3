//! Whether an image is what its lock says: every layer, every file, and what a container starts with.

use std::collections::{BTreeMap, BTreeSet};

use rattler_conda_types::Subdir;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Archive, Compression, Content, Described, Error, Found, Image, LayerOf, Member, Options, Planned, index,
    plan, unpack,
};
use crate::{fs, lock::fingerprint::hex, tree};

/// What an image has, by path.
type Whole<'a> = BTreeMap<&'a str, &'a Member>;

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

/// The time that an image says it is of, in seconds since 1970.
pub fn time(image: &Image) -> u32 {
    let created = image.config["created"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    created.and_then(|time| u32::try_from(time.as_second()).ok()).unwrap_or(fs::TREE_TIME)
}

/// How an image must have been built to be what it says it is: its time and its compression are its own choice.
pub fn wanted(image: &Image, platform: Subdir) -> Options {
    let compression = image.layers.first().and_then(|layer| Compression::of(&layer.media_type));
    Options { platform, compression: compression.unwrap_or_default(), time: time(image) }
}

/// Compares an image with the one that its role, platform and lock give.
///
/// The proof is the digest of the manifest, and that every layer's bytes have the digest that it states: nothing of a
/// stranger's tar files or JSON is believed because of how we read it. Reading them only explains what differs. For an
/// image that was `repacked`, the digest of its configuration is enough: other tools write other manifests.
pub fn audit(
    image: &Image,
    layers: &[Found],
    content: &Content,
    planned: &[Planned],
    expected: &Described,
    repacked: bool,
) -> Audit {
    let mut findings = faults(image, layers, planned);
    // A configuration names the tar file of every layer, however each is compressed.
    let is_same = image.digest == expected.image
        || repacked && image.manifest.config().digest().digest() == expected.config_digest;
    if findings.is_empty() && is_same {
        let (tree_digest, paths) = (content.tree_digest.to_owned(), plan::flatten(planned).len());
        return Audit { tree_digest, paths, findings };
    }
    let is_damaged = !findings.is_empty();
    let found = unpack::flatten(layers.iter().map(|layer| &layer.members));
    let (tree_digest, paths) = (tree_digest(&found, &content.user.manifest.marker.prefix), found.len());
    // What is missing from a layer that cannot be read is no news.
    if !is_damaged {
        compare(&found, planned, &mut findings);
    }
    compare_keys("", &image.config, &expected.config, &mut findings);
    if findings.is_empty() {
        let stated: Vec<&str> = image.layers.iter().map(|layer| layer.digest.as_str()).collect();
        let strangers: Vec<&&str> =
            stated.iter().filter(|digest| expected.layers.iter().all(|it| it != **digest)).collect();
        findings.push(Finding {
            what: match strangers.first() {
                Some(digest) => format!("the layer sha256:{digest} is none that the lock gives"),
                None => format!(
                    "its manifest is sha256:{}, the lock gives sha256:{}",
                    image.digest, expected.image
                ),
            },
            path: None,
            of: None,
        });
    }
    Audit { tree_digest, paths, findings }
}

fn compare(found: &Whole, planned: &[Planned], findings: &mut Vec<Finding>) {
    let owner = |path: &str| {
        let owner = planned.iter().rev().find(|layer| layer.members.contains_key(path));
        owner.map(|layer| layer.about.clone())
    };
    let expected = plan::flatten(planned);
    for (path, member) in &expected {
        let what = match found.get(*path) {
            None => "missing".to_owned(),
            Some(found) if found.entry != member.entry => "changed".to_owned(),
            Some(found) if found != member => format!(
                "mode {:o} of {}:{} instead of {:o} of {}:{}",
                found.mode, found.owner, found.group, member.mode, member.owner, member.group
            ),
            Some(_) => continue,
        };
        findings.push(Finding { what, path: Some((*path).to_owned()), of: owner(path) });
    }
    for path in found.keys().filter(|path| !expected.contains_key(*path)) {
        let path = Some((*path).to_owned());
        findings.push(Finding { what: "not of the lock".to_owned(), path, of: None });
    }
}

/// Compares two configurations, key by key.
fn compare_keys(above: &str, stated: &Value, expected: &Value, findings: &mut Vec<Finding>) {
    for key in keys(stated, expected).into_iter().filter(|key| stated[key] != expected[key]) {
        if key == "config" {
            compare_keys("config.", &stated[&key], &expected[&key], findings);
            continue;
        }
        // Layers that differ are told of by what is in them, or by their digests.
        if key == "rootfs" {
            continue;
        }
        let what =
            format!("the configuration says {above}{key} = {}, the lock {}", stated[&key], expected[&key]);
        findings.push(Finding { what, path: None, of: None });
    }
}

/// What is wrong with an archive whose images are `expected`: it must be, to the last byte, as envlock packs them.
pub fn audit_archive(archive: &Archive, expected: &[Described], time: u32) -> Result<Vec<Finding>, Error> {
    let finding = |what: String| Finding { what, path: None, of: None };
    let sha256 = hex(&fs::sha256(&archive.path)?);
    let wanted = match expected {
        [only] if !archive.is_index() => only.layout.digest(time)?,
        // Its images have been compared; how they are put together is left.
        _ => index::layout(std::slice::from_ref(archive), time)?.1.digest(time)?,
    };
    if sha256 == wanted {
        return Ok(Vec::new());
    }
    let mut findings: Vec<Finding> = archive
        .strangers
        .iter()
        .map(|name| finding(format!("the archive has {name}, which is of no image")))
        .collect();
    let blobs: BTreeSet<&str> = archive.blobs().collect();
    for stranger in blobs.difference(&archive.referred()) {
        findings.push(finding(format!("the archive has sha256:{stranger}, which is of no image")));
    }
    if findings.is_empty() {
        findings.push(finding(format!(
            "the archive is not packed as envlock packs it: sha256 {sha256} instead of {wanted}"
        )));
    }
    Ok(findings)
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
fn tree_digest(members: &Whole, prefix: &str) -> String {
    let below = format!("{}/", prefix.trim_start_matches('/'));
    let mut hasher = Sha256::new();
    for (path, member) in members.range(below.as_str()..) {
        let Some(path) = path.strip_prefix(&below) else { break };
        tree::digest_entry(&mut hasher, path, &member.entry, member.mode);
    }
    hex(&hasher.finalize())
}
