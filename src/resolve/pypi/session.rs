//! One job's conversation with uv's solver.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
    str::FromStr,
    sync::Arc,
};

use tokio::sync::Semaphore;
use uv_client::{Connectivity, FlatIndexClient, MetadataFormat, RegistryClient, VersionFiles};
use uv_configuration::{Constraints, Excludes, Overrides};
use uv_distribution::{ArchiveMetadata, DistributionDatabase, Metadata};
use uv_distribution_filename::DistFilename;
use uv_distribution_types::{
    BuiltDist, Dist, HashPolicy, Index, Name, RegistryBuiltDist, RegistryBuiltWheel, Requirement,
    RequirementSource, RequiresPython, Resolution, ResolvedDist, VersionId,
};
use uv_normalize::{ExtraName, PackageName};
use uv_pep440::{Version, VersionSpecifier, VersionSpecifiers};
use uv_pep508::MarkerTree;
use uv_requirements_txt::{RequirementEntry, RequirementsTxtRequirement};
use uv_resolver::{
    AllowedYanks, DefaultResolverProvider, DependencyMode, ExcludeNewer, Exclusions, FlatIndex,
    InMemoryIndex, Manifest, NoSolutionError, OptionsBuilder, Preference, Preferences, Prerelease,
    PrereleaseMode, PythonRequirement, ResolveError, Resolver, ResolverEnvironment,
};
use uv_types::{EmptyInstalledPackages, HashStrategy};

use super::{
    super::{
        Demand, Error, Pin, Pins,
        bridge::{Fact, Target},
    },
    CONCURRENCY, PypiResolver,
    direct::Located,
    indexes::main_index,
    no_build::NoBuild,
    provider::{Given, Keep, Learned, Provider},
    requirements::{Root, Wanted},
};
use crate::{printer::Waiting, spec::options::Options};

/// Why an attempt failed.
pub(super) enum Failure {
    /// No set of versions satisfies everything.
    NoSolution(Box<NoSolutionError>),
    /// Something else.
    Other(Error),
}

/// The indexes of one job, and what was learned from them.
pub(super) struct Session<'a> {
    pub(super) resolver: &'a PypiResolver<'a>,
    pub(super) target: &'a Target,
    pub(super) key: &'a str,
    /// The files of an earlier answer that may stay.
    kept: BTreeMap<PackageName, Pin>,
    client: RegistryClient,
    context: NoBuild,
    flat_index: FlatIndex,
    requires_python: RequiresPython,
    pub(super) exclude_newer: ExcludeNewer,
    prerelease: Prerelease,
    hashes: HashStrategy,
    /// What an earlier answer chose.
    preferences: Vec<Preference>,
    /// Versions that are demanded.
    demanded: Vec<Requirement>,
    semaphore: Arc<Semaphore>,
    /// What the extras of conda's packages need.
    pub(super) of_facts: BTreeMap<PackageName, Metadata>,
    pub(super) learned: Rc<RefCell<Learned>>,
    pub(super) waiting: Rc<Waiting>,
}

impl<'a> Session<'a> {
    pub(super) async fn open(
        resolver: &'a PypiResolver<'a>,
        wanted: &Wanted,
        facts: &BTreeMap<PackageName, Fact>,
        options: &Options,
        target: &'a Target,
        (key, pins): (&'a str, &'a Pins),
        waiting: Rc<Waiting>,
    ) -> Result<Self, Error> {
        // uv asks for this once a process and panics without.
        let _ = uv_preview::set(uv_preview::Preview::default());
        let cache = resolver.open_cache().await?;
        let locations = resolver.locations(wanted)?;
        let connectivity = if resolver.cache_only { Connectivity::Offline } else { Connectivity::Online };
        let client = resolver.client(cache.clone(), locations.clone(), connectivity)?;
        let flat = FlatIndexClient::new(client.cached_client(), connectivity, &cache);
        let entries = flat
            .fetch_all(locations.flat_indexes().map(Index::url))
            .await
            .map_err(|error| Error::index("--find-links", &crate::causes::chain(&error)))?;
        let hashes = stated_hashes(&wanted.roots);
        let flat_index = FlatIndex::from_entries(entries, Some(&target.tags), &hashes, &wanted.build_options);
        let prerelease = if wanted.pre { PrereleaseMode::Allow } else { PrereleaseMode::default() };
        let mut session = Self {
            resolver,
            target,
            key,
            kept: kept(pins, &wanted.roots),
            client,
            context: NoBuild::new(cache, locations, wanted.build_options.clone()),
            flat_index,
            requires_python: RequiresPython::greater_than_equal_version(target.markers.python_full_version()),
            exclude_newer: options
                .exclude_newer
                .map_or_else(ExcludeNewer::default, |instant| ExcludeNewer::global(instant.into())),
            prerelease: Prerelease { global: prerelease, ..Prerelease::default() },
            hashes,
            preferences: pins.kept(true).filter_map(preference).collect(),
            demanded: pins.demanded(true).map(demanded).collect::<Result<_, _>>()?,
            semaphore: Arc::new(Semaphore::new(CONCURRENCY)),
            of_facts: BTreeMap::new(),
            learned: Rc::default(),
            waiting,
        };
        session.learn_extras(wanted, facts).await;
        Ok(session)
    }

    /// What the extras of conda's packages need, where the lines ask for such extras.
    ///
    /// conda's metadata knows no extras; PyPI's metadata of the same version does. A package that PyPI
    /// does not have in that version, or not as a wheel, is left out.
    async fn learn_extras(&mut self, wanted: &Wanted, facts: &BTreeMap<PackageName, Fact>) {
        for root in wanted.roots.iter().filter(|root| !root.extras.is_empty()) {
            if let Some(fact) = facts.get(&root.name)
                && let Some(mut metadata) = self.published(&root.name, &fact.version).await
            {
                // What it needs without extras, conda has met.
                let always = |it: &Requirement| it.evaluate_markers(Some(&self.target.markers), &[]);
                metadata.requires_dist =
                    metadata.requires_dist.into_iter().filter(|requirement| !always(requirement)).collect();
                self.of_facts.insert(root.name.clone(), metadata);
            }
        }
    }

    /// PyPI's metadata of one version, from any of its wheels.
    async fn published(&self, name: &PackageName, version: &Version) -> Option<Metadata> {
        let capabilities = &self.context.capabilities;
        let pages = self.client.simple_detail(name, None, capabilities, &self.semaphore).await.ok()?;
        for (index, page) in pages {
            let MetadataFormat::Simple(page) = page else { continue };
            for datum in page.iter() {
                let Ok(found) = rkyv::deserialize::<Version, rkyv::rancor::Error>(&datum.version) else {
                    continue;
                };
                if found != *version {
                    continue;
                }
                let files = rkyv::deserialize::<VersionFiles, rkyv::rancor::Error>(&datum.files).ok()?;
                let wheel = files.all(name).find_map(|(filename, file)| match filename {
                    DistFilename::WheelFilename(filename) => Some((filename, file)),
                    DistFilename::SourceDistFilename(_) => None,
                });
                let (filename, file) = wheel?;
                let wheel = RegistryBuiltWheel {
                    filename,
                    file: Box::new(file),
                    index: index.clone(),
                    size_is_authoritative: false,
                };
                let dist = RegistryBuiltDist { wheels: vec![wheel], best_wheel_index: 0, sdist: None };
                let dist = Dist::Built(BuiltDist::Registry(dist));
                let database = DistributionDatabase::new(&self.client, &self.context, self.semaphore.clone());
                // uv's futures are large; this one is rarely needed.
                let read =
                    Box::pin(database.get_or_build_wheel_metadata(&dist, HashPolicy::None)).await.ok()?;
                return Some(read.metadata);
            }
        }
        None
    }

    /// Which files stay.
    pub(super) fn keep(&self) -> Keep<'_> {
        Keep { pins: &self.kept, mirrors: self.resolver.mirrors, tags: &self.target.tags }
    }

    /// Asks the solver once: the distributions that it chooses, without the given packages.
    pub(super) async fn attempt(
        &self,
        wanted: &Wanted,
        located: &[Located],
        facts: &BTreeMap<PackageName, Fact>,
    ) -> Result<Vec<Arc<Dist>>, Failure> {
        let given = given(located, facts, &self.of_facts);
        let requirements: Vec<_> = wanted
            .roots
            .iter()
            .map(|root| registry(&root.name, &root.extras, root.specifiers.clone()))
            .chain(located.iter().map(|it| {
                let version = it.metadata.version.clone();
                let specifier = VersionSpecifier::equals_version(version);
                registry(&it.metadata.name, &it.direct.extras, specifier.into())
            }))
            .collect();
        let constraints = wanted.constraints.iter().map(|it| registry(&it.name, &[], it.specifiers.clone()));
        let environment = ResolverEnvironment::specific(self.target.markers.clone().into());
        let manifest = Manifest::new(
            requirements,
            Constraints::from_requirements(constraints.chain(self.demanded.iter().cloned())),
            Overrides::default(),
            Excludes::default(),
            Preferences::from_iter(self.preferences.iter().cloned(), &environment),
            None,
            BTreeSet::new(),
            Exclusions::default(),
            Vec::new(),
        );
        let python =
            PythonRequirement::from_marker_environment(&self.target.markers, self.requires_python.clone());
        let options = OptionsBuilder::new()
            .prerelease(self.prerelease.clone())
            .exclude_newer(self.exclude_newer.clone())
            .build_options(wanted.build_options.clone())
            .build();
        let locations = &self.context.locations;
        let inner = DefaultResolverProvider::new(
            DistributionDatabase::new(&self.client, &self.context, self.semaphore.clone()),
            &self.flat_index,
            Some(&self.target.tags),
            &self.requires_python,
            AllowedYanks::from_manifest(&manifest, &environment, DependencyMode::Transitive),
            &self.hashes,
            self.exclude_newer.clone(),
            locations,
            &wanted.build_options,
            &self.context.capabilities,
        );
        let provider = Provider {
            inner,
            given: given.clone(),
            index: main_index(locations),
            fetcher: self.resolver.fetcher,
            mirrors: self.resolver.mirrors,
            keep: self.keep(),
            cache_only: self.resolver.cache_only,
            learned: self.learned.clone(),
            waiting: self.waiting.clone(),
            job: self.key,
        };
        // What was given in an earlier attempt may come from an index in this one.
        let memory = InMemoryIndex::default();
        let solver = Resolver::new_custom_io(
            manifest,
            options,
            &self.hashes,
            environment,
            &self.target.markers,
            Some(self.target.tags.clone()),
            &python,
            uv_pypi_types::Conflicts::default(),
            &memory,
            &self.context.git,
            &self.context.capabilities,
            locations,
            provider,
            EmptyInstalledPackages,
        );
        match solver.resolve().await {
            Ok(output) => {
                let resolution = Resolution::from(output);
                let dists = resolution.distributions().filter_map(|dist| match dist {
                    ResolvedDist::Installable { dist, .. } if !given.contains_key(dist.name()) => {
                        Some(dist.clone())
                    }
                    _ => None,
                });
                Ok(dists.collect())
            }
            Err(ResolveError::NoSolution(error)) => Err(Failure::NoSolution(error)),
            Err(error) => Err(Failure::Other(self.failed(&error))),
        }
    }
}

impl Session<'_> {
    /// Finds which facts must go for an answer to exist: one if one is enough, else all that are named.
    pub(super) async fn give_way(
        &self,
        wanted: &Wanted,
        located: &[Located],
        facts: &mut BTreeMap<PackageName, Fact>,
        named: BTreeSet<PackageName>,
    ) -> BTreeMap<PackageName, Fact> {
        for name in &named {
            let mut fewer = facts.clone();
            fewer.remove(name);
            if self.attempt(wanted, located, &fewer).await.is_ok() {
                return facts.remove_entry(name).into_iter().collect();
            }
        }
        named.iter().filter_map(|name| facts.remove_entry(name)).collect()
    }
}

/// The packages that have one version.
fn given(
    located: &[Located],
    facts: &BTreeMap<PackageName, Fact>,
    of_facts: &BTreeMap<PackageName, Metadata>,
) -> BTreeMap<PackageName, Given> {
    let facts = facts.iter().map(|(name, fact)| {
        let metadata = of_facts.get(name).cloned().unwrap_or_else(|| Metadata {
            name: name.clone(),
            version: fact.version.clone(),
            requires_dist: Box::default(),
            requires_python: None,
            provides_extra: Box::default(),
            dependency_groups: BTreeMap::default(),
            dynamic: false,
        });
        (name.clone(), Given { version: fact.version.clone(), metadata, url: None })
    });
    let located = located.iter().map(|it| {
        let metadata = ArchiveMetadata::from_metadata23(it.metadata.clone()).metadata;
        let given = Given { version: it.metadata.version.clone(), metadata, url: Some(it.url.clone()) };
        (it.metadata.name.clone(), given)
    });
    facts.chain(located).collect()
}

/// The packages of an earlier answer, but those whose files a line excludes by its hashes.
fn kept(pins: &Pins, roots: &[Root]) -> BTreeMap<PackageName, Pin> {
    let is_excluded = |pin: &Pin| {
        let stated = roots.iter().filter(|root| root.name.as_ref() == pin.name).flat_map(|root| &root.hashes);
        let mut stated = stated.peekable();
        stated.peek().is_some() && stated.all(|hash| *hash.digest != *pin.sha256)
    };
    let kept = pins.kept(true).filter(|pin| !is_excluded(pin));
    kept.filter_map(|pin| Some((PackageName::from_str(&pin.name).ok()?, pin.clone()))).collect()
}

/// A package of an earlier answer as one that uv prefers to others of its name.
fn preference(pin: &Pin) -> Option<Preference> {
    let requirement = uv_pep508::Requirement::from_str(&format!("{}=={}", pin.name, pin.version)).ok()?;
    let entry =
        RequirementEntry { requirement: RequirementsTxtRequirement::Named(requirement), hashes: Vec::new() };
    Preference::from_entry(entry).ok()?
}

fn demanded(demand: &Demand) -> Result<Requirement, Error> {
    let wrong = |error: &dyn std::error::Error| Error::Version {
        version: demand.version.clone(),
        reason: crate::causes::chain(error),
    };
    let name = PackageName::from_str(&demand.name).map_err(|error| wrong(&error))?;
    let specifiers = VersionSpecifiers::from_str(&demand.requirement()).map_err(|error| wrong(&error))?;
    Ok(registry(&name, &[], specifiers))
}

fn registry(name: &PackageName, extras: &[ExtraName], specifier: VersionSpecifiers) -> Requirement {
    Requirement {
        name: name.clone(),
        extras: extras.into(),
        groups: Box::default(),
        marker: MarkerTree::TRUE,
        source: RequirementSource::Registry { specifier, index: None, conflict: None },
        origin: None,
    }
}

/// Of a version that lines give hashes for, the files that have one of them come first.
fn stated_hashes(roots: &[Root]) -> HashStrategy {
    let mut stated: HashMap<_, Vec<_>, _> = HashMap::default();
    for root in roots.iter().filter(|root| !root.hashes.is_empty()) {
        if let Some(version) = root.pin() {
            let version = VersionId::from_registry(root.name.clone(), version.clone());
            stated.entry(version).or_default().extend(root.hashes.iter().cloned());
        }
    }
    if stated.is_empty() { HashStrategy::None } else { HashStrategy::Verify(Arc::new(stated)) }
}
