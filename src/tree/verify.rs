//! What a directory has, compared with what a manifest says.

use std::{collections::BTreeMap, path::Path};

use rayon::prelude::*;

use super::{Entry, Manifest};
use crate::{
    fs::{self, Found},
    lock::fingerprint::hex,
};

/// Where a directory differs from a tree. All paths are sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Paths that are not there.
    pub missing: Vec<String>,
    /// Paths that are something else, and how.
    pub changed: Vec<(String, String)>,
    /// Paths that are too many.
    pub extra: Vec<String>,
}

impl Differences {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.changed.is_empty() && self.extra.is_empty()
    }
}

/// Compares every byte below `root` with the manifest.
pub fn differences(manifest: &Manifest, root: &Path) -> Result<Differences, fs::Error> {
    let found: BTreeMap<String, Found> = fs::walk(root)?;
    let mut differences = Differences {
        missing: manifest.entries.keys().filter(|path| !found.contains_key(*path)).cloned().collect(),
        extra: found.keys().filter(|path| !manifest.entries.contains_key(*path)).cloned().collect(),
        ..Differences::default()
    };
    let changed = manifest.entries.par_iter().filter_map(|(path, (entry, _))| {
        let how = compare(entry, found.get(path)?, &root.join(path)).transpose()?;
        Some(how.map(|how| (path.clone(), how)))
    });
    differences.changed = changed.collect::<Result<_, _>>()?;
    differences.changed.sort();
    Ok(differences)
}

/// How what is there differs from what should be.
fn compare(entry: &Entry, found: &Found, path: &Path) -> Result<Option<String>, fs::Error> {
    let how = match (entry, found) {
        (Entry::Directory, Found::Directory { mode: 0o755 }) => None,
        (Entry::Directory, Found::Directory { mode }) => Some(format!("mode {mode:o} instead of 755")),
        (Entry::Symlink { target }, Found::Symlink { target: leads }) if target == leads => None,
        (Entry::Symlink { target }, Found::Symlink { target: leads }) => {
            Some(format!("leads to {leads} instead of {target}"))
        }
        (Entry::File { sha256, size, executable }, Found::File { mode, size: length, .. }) => {
            let wanted = if *executable { 0o755 } else { 0o644 };
            if length != size {
                Some(format!("{length} bytes instead of {size}"))
            } else if hex(&fs::sha256(path)?) != *sha256 {
                Some("other content".to_owned())
            } else if *mode != wanted {
                Some(format!("mode {mode:o} instead of {wanted:o}"))
            } else {
                None
            }
        }
        (wanted, found) => Some(format!("{} instead of a {}", found.word(), word(wanted))),
    };
    Ok(how)
}

fn word(entry: &Entry) -> &'static str {
    match entry {
        Entry::Directory => "directory",
        Entry::File { .. } => "file",
        Entry::Symlink { .. } => "symlink",
    }
}

/// Whether a directory looks like the manifest: the same paths with the sizes, modes and times that they were given.
/// Reads no content.
pub fn is_unchanged(manifest: &Manifest, root: &Path) -> Result<bool, fs::Error> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::from([("", 0)]);
    for (path, (entry, _)) in &manifest.entries {
        if matches!(entry, Entry::Directory) {
            count.entry(path).or_default();
        }
        *count.entry(path.rsplit_once('/').map_or("", |(parent, _)| parent)).or_default() += 1;
    }
    // As many as there should be, and each of those there: then there are no others.
    let counted =
        count.into_par_iter().all(|(path, wanted)| fs::count(&root.join(path)).is_ok_and(|it| it == wanted));
    Ok(counted
        && manifest.entries.par_iter().all(|(path, (entry, _))| {
            let path = root.join(path);
            match entry {
                Entry::File { size, executable, .. } => fs::is_settled(&path, *size, *executable),
                Entry::Symlink { target } => fs::leads_to(&path, target),
                Entry::Directory => true,
            }
        }))
}
