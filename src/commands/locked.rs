//! The lock that a command line names: from `conda-lock.yml`, from `envlock.nix`, or from both where they agree.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use rattler_conda_types::Subdir;
use url::Url;

use crate::{
    error::Error,
    fs,
    lock::{
        self, Kind, Lock, LockedChannel, LockedEnvironment, Package,
        fingerprint::lock_hash,
        format::{conda_lock, nix},
        graph::Graph,
    },
    printer::Printer,
    settings::Settings,
    spec::{
        self, RUNTIME, USER,
        channel::{Access, Channel, Context},
    },
};

/// Every environment that a lock names, on all its platforms.
pub(super) struct Locked {
    /// The directory of the lock.
    pub(super) directory: PathBuf,
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
    /// What the project's file for Nix says, if there is one.
    pub(super) project: Option<Lock>,
    /// The environments: one for a `conda-lock.yml`, all for a project.
    pub(super) environments: Vec<LockedEnvironment>,
    /// Channels that want credentials.
    pub(super) channels: Vec<LockedChannel>,
    /// Environments of which no `conda-lock.yml` says what their packages need.
    unknown: BTreeSet<String>,
    /// Where relative URLs of local files start.
    inputs: PathBuf,
}

/// One environment on one platform.
pub(super) struct Chosen<'a> {
    pub(super) environment: &'a str,
    pub(super) platform: Subdir,
    pub(super) packages: &'a [Package],
    /// The requirements as written; none for a `conda-lock.yml` alone, which does not keep them.
    pub(super) specs: &'a [String],
    pub(super) variables: &'a BTreeMap<String, String>,
}

impl Locked {
    /// Reads the lock at `path`: a file, or a directory with `conda-lock.yml` or `envlock.nix`.
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let file = if path.is_dir() {
            let names = [lock::file_name(USER), lock::NIX_FILE.to_owned()];
            names.iter().map(|name| fs::normal(&path.join(name))).find(|file| fs::exists(file)).ok_or_else(
                || {
                    let message =
                        format!("there is neither {} nor {} in {}", names[0], names[1], path.display());
                    spec::Error::usage(
                        message,
                        "name a lock file, or make one with `envlock convert env.yml`",
                    )
                },
            )?
        } else {
            path.to_path_buf()
        };
        let directory = file.parent().unwrap_or(Path::new("")).to_path_buf();
        let text = |path: &Path| {
            fs::read_own(path)?.ok_or_else(|| {
                let message = format!("there is no lock {}", path.display());
                Error::from(spec::Error::usage(
                    message,
                    "check the path, or make it with `envlock convert env.yml`",
                ))
            })
        };
        if is_for_nix(&file) {
            let project = nix::read(&file, &text(&file)?)?;
            project.environments.iter().try_for_each(|environment| check_packages(&file, environment))?;
            return Ok(Self {
                inputs: directory.clone(),
                directory,
                files: vec![file],
                environments: project.environments.clone(),
                channels: Vec::new(),
                unknown: BTreeSet::new(),
                project: Some(project),
            });
        }
        let name = environment_of(&file);
        let mut environment = conda_lock::read(&file, &name, &text(&file)?)?;
        let nix_file = directory.join(lock::NIX_FILE);
        let project = fs::read_own(&nix_file)?.map(|text| nix::read(&nix_file, &text)).transpose()?;
        let mut files = vec![file.clone()];
        if let Some(project) = &project {
            join(&mut environment, project, &file, &nix_file)?;
            files.push(nix_file);
        }
        let inputs = environment.sources.first().map(|source| directory.join(source));
        let inputs = inputs.and_then(|source| source.parent().map(Path::to_path_buf));
        let channels = environment.channels.clone();
        let mut environments = vec![environment];
        // The rest of the project comes with it: a runtime is needed to compile byte-code.
        let others = project.iter().flat_map(|project| &project.environments).filter(|it| it.name != name);
        environments.extend(others.cloned());
        environments.iter().try_for_each(|environment| check_packages(&file, environment))?;
        Ok(Self {
            inputs: inputs.unwrap_or_else(|| directory.clone()),
            directory,
            files,
            environments,
            channels,
            unknown: BTreeSet::new(),
            project,
        })
    }

    /// A lock that is not written yet: its outputs will be in `directory`, its inputs are in `inputs`.
    pub(super) fn draft(project: Lock, directory: &Path, inputs: &Path) -> Self {
        Self {
            inputs: inputs.to_path_buf(),
            directory: directory.to_path_buf(),
            files: vec![directory.join(lock::NIX_FILE)],
            channels: project.environments.iter().flat_map(|it| it.channels.clone()).collect(),
            environments: project.environments.clone(),
            unknown: BTreeSet::new(),
            project: Some(project),
        }
    }

    /// Reads the project's `envlock.nix`: the file itself, or the one in a directory.
    pub(super) fn load_project(path: &Path) -> Result<Self, Error> {
        if path.is_dir() { Self::load(&fs::normal(&path.join(lock::NIX_FILE))) } else { Self::load(path) }
    }

    /// What needs what in an environment; see [`Locked::with_dependencies`].
    pub(super) fn graph<'a>(&self, chosen: &Chosen<'a>) -> Result<Graph<'a>, Error> {
        if self.unknown.contains(chosen.environment) {
            return Err(spec::Error::usage(
                format!("nothing says what the packages of the {} environment need", chosen.environment),
                format!(
                    "{} does: bring it to where {} is",
                    lock::file_name(chosen.environment),
                    lock::NIX_FILE
                ),
            )
            .into());
        }
        Ok(Graph::new(chosen.packages, chosen.specs))
    }

    /// The whole project, with what is known of its packages; `None` for a `conda-lock.yml` alone.
    pub(super) fn into_project(self) -> Option<Lock> {
        self.project.map(|project| Lock { environments: self.environments, ..project })
    }

    /// With the channels that the `conda-lock.yml` files beside an `envlock.nix` name: they say which variables hold
    /// credentials. Only for a lock that is the user's own: it decides which variables are sent where.
    pub(super) fn with_channels(mut self) -> Result<Self, Error> {
        for environment in &self.environments {
            let path = self.directory.join(lock::file_name(&environment.name));
            let Some(text) = fs::read_own(&path)? else { continue };
            let stated = conda_lock::read(&path, &environment.name, &text)?;
            self.channels.extend(stated.channels.into_iter().filter(|it| !it.used_env_vars.is_empty()));
        }
        Ok(self)
    }

    /// With channels and with what packages depend on, as the `conda-lock.yml` files beside an `envlock.nix` state them: it
    /// has no place for that. Where there is no such file, nothing is known.
    pub(super) fn with_dependencies(mut self) -> Result<Self, Error> {
        // The first one of a `conda-lock.yml` is its own.
        let own = usize::from(self.files.first().is_some_and(|file| !is_for_nix(file)));
        for environment in self.environments.iter_mut().skip(own) {
            let path = self.directory.join(lock::file_name(&environment.name));
            let Some(text) = fs::read_own(&path)? else {
                self.unknown.insert(environment.name.clone());
                continue;
            };
            let stated = conda_lock::read(&path, &environment.name, &text)?;
            environment.channels = stated.channels;
            for (platform, locked) in &mut environment.platforms {
                if let Some(stated) = stated.platforms.get(platform) {
                    take_dependencies(&stated.packages, &mut locked.packages);
                }
            }
        }
        Ok(self)
    }

    /// Demands the lock files that `envlock.nix` names, saying what it says: they become part of what is built.
    pub(super) fn demand_files(&self) -> Result<(), Error> {
        for (name, digest) in self.project.iter().flat_map(|project| &project.files) {
            let path = self.directory.join(name);
            let Some(text) = fs::read_own(&path)? else {
                let message = format!("{} is missing", path.display());
                return Err(spec::Error::usage(
                    message,
                    "it belongs to envlock.nix: bring both from where they were locked, or run `envlock convert`",
                )
                .into());
            };
            if conda_lock::digest(&text) != *digest {
                let message = format!(
                    "it is not the one that {} was written with",
                    self.directory.join(lock::NIX_FILE).display()
                );
                return Err(lock::Error { path, message }.into());
            }
        }
        Ok(())
    }

    /// One environment: the lock's own, or the user environment.
    pub(super) fn environment(&self, name: Option<&str>) -> Result<&LockedEnvironment, Error> {
        let found = match name {
            None => self.environments.first(),
            Some(name) => self.environments.iter().find(|it| it.name == name),
        };
        found.ok_or_else(|| {
            let known: Vec<_> = self.environments.iter().map(|it| it.name.as_str()).collect();
            let message = format!("the lock has no environment `{}`", name.unwrap_or(USER));
            spec::Error::usage(message, format!("it has {}", known.join(", "))).into()
        })
    }

    /// One environment on one platform (this machine's).
    pub(super) fn choose(
        &self,
        environment: Option<&str>,
        platform: Option<&str>,
    ) -> Result<Chosen<'_>, Error> {
        let found = self.environment(environment)?;
        let platform = platform_of(found, platform)?;
        let locked = &found.platforms[&platform];
        Ok(Chosen {
            environment: &found.name,
            platform,
            packages: &locked.packages,
            specs: &locked.specs,
            variables: &locked.variables,
        })
    }

    /// The runtime for a platform, if the lock has one.
    pub(super) fn runtime(&self, platform: Subdir) -> Option<Chosen<'_>> {
        let runtime = self.environments.iter().find(|it| it.name == RUNTIME)?;
        let locked = runtime.platforms.get(&platform)?;
        Some(Chosen {
            environment: RUNTIME,
            platform,
            packages: &locked.packages,
            specs: &locked.specs,
            variables: &locked.variables,
        })
    }

    /// Where channel names lead.
    pub(super) fn alias(&self) -> Result<Url, Error> {
        let stated = self.project.as_ref().and_then(|project| project.options.get("channel-alias"));
        let alias = stated.map_or(spec::channel::DEFAULT_ALIAS, String::as_str).parse();
        alias.map_err(|error| spec::Error::usage(format!("channel-alias: {error}"), "lock anew").into())
    }

    /// Packages with their relative URLs as a file in another directory has to state them.
    pub(super) fn seen_from(&self, packages: &[Package], directory: &Path) -> Result<Vec<Package>, Error> {
        let rebased = |package: &Package| {
            let mut package = package.clone();
            if is_relative(&package.url)
                && let Ok(path) = self.url(&package)?.to_file_path()
            {
                package.url = format!("file:{}", fs::relative(&path, directory));
            }
            Ok(package)
        };
        packages.iter().map(rebased).collect()
    }

    /// The URL of a package as one that can be read, whatever directory we are in.
    pub(super) fn url(&self, package: &Package) -> Result<Url, Error> {
        let wrong = |message: String| {
            let message = format!("the URL of {} is wrong: {message}", package.name);
            Error::from(lock::Error { path: self.files.first().cloned().unwrap_or_default(), message })
        };
        match package.url.strip_prefix("file:").filter(|rest| !rest.starts_with('/')) {
            Some(relative) => {
                let path = std::path::absolute(self.inputs.join(spec::channel::percent_decoded(relative)));
                let path = path.map_err(|error| wrong(error.to_string()))?;
                Url::from_file_path(fs::normal(&path)).map_err(|()| wrong(package.url.clone()))
            }
            None => Url::parse(&package.url).map_err(|error| wrong(format!("{}: {error}", package.url))),
        }
    }

    /// The channels that want credentials, with them; a variable that is not set is told of.
    pub(super) fn access(&self, settings: &Settings, printer: &Printer) -> Vec<(Url, Access)> {
        let Ok(alias) = Url::parse(spec::channel::DEFAULT_ALIAS) else { return Vec::new() };
        let context = Context { alias: &alias, directory: &self.directory, variables: &settings.variables };
        let mut access = Vec::new();
        for channel in self.channels.iter().filter(|channel| !channel.used_env_vars.is_empty()) {
            let Ok(Channel { urls, access: Some(wanted), .. }) = Channel::parse(&channel.url, context) else {
                continue;
            };
            if let Access::Unset(name) = &wanted {
                printer.warning_once(format_args!("{} wants ${name}, which is not set", channel.url));
            }
            access.extend(urls.into_iter().map(|url| (url, wanted.clone())));
        }
        access
    }
}

/// Whether a lock is a project's, in Nix or as the JSON that Nix makes of it.
fn is_for_nix(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "nix" || extension == "json")
}

/// Whether a URL is the path of a file as seen from somewhere.
pub(super) fn is_relative(url: &str) -> bool {
    url.strip_prefix("file:").is_some_and(|path| !path.starts_with('/'))
}

/// The environment that a `conda-lock.yml` is of, by its name.
fn environment_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".conda-lock.yml").filter(|stem| !stem.is_empty());
    stem.unwrap_or(USER).to_owned()
}

fn platform_of(environment: &LockedEnvironment, wanted: Option<&str>) -> Result<Subdir, Error> {
    let known = || environment.platforms.keys().map(|it| it.as_str()).collect::<Vec<_>>().join(", ");
    let wanted = match super::platform(wanted)? {
        Some(stated) => stated,
        None => match (Subdir::current(), environment.platforms.keys().next()) {
            (_, Some(only)) if environment.platforms.len() == 1 => *only,
            (Some(host), _) => host,
            (None, _) => {
                return Err(
                    spec::Error::usage("this machine is of no known platform", "use --platform").into()
                );
            }
        },
    };
    if environment.platforms.contains_key(&wanted) {
        return Ok(wanted);
    }
    let message = format!("the {} environment is not locked for {}", environment.name, wanted.as_str());
    Err(spec::Error::usage(message, format!("it is locked for {}", known())).into())
}

/// Refuses a lock with a password in it.
pub(super) fn check_credentials(file: &Path, environment: &LockedEnvironment) -> Result<(), Error> {
    let refused = |what: String| {
        let message = format!("{}: the URL of {what} holds credentials", file.display());
        let hint = "lock anew with envlock, which keeps them in ~/.netrc or in environment variables";
        Err(spec::Error::usage(message, hint).into())
    };
    let mut packages =
        environment.platforms.values().flat_map(|locked| &locked.packages).flat_map(Package::artifacts);
    if let Some(package) = packages.find(|package| spec::channel::redact(&package.url) != package.url) {
        return refused(package.name.clone());
    }
    let literal = |channel: &&LockedChannel| {
        !channel.url.contains("${") && spec::channel::redact(&channel.url) != channel.url
    };
    match environment.channels.iter().find(literal) {
        Some(channel) => refused(format!("the channel {}", spec::channel::redact(&channel.url))),
        None => Ok(()),
    }
}

/// A lock that was made elsewhere may lack a sha256, have what is none, or hold a password.
pub(super) fn check_packages(file: &Path, environment: &LockedEnvironment) -> Result<(), Error> {
    check_credentials(file, environment)?;
    let mut packages =
        environment.platforms.values().flat_map(|locked| &locked.packages).flat_map(Package::artifacts);
    let is_hash =
        |text: &str| text.len() == 64 && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    let mut sdists = environment.platforms.values().flat_map(|locked| &locked.packages);
    let wrong = sdists.find(|package| {
        package.wheel.as_ref().is_some_and(|wheel| {
            package.kind != Kind::Sdist || environment.name == RUNTIME || !is_hash(&wheel.sha256)
        })
    });
    if let Some(package) = wrong {
        let message = format!("what it says of the wheel of {} cannot be", package.name);
        return Err(lock::Error { path: file.to_path_buf(), message }.into());
    }
    match packages.find(|package| !is_hash(&package.sha256)) {
        Some(package) => Err(lock::Error {
            path: file.to_path_buf(),
            message: format!("the sha256 of {} is `{}`, which is none", package.name, package.sha256),
        }
        .into()),
        None => Ok(()),
    }
}

/// Takes from `envlock.nix` what `conda-lock.yml` has no place for: variables, requirements and sizes.
fn join(
    environment: &mut LockedEnvironment,
    project: &Lock,
    file: &Path,
    nix_file: &Path,
) -> Result<(), Error> {
    let disagree = |what: &str| {
        let message = format!("it disagrees with {} about {what}", nix_file.display());
        Error::from(lock::Error { path: file.to_path_buf(), message })
    };
    let other = project.environments.iter().find(|it| it.name == environment.name);
    let other = other.ok_or_else(|| disagree(&format!("the {} environment", environment.name)))?;
    for (platform, locked) in &mut environment.platforms {
        let other = other.platforms.get(platform).ok_or_else(|| disagree(platform.as_str()))?;
        if lock_hash(&locked.packages) != lock_hash(&other.packages) {
            return Err(disagree(&format!("the packages for {}", platform.as_str())));
        }
        locked.variables.clone_from(&other.variables);
        locked.specs.clone_from(&other.specs);
        let stated = std::mem::replace(&mut locked.packages, other.packages.clone());
        take_dependencies(&stated, &mut locked.packages);
    }
    Ok(())
}

/// Gives packages what a `conda-lock.yml` states of the same artifacts: what they depend on, and their md5.
fn take_dependencies(stated: &[Package], packages: &mut [Package]) {
    let stated: BTreeMap<&str, &Package> =
        stated.iter().map(|package| (package.sha256.as_str(), package)).collect();
    for package in packages {
        if let Some(stated) = stated.get(package.sha256.as_str()) {
            package.dependencies.clone_from(&stated.dependencies);
            package.md5.clone_from(&stated.md5);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_is_named_after_its_environment() {
        assert_eq!(environment_of(Path::new("locks/conda-lock.yml")), "user");
        assert_eq!(environment_of(Path::new("runtime.conda-lock.yml")), "runtime");
        assert_eq!(environment_of(Path::new("other-lock.yml")), "user");
    }
}
