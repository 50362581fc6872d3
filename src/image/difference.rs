//! What differs between two images: what would have to be pushed, and what is in it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Image, LayerOf, Member, unpack};

/// What differs between two images.
pub struct Difference {
    /// Paths that only the second has.
    pub added: Vec<String>,
    /// Paths that only the first has.
    pub removed: Vec<String>,
    /// Paths that both have, otherwise.
    pub changed: Vec<String>,
    /// Layers that only the second has: what whoever has the first must fetch.
    pub new_layers: Vec<LayerOf>,
    /// How many layers both have.
    pub shared_layers: usize,
    /// Bytes of the new layers, the configuration and the manifest.
    pub bytes_to_push: u64,
}

/// Compares the second image with the first.
pub fn difference(first: (&Image, &[Found]), second: (&Image, &[Found])) -> Difference {
    let digests: BTreeSet<&str> = first.0.layers.iter().map(|layer| layer.digest.as_str()).collect();
    let (shared, new): (Vec<&LayerOf>, Vec<&LayerOf>) =
        second.0.layers.iter().partition(|layer| digests.contains(layer.digest.as_str()));
    let mut bytes = new.iter().fold(0_u64, |sum, layer| sum.saturating_add(layer.size));
    if first.0.digest != second.0.digest {
        let described = [second.0.manifest.config().size(), second.0.descriptor().size()];
        bytes = described.into_iter().fold(bytes, u64::saturating_add);
    }
    let before = unpack::flatten(first.1.iter().map(|layer| &layer.members));
    let after = unpack::flatten(second.1.iter().map(|layer| &layer.members));
    let only = |left: &BTreeMap<&str, &Member>, right: &BTreeMap<&str, &Member>| {
        left.keys().filter(|path| !right.contains_key(*path)).map(|path| (*path).to_owned()).collect()
    };
    let changed = after.iter().filter(|(path, member)| before.get(*path).is_some_and(|it| it != *member));
    Difference {
        added: only(&after, &before),
        removed: only(&before, &after),
        changed: changed.map(|(path, _)| (*path).to_owned()).collect(),
        shared_layers: shared.len(),
        new_layers: new.into_iter().cloned().collect(),
        bytes_to_push: bytes,
    }
}
