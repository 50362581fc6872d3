//! What the cache no longer needs: kept manifests and lists of unpacked artifacts of locks that are gone.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    Entry, Manifest, byte_code,
    unpack::{Unpacked, What},
};
use crate::fs;

/// Removes what is of no artifact and no lock (by lockHash) that is kept. Returns the sha256 of every file that the
/// rest needs, and adds to `removed` how many files went.
pub fn prune(
    cache: &Path,
    artifacts: &BTreeSet<String>,
    locks: &BTreeSet<String>,
    removed: &mut usize,
) -> Result<BTreeSet<String>, fs::Error> {
    let mut used = BTreeSet::new();
    let mut remove = |path: PathBuf| {
        *removed += 1;
        fs::remove_file(&path)
    };
    let trees = cache.join("trees");
    for path in fs::names(&trees)?.into_iter().map(|name| trees.join(name)) {
        let manifest = Manifest::load(&path)?.filter(|manifest| locks.contains(&manifest.marker.lock_hash));
        let Some(manifest) = manifest else {
            remove(path)?;
            continue;
        };
        let file = |(entry, _)| if let Entry::File { sha256, .. } = entry { Some(sha256) } else { None };
        used.extend(manifest.entries.into_values().filter_map(file));
    }
    let unpacked = cache.join("unpacked");
    for directory in fs::names(&unpacked)?.into_iter().map(|name| unpacked.join(name)) {
        for name in fs::names(&directory)? {
            let path = directory.join(&name);
            let kept = name.strip_suffix(".json").is_some_and(|sha256| artifacts.contains(sha256));
            let text = if kept { fs::read_kept(&path)? } else { None };
            let Some(unpacked) = text.and_then(|text| serde_json::from_slice::<Unpacked>(&text).ok()) else {
                remove(path)?;
                continue;
            };
            let file = |what| if let What::File(file) = what { Some(file.sha256) } else { None };
            used.extend(unpacked.members.into_iter().filter_map(|member| file(member.what)));
        }
    }
    let records = cache.join(byte_code::RECORDS);
    for path in fs::names(&records)?.into_iter().map(|name| records.join(name)) {
        // Of trees that are kept; it keeps none itself.
        if !byte_code::load(&path)?
            .is_some_and(|kept| kept.iter().all(|(_, _, it)| used.contains(&it.sha256)))
        {
            remove(path)?;
        }
    }
    Ok(used)
}
