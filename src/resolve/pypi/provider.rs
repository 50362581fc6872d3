//! What uv's solver is told: conda's packages as facts, sdists by their static metadata, all else as
//! the indexes have it.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

use uv_distribution::{ArchiveMetadata, Metadata, Reporter};
use uv_distribution_filename::SourceDistExtension;
use uv_distribution_types::{
    BuiltDist, Dist, DistributionMetadata, File, FileLocation, HashComparison, IndexMetadata, IndexUrl,
    InstalledDist, Name, PrioritizedDist, RegistryBuiltDist, RegistryBuiltWheel, RegistrySourceDist,
    RequestedDist, Requirement, RequirementSource, SourceDist, SourceDistCompatibility, VersionOrUrlRef,
};
use uv_normalize::PackageName;
use uv_pep440::{Version, VersionSpecifier, VersionSpecifiers};
use uv_platform_tags::Tags;
use uv_pypi_types::{HashAlgorithm, HashDigests};
use uv_resolver::{
    DefaultResolverProvider, FlatDistributions, MetadataResponse, PackageVersionsResult, ResolverProvider,
    VersionMap, VersionsResponse, WheelMetadataResult,
};

use super::{direct, indexes::without_credentials, no_build::NoBuild, sdist};
use crate::{
    printer::Waiting,
    resolve::{Mirror, Pin, mirror, read_from},
    store::{self, Digests, Fetcher},
};

/// A package that has one version, whatever the indexes hold.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) version: Version,
    /// What it needs from PyPI; nothing for a conda package, whose needs conda has met.
    pub(super) metadata: Metadata,
    /// The URL that other packages' metadata may ask for it by.
    pub(super) url: Option<String>,
}

/// What the solver has learned, kept across attempts.
#[derive(Default)]
pub(super) struct Learned {
    /// The metadata of every version that was looked into.
    pub(super) metadata: BTreeMap<(PackageName, Version), Metadata>,
    /// Warnings about repaired metadata.
    pub(super) warnings: BTreeMap<(PackageName, Version), Vec<String>>,
    /// Why the metadata of an sdist cannot be had.
    pub(super) unreadable: BTreeMap<(PackageName, Version), String>,
    /// Packages that only the network could tell of.
    pub(super) offline: BTreeSet<PackageName>,
    /// Packages that no index has.
    pub(super) unknown: BTreeSet<PackageName>,
    /// The first failure to fetch an artifact.
    pub(super) failure: Option<store::Error>,
}

/// See the module.
pub(super) struct Provider<'a> {
    pub(super) inner: DefaultResolverProvider<'a, NoBuild>,
    pub(super) given: BTreeMap<PackageName, Given>,
    /// Where given packages are said to come from: uv wants to know, and no one reads it.
    pub(super) index: IndexUrl,
    pub(super) fetcher: &'a Fetcher,
    pub(super) mirrors: &'a [Mirror],
    pub(super) keep: Keep<'a>,
    /// Nothing newer than the cache is looked at.
    pub(super) cache_only: bool,
    pub(super) learned: Rc<RefCell<Learned>>,
    pub(super) waiting: Rc<Waiting>,
    pub(super) job: &'a str,
}

impl Provider<'_> {
    /// The whole of a file, checked against what its index promises.
    async fn bytes(&self, file: &File) -> Result<Vec<u8>, Unread> {
        let url = file.url.to_url().map_err(|error| Unread::Unreadable(error.to_string()))?;
        let mut url = without_credentials(&url);
        url.set_fragment(None);
        self.waiting.on(format!("{}: reading {}", self.job, file.filename));
        let promised = Digests { sha256: sha256(&file.hashes), size: file.size, ..Digests::default() };
        let artifact = self.fetcher.complete(&url, &read_from(&url, self.mirrors), &promised).await;
        artifact.and_then(|artifact| self.fetcher.read(&artifact.sha256)).map_err(Unread::Failed)
    }

    /// The metadata of a wheel that uv finds invalid, if it can be repaired.
    async fn repaired(&self, dist: &Dist, version: &Version) -> Option<Metadata> {
        let bytes = self.bytes(dist.file()?).await.ok()?;
        let (metadata, warnings) = direct::wheel_metadata(dist.name().as_ref(), &bytes).ok()?;
        // Without a repair, what uv finds wrong with it is something else.
        if warnings.is_empty() || (&metadata.name, &metadata.version) != (dist.name(), version) {
            return None;
        }
        self.learned.borrow_mut().warnings.insert((dist.name().clone(), version.clone()), warnings);
        Some(ArchiveMetadata::from_metadata23(metadata).metadata)
    }

    /// The sdist's own words, without building it.
    async fn sdist_metadata(&self, sdist: &RegistrySourceDist) -> Result<Metadata, Unread> {
        let bytes = self.bytes(&sdist.file).await?;
        let known = Some((&sdist.name, &sdist.version));
        let (metadata, warnings) =
            sdist::metadata(&sdist.file.filename, &bytes, known).map_err(Unread::Unreadable)?;
        if (&metadata.name, &metadata.version) != (&sdist.name, &sdist.version) {
            let (file, name, version) = (&sdist.file.filename, &metadata.name, &metadata.version);
            return Err(Unread::Unreadable(format!("{file} says that it is {name} {version}")));
        }
        if !warnings.is_empty() {
            let key = (sdist.name.clone(), sdist.version.clone());
            self.learned.borrow_mut().warnings.insert(key, warnings);
        }
        Ok(ArchiveMetadata::from_metadata23(metadata).metadata)
    }

    /// Requirements by a URL that was given as a requirement itself become requirements by version.
    fn settle(&self, mut metadata: Metadata) -> Metadata {
        for requirement in &mut metadata.requires_dist {
            let RequirementSource::Url { url, .. } = &requirement.source else { continue };
            let Some(given) = self.given.get(&requirement.name) else { continue };
            if given.url.as_deref() == Some(url.to_url().as_str()) {
                *requirement = exactly(requirement, &given.version);
            }
        }
        metadata
    }
}

enum Unread {
    Unreadable(String),
    Failed(store::Error),
}

/// The requirement with `==` in place of its URL.
fn exactly(requirement: &Requirement, version: &Version) -> Requirement {
    let specifier = VersionSpecifiers::from(VersionSpecifier::equals_version(version.clone()));
    Requirement {
        source: RequirementSource::Registry { specifier, index: None, conflict: None },
        ..requirement.clone()
    }
}

/// The distribution by the file that an earlier answer has chosen of this version, where a better one has come since.
pub(super) fn kept_file<'d>(dist: &'d Dist, keep: &Keep) -> Cow<'d, Dist> {
    let kept = || {
        let Dist::Built(BuiltDist::Registry(built)) = dist else { return None };
        let pin = keep.pins.get(dist.name())?;
        let is_it = |file: &File| match (sha256(&file.hashes), file.url.to_url()) {
            (Some(found), _) => found == pin.sha256,
            (None, Ok(url)) => {
                mirror::canonical(&without_credentials(&url), keep.mirrors).as_str() == pin.url
            }
            (None, Err(_)) => false,
        };
        if let Some(sdist) = built.sdist.as_ref().filter(|sdist| is_it(&sdist.file)) {
            return Some(Dist::Source(SourceDist::Registry(sdist.clone())));
        }
        let fits = |wheel: &RegistryBuiltWheel| is_it(&wheel.file) && wheel.filename.is_compatible(keep.tags);
        let best_wheel_index = built.wheels.iter().position(fits)?;
        let built = RegistryBuiltDist { best_wheel_index, ..built.clone() };
        Some(Dist::Built(BuiltDist::Registry(built)))
    };
    kept().map_or(Cow::Borrowed(dist), Cow::Owned)
}

/// Which files stay.
pub(super) struct Keep<'a> {
    /// Those of an earlier answer that no line excludes by its hashes.
    pub(super) pins: &'a BTreeMap<PackageName, Pin>,
    pub(super) mirrors: &'a [Mirror],
    pub(super) tags: &'a Tags,
}

/// The sha256 that an index states.
pub(super) fn sha256(hashes: &HashDigests) -> Option<String> {
    let found = hashes.iter().find(|digest| digest.algorithm() == HashAlgorithm::Sha256)?;
    Some(found.digest.to_string())
}

impl ResolverProvider for Provider<'_> {
    async fn get_package_versions<'io>(
        &'io self,
        package_name: &'io PackageName,
        index: Option<&'io IndexMetadata>,
    ) -> PackageVersionsResult {
        if let Some(given) = self.given.get(package_name) {
            return Ok(VersionsResponse::Found(vec![single(package_name, &given.version, &self.index)]));
        }
        self.waiting.on(format!("{}: {package_name}", self.job));
        let response = self.inner.get_package_versions(package_name, index).await;
        match &response {
            Ok(VersionsResponse::Offline) => {
                self.learned.borrow_mut().offline.insert(package_name.clone());
            }
            Ok(VersionsResponse::NotFound) => {
                self.learned.borrow_mut().unknown.insert(package_name.clone());
            }
            _ => {}
        }
        response
    }

    async fn get_or_build_wheel_metadata<'io>(&'io self, dist: &'io Dist) -> WheelMetadataResult {
        let name = dist.name().clone();
        if let Some(given) = self.given.get(&name) {
            return Ok(MetadataResponse::Found(self.settle(given.metadata.clone()).into()));
        }
        let version = match dist.version_or_url() {
            VersionOrUrlRef::Version(version) => Some(version.clone()),
            VersionOrUrlRef::Url(_) => None,
        };
        let kept = kept_file(dist, &self.keep);
        let response = match &*kept {
            Dist::Source(SourceDist::Registry(sdist)) => match self.sdist_metadata(sdist).await {
                Ok(metadata) => MetadataResponse::Found(self.settle(metadata).into()),
                Err(unread) => {
                    let mut learned = self.learned.borrow_mut();
                    match unread {
                        Unread::Unreadable(said) => {
                            learned.unreadable.insert((name, sdist.version.clone()), said);
                        }
                        Unread::Failed(error) => learned.failure = learned.failure.take().or(Some(error)),
                    }
                    let said = uv_distribution::Error::NoBuildPackage(sdist.name.clone());
                    let requested = Box::new(RequestedDist::Installable(kept.into_owned()));
                    return Ok(MetadataResponse::Error(requested, Arc::new(said)));
                }
            },
            kept => match self.inner.get_or_build_wheel_metadata(kept).await? {
                MetadataResponse::Found(found) => MetadataResponse::Found(self.settle(found.metadata).into()),
                other => match &version {
                    Some(version) => match self.repaired(kept, version).await {
                        Some(metadata) => MetadataResponse::Found(self.settle(metadata).into()),
                        None => other,
                    },
                    None => other,
                },
            },
        };
        if matches!(response, MetadataResponse::Unavailable(_)) && self.cache_only {
            self.learned.borrow_mut().offline.insert(name);
        } else if let (MetadataResponse::Found(found), Some(version)) = (&response, version) {
            self.learned.borrow_mut().metadata.insert((name, version), found.metadata.clone());
        }
        Ok(response)
    }

    async fn get_installed_metadata<'io>(&'io self, dist: &'io InstalledDist) -> WheelMetadataResult {
        self.inner.get_installed_metadata(dist).await
    }

    fn with_reporter(self, reporter: Arc<dyn Reporter>) -> Self {
        Self { inner: self.inner.with_reporter(reporter), ..self }
    }
}

/// A list of versions with one entry.
fn single(name: &PackageName, version: &Version, index: &IndexUrl) -> VersionMap {
    let file_name = format!("{name}-{version}.tar.gz");
    let url = format!("https://given.invalid/{file_name}");
    let file = File {
        dist_info_metadata: false,
        filename: file_name.as_str().into(),
        hashes: HashDigests::empty(),
        requires_python: None,
        size: None,
        upload_time_utc_ms: None,
        url: FileLocation::new(url.as_str().into(), &"https://given.invalid/".into()),
        yanked: None,
        zstd: None,
    };
    let source = RegistrySourceDist {
        name: name.clone(),
        version: version.clone(),
        file: Box::new(file),
        ext: SourceDistExtension::TarGz,
        index: index.clone(),
        wheels: Vec::new(),
        size_is_authoritative: false,
    };
    let compatible = SourceDistCompatibility::Compatible(HashComparison::Matched);
    let distribution = PrioritizedDist::from_source(source, Vec::new(), compatible);
    VersionMap::from(FlatDistributions::from(BTreeMap::from([(version.clone(), distribution)])))
}
