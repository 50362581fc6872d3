//! `envlock import`: a lock that another tool has made becomes one of ours.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    locked::check_credentials,
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
    spec::{self, environment::parse_platform},
    store::{self, Digests, Fetcher},
};

/// Runs the command.
pub(super) fn import(arguments: &Import, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let file = &arguments.file;
    let usage = |message: String, hint: &str| Error::from(spec::Error::usage(message, hint));
    let platform =
        arguments.platform.as_deref().map(parse_platform).transpose().map_err(|(message, hint)| {
            Error::from(spec::Error::usage(format!("--platform: {message}"), hint))
        })?;
    let text = fs::read_own(file)?
        .ok_or_else(|| usage(format!("there is no {}", file.display()), "name a lock of another tool"))?;
    let beside = file.parent().map(std::path::Path::to_path_buf).unwrap_or_default();
    let directory = super::output_directory(arguments.output.as_ref(), &beside);
    let existing = directory.join(lock::NIX_FILE);
    if fs::exists(&existing) && !arguments.force {
        let message = format!("{} is there already", existing.display());
        return Err(usage(message, "--force replaces it, -o names another directory"));
    }
    let mut environment =
        exchange::read(file, &text, arguments.environment.as_deref(), platform).map_err(|error| {
            usage(error.to_string(), "a conda-lock.yml, a pixi.lock or an @EXPLICIT list can be imported")
        })?;
    check_credentials(file, &environment)?;
    environment.sources = vec![fs::relative(file, &directory)];
    complete(&mut environment, arguments, settings, printer)?;
    for locked in environment.platforms.values_mut() {
        locked.packages.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    }
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

/// Gives those packages a sha256 that were locked without: each is fetched, and checked against the md5 that it has.
fn complete(
    environment: &mut LockedEnvironment,
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
        runtime.block_on(hash(package, &fetcher, &mirrors))?;
    }
    runtime.shutdown_background();
    Ok(())
}

async fn hash(package: &mut Package, fetcher: &Fetcher, mirrors: &[Mirror]) -> Result<(), Error> {
    let url = package.url.parse().map_err(|error| {
        let message = format!("the URL of {} is `{}`: {error}", package.name, package.url);
        spec::Error::usage(message, "lock it by a URL")
    })?;
    let promised = Digests { md5: package.md5.clone(), size: package.size, ..Digests::default() };
    let artifact = fetcher.complete(&url, &resolve::read_from(&url, mirrors), &promised).await?;
    package.sha256 = artifact.sha256;
    package.size = artifact.size;
    if package.kind == Kind::Conda {
        package.md5 = artifact.md5;
    }
    Ok(())
}
