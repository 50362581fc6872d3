//! `envlock convert`: read, resolve everything at once, write everything together.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::json;

use crate::{
    cli::Convert,
    error::{Error, ExitCode},
    fs,
    http::Network,
    lock::{
        self, Kind, Lock, LockedChannel, LockedEnvironment, LockedPlatform, Package, content_hash,
        fingerprint,
        format::{conda_lock, nix},
        model,
    },
    printer::Printer,
    resolve::{self, Job, Mirror, PypiResolver, PypiSolution, Resolver, Solution},
    settings::Settings,
    spec::{
        self, EnvSpec, Environment, Inputs,
        channel::Access,
        options::{self, Options},
        pip::PipLine,
    },
    store::{self, Artifact, Digests, Fetcher},
};

/// Runs the command.
pub(super) fn convert(
    arguments: &Convert,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let stated = stated_options(arguments)?;
    let inputs = spec::load(Path::new(""), &arguments.files, stated.clone(), &settings.variables)?;
    for note in &inputs.notes {
        printer.note(note);
    }

    let mirrors = super::network::mirrors(&arguments.mirror, &inputs.alias, settings)?;
    let network = network(&inputs, &mirrors, arguments.offline, settings, printer);
    let input_hash = fingerprint::input_hash(&inputs);
    let frozen = if arguments.frozen_metadata { Some(recorded(settings, &input_hash)?) } else { None };
    let cache_only = arguments.offline || arguments.frozen_metadata;

    let jobs: Vec<Job> = inputs
        .environments
        .iter()
        .flat_map(|environment| {
            let name = &environment.name;
            environment.platforms.iter().map(|(platform, spec)| Job {
                environment: name,
                platform: *platform,
                spec,
            })
        })
        .collect();
    // Where nothing can be kept, there is nothing to prune either.
    let _in_use = store::in_use(&settings.cache).ok();
    let runtime = super::runtime()?;
    let (solved, packages) = runtime.block_on(async {
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
        let solved = resolve::solve_all(&conda, &pypi, &jobs, &inputs.options, frozen.as_ref()).await?;
        let mut packages = BTreeMap::new();
        for (key, (conda, pypi)) in &solved {
            let mut all = packages_of(conda, &pypi.replaced, &fetcher, &mirrors, printer).await?;
            all.extend(pypi.packages.iter().cloned());
            packages.insert(key.clone(), all);
        }
        Ok::<_, Error>((solved, packages))
    })?;
    // The process ends soon: waiting for idle connections would only delay it.
    runtime.shutdown_background();
    report(&solved, &packages, printer);

    let directory = super::output_directory(arguments.output.as_ref(), &inputs.directory);
    let mut lock = assemble(&inputs, &stated, input_hash, &solved, packages, settings, &directory);
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for environment in &lock.environments {
        let (name, text) = (lock::file_name(&environment.name), conda_lock::write(environment));
        lock.files.insert(name.clone(), conda_lock::digest(&text));
        files.push((name, text.into_bytes()));
    }
    // Last, because it states the hashes of all the others.
    files.push((lock::NIX_FILE.to_owned(), nix::write(&lock).into_bytes()));
    let changed = fs::write_together(&directory, &files)?;

    let used = resolve::fingerprints(&solved);
    if let Err(error) = resolve::record(&settings.cache, &lock.input_hash, &used) {
        // The lock is written and right; only a later --frozen-metadata misses this.
        printer.warning(crate::causes::chain(&error));
    }
    for name in left_over(&directory, &lock)? {
        printer.warning(format_args!(
            "{} is of no environment any more: remove it",
            directory.join(name).display()
        ));
    }
    summary(arguments.json, &lock, &directory, &files, changed.is_empty(), printer)?;
    Ok(ExitCode::Success)
}

/// The options that the command line states.
fn stated_options(arguments: &Convert) -> Result<Options, spec::Error> {
    let mut stated = Options {
        channel_priority: arguments.channel_priority,
        pip_resolver: arguments.pip_resolver,
        ..Options::default()
    };
    let texts = [
        ("channel-alias", &arguments.channel_alias),
        ("exclude-newer", &arguments.exclude_newer),
        ("name-map", &arguments.name_map),
    ];
    let usage = |option: &str| {
        let option = option.to_owned();
        move |(message, hint): (String, String)| spec::Error::usage(format!("--{option}: {message}"), hint)
    };
    for (name, value) in texts {
        if let Some(value) = value {
            stated.set(name, value).map_err(usage(name))?;
        }
    }
    for text in &arguments.platform {
        stated.set("platforms", text).map_err(usage("platform"))?;
    }
    for text in &arguments.virtual_package {
        let (name, version) = options::parse_virtual_package(text).map_err(usage("virtual-package"))?;
        stated.virtual_packages.insert(name, version);
    }
    Ok(stated)
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

fn recorded(settings: &Settings, input_hash: &str) -> Result<resolve::Recorded, Error> {
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
            dependencies: dependencies(&package.depends),
            categories: BTreeSet::new(),
        });
    }
    Ok(packages)
}

/// `depends` of a record as name → requirement.
fn dependencies(depends: &[String]) -> BTreeMap<String, String> {
    let mut result: BTreeMap<String, String> = BTreeMap::new();
    for text in depends {
        let text = text.rsplit("::").next().unwrap_or(text).trim();
        let split = text.find(|c: char| c == ' ' || "=<>!~[".contains(c)).unwrap_or(text.len());
        let (name, rest) = (text[..split].to_lowercase(), text[split..].trim());
        let stated = result.entry(name).or_default();
        if stated.is_empty() {
            rest.clone_into(stated);
        } else if !rest.is_empty() && stated != rest {
            *stated = format!("{stated},{rest}");
        }
    }
    result
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
        let sdists = packages[key].iter().filter(|package| package.kind == Kind::Sdist).count();
        if sdists > 0 {
            printer
                .note(format_args!("{key}: {sdists} of the PyPI packages are sdists, which must be built"));
        }
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
) -> Lock {
    let environments = inputs
        .environments
        .iter()
        .map(|environment| {
            let mut platforms = BTreeMap::new();
            let mut content_hashes = BTreeMap::new();
            for (platform, read) in &environment.platforms {
                let job = Job { environment: &environment.name, platform: *platform, spec: read };
                let mut packages = packages.remove(&job.key()).unwrap_or_default();
                let mut roots: Vec<_> = read
                    .conda
                    .iter()
                    .filter_map(|spec| {
                        let name = spec.spec.name.as_exact()?.as_normalized().to_owned();
                        Some((spec.category.clone(), "conda", name))
                    })
                    .collect();
                let no_provided = BTreeMap::new();
                let pypi = solved.get(&job.key()).map(|(_, pypi)| pypi);
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
    Lock {
        input_hash,
        options: inputs.options.entries(),
        overridden,
        files: BTreeMap::new(),
        environments,
        cluster: inputs.cluster.clone(),
        roles: inputs.roles.clone(),
    }
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

fn summary(
    as_json: bool,
    lock: &Lock,
    directory: &Path,
    files: &[(String, Vec<u8>)],
    unchanged: bool,
    printer: &Printer,
) -> Result<(), Error> {
    let names: Vec<_> = files.iter().map(|(name, _)| directory.join(name).display().to_string()).collect();
    if as_json {
        let environments: BTreeMap<_, BTreeMap<_, _>> = lock
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
        printer.data(json!({
            "outputs": names,
            "changed": !unchanged,
            "input_hash": lock.input_hash,
            "environments": environments,
        }))?;
    }
    if unchanged {
        printer.note(format_args!("{} unchanged", names.join(", ")));
    } else {
        printer.note(format_args!("wrote {}", names.join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_of_one_name_are_joined() {
        let depends =
            ["Python >=3.6", "python *", "c::zlib=1.2", "__glibc", "a[version='>=1']"].map(str::to_owned);
        let result = dependencies(&depends);
        assert_eq!(result["python"], ">=3.6,*");
        assert_eq!(result["zlib"], "=1.2");
        assert_eq!(result["__glibc"], "");
        assert_eq!(result["a"], "[version='>=1']");
    }
}
