//! From a lock and a store to a tree: every path of an environment, for one prefix.
//!
//! Guarantees: a tree depends on the lock, the prefix and [`TREE_FORMAT`] alone; every artifact is hashed before it
//! is read, and must be what it promises of itself; no path leads out of the tree; no script of a package is run.
//! A tree is a [`Manifest`]; its contents are in the store's files, by hash.

mod byte_code;
mod conflicts;
mod error;
mod finish;
mod layout;
pub mod license;
mod link_scripts;
mod links;
mod manifest;
mod materialise;
mod path;
mod prune;
mod unpack;
mod verify;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use rattler::install::PythonInfo;
use rattler_conda_types::{PackageRecord, Subdir};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use byte_code::{ByteCode, Loader};
pub use error::Error;
pub use manifest::{Entries, Entry, Manifest, TREE_FORMAT, digest_entry};
pub use path::TreePath;
pub use prune::prune;
pub use unpack::built_wheel;
pub use verify::{Differences, differences, is_unchanged};

use crate::{
    fs,
    lock::{Kind, Package, fingerprint},
    store::Files,
};
use unpack::{About, Unpacked};

/// The file in which a prefix says what it is.
pub const MARKER: &str = "conda-meta/envlock";

/// Where the loader of an executable is, and what it looks through: directories of a system, and of a sysroot.
pub const SYSTEM_DIRECTORIES: [&str; 4] = ["lib", "lib64", "usr/lib", "usr/lib64"];

/// One environment for one prefix.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Its name: `user`, `runtime`, or a role.
    pub environment: &'a str,
    /// The platform that it is locked for.
    pub platform: Subdir,
    /// All its packages.
    pub packages: &'a [Package],
    /// `variables:` of the environment file.
    pub variables: &'a BTreeMap<String, String>,
    /// Where it will be used: an absolute path.
    pub prefix: &'a str,
    /// Whether Python's byte-code is part of it.
    pub byte_code: bool,
}

/// What a prefix says about itself, in [`MARKER`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Marker {
    /// [`TREE_FORMAT`].
    pub format: u32,
    /// The environment's name.
    pub environment: String,
    /// The platform.
    pub platform: String,
    /// lockHash of its packages.
    pub lock_hash: String,
    /// Where it is to be used.
    pub prefix: String,
    /// Whether byte-code is part of it.
    pub byte_code: bool,
    /// `variables:` of the environment file.
    pub variables: BTreeMap<String, String>,
    /// sha256 of the wheels that sdists became, by name of the package.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wheels: BTreeMap<String, String>,
}

impl Marker {
    /// What the prefix at `root` says about itself, if it is one of ours.
    pub fn read(root: &Path) -> Result<Option<Self>, fs::Error> {
        let text = fs::read_kept(&root.join(MARKER))?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// Where the store keeps the manifest of such a tree.
    pub fn kept_manifest(&self, cache: &Path) -> PathBuf {
        // Debug quotes every part, so that no text can pretend to be two.
        let key = fingerprint::of_text(&format!("{self:?}"));
        cache.join("trees").join(format!("{key}.json"))
    }
}

impl Request<'_> {
    /// What the prefix will say about itself.
    pub fn marker(&self) -> Marker {
        let packages = self.packages.iter();
        let wheels = packages.filter_map(|package| Some((package, package.wheel.as_ref()?)));
        Marker {
            format: TREE_FORMAT,
            environment: self.environment.to_owned(),
            platform: self.platform.as_str().to_owned(),
            lock_hash: fingerprint::lock_hash(self.packages),
            prefix: self.prefix.to_owned(),
            byte_code: self.byte_code,
            variables: self.variables.clone(),
            wheels: wheels.map(|(package, wheel)| (package.name.clone(), wheel.sha256.clone())).collect(),
        }
    }

    /// Where the store keeps the manifest of this tree.
    pub fn kept_manifest(&self, cache: &Path) -> PathBuf {
        self.marker().kept_manifest(cache)
    }
}

/// A tree that may still want its byte-code.
pub struct Tree {
    /// Its paths.
    pub manifest: Manifest,
    /// The environment's Python, if it has one.
    python: Option<PythonInfo>,
}

/// Derives a tree, without its byte-code, from the artifacts of the store. With `anew` nothing is believed that was
/// kept of an earlier time. `progress` is told how many packages are unpacked.
pub fn derive(
    request: &Request,
    cache: &Path,
    files: &Files,
    anew: bool,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Tree, Error> {
    let files = &if anew { files.distrusting() } else { files.clone() };
    let mut packages: Vec<&Package> = request.packages.iter().collect();
    // The large ones first: the last one to end should be a small one.
    packages.sort_by_key(|package| {
        let size = package.size.or_else(|| fs::size(&crate::store::artifact_path(cache, &package.sha256)));
        (std::cmp::Reverse(size), &package.name)
    });
    let done = std::sync::atomic::AtomicUsize::new(0);
    let unpacked: Vec<Unpacked> = packages
        .par_iter()
        .with_max_len(1)
        .map(|package| {
            let unpacked = unpack::unpack(package, cache, files, anew)?;
            progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
            Ok(unpacked)
        })
        .collect::<Vec<Result<_, Error>>>()
        .into_iter()
        // Of several errors, always the same is told.
        .collect::<Result<_, _>>()?;
    let python = python(request.platform, &unpacked)?;
    let (packages, unpacked) = in_order(packages, unpacked)?;
    let layouts = packages
        .iter()
        .zip(&unpacked)
        .map(|(package, unpacked)| layout::layout(package, unpacked, python.as_ref()))
        .collect::<Result<Vec<_>, _>>()?;

    let mut notes = Vec::new();
    for (package, unpacked) in packages.iter().zip(&unpacked) {
        if let Some(script) = layout::link_script(package, unpacked) {
            notes.push(link_scripts::note(package, &script));
        }
    }
    let owners = conflicts::owners(&packages, &layouts, &mut notes)?;

    let context = finish::Context { request, python: python.as_ref(), files };
    let finished = (0..packages.len())
        .into_par_iter()
        .map(|rank| {
            let owned = |path: &TreePath| owners.get(&**path).is_some_and(|(owner, _)| *owner == rank);
            context.finish(packages[rank], &unpacked[rank], &layouts[rank], &owned)
        })
        .collect::<Vec<Result<_, Error>>>()
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;

    let mut entries: Entries = BTreeMap::new();
    let mut conflicts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (rank, (items, results)) in layouts.iter().zip(finished).enumerate() {
        for (item, entry) in items.iter().zip(results) {
            if !owners.contains_key(&*item.path) {
                continue;
            }
            if let Some((before, Some(loser))) = entries.get(&*item.path)
                && *before != entry
            {
                conflicts.insert(item.path.to_string(), (*loser as usize, rank));
            }
            // There are never as many packages as numbers.
            entries.insert(item.path.to_string(), (entry, u32::try_from(rank).ok()));
        }
    }
    for (path, (loser, winner)) in conflicts {
        let (loser, winner) = (&packages[loser].name, &packages[winner].name);
        notes.push(format!("{path} is that of {winner}; {loser} has another"));
    }
    for (path, content) in finish::of_the_environment(request) {
        let added = files.add(&content, false)?;
        let entry = Entry::File { sha256: added.sha256, size: added.size, executable: false };
        entries.insert(path.to_owned(), (entry, None));
    }
    add_parents(&mut entries);
    links::check(&packages, &entries)?;
    let manifest = Manifest {
        marker: request.marker(),
        entries,
        packages: packages.iter().map(|package| package.file_name()).collect(),
        notes,
    };
    Ok(Tree { manifest, python })
}

impl Tree {
    /// The byte-code that the store has of an earlier time, and what is to be compiled; with `anew`, all is. `runtime`
    /// identifies the runtime that Python runs with.
    pub fn byte_code(
        &self,
        request: &Request,
        runtime: &str,
        cache: &Path,
        files: &Files,
        anew: bool,
    ) -> Result<ByteCode, Error> {
        Ok(ByteCode::find(request, &self.manifest, runtime, cache, files, anew)?)
    }

    /// What must be materialised to compile what is missing: Python, whatever it may need, and the sources.
    pub fn needed_by(&self, request: &Request, byte_code: &ByteCode) -> Entries {
        let wheels: BTreeSet<String> = request
            .packages
            .iter()
            .filter(|package| package.kind != Kind::Conda)
            .map(Package::file_name)
            .collect();
        let is_wheel: Vec<bool> = self.manifest.packages.iter().map(|file| wheels.contains(file)).collect();
        let sources: BTreeSet<&str> = byte_code.missing.iter().flat_map(byte_code::List::sources).collect();
        let is_needed = |path: &str, owner: Option<u32>| {
            let of_wheel = owner.and_then(|owner| is_wheel.get(owner as usize)).copied();
            of_wheel == Some(false) || sources.contains(path)
        };
        let entries = self.manifest.entries.iter().filter(|(path, (_, owner))| is_needed(path, *owner));
        let mut needed = entries.map(|(path, entry)| (path.clone(), entry.clone())).collect();
        add_parents(&mut needed);
        needed
    }

    /// Compiles what is missing, where it was materialised at `root`.
    pub fn compile(
        &self,
        byte_code: &mut ByteCode,
        request: &Request,
        root: &Path,
        files: &Files,
        loader: Option<&Loader>,
    ) -> Result<(), Error> {
        let Some(python) = &self.python else { return Ok(()) };
        byte_code.compile(request, root, files, python, loader)
    }

    /// Adds byte-code to the tree; returns what was added.
    pub fn add(&mut self, byte_code: &ByteCode) -> Entries {
        let entries = byte_code.entries(&self.manifest);
        self.manifest.entries.extend(entries.clone());
        entries
    }

    /// Whether there is a Python, and so byte-code to compile.
    pub fn has_python(&self) -> bool {
        self.python.is_some()
    }
}

pub use materialise::materialise;

/// The order in which packages are laid over each other: conda's by what needs what, where nothing else decides the
/// first by name last, as rattler has it; then PyPI's by name.
fn in_order(
    packages: Vec<&Package>,
    unpacked: Vec<Unpacked>,
) -> Result<(Vec<&Package>, Vec<Unpacked>), Error> {
    let mut records = Vec::new();
    for (package, unpacked) in packages.iter().zip(&unpacked) {
        if let About::Conda { index, .. } = &unpacked.about {
            let record = PackageRecord::from_index_json((**index).clone(), None, None, None);
            records
                .push(record.map_err(|error| Error::unsound(package, "info/index.json", error.to_string()))?);
        }
    }
    let sorted = PackageRecord::sort_topologically(records);
    let rank: HashMap<&str, usize> =
        sorted.iter().enumerate().map(|(rank, record)| (record.name.as_normalized(), rank)).collect();
    let mut both: Vec<_> = packages.into_iter().zip(unpacked).collect();
    both.sort_by_key(|(package, _)| {
        let rank = if package.kind == Kind::Conda { rank.get(package.name.as_str()) } else { None };
        (rank.copied().unwrap_or(usize::MAX), &package.name)
    });
    Ok(both.into_iter().unzip())
}

fn python(platform: Subdir, unpacked: &[Unpacked]) -> Result<Option<PythonInfo>, Error> {
    let index = unpacked.iter().find_map(|unpacked| match &unpacked.about {
        About::Conda { index, .. } if index.name.as_normalized() == "python" => Some(index),
        _ => None,
    });
    let Some(index) = index else { return Ok(None) };
    let site_packages = index.python_site_packages_path.as_deref();
    PythonInfo::from_version(index.version.version(), site_packages, platform).map(Some).map_err(|error| {
        Error::Unsupported {
            what: "python".to_owned(),
            reason: error.to_string(),
            hint: "lock another version of python".to_owned(),
        }
    })
}

/// Adds the directories above every path.
fn add_parents(entries: &mut Entries) {
    for parent in parents(entries.keys()) {
        entries.entry(parent).or_insert((Entry::Directory, None));
    }
}

/// Every directory above some paths.
pub fn parents<'a>(paths: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    let mut parents = BTreeSet::new();
    for path in paths {
        let mut rest = path.as_str();
        while let Some((parent, _)) = rest.rsplit_once('/') {
            if !parents.insert(parent.to_owned()) {
                break;
            }
            rest = parent;
        }
    }
    parents
}

/// Whether every package can be installed; said before anything is fetched.
pub fn check_kinds(packages: &[Package]) -> Result<(), Error> {
    packages.iter().try_for_each(|package| unpack::artifact(package).map(drop))
}
