//! `envlock import`: a lock that another tool has made becomes one of ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use url::Url;

use super::{
    locked::{check_credentials, check_packages, is_relative},
    locking::Draft,
    network::{mirrors, network},
};
use crate::{
    cli::Import,
    error::{Error, ExitCode},
    exchange, fs,
    lock::{self, Kind, Lock, LockedEnvironment, Package, fingerprint},
    printer::Printer,
    resolve::{self, Mirror},
    settings::Settings,
    spec::{self, USER},
    store::{self, Digests, Fetcher},
};

/// Runs the command.
pub(super) fn import(arguments: &Import, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let file = &arguments.file;
    let usage = |message: String, hint: &str| Error::from(spec::Error::usage(message, hint));
    let platform = super::platform(arguments.platform.as_deref())?;
    let text = fs::read_own(file).map_err(spec::Error::from)?;
    let text =
        text.ok_or_else(|| usage(format!("there is no {}", file.display()), "name a lock of another tool"))?;
    let beside = file.parent().map(Path::to_path_buf).unwrap_or_default();
    let directory = super::output_directory(arguments.output.as_ref(), &beside);
    let outputs = [lock::NIX_FILE.to_owned(), lock::file_name(USER)].map(|name| directory.join(name));
    if let Some(existing) = outputs.iter().find(|it| fs::exists(it)).filter(|_| !arguments.force) {
        let message = format!("{} is there already", existing.display());
        return Err(usage(message, "-o names another directory, --force replaces it"));
    }
    let mut environment =
        exchange::read(file, &text, arguments.environment.as_deref(), platform).map_err(|error| {
            usage(error.to_string(), "a conda-lock.yml, a pixi.lock or an @EXPLICIT list can be imported")
        })?;
    check_credentials(file, &environment)?;
    rebase(&mut environment, &beside)?;
    environment.sources = vec![fs::relative(file, &directory)];
    complete(&mut environment, &beside, arguments, settings, printer)?;
    for locked in environment.platforms.values_mut() {
        locked.packages.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        let mut seen = BTreeSet::new();
        if let Some(twice) = locked.packages.iter().find(|it| !seen.insert((it.kind.manager(), &it.name))) {
            return Err(usage(format!("{} has {} twice", file.display(), twice.name), "remove one of them"));
        }
    }
    check_packages(file, &environment)?;
    let lock = Lock {
        input_hash: fingerprint::of_text(&text),
        options: BTreeMap::new(),
        overridden: BTreeSet::new(),
        files: BTreeMap::new(),
        environments: vec![environment],
        cluster: None,
        roles: BTreeMap::new(),
    };
    Draft::of(lock).write(&directory, settings, printer)?;
    printer.note(
        "`envlock convert` with an environment file keeps what was imported, where its requirements allow it",
    );
    Ok(ExitCode::Success)
}

/// Paths that a lock has seen from its inputs, as they are seen from the lock: it is the input from now on.
fn rebase(environment: &mut LockedEnvironment, beside: &Path) -> Result<(), Error> {
    let inputs = environment.sources.first().map(|source| beside.join(source));
    let inputs = inputs
        .and_then(|source| source.parent().map(Path::to_path_buf))
        .unwrap_or_else(|| beside.to_path_buf());
    for package in environment.platforms.values_mut().flat_map(|locked| &mut locked.packages) {
        let path = package.url.strip_prefix("file:").filter(|_| is_relative(&package.url));
        if let Some(path) = path {
            package.url = format!("file:{}", fs::relative(&inputs.join(path), beside));
        }
        package.sha256.make_ascii_lowercase();
        // Either becomes part of a path.
        if package.name.is_empty()
            || !package.name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        {
            let message = format!("`{}` is no name of a package", package.name);
            return Err(spec::Error::usage(message, "lock it anew").into());
        }
    }
    Ok(())
}

/// Gives those packages a sha256 that were locked without: each is fetched, and checked against the md5 that it has.
fn complete(
    environment: &mut LockedEnvironment,
    beside: &Path,
    arguments: &Import,
    settings: &Settings,
    printer: &Printer,
) -> Result<(), Error> {
    let alias = spec::channel::DEFAULT_ALIAS.parse().map_err(|error| {
        Error::from(spec::Error::usage(format!("{}: {error}", spec::channel::DEFAULT_ALIAS), "this is a bug"))
    })?;
    let mirrors = mirrors(&arguments.source.mirror, &alias, settings)?;
    let of_mirrors = mirrors.iter().filter_map(|mirror| Some((&mirror.url, mirror.access.as_ref()?)));
    let network = network(of_mirrors, arguments.source.offline, settings, printer);
    let fetcher = Fetcher::new(settings.cache.clone(), &network);
    let _in_use = store::in_use(&settings.cache)?;
    let runtime = super::runtime()?;
    let packages = environment.platforms.values_mut().flat_map(|locked| &mut locked.packages);
    for package in packages.filter(|package| package.sha256.is_empty()) {
        let _waiting = printer.waiting(format!("fetching {}", package.url));
        runtime.block_on(hash(package, beside, &fetcher, &mirrors))?;
    }
    runtime.shutdown_background();
    Ok(())
}

async fn hash(
    package: &mut Package,
    beside: &Path,
    fetcher: &Fetcher,
    mirrors: &[Mirror],
) -> Result<(), Error> {
    let wrong = |error: &dyn std::fmt::Display| {
        let message = format!("the URL of {} is `{}`: {error}", package.name, package.url);
        Error::from(spec::Error::usage(message, "lock it by a URL"))
    };
    let url = match package.url.strip_prefix("file:").filter(|_| is_relative(&package.url)) {
        Some(path) => std::path::absolute(beside.join(path))
            .ok()
            .and_then(|path| Url::from_file_path(path).ok())
            .ok_or_else(|| wrong(&"no such path"))?,
        None => package.url.parse().map_err(|error: url::ParseError| wrong(&error))?,
    };
    let promised = Digests { md5: package.md5.clone(), size: package.size, ..Digests::default() };
    let artifact = fetcher.complete(&url, &resolve::read_from(&url, mirrors), &promised).await?;
    package.sha256 = artifact.sha256;
    package.size = artifact.size;
    if package.kind == Kind::Conda {
        package.md5 = artifact.md5;
    }
    Ok(())
}
