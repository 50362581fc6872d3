//! The wheels of the sdists of a new lock: what `convert` and `update` build, so that nobody else has to decide anything.

use std::collections::BTreeMap;

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
    lock::{BuiltWheel, Kind, Lock, LockedPlatform, Package, fingerprint::lock_hash},
    printer::Printer,
    resolve::{self, BuildRequest, Pins, PypiResolver, PypiSolution, Solution},
    settings::Settings,
    spec::{Environment, RUNTIME},
    store::Files,
    tree,
};

/// What is known when everything is resolved.
pub(super) struct Building<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) solved: &'a BTreeMap<String, (Solution, PypiSolution)>,
    pub(super) pypi: &'a PypiResolver<'a>,
    pub(super) runtime: &'a Runtime,
    pub(super) settings: &'a Settings,
    pub(super) printer: &'a Printer,
}

impl Building<'_> {
    /// Gives every sdist of a lock its wheel: built here where its platform runs here, else what is known of it.
    pub(super) fn complete(&self, lock: &mut Lock) -> Result<(), Error> {
        let is_sdist = |package: &Package| package.kind == Kind::Sdist;
        let platforms = lock.environments.iter().flat_map(|environment| environment.platforms.values());
        if !platforms.flat_map(|locked| &locked.packages).any(is_sdist) {
            return Ok(());
        }
        let draft = Locked::draft(lock.clone(), self.request.directory, &self.request.inputs.directory);
        let source = SourceArguments {
            mirror: self.request.mirrors.to_vec(),
            artifact: Vec::new(),
            offline: self.request.offline,
        };
        let builder = Builder::new(&draft, &source, self.settings, self.printer)?;
        let files = Files::open(&self.settings.cache)?;
        let host = Subdir::current().filter(|_| self.request.builds);
        for environment in &mut lock.environments {
            for (platform, locked) in environment.platforms.iter_mut().filter(|(it, _)| Some(**it) == host) {
                let spec = self.spec(&environment.name, *platform);
                for (place, wheel) in
                    self.build(&environment.name, *platform, spec, locked, &builder, &files)?
                {
                    locked.packages[place].wheel = Some(Box::new(wheel));
                }
            }
            let here = host.and_then(|host| environment.platforms.get(&host)).cloned();
            for (platform, locked) in environment.platforms.iter_mut().filter(|(it, _)| Some(**it) != host) {
                let earlier = self.earlier(&draft, &environment.name, *platform);
                self.take_over(*platform, locked, here.as_ref(), earlier);
            }
        }
        Ok(())
    }

    fn spec(&self, environment: &str, platform: Subdir) -> Option<&Environment> {
        let found = self.request.inputs.environments.iter().find(|it| it.name == environment)?;
        found.platforms.get(&platform)
    }

    /// The wheels of the sdists among some packages, by their places.
    fn build(
        &self,
        environment: &str,
        platform: Subdir,
        spec: Option<&Environment>,
        locked: &LockedPlatform,
        builder: &Builder,
        files: &Files,
    ) -> Result<Vec<(usize, BuiltWheel)>, Error> {
        let sdists = locked.packages.iter().enumerate().filter(|(_, package)| package.kind == Kind::Sdist);
        let sdists: Vec<_> = sdists.collect();
        let Some((solution, of_pypi)) = self.solved.get(&resolve::key(environment, platform)) else {
            return Ok(Vec::new());
        };
        if sdists.is_empty() {
            return Ok(Vec::new());
        }
        let options = &self.request.inputs.options;
        let tree = tree::Request {
            environment,
            platform,
            packages: &locked.packages,
            variables: &locked.variables,
            prefix: USER_PREFIX,
            byte_code: false,
        };
        let bench = Bench::new(builder, &tree, options.clone(), files)?;
        let none = Pins::default();
        let build = |(place, sdist): (usize, &Package)| {
            let pins = self.request.pins.get(&build_key(&sdist.name, platform)).unwrap_or(&none);
            let request = BuildRequest {
                sdist,
                requirements: &[],
                constraints: &options.build_constraints,
                lines: spec.map_or(&[], |spec| &spec.pip),
                records: &solution.records,
                platform,
                pins,
            };
            let resolved = Resolved { building: self, request, solution: of_pypi };
            Ok((place, bench.first(sdist, pins, &resolved)?))
        };
        sdists.into_iter().map(build).collect()
    }

    /// What the earlier lock has for a platform, if what builds there is still the same.
    fn earlier(&self, draft: &Locked, environment: &str, platform: Subdir) -> Option<&LockedPlatform> {
        let earlier = self.request.earlier.as_ref()?;
        let of = |lock: &'_ Lock, name: &str| -> Option<Vec<Package>> {
            let found = lock.environments.iter().find(|it| it.name == name)?;
            let mut packages = found.platforms.get(&platform)?.packages.clone();
            packages.retain(|package| package.kind == Kind::Conda);
            Some(packages)
        };
        let now = draft.project.as_ref()?;
        let hash = |lock: &Lock, name: &str| of(lock, name).map(|packages| lock_hash(&packages));
        let is_same = [environment, RUNTIME].iter().all(|name| hash(earlier, name) == hash(now, name));
        let of_builds = |lock: &Lock| -> BTreeMap<String, String> {
            let options = lock.options.clone().into_iter();
            options.filter(|(name, _)| name.starts_with("build-") && name != "build-timeout").collect()
        };
        let found = earlier.environments.iter().find(|it| it.name == environment)?;
        found.platforms.get(&platform).filter(|_| is_same && of_builds(earlier) == of_builds(now))
    }

    /// Wheels for a platform that does not run here: what the earlier lock has, or one that is for any platform.
    fn take_over(
        &self,
        platform: Subdir,
        locked: &mut LockedPlatform,
        here: Option<&LockedPlatform>,
        earlier: Option<&LockedPlatform>,
    ) {
        let find = |locked: Option<&LockedPlatform>, sdist: &Package| {
            let packages = &locked?.packages;
            packages.iter().find(|it| it.sha256 == sdist.sha256 && it.kind == Kind::Sdist)?.wheel.clone()
        };
        let same_python = here.is_some_and(|here| python(here) == python(locked));
        for package in locked.packages.iter_mut().filter(|package| package.kind == Kind::Sdist) {
            let built_here = find(here, package).filter(|wheel| same_python && is_for_any_platform(wheel));
            package.wheel = find(earlier, package).or(built_here);
            if package.wheel.is_none() && self.request.builds {
                self.printer.warning(format_args!(
                    "{} for {} cannot be built on this machine: run `envlock convert` once on one of that platform, which \
                     adds its wheel to the lock",
                    package.file_name(),
                    platform.as_str()
                ));
            }
        }
    }
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

    fn disagreement(&self, source: &Source, metadata: &[u8]) -> Result<Option<String>, String> {
        let BuildRequest { sdist, records, platform, .. } = self.request;
        let options = &self.building.request.inputs.options;
        resolve::disagreement((sdist, &source.bytes), metadata, (records, self.solution), platform, options)
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
