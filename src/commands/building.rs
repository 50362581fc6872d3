//! The wheels of the sdists of a new lock: what `convert` and `update` build, so that nobody else has to decide anything.

use std::collections::{BTreeMap, BTreeSet};

use rattler_conda_types::Subdir;
use tokio::runtime::Runtime;

use super::{
    locked::Locked,
    locking::{Request, build_key},
    trees::{Bench, Builder, Resolution, Source, USER_PREFIX},
};
use crate::{
    cli::SourceArguments,
    error::Error,
    http::Network,
    lock::{BuiltWheel, Kind, Lock, LockedEnvironment, LockedPlatform, Package},
    printer::Printer,
    resolve::{self, BuildRequest, Pins, PypiResolver, PypiSolution, Solution},
    settings::Settings,
    spec::{self, RUNTIME},
    store::Files,
    tree,
};

/// What is known when everything is resolved.
pub(super) struct Building<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) solved: &'a BTreeMap<String, (Solution, PypiSolution)>,
    pub(super) pypi: &'a PypiResolver<'a>,
    pub(super) network: &'a Network,
    pub(super) runtime: &'a Runtime,
    pub(super) settings: &'a Settings,
    pub(super) printer: &'a Printer,
}

/// The options that decide what a build gives, or what builds it.
const OF_BUILDS: [&str; 3] = ["build-", "exclude-newer", "virtual-packages."];

/// The wheels of some sdists, by sha256 of the sdist.
type Wheels = BTreeMap<String, BuiltWheel>;

impl Building<'_> {
    /// Gives every sdist of a lock its wheel: built here where its platform runs here, else what is known of it.
    pub(super) fn complete(&self, lock: &mut Lock) -> Result<(), Error> {
        let platforms = lock.environments.iter().flat_map(|environment| environment.platforms.values());
        if platforms.flat_map(sdists).next().is_none() {
            return Ok(());
        }
        let draft = Locked::draft(lock.clone(), self.request.directory, &self.request.inputs.directory);
        let source = SourceArguments {
            mirror: self.request.mirrors.to_vec(),
            artifact: Vec::new(),
            offline: self.request.offline,
        };
        let mirrors = self.pypi.mirrors.to_vec();
        let builder = Builder::with(&draft, &source, mirrors, self.network, self.settings, self.printer)?;
        let files = Files::open(&self.settings.cache)?;
        for environment in &mut lock.environments {
            self.complete_environment(environment, &draft, &builder, &files)?;
        }
        Ok(())
    }

    fn complete_environment(
        &self,
        environment: &mut LockedEnvironment,
        draft: &Locked,
        builder: &Builder,
        files: &Files,
    ) -> Result<(), Error> {
        let (name, platforms) = (&environment.name, &mut environment.platforms);
        if name == RUNTIME && platforms.values().flat_map(sdists).next().is_some() {
            let message = format!("the {RUNTIME} has packages that would have to be built");
            let hint = "it is what builds run with: ask for wheels there, or for conda packages";
            return Err(spec::Error::usage(message, hint).into());
        }
        let host = Subdir::current().filter(|host| self.request.builds && platforms.contains_key(host));
        let (mut built, mut python_here) = (Wheels::new(), None);
        if let Some((host, locked)) = host.and_then(|host| Some((host, platforms.get_mut(&host)?))) {
            built = self.build((name, host), locked, draft, builder, files)?;
            python_here = python(locked);
            for package in &mut locked.packages {
                package.wheel = built.get(&package.sha256).cloned().map(Box::new);
            }
        }
        for (platform, locked) in platforms.iter_mut().filter(|(it, _)| Some(**it) != host) {
            let earlier = self.earlier(draft, name, *platform);
            let of_here = if python(locked) == python_here { &built } else { &Wheels::new() };
            self.take_over((name, *platform), locked, of_here, earlier, builder)?;
        }
        Ok(())
    }

    /// An sdist, and what its environment was resolved with.
    fn resolved<'a>(
        &'a self,
        environment: &str,
        platform: Subdir,
        sdist: &'a Package,
        pins: &'a Pins,
    ) -> Option<Resolved<'a>> {
        let (solution, of_pypi) = self.solved.get(&resolve::key(environment, platform))?;
        let inputs = self.request.inputs;
        let spec = inputs.environments.iter().find(|it| it.name == environment)?.platforms.get(&platform)?;
        let request = BuildRequest {
            sdist,
            requirements: &[],
            constraints: &inputs.options.build_constraints,
            lines: &spec.pip,
            records: &solution.records,
            platform,
            pins,
        };
        Some(Resolved { building: self, request, solution: of_pypi })
    }

    fn build(
        &self,
        (environment, platform): (&str, Subdir),
        locked: &LockedPlatform,
        draft: &Locked,
        builder: &Builder,
        files: &Files,
    ) -> Result<Wheels, Error> {
        let (mut wheels, none) = (Wheels::new(), Pins::default());
        if sdists(locked).next().is_none() {
            return Ok(wheels);
        }
        let tree = tree::Request {
            environment,
            platform,
            packages: &locked.packages,
            variables: &locked.variables,
            prefix: USER_PREFIX,
            byte_code: false,
        };
        let bench = Bench::new(builder, &tree, self.request.inputs.options.clone(), files)?;
        let earlier = self.earlier(draft, environment, platform);
        for sdist in sdists(locked) {
            let pins = self.request.pins.get(&build_key(environment, &sdist.name, platform)).unwrap_or(&none);
            let Some(resolved) = self.resolved(environment, platform, sdist, pins) else { continue };
            let wheel = bench.first(sdist, wheel_of(earlier, sdist), &resolved)?;
            wheels.insert(sdist.sha256.clone(), wheel);
        }
        Ok(wheels)
    }

    /// What the earlier lock has for a platform, if what builds there is still the same.
    fn earlier(&self, draft: &Locked, environment: &str, platform: Subdir) -> Option<&LockedPlatform> {
        let (earlier, now) = (self.request.earlier.as_ref()?, draft.project.as_ref()?);
        let is_same = Basis::of(earlier, environment, platform) == Basis::of(now, environment, platform);
        on(earlier, environment, platform).filter(|_| is_same)
    }

    /// Wheels for a platform that does not run here: what the earlier lock has, or one that is for any platform.
    fn take_over(
        &self,
        (environment, platform): (&str, Subdir),
        locked: &mut LockedPlatform,
        of_here: &Wheels,
        earlier: Option<&LockedPlatform>,
        builder: &Builder,
    ) -> Result<(), Error> {
        let none = Pins::default();
        for package in locked.packages.iter_mut().filter(|package| package.kind == Kind::Sdist) {
            let built_here = of_here.get(&package.sha256).filter(|wheel| is_for_any_platform(wheel));
            let fits = |wheel: &&BuiltWheel| -> Result<bool, Error> {
                let Some(resolved) = self.resolved(environment, platform, package, &none) else {
                    return Ok(false);
                };
                let source = builder.source(package)?;
                let bytes = builder.bytes(&wheel.sha256, &package.url)?;
                Ok(matches!(resolved.disagreement(&source, (&wheel.file_name, &bytes)), Ok(None)))
            };
            let wheel = match built_here {
                Some(wheel) if fits(&wheel)? => Some(wheel),
                _ => wheel_of(earlier, package),
            };
            let wheel = wheel.cloned().map(Box::new);
            if wheel.is_none() && self.request.builds {
                self.printer.warning(format_args!(
                    "{} for {} cannot be built on this machine: run `envlock convert` once on one of that platform, which \
                     adds its wheel to the lock",
                    package.file_name(),
                    platform.as_str()
                ));
            }
            package.wheel = wheel;
        }
        Ok(())
    }
}

/// What decides what the sdists of an environment become, besides the sdists and what builds them.
#[derive(PartialEq, Eq)]
struct Basis<'a> {
    /// The conda packages of the environment and of the runtime, by sha256.
    conda: [BTreeSet<&'a str>; 2],
    options: BTreeMap<&'a str, &'a str>,
    /// The lines that say where packages come from.
    indexes: Vec<&'a str>,
}

impl<'a> Basis<'a> {
    fn of(lock: &'a Lock, environment: &str, platform: Subdir) -> Self {
        let conda = |name: &str| {
            let packages = on(lock, name, platform).into_iter().flat_map(|locked| &locked.packages);
            let conda = packages.filter(|package| package.kind == Kind::Conda);
            conda.map(|package| package.sha256.as_str()).collect()
        };
        let counts = |name: &str| name != "build-timeout" && OF_BUILDS.iter().any(|it| name.starts_with(it));
        let options = lock.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let specs = on(lock, environment, platform).into_iter().flat_map(|locked| &locked.specs);
        Self {
            conda: [environment, RUNTIME].map(conda),
            options: options.filter(|(name, _)| counts(name)).collect(),
            indexes: specs.map(String::as_str).filter(|spec| spec.starts_with("pip: --")).collect(),
        }
    }
}

/// An environment of a lock on one platform.
fn on<'a>(lock: &'a Lock, environment: &str, platform: Subdir) -> Option<&'a LockedPlatform> {
    lock.environments.iter().find(|it| it.name == environment)?.platforms.get(&platform)
}

fn sdists(locked: &LockedPlatform) -> impl Iterator<Item = &Package> {
    locked.packages.iter().filter(|package| package.kind == Kind::Sdist)
}

/// What an sdist has become in a lock.
fn wheel_of<'a>(locked: Option<&'a LockedPlatform>, sdist: &Package) -> Option<&'a BuiltWheel> {
    sdists(locked?).find(|it| it.sha256 == sdist.sha256)?.wheel.as_deref()
}

/// An sdist, and what it was resolved with.
struct Resolved<'a> {
    building: &'a Building<'a>,
    request: BuildRequest<'a>,
    solution: &'a PypiSolution,
}

impl Resolution for Resolved<'_> {
    fn requires(&self, requirements: &[String]) -> Result<Vec<Package>, Error> {
        let Building { pypi, runtime, request, .. } = self.building;
        let wanted = BuildRequest { requirements, ..self.request };
        Ok(runtime.block_on(pypi.solve_build(wanted, &request.inputs.options))?)
    }

    fn disagreement(&self, source: &Source, wheel: (&str, &[u8])) -> Result<Option<String>, String> {
        let BuildRequest { sdist, records, platform, .. } = self.request;
        let options = &self.building.request.inputs.options;
        resolve::disagreement((sdist, &source.bytes), wheel, (records, self.solution), platform, options)
    }
}

/// Major and minor version of the Python among some packages.
fn python(locked: &LockedPlatform) -> Option<String> {
    let python = locked.packages.iter().find(|it| it.kind == Kind::Conda && it.name == "python")?;
    let mut parts = python.version.split('.');
    Some(format!("{}.{}", parts.next()?, parts.next()?))
}

/// Whether a wheel says of itself that it fits everywhere, and so does everything that builds it.
fn is_for_any_platform(wheel: &BuiltWheel) -> bool {
    let fits = |file: &str| file.ends_with("-none-any.whl");
    fits(&wheel.file_name) && wheel.requires.iter().all(|package| fits(&package.file_name()))
}
