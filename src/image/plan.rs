//! Which layer holds what.
//!
//! A package that is large has a layer of its own; the others share a fixed number of layers, chosen by a hash of their
//! name. So a new version of one package changes one of these layers, and no other is pushed again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use super::{
    Content, Error,
    content::Part,
    member::{Member, Members, add_parents},
};
use crate::store::Files;

/// How many bytes of files a package must have for a layer of its own.
const LARGE: u64 = 4 << 20;
/// How many layers of their own, and how many shared ones, each kind of environment may have. With the two that are of no
/// package these are at most 90; registries and engines take 127.
const RUNTIME: Budget = Budget { own: 8, shared: 4 };
const USER: Budget = Budget { own: 40, shared: 16 };
const SYSTEM: Budget = Budget { own: 12, shared: 8 };

#[derive(Clone, Copy)]
struct Budget {
    own: usize,
    shared: u8,
}

/// A layer that is to be written.
pub struct Planned {
    /// What it holds, for the image's history.
    pub about: String,
    /// What is in it.
    pub members: Members,
}

/// The layers of an image, lowest first.
pub fn plan(content: &Content, files: &Files) -> Result<Vec<Planned>, Error> {
    content.check()?;
    let budgets = [RUNTIME, USER, SYSTEM];
    let mut layers: Vec<Planned> =
        content.parts().zip(budgets).flat_map(|(part, budget)| of_packages(part, budget)).collect();
    let placed: BTreeSet<&str> =
        layers.iter().flat_map(|layer| layer.members.keys().map(String::as_str)).collect();
    let bookkeeping = content.bookkeeping(&placed, files)?;
    layers.push(Planned {
        about: "bookkeeping: the lock, and what environments say of themselves".to_owned(),
        members: bookkeeping,
    });
    layers.push(Planned { about: format!("role {}", content.role), members: content.role(files)? });
    Ok(layers)
}

/// A layer of several packages.
#[derive(Default)]
struct Shared<'a> {
    packages: BTreeSet<(&'a str, &'a str)>,
    members: Members,
}

/// The layers of an environment's packages: large ones by name, then the shared ones.
fn of_packages(part: Part, budget: Budget) -> Vec<Planned> {
    let manifest = part.manifest;
    let by_file: HashMap<String, (&str, &str, &str)> = part
        .packages
        .iter()
        .map(|it| (it.file_name(), (it.kind.manager(), it.name.as_str(), it.version.as_str())))
        .collect();
    // By kind as well: one name may be a conda package and a wheel.
    let packages: Vec<(&str, &str, &str)> = manifest
        .packages
        .iter()
        .map(|file| by_file.get(file).copied().unwrap_or(("conda", file.as_str(), "")))
        .collect();
    let mut sizes = vec![0_u64; packages.len()];
    for (entry, owner) in manifest.entries.values() {
        if let Some(size) = owner.and_then(|owner| sizes.get_mut(owner as usize)) {
            *size += Member::of(entry).size();
        }
    }
    let mut large = LARGE;
    while sizes.iter().filter(|size| **size >= large).count() > budget.own {
        large *= 2;
    }

    let environment = &manifest.marker.environment;
    let mut own: BTreeMap<(&str, &str), (String, Members)> = BTreeMap::new();
    let mut shared: BTreeMap<u8, Shared> = BTreeMap::new();
    for (path, (entry, owner)) in &manifest.entries {
        let Some(owner) = owner.map(|owner| owner as usize) else { continue };
        let Some(&(manager, name, version)) = packages.get(owner) else { continue };
        let members = if sizes[owner] >= large {
            let about = || format!("{environment} environment: {name} {version}");
            &mut own.entry((name, manager)).or_insert_with(|| (about(), Members::new())).1
        } else {
            let group = Sha256::digest(format!("{manager}/{name}"))[0] % budget.shared;
            let shared = shared.entry(group).or_default();
            shared.packages.insert((name, version));
            &mut shared.members
        };
        members.insert(format!("{}/{path}", part.prefix()), Member::of(entry));
    }
    let shared = shared.into_values().map(|Shared { packages, members }| {
        let packages: Vec<_> =
            packages.into_iter().map(|(name, version)| format!("{name} {version}")).collect();
        (format!("{environment} environment: {}", packages.join(", ")), members)
    });
    own.into_values()
        .chain(shared)
        .map(|(about, mut members)| {
            add_parents(&mut members);
            Planned { about, members }
        })
        .collect()
}

/// What an image of these layers has: a later layer wins.
pub(super) fn flatten(layers: &[Planned]) -> BTreeMap<&str, &Member> {
    layers.iter().flat_map(|layer| &layer.members).map(|(path, member)| (path.as_str(), member)).collect()
}
