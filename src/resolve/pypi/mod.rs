//! PyPI packages: uv's resolver, in process, on top of what conda has solved.
//!
//! Guarantees: no Python is run or needed; the solved conda packages are facts, which only the `legacy`
//! and `merge` readings may replace, and say so; every artifact of the answer has a sha256. uv's crates
//! are not a stable interface and are used nowhere but here and in `bridge.rs`.

mod direct;
mod explain;
mod no_build;
mod provider;
mod readings;
mod repair;
mod requirements;
mod sdist;
mod tree;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use rattler_conda_types::RepoDataRecord;
use tokio::sync::Semaphore;
use url::Url;
use uv_cache::Cache;
use uv_client::{BaseClientBuilder, Connectivity, FlatIndexClient, RegistryClient, RegistryClientBuilder};
use uv_configuration::Constraints;
use uv_distribution::{DistributionDatabase, Metadata};
use uv_distribution_types::{
    Dist, Index, IndexCapabilities, IndexLocations, IndexUrl, Name, Requirement, RequirementSource,
    RequiresPython, Resolution, ResolvedDist,
};
use uv_normalize::{ExtraName, PackageName};
use uv_pep440::Version;
use uv_pep508::{MarkerTree, VerbatimUrl};
use uv_pypi_types::HashDigest;
use uv_resolver::{
    AllowedYanks, DefaultResolverProvider, DependencyMode, ExcludeNewer, FlatIndex, InMemoryIndex, Manifest,
    NoSolutionError, OptionsBuilder, Prerelease, PrereleaseMode, PythonRequirement, ResolveError, Resolver,
    ResolverEnvironment,
};
use uv_types::{EmptyInstalledPackages, HashStrategy};

use self::{
    direct::{Located, Locator},
    no_build::NoBuild,
    provider::{Given, Learned, Provider},
    requirements::{Root, Wanted},
};
use super::{
    Error, Job, Mirror,
    bridge::{self, Fact, Target},
    known_breaks, read_from, virtual_packages,
};
use crate::{
    lock::{Kind, Package, fingerprint},
    printer::{Printer, Waiting},
    spec::{
        channel::Variables,
        name_map::NameMap,
        options::{Options, PipResolver},
        pip::PipLine,
    },
    store::{Digests, Fetcher},
};

/// As many requests at a time as uv itself makes.
const CONCURRENCY: usize = 50;

/// How to reach PyPI's indexes, for all jobs of a run.
pub struct PypiResolver<'a> {
    /// Where metadata is kept.
    pub cache: PathBuf,
    /// Nothing newer than the cache is looked at.
    pub cache_only: bool,
    /// Where artifacts come from.
    pub fetcher: &'a Fetcher,
    /// Indexes that are read from somewhere else.
    pub mirrors: &'a [Mirror],
    /// Environment variables, for index URLs.
    pub variables: &'a Variables,
    /// conda ↔ PyPI names.
    pub name_map: &'a NameMap,
    /// Local paths are stated relative to this directory.
    pub base: &'a Path,
    /// Talk.
    pub printer: &'a Printer,
}

/// What the `pip:` lines of a job came to.
#[derive(Debug, Default)]
pub struct PypiSolution {
    /// Wheels and sdists, sorted by name, without categories.
    pub packages: Vec<Package>,
    /// The conda packages whose place a PyPI package takes.
    pub replaced: BTreeSet<String>,
    /// Which conda package answers for a PyPI name.
    pub provided: BTreeMap<String, String>,
    /// Category and name of each root requirement.
    pub roots: Vec<(String, String)>,
    /// The fingerprint of the answer.
    pub fingerprint: String,
}

/// One attempt's answer: the chosen distributions, without given packages.
struct Answer {
    dists: Vec<Arc<Dist>>,
}

/// Why an attempt failed.
enum Failure {
    /// No set of versions satisfies everything.
    NoSolution(Box<NoSolutionError>),
    /// Something else.
    Other(Error),
}

impl PypiResolver<'_> {
    /// Finds what no resolution could honour, before anything is asked of a server.
    pub fn check(&self, job: &Job<'_>) -> Result<(), Error> {
        requirements::read(&job.spec.pip, None, self.variables)?;
        match job.spec.pip.first() {
            Some(first) if job.spec.conda.is_empty() => Err(without_python(job, first)),
            _ => Ok(()),
        }
    }

    /// Reads the pages of the packages that the lines name into the cache, while conda still solves.
    ///
    /// Only for speed: what fails here fails again, with its message, in [`Self::solve`].
    pub async fn prefetch(&self, job: &Job<'_>) {
        if self.cache_only || job.spec.pip.is_empty() {
            return;
        }
        let Ok(wanted) = requirements::read(&job.spec.pip, None, self.variables) else { return };
        let Ok(locations) = self.locations(&wanted) else { return };
        let Ok(cache) = self.open_cache().await else { return };
        let Ok(client) = self.client(cache, locations, Connectivity::Online) else { return };
        let (capabilities, semaphore) = (IndexCapabilities::default(), Semaphore::new(CONCURRENCY));
        let names: BTreeSet<_> = wanted.roots.iter().map(|root| &root.name).collect();
        let pages = names.into_iter().map(|name| client.simple_detail(name, None, &capabilities, &semaphore));
        futures::future::join_all(pages).await;
    }

    async fn open_cache(&self) -> Result<Cache, Error> {
        let cache = Cache::from_path(self.cache.join("pypi")).init().await;
        cache.map_err(|error| Error::Cache { reason: crate::causes::chain(&error) })
    }

    fn client(
        &self,
        cache: Cache,
        locations: IndexLocations,
        connectivity: Connectivity,
    ) -> Result<RegistryClient, Error> {
        // The certificates that the machine trusts, as for channels.
        let base = BaseClientBuilder::default().with_system_certs(true).connectivity(connectivity);
        let client = RegistryClientBuilder::new(base, cache).index_locations(locations).build();
        client.map_err(|error| Error::index("PyPI", &crate::causes::chain(&error)))
    }

    /// Resolves the `pip:` lines of a job on top of its conda solution.
    pub async fn solve(
        &self,
        job: Job<'_>,
        records: &[RepoDataRecord],
        options: &Options,
    ) -> Result<PypiSolution, Error> {
        let Some(first) = job.spec.pip.first() else { return Ok(PypiSolution::default()) };
        let started = std::time::Instant::now();
        let key = job.key();
        let python = records.iter().find(|record| record.package_record.name.as_normalized() == "python");
        let python = python.ok_or_else(|| without_python(&job, first))?;
        let virtual_packages = virtual_packages::of(job.platform, &options.virtual_packages);
        let target = bridge::target(python, job.platform, &virtual_packages).map_err(|said| {
            requirements::unusable(first, said, "lock this environment without `pip:` there")
        })?;

        let mut wanted = requirements::read(&job.spec.pip, Some(&target.markers), self.variables)?;
        wanted.warnings.iter().for_each(|warning| self.printer.warning_once(warning));
        let facts = bridge::facts(records, self.name_map);
        let pip = facts.values().find(|fact| fact.conda == "pip").map(|fact| &fact.version);
        let reading = options.pip_resolver.unwrap_or_else(|| readings::default(pip));
        if options.pip_resolver.is_none() && reading == PipResolver::Legacy {
            let version = pip.map(ToString::to_string).unwrap_or_default();
            self.printer.note(format_args!("{key}: pip {version} is solved for: its legacy reading is used"));
        }
        let (roots, dropped) = readings::apply(reading, std::mem::take(&mut wanted.roots))?;
        wanted.roots = roots;
        if !dropped.is_empty() {
            let (headline, dropped) = (readings::headline(reading), dropped.join("\n  "));
            self.printer.warning_once(format_args!("{key}: {headline}:\n  {dropped}"));
        }
        if wanted.require_hashes {
            readings::check_hashes(&wanted.roots)?;
        }

        let waiting = Rc::new(self.printer.waiting(format!("{key}: reading PyPI")));
        let locator = Locator {
            fetcher: self.fetcher,
            mirrors: self.mirrors,
            base: self.base,
            cache: &self.cache,
            offline: self.cache_only,
        };
        let mut located = Vec::new();
        for direct in std::mem::take(&mut wanted.direct) {
            located.push(locator.locate(direct).await?);
        }
        let mut facts = facts;
        let mut replaced = self.replace_roots(&job, reading, &wanted, &located, &mut facts)?;

        let session = Session::open(self, &wanted, options, &target, &key, waiting).await?;
        let answer = loop {
            match session.attempt(&wanted, &located, &facts).await {
                Ok(answer) => break answer,
                Err(Failure::Other(error)) => return Err(error),
                Err(Failure::NoSolution(error)) => {
                    let named: BTreeSet<_> =
                        error.packages().filter(|name| facts.contains_key(*name)).cloned().collect();
                    if reading == PipResolver::Strict || named.is_empty() {
                        return Err(session.explain(&job, &error, &wanted, &facts));
                    }
                    replaced.extend(session.give_way(&wanted, &located, &mut facts, named).await);
                }
            }
        };
        let solution = session.finish(answer, wanted, located, &facts, replaced, records).await?;
        self.printer.note(format_args!(
            "resolved {key}: {} packages of PyPI in {:.2} s",
            solution.packages.len(),
            started.elapsed().as_secs_f64()
        ));
        Ok(solution)
    }

    /// Takes facts away that a requirement of the file itself excludes; in `strict` that is an error.
    fn replace_roots(
        &self,
        job: &Job,
        reading: PipResolver,
        wanted: &Wanted,
        located: &[Located],
        facts: &mut BTreeMap<PackageName, Fact>,
    ) -> Result<BTreeMap<PackageName, Fact>, Error> {
        let mut replaced = BTreeMap::new();
        let roots = wanted.roots.iter().map(|root| (root.name.clone(), Some(root)));
        let direct = located.iter().map(|it| (it.metadata.name.clone(), None));
        for (name, root) in roots.chain(direct) {
            let Some(fact) = facts.get(&name) else { continue };
            // A place is always another artifact than conda's.
            if root.is_some_and(|root| root.specifiers.contains(&fact.version)) {
                continue;
            }
            if let Some(root) = root
                && reading == PipResolver::Strict
            {
                return Err(readings::against_conda(root, &fact.version, stated(job, fact).as_deref()));
            }
            replaced.extend(facts.remove_entry(&name));
        }
        Ok(replaced)
    }
}

fn without_python(job: &Job, first: &PipLine) -> Error {
    requirements::unusable(
        first,
        format!("there is a `pip:` section and no Python on {}", job.platform.as_str()),
        "add `python` to the dependencies",
    )
}

/// Where the conda part asks for a package: its line.
fn stated(job: &Job, fact: &Fact) -> Option<String> {
    let spec = job
        .spec
        .conda
        .iter()
        .find(|spec| spec.spec.name.as_exact().is_some_and(|name| name.as_normalized() == fact.conda))?;
    Some(format!("{}:{}: `{}`", spec.file, spec.position.line, spec.text))
}

/// The indexes of one job, and what was learned from them.
struct Session<'a> {
    resolver: &'a PypiResolver<'a>,
    target: &'a Target,
    key: &'a str,
    client: RegistryClient,
    context: NoBuild,
    flat_index: FlatIndex,
    requires_python: RequiresPython,
    exclude_newer: ExcludeNewer,
    prerelease: Prerelease,
    semaphore: Arc<Semaphore>,
    learned: Rc<RefCell<Learned>>,
    waiting: Rc<Waiting>,
}

impl<'a> Session<'a> {
    async fn open(
        resolver: &'a PypiResolver<'a>,
        wanted: &Wanted,
        options: &Options,
        target: &'a Target,
        key: &'a str,
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
        let flat_index =
            FlatIndex::from_entries(entries, Some(&target.tags), &HashStrategy::None, &wanted.build_options);
        let prerelease = if wanted.pre { PrereleaseMode::Allow } else { PrereleaseMode::default() };
        Ok(Self {
            resolver,
            target,
            key,
            client,
            context: NoBuild::new(cache, locations, wanted.build_options.clone()),
            flat_index,
            requires_python: RequiresPython::greater_than_equal_version(target.markers.python_full_version()),
            exclude_newer: options
                .exclude_newer
                .map_or_else(ExcludeNewer::default, |instant| ExcludeNewer::global(instant.into())),
            prerelease: Prerelease { global: prerelease, ..Prerelease::default() },
            semaphore: Arc::new(Semaphore::new(CONCURRENCY)),
            learned: Rc::default(),
            waiting,
        })
    }

    /// Asks the solver once.
    async fn attempt(
        &self,
        wanted: &Wanted,
        located: &[Located],
        facts: &BTreeMap<PackageName, Fact>,
    ) -> Result<Answer, Failure> {
        let given = given(located, facts);
        let requirements: Vec<_> = wanted
            .roots
            .iter()
            .map(|root| registry(&root.name, &root.extras, root.specifiers.clone()))
            .chain(located.iter().map(|it| {
                let version = it.metadata.version.clone();
                let specifier = uv_pep440::VersionSpecifier::equals_version(version);
                registry(&it.metadata.name, &it.direct.extras, specifier.into())
            }))
            .collect();
        let constraints = wanted.constraints.iter().map(|it| registry(&it.name, &[], it.specifiers.clone()));
        let manifest =
            Manifest::simple(requirements).with_constraints(Constraints::from_requirements(constraints));
        let environment = ResolverEnvironment::specific(self.target.markers.clone().into());
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
            &HashStrategy::None,
            self.exclude_newer.clone(),
            locations,
            &wanted.build_options,
            &self.context.capabilities,
        );
        let provider = Provider {
            inner,
            given: given.clone(),
            index: self.default_index(),
            fetcher: self.resolver.fetcher,
            mirrors: self.resolver.mirrors,
            learned: self.learned.clone(),
            waiting: self.waiting.clone(),
            job: self.key,
        };
        // What was given in an earlier attempt may come from an index in this one.
        let memory = InMemoryIndex::default();
        let solver = Resolver::new_custom_io(
            manifest,
            options,
            &HashStrategy::None,
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
                Ok(Answer { dists: dists.collect() })
            }
            Err(ResolveError::NoSolution(error)) => Err(Failure::NoSolution(error)),
            Err(error) => Err(Failure::Other(self.failed(&error))),
        }
    }
}

impl Session<'_> {
    /// Finds which facts must go for an answer to exist: one if one is enough, else all that are named.
    async fn give_way(
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

    /// Turns the chosen distributions into packages, and says what there is to say about them.
    async fn finish(
        &self,
        answer: Answer,
        wanted: Wanted,
        located: Vec<Located>,
        facts: &BTreeMap<PackageName, Fact>,
        mut replaced: BTreeMap<PackageName, Fact>,
        records: &[RepoDataRecord],
    ) -> Result<PypiSolution, Error> {
        let printer = self.resolver.printer;
        let mut packages = Vec::new();
        for dist in &answer.dists {
            let version = version_of(dist);
            // What conda has anyway is not replaced by its equal.
            if let Some(fact) = replaced.get(dist.name())
                && Some(&fact.version) == version
            {
                replaced.remove(dist.name());
                continue;
            }
            packages.push(self.package(dist, &wanted.roots).await?);
        }
        packages.extend(located.iter().map(|it| Package {
            kind: it.kind,
            name: it.metadata.name.to_string(),
            version: it.metadata.version.to_string(),
            build: None,
            url: it.url.clone(),
            sha256: it.artifact.sha256.clone(),
            md5: None,
            size: it.artifact.size,
            dependencies: BTreeMap::new(),
            categories: BTreeSet::new(),
        }));
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        replaced.retain(|name, _| packages.iter().any(|package| package.name == name.as_ref()));

        self.depend(&mut packages, &wanted, &located, facts);
        for (name, fact) in &replaced {
            let new = packages.iter().find(|package| package.name == name.as_ref());
            let version = new.map_or("", |package| package.version.as_str());
            printer.warning_once(format_args!(
                "{}: {} {} of conda is replaced by {name} {version} of PyPI, as pip would",
                self.key, fact.conda, fact.version
            ));
        }
        let mut versions: BTreeMap<String, Version> =
            facts.iter().map(|(name, fact)| (name.to_string(), fact.version.clone())).collect();
        versions.extend(packages.iter().filter_map(|it| Some((it.name.clone(), it.version.parse().ok()?))));
        versions.extend(records.iter().filter_map(|record| {
            let name = record.package_record.name.as_normalized();
            let python = (name == "python").then(|| record.package_record.version.to_string().parse().ok());
            Some((name.to_owned(), python??))
        }));
        for broken in known_breaks::find(&versions) {
            printer.warning_once(format_args!("{}: {broken}", self.key));
        }
        let provided =
            facts.iter().chain(&replaced).map(|(name, fact)| (name.to_string(), fact.conda.clone()));
        let mut text = String::new();
        for package in &packages {
            text.push_str(&format!("{package:?}\n"));
        }
        let roots = wanted.roots.iter().map(|root| (root.line.category.to_string(), root.name.to_string()));
        let direct =
            located.iter().map(|it| (it.direct.line.category.to_string(), it.metadata.name.to_string()));
        Ok(PypiSolution {
            provided: provided.collect(),
            roots: roots.chain(direct).collect(),
            replaced: replaced.into_values().map(|fact| fact.conda).collect(),
            fingerprint: fingerprint::of_text(&text),
            packages,
        })
    }

    /// One chosen distribution as a package with a sha256.
    async fn package(&self, dist: &Dist, roots: &[Root]) -> Result<Package, Error> {
        let name = dist.name();
        let unlike = |reason: String| Error::index(&name.to_string(), &reason);
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
        let mut size = file.size;
        let sha256 = match provider::sha256(&file.hashes) {
            Some(sha256) => sha256,
            None => {
                self.waiting.on(format!("{}: fetching {}", self.key, file.filename));
                let promised = Digests { size, ..Digests::default() };
                let artifact = self
                    .resolver
                    .fetcher
                    .complete(&url, &read_from(&url, self.resolver.mirrors), &promised)
                    .await?;
                size = artifact.size;
                artifact.sha256
            }
        };
        for root in roots.iter().filter(|root| root.name == *name && !root.hashes.is_empty()) {
            let ours: HashDigest =
                format!("sha256:{sha256}").parse().map_err(|_| unlike("no sha256".to_owned()))?;
            if !root
                .hashes
                .iter()
                .any(|stated| *stated == ours || file.hashes.iter().any(|its| its == stated))
            {
                let expected: Vec<_> = root.hashes.iter().map(|digest| digest.digest.to_string()).collect();
                return Err(Error::Store(crate::store::Error::WrongHash {
                    url: url.to_string(),
                    kind: "hash",
                    expected: expected.join(" or "),
                    found: sha256,
                }));
            }
        }
        Ok(Package {
            kind: if matches!(dist, Dist::Built(_)) { Kind::Wheel } else { Kind::Sdist },
            name: name.to_string(),
            version,
            build: None,
            url: super::mirror::canonical(&url, self.resolver.mirrors).to_string(),
            sha256,
            md5: None,
            size,
            dependencies: BTreeMap::new(),
            categories: BTreeSet::new(),
        })
    }

    /// Gives every package the requirements that hold for the extras it is asked with.
    fn depend(
        &self,
        packages: &mut [Package],
        wanted: &Wanted,
        located: &[Located],
        facts: &BTreeMap<PackageName, Fact>,
    ) {
        let learned = self.learned.borrow();
        let mut metadata: BTreeMap<&PackageName, (String, Metadata)> = BTreeMap::new();
        for ((name, version), found) in &learned.metadata {
            if packages.iter().any(|it| it.name == name.as_ref() && it.version == version.to_string()) {
                metadata.insert(name, (version.to_string(), found.clone()));
                let warnings = learned.warnings.get(&(name.clone(), version.clone()));
                for warning in warnings.into_iter().flatten() {
                    self.resolver.printer.warning_once(format_args!("{}: {warning}", self.key));
                }
            }
        }
        for it in located {
            it.warnings.iter().for_each(|warning| self.resolver.printer.warning_once(warning));
            let read = uv_distribution::ArchiveMetadata::from_metadata23(it.metadata.clone()).metadata;
            metadata.insert(&it.metadata.name, (it.metadata.version.to_string(), read));
        }

        let mut extras: BTreeMap<PackageName, BTreeSet<ExtraName>> = BTreeMap::new();
        let roots = wanted.roots.iter().map(|root| (root.name.clone(), root.extras.clone()));
        let direct = located.iter().map(|it| (it.metadata.name.clone(), it.direct.extras.clone()));
        let mut open: VecDeque<_> = roots.chain(direct).collect();
        let mut needs: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        while let Some((name, asked)) = open.pop_front() {
            let known = extras.entry(name.clone());
            let new = matches!(known, std::collections::btree_map::Entry::Vacant(_));
            let known = known.or_default();
            let before = known.len();
            known.extend(asked);
            if !new && known.len() == before {
                continue;
            }
            let active: Vec<_> = known.iter().cloned().collect();
            if let Some(fact) = facts.get(&name) {
                for extra in &active {
                    self.resolver.printer.warning_once(format_args!(
                        "{}: `{name}[{extra}]`: {} {} comes from conda, whose packages have no extras: list what \
                         the extra needs",
                        self.key, fact.conda, fact.version
                    ));
                }
            }
            let Some((_, found)) = metadata.get(&name) else { continue };
            let holding: Vec<_> = found
                .requires_dist
                .iter()
                .filter(|it| it.evaluate_markers(Some(&self.target.markers), &active))
                .collect();
            let mut stated: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for requirement in holding {
                open.push_back((requirement.name.clone(), requirement.extras.to_vec()));
                if requirement.name != name {
                    let texts = stated.entry(requirement.name.to_string()).or_default();
                    if let RequirementSource::Registry { specifier, .. } = &requirement.source {
                        let text = specifier.to_string().replace(' ', "");
                        if !text.is_empty() && !texts.contains(&text) {
                            texts.push(text);
                        }
                    }
                }
            }
            let stated = stated.into_iter().map(|(name, texts)| {
                let text = if texts.is_empty() { "*".to_owned() } else { texts.join(",") };
                (name, text)
            });
            needs.insert(name.to_string(), stated.collect());
        }
        for package in packages {
            package.dependencies = needs.remove(&package.name).unwrap_or_default();
        }
    }

    fn default_index(&self) -> IndexUrl {
        let found = self.context.locations.known_indexes().next().map(|index| index.url().clone());
        found
            .unwrap_or_else(|| IndexUrl::from(VerbatimUrl::from_url(uv_distribution_types::PYPI_URL.clone())))
    }
}

impl PypiResolver<'_> {
    /// The indexes of an environment: PyPI, unless its lines say otherwise.
    fn locations(&self, wanted: &Wanted) -> Result<IndexLocations, Error> {
        let index = |index: &requirements::Index| {
            let mut url = read_from(&index.url, self.mirrors);
            if url == index.url {
                url = read_from(&crate::spec::channel::slashed(index.url.clone()), self.mirrors);
            }
            if let Some(credentials) = index.remote.as_ref().and_then(|remote| remote.credentials.as_ref()) {
                // Only URLs without a host take none, and those are refused below.
                let _ = url.set_username(&credentials.user);
                let _ = url.set_password(
                    Some(&credentials.password).filter(|it| !it.is_empty()).map(String::as_str),
                );
            }
            IndexUrl::parse(url.as_str().trim_end_matches('/'), None)
                .map_err(|error| Error::index(index.url.as_str(), &crate::causes::chain(&error)))
        };
        let pypi = || -> Result<requirements::Index, Error> {
            let url = Url::parse(uv_distribution_types::PYPI_URL.as_str())
                .map_err(|error| Error::index("PyPI", &error.to_string()))?;
            Ok(requirements::Index { url, remote: None })
        };
        let mut indexes = Vec::new();
        for extra in &wanted.extra_indexes {
            indexes.push(Index::from_extra_index_url(index(extra)?));
        }
        let main = match &wanted.index {
            Some(main) => index(main)?,
            None => index(&pypi()?)?,
        };
        indexes.push(Index::from_index_url(main));
        let links = wanted.find_links.iter().map(|it| Ok(Index::from_find_links(index(it)?)));
        Ok(IndexLocations::new(indexes, links.collect::<Result<_, Error>>()?, wanted.no_index))
    }
}

/// The packages that have one version.
fn given(located: &[Located], facts: &BTreeMap<PackageName, Fact>) -> BTreeMap<PackageName, Given> {
    let facts = facts.iter().map(|(name, fact)| {
        let metadata = Metadata {
            name: name.clone(),
            version: fact.version.clone(),
            requires_dist: Box::default(),
            requires_python: None,
            provides_extra: Box::default(),
            dependency_groups: BTreeMap::default(),
            dynamic: false,
        };
        (name.clone(), Given { version: fact.version.clone(), metadata, url: None })
    });
    let located = located.iter().map(|it| {
        let metadata = uv_distribution::ArchiveMetadata::from_metadata23(it.metadata.clone()).metadata;
        let given = Given { version: it.metadata.version.clone(), metadata, url: Some(it.url.clone()) };
        (it.metadata.name.clone(), given)
    });
    facts.chain(located).collect()
}

fn registry(
    name: &PackageName,
    extras: &[ExtraName],
    specifier: uv_pep440::VersionSpecifiers,
) -> Requirement {
    Requirement {
        name: name.clone(),
        extras: extras.into(),
        groups: Box::default(),
        marker: MarkerTree::TRUE,
        source: RequirementSource::Registry { specifier, index: None, conflict: None },
        origin: None,
    }
}

fn version_of(dist: &Dist) -> Option<&Version> {
    use uv_distribution_types::{DistributionMetadata, VersionOrUrlRef};
    match dist.version_or_url() {
        VersionOrUrlRef::Version(version) => Some(version),
        VersionOrUrlRef::Url(_) => None,
    }
}

/// The URL without user and password.
fn without_credentials(url: &Url) -> Url {
    let mut url = url.clone();
    // Fails only for URLs that cannot have any.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url
}
