//! What a tree consists of, and the one digest that identifies it.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Marker;
use crate::{fs, lock::fingerprint::hex, store::Scratch};

/// The version of the rules by which a lock becomes a tree. A change that alters any tree raises it.
pub const TREE_FORMAT: u32 = 2;

/// What is at one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    /// A directory, with mode 755.
    Directory,
    /// A file.
    File {
        /// sha256 of its content, 64 hex digits.
        sha256: String,
        /// Bytes.
        size: u64,
        /// Mode 755 instead of 644.
        executable: bool,
    },
    /// A symlink, and where it leads.
    Symlink {
        /// As it is stored.
        target: String,
    },
}

impl Entry {
    /// The permissions that it has in a tree.
    pub fn mode(&self) -> u32 {
        match self {
            Self::Directory | Self::File { executable: true, .. } => 0o755,
            Self::File { executable: false, .. } => 0o644,
            Self::Symlink { .. } => 0o777,
        }
    }
}

/// Adds a path to a treeDigest: path, type, octal mode, and content hash or link target, each followed by a NUL byte.
pub fn digest_entry(hasher: &mut Sha256, path: &str, entry: &Entry, mode: u32) {
    let (kind, content) = match entry {
        Entry::Directory => ("directory", ""),
        Entry::File { sha256, .. } => ("file", sha256.as_str()),
        Entry::Symlink { target } => ("symlink", target.as_str()),
    };
    for part in [path, kind, &format!("{mode:o}"), content] {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
}

/// What is at paths below a prefix, and which package each is of, as an index into [`Manifest::packages`];
/// directories and what is of the environment as a whole are of none.
pub type Entries = BTreeMap<String, (Entry, Option<u32>)>;

/// Every path of a tree that was built for a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Of what, and for which prefix.
    pub marker: Marker,
    /// What is there.
    pub entries: Entries,
    /// The file names of the artifacts.
    pub packages: Vec<String>,
    /// What the user should know about it: conflicts, and scripts that were not run.
    pub notes: Vec<String>,
}

impl Manifest {
    /// treeDigest: sha256 over path, type, mode, and content hash or link target of every entry, each followed
    /// by a NUL byte, sorted by path; as 64 hex digits.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for (path, (entry, _)) in &self.entries {
            digest_entry(&mut hasher, path, entry, entry.mode());
        }
        hex(&hasher.finalize())
    }

    /// Reads one that the store kept; `None` if there is none that can be trusted.
    pub fn load(path: &Path) -> Result<Option<Self>, fs::Error> {
        let Some(text) = fs::read_kept(path)? else { return Ok(None) };
        let kept: Option<Kept> = serde_json::from_slice(&text).ok();
        Ok(kept.filter(|kept| kept.manifest.digest() == kept.tree_digest).map(|kept| kept.manifest))
    }

    /// Keeps it.
    pub fn save(&self, path: &Path, scratch: &Scratch) -> Result<(), fs::Error> {
        let kept = KeptRef { tree_digest: self.digest(), manifest: self };
        // Strings and numbers always serialise.
        let text = serde_json::to_string(&kept).unwrap_or_default();
        scratch.publish(path, text.as_bytes())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    tree_digest: String,
    manifest: Manifest,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeptRef<'a> {
    tree_digest: String,
    manifest: &'a Manifest,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = Entry::File { sha256: "ab".repeat(32), size: 3, executable: true };
        let link = Entry::Symlink { target: "python3.11".to_owned() };
        Manifest {
            marker: Marker {
                format: TREE_FORMAT,
                environment: "user".to_owned(),
                platform: "linux-64".to_owned(),
                lock_hash: "00".repeat(32),
                prefix: "/opt/envlock/env".to_owned(),
                byte_code: true,
                variables: BTreeMap::new(),
                wheels: BTreeMap::new(),
            },
            entries: Entries::from([
                ("bin".to_owned(), (Entry::Directory, None)),
                ("bin/python".to_owned(), (link, Some(0))),
                ("bin/python3.11".to_owned(), (file, Some(0))),
            ]),
            packages: vec!["python-3.11-0.conda".to_owned()],
            notes: Vec::new(),
        }
    }

    /// Anyone can compute it: this is what docs/determinism.md says, by hand.
    #[test]
    fn the_digest_is_what_the_documentation_says() {
        let listed = format!(
            "bin\0directory\x00755\0\0bin/python\0symlink\x00777\0python3.11\0bin/python3.11\0file\x00755\0{}\0",
            "ab".repeat(32)
        );
        assert_eq!(manifest().digest(), hex(&Sha256::digest(listed)));
    }

    #[test]
    fn a_kept_manifest_that_was_changed_is_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("manifest.json");
        manifest().save(&path, &Scratch::begin(directory.path()).unwrap()).unwrap();
        assert_eq!(Manifest::load(&path).unwrap(), Some(manifest()));
        let text = fs::read_own(&path).unwrap().unwrap().replace("abab", "abac");
        fs::write_own(&path, text.as_bytes()).unwrap();
        assert_eq!(Manifest::load(&path).unwrap(), None);
    }
}
