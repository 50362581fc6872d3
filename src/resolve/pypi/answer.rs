//! From the solver's answer to packages of a lock, and what there is to say about them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Write,
    sync::Arc,
};

use uv_distribution::{ArchiveMetadata, Metadata};
use uv_distribution_types::{Dist, DistributionMetadata, File, Name, RequirementSource, VersionOrUrlRef};
use uv_normalize::{ExtraName, PackageName};
use uv_pep440::Version;
use uv_pypi_types::HashDigest;

use super::{
    super::{Error, bridge::Fact, known_breaks, mirror, read_from},
    PypiSolution,
    direct::Located,
    indexes::without_credentials,
    provider::{kept_file, sha256},
    requirements::{Root, Wanted, unusable},
    session::Session,
};
use crate::{
    lock::{Kind, Package, fingerprint},
    store::{self, Digests},
};

/// The conda packages in an answer: those that stand, and those that gave way.
pub(super) struct Conda {
    pub(super) facts: BTreeMap<PackageName, Fact>,
    pub(super) replaced: BTreeMap<PackageName, Fact>,
}

impl Session<'_> {
    /// Turns the chosen distributions into packages.
    pub(super) async fn finish(
        &self,
        chosen: &[Arc<Dist>],
        wanted: &Wanted,
        located: &[Located],
        mut conda: Conda,
    ) -> Result<PypiSolution, Error> {
        let mut packages = Vec::new();
        for dist in chosen {
            // What conda has anyway is not replaced by its equal.
            let equal =
                conda.replaced.get(dist.name()).is_some_and(|fact| Some(&fact.version) == version_of(dist));
            if equal {
                conda.facts.extend(conda.replaced.remove_entry(dist.name()));
            } else {
                packages.push(self.package(dist, wanted).await?);
            }
        }
        packages.extend(located.iter().map(Located::package));
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        // What nothing needs any more keeps its place.
        conda.replaced.retain(|name, _| packages.iter().any(|package| package.name == name.as_ref()));
        let extras = self.depend(&mut packages, wanted, located, &conda.facts);
        self.tell(&packages, &conda);

        let answers = conda.facts.iter().chain(&conda.replaced);
        let provided = answers.map(|(name, fact)| (name.to_string(), fact.conda.clone())).collect();
        let roots = wanted.roots.iter().map(|root| (&root.line.category, &root.name));
        let direct = located.iter().map(|it| (&it.direct.line.category, &it.metadata.name));
        let mut text = String::new();
        for package in &packages {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{package:?}");
        }
        Ok(PypiSolution {
            provided,
            roots: roots
                .chain(direct)
                .map(|(category, name)| (category.to_string(), name.to_string()))
                .collect(),
            replaced: conda.replaced.into_values().map(|fact| fact.conda).collect(),
            fingerprint: fingerprint::of_text(&text),
            extras,
            packages,
        })
    }

    /// One chosen distribution as a package with a sha256.
    async fn package(&self, dist: &Dist, wanted: &Wanted) -> Result<Package, Error> {
        let name = dist.name();
        let unlike = |reason: String| Error::index(name.as_ref(), &reason);
        let dist = &kept_file(dist, &self.keep());
        let file = dist.file().ok_or_else(|| unlike("it has no file".to_owned()))?;
        let version = version_of(dist).map(ToString::to_string).unwrap_or_default();
        let url = file.url.to_url().map_err(|error| unlike(error.to_string()))?;
        let mut url = without_credentials(&url);
        url.set_fragment(None);
        if file.yanked.as_ref().is_some_and(|yanked| yanked.is_yanked()) {
            self.resolver.printer.warning_once(format_args!(
                "{}: {name} {version} was yanked by its authors; it is used because it is asked for by `==`",
                self.key
            ));
        }
        let (sha256, size) = if let Some(sha256) = sha256(&file.hashes) {
            (sha256, file.size)
        } else {
            self.waiting.on(format!("{}: fetching {}", self.key, file.filename));
            let promised = Digests { size: file.size, ..Digests::default() };
            let from = read_from(&url, self.resolver.mirrors);
            let artifact = self.resolver.fetcher.complete(&url, &from, &promised).await?;
            (artifact.sha256, artifact.size)
        };
        if wanted.require_hashes {
            check_hash(name, file, url.as_str(), &sha256, &wanted.roots)?;
        }
        Ok(Package {
            kind: if matches!(**dist, Dist::Built(_)) { Kind::Wheel } else { Kind::Sdist },
            name: name.to_string(),
            version,
            build: None,
            url: mirror::canonical(&url, self.resolver.mirrors).to_string(),
            sha256,
            md5: None,
            size,
            dependencies: BTreeMap::new(),
            categories: BTreeSet::new(),
            wheel: None,
        })
    }

    /// Gives every package the requirements that hold for the extras it is asked with; returns those extras.
    fn depend(
        &self,
        packages: &mut [Package],
        wanted: &Wanted,
        located: &[Located],
        facts: &BTreeMap<PackageName, Fact>,
    ) -> BTreeMap<String, BTreeSet<ExtraName>> {
        let mut metadata = self.metadata_of(packages, located);
        let of_facts = self.of_facts.iter().filter(|(name, _)| facts.contains_key(*name));
        metadata.extend(of_facts.map(|(name, found)| (name.clone(), found.clone())));
        let mut extras: BTreeMap<PackageName, BTreeSet<ExtraName>> = BTreeMap::new();
        let roots = wanted.roots.iter().map(|root| (root.name.clone(), root.extras.clone()));
        let direct = located.iter().map(|it| (it.metadata.name.clone(), it.direct.extras.clone()));
        let mut open: VecDeque<_> = roots.chain(direct).collect();
        let mut needs: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        while let Some((name, asked)) = open.pop_front() {
            let seen = extras.contains_key(&name);
            let active = extras.entry(name.clone()).or_default();
            let before = active.len();
            active.extend(asked);
            if seen && active.len() == before {
                continue;
            }
            if let Some(fact) = facts.get(&name).filter(|_| !metadata.contains_key(&name)) {
                for extra in active.iter() {
                    self.resolver.printer.warning_once(format_args!(
                        "{}: `{name}[{extra}]`: {} {} comes from conda, and no index says what its extras need: \
                         list it",
                        self.key, fact.conda, fact.version
                    ));
                }
            }
            let Some(found) = metadata.get(&name) else { continue };
            for extra in active.iter().filter(|extra| !found.provides_extra.contains(extra)) {
                self.resolver.printer.warning_once(format_args!(
                    "{}: {name} {} has no extra `{extra}`",
                    self.key, found.version
                ));
            }
            let active: Vec<_> = active.iter().cloned().collect();
            let mut stated: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for requirement in &found.requires_dist {
                if !requirement.evaluate_markers(Some(&self.target.markers), &active) {
                    continue;
                }
                open.push_back((requirement.name.clone(), requirement.extras.to_vec()));
                // Extras of itself are no need of another package.
                if requirement.name == name {
                    continue;
                }
                let texts = stated.entry(requirement.name.to_string()).or_default();
                if let RequirementSource::Registry { specifier, .. } = &requirement.source {
                    let text = specifier.to_string().replace(' ', "");
                    if !text.is_empty() && !texts.contains(&text) {
                        texts.push(text);
                    }
                }
            }
            let joined = |texts: Vec<String>| if texts.is_empty() { "*".to_owned() } else { texts.join(",") };
            let stated = stated.into_iter().map(|(name, texts)| (name, joined(texts))).collect();
            needs.insert(name.to_string(), stated);
        }
        for package in packages {
            package.dependencies = needs.remove(&package.name).unwrap_or_default();
        }
        extras.into_iter().map(|(name, extras)| (name.to_string(), extras)).collect()
    }

    /// What the chosen versions say about themselves; repairs are told of.
    fn metadata_of(&self, packages: &[Package], located: &[Located]) -> BTreeMap<PackageName, Metadata> {
        let learned = self.learned.borrow();
        let warn =
            |warning: &String| self.resolver.printer.warning_once(format_args!("{}: {warning}", self.key));
        let mut metadata = BTreeMap::new();
        for ((name, version), found) in &learned.metadata {
            let is_it = |it: &Package| it.name == name.as_ref() && it.version == version.to_string();
            if packages.iter().any(is_it) {
                let warnings = learned.warnings.get(&(name.clone(), version.clone()));
                warnings.into_iter().flatten().for_each(warn);
                metadata.insert(name.clone(), found.clone());
            }
        }
        for it in located {
            it.warnings.iter().for_each(warn);
            let read = ArchiveMetadata::from_metadata23(it.metadata.clone()).metadata;
            metadata.insert(it.metadata.name.clone(), read);
        }
        metadata
    }

    /// Says what was replaced, and which of the chosen versions are known not to run together.
    fn tell(&self, packages: &[Package], conda: &Conda) {
        let printer = self.resolver.printer;
        for (name, fact) in &conda.replaced {
            let new = packages.iter().find(|package| package.name == name.as_ref());
            let version = new.map_or("", |package| package.version.as_str());
            printer.warning_once(format_args!(
                "{}: {} {} of conda is replaced by {name} {version} of PyPI, as pip would",
                self.key, fact.conda, fact.version
            ));
        }
        let facts = conda.facts.iter().map(|(name, fact)| (name.to_string(), fact.version.clone()));
        let mut versions: BTreeMap<String, Version> = facts.collect();
        versions.extend(packages.iter().filter_map(|it| Some((it.name.clone(), it.version.parse().ok()?))));
        for broken in known_breaks::find(&versions) {
            printer.warning_once(format_args!("{}: {broken}", self.key));
        }
    }
}

impl Located {
    fn package(&self) -> Package {
        Package {
            kind: self.kind,
            name: self.metadata.name.to_string(),
            version: self.metadata.version.to_string(),
            build: None,
            url: self.url.clone(),
            sha256: self.artifact.sha256.clone(),
            md5: None,
            size: self.artifact.size,
            dependencies: BTreeMap::new(),
            categories: BTreeSet::new(),
            wheel: None,
        }
    }
}

/// Whether a file has one of the hashes that its line states; a package without a line has none.
fn check_hash(name: &PackageName, file: &File, url: &str, sha256: &str, roots: &[Root]) -> Result<(), Error> {
    let stated: Vec<&HashDigest> =
        roots.iter().filter(|root| root.name == *name).flat_map(|root| &root.hashes).collect();
    if let (true, Some(first)) = (stated.is_empty(), roots.first()) {
        return Err(unusable(
            &first.line,
            format!("`{name}` is needed and no line has its --hash, because hashes are required"),
            "pip asks for hashes of every package as soon as one has them: give all or none",
        ));
    }
    let fits =
        |digest: &&HashDigest| *digest.digest == *sha256 || file.hashes.iter().any(|its| its == *digest);
    if stated.iter().any(fits) {
        return Ok(());
    }
    Err(Error::Store(store::Error::WrongHash {
        url: url.to_owned(),
        kind: "hash",
        expected: stated.iter().map(|digest| digest.digest.to_string()).collect::<Vec<_>>().join(" or "),
        found: sha256.to_owned(),
    }))
}

fn version_of(dist: &Dist) -> Option<&Version> {
    match dist.version_or_url() {
        VersionOrUrlRef::Version(version) => Some(version),
        VersionOrUrlRef::Url(_) => None,
    }
}
