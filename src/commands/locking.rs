//! From inputs to written locks: what `convert` and `update` share.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rattler_conda_types::Subdir;
use serde_json::json;

use super::{building::Building, expansion::expand};
use crate::{
    error::Error,
    fs,
    http::Network,
    lock::{
        self, Kind, Lock, LockedChannel, LockedEnvironment, LockedPlatform, Package, content_hash,
        fingerprint,
        format::{conda_lock, nix},
        model,
    },
    printer::Printer,
    resolve::{self, Job, Mirror, Pins, PypiResolver, PypiSolution, Recorded, Resolver, Solution},
    settings::Settings,
    spec::{self, EnvSpec, Environment, Inputs, channel::Access, options::Options, pip::PipLine},
    store::{self, Artifact, Digests, Fetcher},
};

/// What is to be locked, and how.
pub(super) struct Request<'a> {
    /// What was read.
    pub(super) inputs: &'a Inputs,
    /// The options that the command line gave, now or when the lock was made.
    pub(super) stated: &'a Options,
    /// `--mirror`.
    pub(super) mirrors: &'a [String],
    /// Use the cache alone.
    pub(super) offline: bool,
    /// Resolve with the metadata of the last time.
    pub(super) frozen: bool,
    /// Where the outputs go.
    pub(super) directory: &'a Path,
    /// What each job begins with, by [`resolve::key`].
    pub(super) pins: BTreeMap<String, Pins>,
    /// The lock that is replaced, unless nothing of it is to stay; without the wheels of sdists that are built anew.
    pub(super) earlier: Option<Lock>,
    /// Whether sdists are built.
    pub(super) builds: bool,
}

/// A lock that is not written yet.
pub(super) struct Draft {
    pub(super) lock: Lock,
    /// The outputs by name.
    files: Vec<(String, Vec<u8>)>,
    /// What it was resolved with, if it was.
    used: Option<Recorded>,
}

/// What was written.
pub(super) struct Outcome {
    pub(super) lock: Lock,
    /// The outputs.
    pub(super) names: Vec<String>,
    /// Whether any of them has other bytes than before.
    pub(super) changed: bool,
}

/// Resolves everything at once.
pub(super) fn resolve(
    mut request: Request<'_>,
    settings: &Settings,
    printer: &Printer,
) -> Result<Draft, Error> {
    let (inputs, directory) = (request.inputs, request.directory);
    let mirrors = super::network::mirrors(request.mirrors, &inputs.alias, settings)?;
    let network = network(inputs, &mirrors, request.offline, settings, printer);
    let input_hash = fingerprint::input_hash(inputs);
    let frozen = if request.frozen { Some(recorded(settings, &input_hash)?) } else { None };
    if let Some(frozen) = &frozen {
        request.pins.clone_from(&frozen.answers);
    }
    let cache_only = request.offline || request.frozen;

    let none = Pins::default();
    let jobs: Vec<Job> = inputs
        .environments
        .iter()
        .flat_map(|environment| {
            let name = &environment.name;
            environment.platforms.iter().map(|(platform, spec)| Job {
                environment: name,
                platform: *platform,
                spec,
                pins: request.pins.get(&resolve::key(name, *platform)).unwrap_or(&none),
            })
        })
        .collect();
    // Where nothing can be kept, there is nothing to prune either.
    let _in_use = store::in_use(&settings.cache).ok();
    let runtime = super::runtime()?;
    let within = runtime.enter();
    let conda = Resolver::new(&settings.cache, &network, mirrors.clone(), cache_only, printer);
    let fetcher = Fetcher::new(settings.cache.clone(), &network);
    let pypi = PypiResolver {
        cache: settings.cache.clone(),
        cache_only,
        patience: network.patience,
        fetcher: &fetcher,
        mirrors: &mirrors,
        variables: &settings.variables,
        name_map: &inputs.name_map,
        base: &inputs.directory,
        printer,
    };
    drop(within);
    let (solved, packages) = runtime.block_on(async {
        let solved = resolve::solve_all(&conda, &pypi, &jobs, &inputs.options, frozen.as_ref()).await?;
        let mut packages = BTreeMap::new();
        for (key, (conda, pypi)) in &solved {
            let mut all = packages_of(conda, &pypi.replaced, &fetcher, &mirrors, printer).await?;
            all.extend(pypi.packages.iter().cloned());
            packages.insert(key.clone(), all);
        }
        Ok::<_, Error>((solved, packages))
    })?;
    report(&solved, &packages, printer);

    let mut lock = assemble(inputs, request.stated, input_hash, &solved, packages, settings, directory)?;
    let building = Building {
        request: &request,
        solved: &solved,
        pypi: &pypi,
        network: &network,
        runtime: &runtime,
        settings,
        printer,
    };
    building.complete(&mut lock)?;
    // The process ends soon: waiting for idle connections would only delay it.
    runtime.shutdown_background();
    let used = Recorded { metadata: resolve::fingerprints(&solved), answers: pins(&lock) };
    Ok(Draft { used: Some(used), ..Draft::of(lock) })
}

impl Draft {
    /// The outputs of a lock.
    pub(super) fn of(mut lock: Lock) -> Self {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for environment in &lock.environments {
            let (name, text) = (lock::file_name(&environment.name), conda_lock::write(environment));
            lock.files.insert(name.clone(), conda_lock::digest(&text));
            files.push((name, text.into_bytes()));
        }
        // Last, because it states the hashes of all the others.
        files.push((lock::NIX_FILE.to_owned(), nix::write(&lock).into_bytes()));
        Self { lock, files, used: None }
    }

    /// Writes everything together, and says so.
    pub(super) fn write(
        self,
        directory: &Path,
        settings: &Settings,
        printer: &Printer,
    ) -> Result<Outcome, Error> {
        let changed = !fs::write_together(directory, &self.files)?.is_empty();
        if let Some(used) = &self.used
            && let Err(error) = resolve::record(&settings.cache, &self.lock.input_hash, used)
        {
            // The lock is written and right; only a later --frozen-metadata misses this.
            printer.warning(crate::causes::chain(&error));
        }
        for name in left_over(directory, &self.lock)? {
            printer.warning(format_args!(
                "{} is of no environment any more: remove it",
                directory.join(name).display()
            ));
        }
        let names: Vec<_> =
            self.files.iter().map(|(name, _)| directory.join(name).display().to_string()).collect();
        let listed = names.join(", ");
        if changed {
            printer.note(format_args!("wrote {listed}"));
        } else {
            printer.note(format_args!("{listed} unchanged"));
        }
        Ok(Outcome { lock: self.lock, names, changed })
    }
}

/// Every package of a lock as a pin, by [`resolve::key`].
pub(super) fn pins(lock: &Lock) -> BTreeMap<String, Pins> {
    let platforms = lock.environments.iter().flat_map(|environment| {
        environment.platforms.iter().map(move |(platform, locked)| (&environment.name, *platform, locked))
    });
    let pins = platforms.flat_map(|(name, platform, locked)| {
        let own = (resolve::key(name, platform), Pins::of(&locked.packages, locked.specs.clone()));
        let built = locked.packages.iter().filter_map(move |package| {
            let pins = Pins::of(&package.wheel.as_ref()?.requires, Vec::new());
            Some((build_key(name, &package.name, platform), pins))
        });
        std::iter::once(own).chain(built)
    });
    pins.collect()
}

/// The key of the pins of what builds an sdist.
pub(super) fn build_key(environment: &str, sdist: &str, platform: Subdir) -> String {
    // No environment has a slash in its name.
    resolve::key(&format!("{environment}/build/{sdist}"), platform)
}

/// What was written, for programs.
pub(super) fn as_json(outcome: &Outcome) -> serde_json::Value {
    let environments: BTreeMap<_, BTreeMap<_, _>> = outcome
        .lock
        .environments
        .iter()
        .map(|environment| {
            let platforms = environment.platforms.iter().map(|(platform, locked)| {
                let hash = fingerprint::lock_hash(&locked.packages);
                (platform.as_str(), json!({ "packages": locked.packages.len(), "lock_hash": hash }))
            });
            (&environment.name, platforms.collect())
        })
        .collect();
    json!({
        "outputs": outcome.names,
        "changed": outcome.changed,
        "input_hash": outcome.lock.input_hash,
        "environments": environments,
    })
}

/// The network with the credentials of every channel, index and mirror.
fn network(
    inputs: &Inputs,
    mirrors: &[Mirror],
    offline: bool,
    settings: &Settings,
    printer: &Printer,
) -> Network {
    let environments = inputs.environments.iter().flat_map(|environment| environment.platforms.values());
    let channels = environments.flat_map(Environment::all_channels);
    let of_channels = channels.filter_map(|channel| Some((channel.urls.first()?, channel.access.as_ref()?)));
    let of_indexes = |line: &PipLine| {
        let remote = line.remote(&settings.variables).ok().flatten()?;
        // An index and its files share a host, not a path.
        Some((remote.url.join("/").ok()?, Access::Known(remote.credentials?)))
    };
    let pip = inputs.environments.iter().flat_map(|environment| environment.platforms.values());
    let of_indexes: Vec<_> = pip.flat_map(|read| &read.pip).filter_map(of_indexes).collect();
    let of_mirrors = mirrors.iter().filter_map(|mirror| Some((&mirror.url, mirror.access.as_ref()?)));
    let of_indexes = of_indexes.iter().map(|(url, access)| (url, access));
    super::network::network(of_channels.chain(of_mirrors).chain(of_indexes), offline, settings, printer)
}

fn recorded(settings: &Settings, input_hash: &str) -> Result<Recorded, Error> {
    let found = resolve::recorded(&settings.cache, input_hash).map_err(resolve::Error::from)?;
    Ok(found.ok_or_else(|| resolve::Error::NotCached {
        what: "the cache knows no earlier resolution of these inputs".to_owned(),
        hint: "run once without --frozen-metadata".to_owned(),
    })?)
}

/// Records as packages, each with a sha256 that holds what the requirements pin.
///
/// A record without sha256 is fetched to get one, and so is a package that is named by its URL: no
/// channel vouches for it.
async fn packages_of(
    solution: &Solution,
    replaced: &BTreeSet<String>,
    fetcher: &Fetcher,
    mirrors: &[Mirror],
    printer: &Printer,
) -> Result<Vec<Package>, store::Error> {
    let mut packages = Vec::new();
    for record in &solution.records {
        let package = &record.package_record;
        if replaced.contains(package.name.as_normalized()) {
            continue;
        }
        let md5 = package.md5.map(|digest| fingerprint::hex(&digest));
        let sha256 = package.sha256.map(|digest| fingerprint::hex(&digest));
        let stated = if let (Some(sha256), Some(_)) = (sha256, &record.channel) {
            Artifact { sha256, md5, size: package.size }
        } else {
            let _waiting = printer.waiting(format!("fetching {}", record.url));
            let promised = Digests { md5, size: package.size, ..Digests::default() };
            let from = resolve::read_from(&record.url, mirrors);
            fetcher.complete(&record.url, &from, &promised).await?
        };
        if let Some(pin) = solution.pins.get(package.name.as_normalized()) {
            let md5 = ("md5", pin.md5.as_ref().map(|it| fingerprint::hex(it)), stated.md5.clone());
            let sha256 =
                ("sha256", pin.sha256.as_ref().map(|it| fingerprint::hex(it)), Some(stated.sha256.clone()));
            for (kind, expected, found) in [md5, sha256] {
                let Some(expected) = expected else { continue };
                if found.as_ref() != Some(&expected) {
                    let found = found.unwrap_or_else(|| "none".to_owned());
                    return Err(store::Error::WrongHash {
                        url: record.url.to_string(),
                        kind,
                        expected,
                        found,
                    });
                }
            }
        }
        packages.push(Package {
            kind: Kind::Conda,
            name: package.name.as_normalized().to_owned(),
            version: package.version.to_string(),
            build: Some(package.build.to_string()),
            url: record.url.to_string(),
            sha256: stated.sha256,
            md5: stated.md5,
            size: stated.size,
            dependencies: model::dependencies(&package.depends),
            categories: BTreeSet::new(),
            wheel: None,
        });
    }
    Ok(packages)
}

fn report(
    solved: &BTreeMap<String, (Solution, PypiSolution)>,
    packages: &BTreeMap<String, Vec<Package>>,
    printer: &Printer,
) {
    let conda = packages.values().flatten().filter(|package| package.kind == Kind::Conda);
    let without: BTreeSet<&str> = conda.filter(|it| it.md5.is_none()).map(|it| it.name.as_str()).collect();
    if !without.is_empty() {
        let names = without.into_iter().collect::<Vec<_>>().join(", ");
        printer.warning(format_args!(
            "no md5 is known of {names}: conda-lock refuses such an entry, micromamba does not"
        ));
    }
    for (key, (solution, _)) in solved {
        if solution.without_timestamp > 0 {
            let count = solution.without_timestamp;
            printer
                .note(format_args!("{key}: --exclude-newer left out {count} records that have no timestamp"));
        }
    }
}

fn assemble(
    inputs: &Inputs,
    stated: &Options,
    input_hash: String,
    solved: &BTreeMap<String, (Solution, PypiSolution)>,
    mut packages: BTreeMap<String, Vec<Package>>,
    settings: &Settings,
    directory: &Path,
) -> Result<Lock, Error> {
    let environments: Vec<_> = inputs
        .environments
        .iter()
        .map(|environment| {
            let mut platforms = BTreeMap::new();
            let mut content_hashes = BTreeMap::new();
            for (platform, read) in &environment.platforms {
                let key = resolve::key(&environment.name, *platform);
                let mut packages = packages.remove(&key).unwrap_or_default();
                let mut roots: Vec<_> = read
                    .conda
                    .iter()
                    .filter_map(|spec| {
                        let name = spec.spec.name.as_exact()?.as_normalized().to_owned();
                        Some((spec.category.clone(), "conda", name))
                    })
                    .collect();
                let no_provided = BTreeMap::new();
                let pypi = solved.get(&key).map(|(_, pypi)| pypi);
                roots.extend(
                    pypi.into_iter()
                        .flat_map(|pypi| &pypi.roots)
                        .map(|(category, name)| (category.clone(), "pip", name.clone())),
                );
                if !read.pip.is_empty() {
                    roots.push(("main".to_owned(), "conda", resolve::PIP.to_owned()));
                }
                let provided = pypi.map_or(&no_provided, |pypi| &pypi.provided);
                model::assign_categories(&mut packages, &roots, provided);
                let locked = LockedPlatform {
                    specs: lock::stated_specs(read),
                    variables: read.variables.clone(),
                    packages,
                };
                platforms.insert(*platform, locked);
                let hash = content_hash::content_hash(&environment.sources, *platform, &settings.variables);
                content_hashes.insert(*platform, hash);
            }
            LockedEnvironment {
                name: environment.name.clone(),
                channels: channels(environment),
                sources: sources(environment, directory),
                content_hash: content_hashes,
                platforms,
            }
        })
        .collect();
    let overridden = stated.entries().into_keys().collect();
    let (cluster, roles) = expand(inputs, &environments)?;
    Ok(Lock {
        input_hash,
        options: inputs.options.entries(),
        overridden,
        files: BTreeMap::new(),
        environments,
        cluster,
        roles,
    })
}

/// The channels of an environment over all platforms, in their order. Those that only stand in front
/// of a requirement count if they want credentials: a reader must learn how to reach them.
pub(super) fn channels(environment: &EnvSpec) -> Vec<LockedChannel> {
    let mut channels: Vec<LockedChannel> = Vec::new();
    let listed = environment.platforms.values().flat_map(|read| &read.channels);
    let in_front = environment.platforms.values().flat_map(Environment::all_channels);
    for channel in listed.chain(in_front.filter(|channel| !channel.used_env_vars.is_empty())) {
        let channel = LockedChannel {
            url: channel.lock_url.clone(),
            used_env_vars: channel.used_env_vars.clone(),
            bases: channel.urls.iter().map(spec::channel::bare).collect(),
        };
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    channels
}

/// Lock files in `directory` that belong to an environment which is no more.
pub(super) fn left_over(directory: &Path, lock: &Lock) -> Result<Vec<String>, fs::Error> {
    let known: Vec<_> =
        lock.environments.iter().map(|environment| lock::file_name(&environment.name)).collect();
    let mut names = fs::names(directory)?;
    names.retain(|name| name.ends_with(".conda-lock.yml") && !known.contains(name));
    Ok(names)
}

/// The input files as seen from the outputs.
pub(super) fn sources(environment: &EnvSpec, directory: &Path) -> Vec<String> {
    environment.sources.iter().map(|source| fs::relative(&source.path, directory)).collect()
}
