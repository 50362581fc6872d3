//! The wheels of sdists: those that a lock states are built again where the store lacks them, others for the first time.

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant},
};

use rattler_conda_types::Subdir;
use serde::{Deserialize, Serialize};

use super::{Builder, Place, RUNTIME_PREFIX, USER_PREFIX, can_run, request};
use crate::{
    build::{self, Built, Root, Sdist, Workshop},
    causes::printable,
    error::Error,
    fs,
    lock::{BuiltWheel, Kind, Package, fingerprint},
    resolve::{self, BuildSystem},
    spec::{self, name_map, options::Options},
    store::{self, Files, Wanted},
    tree::{Manifest, Request},
};

/// The name of an environment that builds.
pub(super) const ENVIRONMENT: &str = "build";
/// Where the cache keeps what became of which sdist.
const RECORDS: &str = "wheels";
/// How conda's compilers begin to be unusual: by the platform that they compile for.
const COMPILERS: [(&str, &str); 2] = [("CC", "-linux-gnu-cc"), ("CXX", "-linux-gnu-c++")];

impl Builder<'_> {
    /// Sees to it that the store has the wheels that some sdists of an environment are locked to become.
    pub(in crate::commands) fn ensure_wheels(
        &self,
        request: &Request,
        files: &Files,
        which: &dyn Fn(&Package) -> bool,
    ) -> Result<(), Error> {
        let packages =
            request.packages.iter().filter(|package| package.kind == Kind::Sdist && which(package));
        let wheels = packages.filter_map(|package| Some((package, package.wheel.as_deref()?)));
        let is_missing = |wheel: &BuiltWheel| !fs::exists(&self.artifact(&wheel.sha256));
        let (given, missing): (Vec<_>, Vec<_>) = wheels
            .filter(|(_, wheel)| is_missing(wheel))
            .partition(|(_, wheel)| self.given.contains_key(&wheel.sha256));
        let given = given.into_iter().map(|(package, wheel)| Wanted {
            url: package.url.clone(),
            from: self.given[&wheel.sha256].clone(),
            sha256: wheel.sha256.clone(),
            size: Some(wheel.size),
        });
        self.fetch_wanted(&given.collect::<Vec<_>>())?;
        if missing.is_empty() {
            return Ok(());
        }
        let options = self.locked.project.as_ref().map(|project| Options::from_entries(&project.options));
        let options = options.transpose().map_err(|(message, hint)| spec::Error::usage(message, hint))?;
        let packages = self.that_build(request, &missing);
        let request = &Request { platform: packages.0, packages: packages.1, ..*request };
        let bench = Bench::new(self, request, options.unwrap_or_default(), files)?;
        for (package, wheel) in missing {
            let source = self.source(package)?;
            let built = bench.wheel(package, &source, &wheel.requires)?;
            demand(package, &built, wheel)?;
            bench.keep(&built)?;
        }
        Ok(())
    }

    /// The platform, and its packages, that some wheels can be built for: this machine's, if they are the same there.
    fn that_build<'p>(
        &'p self,
        request: &Request<'p>,
        wheels: &[(&Package, &BuiltWheel)],
    ) -> (Subdir, &'p [Package]) {
        let own = (request.platform, request.packages);
        let environment = self.locked.environments.iter().find(|it| it.name == request.environment);
        let here = Subdir::current().and_then(|host| Some((host, environment?.platforms.get(&host)?)));
        let Some((host, here)) = here.filter(|(host, _)| *host != request.platform) else { return own };
        let is_here = |(sdist, wheel): &(&Package, &BuiltWheel)| {
            let same = |it: &&Package| it.sha256 == sdist.sha256;
            here.packages.iter().find(same).and_then(|it| it.wheel.as_deref()) == Some(*wheel)
        };
        if wheels.iter().all(is_here) { (host, &here.packages) } else { own }
    }

    /// Reads an sdist, which is fetched where it must.
    pub(in crate::commands) fn source(&self, package: &Package) -> Result<Source, Error> {
        self.fetch(std::iter::once(package))?;
        let bytes = self.bytes(&package.sha256, &package.url)?;
        let unsound = |reason: String| resolve::Error::Metadata {
            package: package.file_name(),
            reason,
            hint: "tell its authors, or lock another version".to_owned(),
        };
        let system = resolve::build_system(&package.file_name(), &bytes).map_err(unsound)?;
        Ok(Source { bytes, system })
    }

    /// What an artifact of the store holds.
    pub(in crate::commands) fn bytes(&self, sha256: &str, url: &str) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut content = store::open(&self.settings.cache, sha256, url)?;
        content.read_to_end(&mut bytes).map_err(fs::Error::read(&self.artifact(sha256)))?;
        Ok(bytes)
    }

    fn artifact(&self, sha256: &str) -> PathBuf {
        store::artifact_path(&self.settings.cache, sha256)
    }
}

/// What the first build of an sdist is decided by.
pub(in crate::commands) trait Resolution {
    /// The wheels that answer build requirements.
    fn requires(&self, requirements: &[String]) -> Result<Vec<Package>, Error>;

    /// What the wheel of that name is otherwise than was resolved with; the error is a sentence, too.
    fn disagreement(&self, source: &Source, wheel: (&str, &[u8])) -> Result<Option<String>, String>;
}

/// Where the sdists of one environment are built.
pub(in crate::commands) struct Bench<'a> {
    builder: &'a Builder<'a>,
    request: &'a Request<'a>,
    options: Options,
    files: &'a Files,
    runtime: OnceCell<Option<Made>>,
    /// The environments that build, by the build requirements that they have.
    made: RefCell<BTreeMap<Vec<String>, Rc<Made>>>,
}

/// A tree that was materialised.
struct Made {
    root: PathBuf,
    manifest: Manifest,
}

/// An sdist as it is built.
pub(in crate::commands) struct Source {
    pub(in crate::commands) bytes: Vec<u8>,
    pub(in crate::commands) system: BuildSystem,
}

/// What became of an sdist with certain build requirements.
#[derive(Serialize, Deserialize)]
struct Record {
    /// What the backend asks for besides.
    besides: Vec<String>,
    /// The wheel, once it is built: name, sha256, size.
    wheel: Option<(String, String, u64)>,
}

impl<'a> Bench<'a> {
    pub(in crate::commands) fn new(
        builder: &'a Builder<'a>,
        request: &'a Request<'a>,
        options: Options,
        files: &'a Files,
    ) -> Result<Self, Error> {
        can_run(request, "an sdist can only be built")?;
        let (runtime, made) = (OnceCell::new(), RefCell::default());
        Ok(Self { builder, request, options, files, runtime, made })
    }

    /// Builds an sdist that has no wheel yet, or finds what it became before.
    ///
    /// `locked` is what the earlier lock has, if what builds is still the same: then so must be what comes out.
    pub(in crate::commands) fn first(
        &self,
        package: &Package,
        locked: Option<&BuiltWheel>,
        resolution: &dyn Resolution,
    ) -> Result<BuiltWheel, Error> {
        let source = self.builder.source(package)?;
        let (requires, besides) = self.requirements(package, &source, resolution)?;
        let locked = locked.filter(|locked| hashes(&locked.requires) == hashes(&requires));
        let known = self.record(package, &requires)?.and_then(|record| record.wheel);
        // A record does not outweigh a lock.
        let known = known.filter(|(_, sha256, _)| locked.is_none_or(|locked| locked.sha256 == *sha256));
        let known = known.filter(|(_, sha256, _)| fs::exists(&self.builder.artifact(sha256)));
        let (file_name, sha256, size) = if let Some(known) = known {
            known
        } else {
            let built = self.wheel(package, &source, &requires)?;
            if let Some(locked) = locked {
                demand(package, &built, locked)?;
            }
            self.keep(&built)?;
            (built.file_name, built.sha256, built.size)
        };
        let bytes = self.builder.bytes(&sha256, &package.url)?;
        match resolution.disagreement(&source, (&file_name, &bytes)) {
            Ok(None) => {}
            Ok(Some(reason)) | Err(reason) => {
                let reason = printable(&reason);
                return Err(build::Error::Disagrees { sdist: package.file_name(), reason }.into());
            }
        }
        let wheel = Some((file_name.clone(), sha256.clone(), size));
        self.save(package, &requires, &Record { besides, wheel })?;
        Ok(BuiltWheel { file_name, sha256, size, requires })
    }

    /// What builds an sdist, and what of that its backend asks for besides.
    fn requirements(
        &self,
        package: &Package,
        source: &Source,
        resolution: &dyn Resolution,
    ) -> Result<(Vec<Package>, Vec<String>), Error> {
        let mut wanted = source.system.requires.clone();
        wanted.extend(self.options.build_requires.get(&package.name).into_iter().flatten().cloned());
        let requires = resolution.requires(&wanted)?;
        let besides = if let Some(record) = self.record(package, &requires)? {
            record.besides
        } else {
            let ask = |shop: &Workshop| Ok(shop.requires(&sdist(package, source, &self.path(package)))?);
            let besides = self.with(&requires, ask)?;
            self.save(package, &requires, &Record { besides: besides.clone(), wheel: None })?;
            besides
        };
        if besides.is_empty() {
            return Ok((requires, besides));
        }
        wanted.extend(besides.iter().cloned());
        Ok((resolution.requires(&wanted)?, besides))
    }

    fn wheel(&self, package: &Package, source: &Source, requires: &[Package]) -> Result<Built, Error> {
        let began = Instant::now();
        let name = package.file_name();
        let built = self.with(requires, |shop| {
            let _waiting = self.builder.printer.waiting(format!("building {name}"));
            Ok(shop.wheel(&sdist(package, source, &self.path(package)))?)
        })?;
        self.builder.printer.note(format_args!(
            "built {} from {name} in {:.1} s",
            built.file_name,
            began.elapsed().as_secs_f64()
        ));
        Ok(built)
    }

    /// Puts a wheel into the store.
    fn keep(&self, built: &Built) -> Result<(), Error> {
        self.builder.fetcher.keep(&fs::read_bytes(&built.path)?)?;
        Ok(())
    }

    fn path(&self, package: &Package) -> PathBuf {
        self.builder.path(package)
    }

    /// Does something where there are Python, conda's packages and the build requirements.
    fn with<T>(
        &self,
        requires: &[Package],
        work: impl FnOnce(&Workshop) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let made = self.environment(requires)?;
        let runtime = self.runtime()?;
        let compilers: Vec<_> = COMPILERS
            .iter()
            .filter_map(|(variable, ending)| {
                let is_it = |path: &&String| path.starts_with("bin/") && path.ends_with(ending);
                let path = made.manifest.entries.keys().find(is_it)?;
                Some((*variable, path["bin/".len()..].to_owned()))
            })
            .collect();
        let sysroot = runtime.map(|runtime| {
            let sysroot = runtime.manifest.entries.keys().find(|path| path.ends_with("/sysroot"));
            let sysroot = sysroot.ok_or_else(|| {
                let hint = "add sysroot_linux-64 to the dependencies of the runtime and lock it again";
                spec::Error::usage("the runtime has no C library, which a build runs with", hint)
            })?;
            Ok::<_, Error>((Root { root: &runtime.root, prefix: RUNTIME_PREFIX }, sysroot.as_str()))
        });
        let sysroot = sysroot.transpose()?;
        let timeout = self.options.build_timeout.map(|seconds| Duration::from_secs(seconds.into()));
        work(&Workshop {
            environment: Root { root: &made.root, prefix: USER_PREFIX },
            python: "bin/python3",
            compilers: &compilers,
            runtime: sysroot,
            variables: &self.options.build_variables,
            timeout: timeout.unwrap_or(build::TIMEOUT),
            scratch: self.files.scratch(),
        })
    }

    fn environment(&self, requires: &[Package]) -> Result<Rc<Made>, Error> {
        let key: Vec<String> = requires.iter().map(|package| package.sha256.clone()).collect();
        if let Some(made) = self.made.borrow().get(&key) {
            return Ok(made.clone());
        }
        let names: BTreeSet<&str> = requires.iter().map(|package| package.name.as_str()).collect();
        // What a build asks for takes the place of what conda has under that name.
        let conda = self.conda().filter(|package| {
            !names.contains(name_map::normalised(name_map::pypi_name(&package.name)).as_str())
        });
        let packages: Vec<Package> = conda.chain(requires).cloned().collect();
        let request = Request {
            environment: ENVIRONMENT,
            packages: &packages,
            variables: &BTreeMap::new(),
            prefix: USER_PREFIX,
            byte_code: false,
            ..*self.request
        };
        let made = Rc::new(self.make(&request)?);
        self.made.borrow_mut().insert(key, made.clone());
        Ok(made)
    }

    fn conda(&self) -> impl Iterator<Item = &'a Package> {
        self.request.packages.iter().filter(|package| package.kind == Kind::Conda)
    }

    fn runtime(&self) -> Result<Option<&Made>, Error> {
        if let Some(made) = self.runtime.get() {
            return Ok(made.as_ref());
        }
        let runtime = self.builder.locked.runtime(self.request.platform);
        let made = runtime.map(|runtime| self.make(&request(&runtime, RUNTIME_PREFIX, false))).transpose()?;
        Ok(self.runtime.get_or_init(|| made).as_ref())
    }

    fn make(&self, request: &Request) -> Result<Made, Error> {
        let root = self.files.scratch().fresh();
        fs::create_directory(&root)?;
        let manifest = self.builder.build(request, self.files, Place { root: &root, copies: false })?;
        Ok(Made { root, manifest })
    }

    fn record(&self, package: &Package, requires: &[Package]) -> Result<Option<Record>, Error> {
        let text = fs::read_kept(&self.record_path(package, requires))?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    fn save(&self, package: &Package, requires: &[Package], record: &Record) -> Result<(), Error> {
        // Texts and numbers always serialise.
        let text = serde_json::to_vec(record).unwrap_or_default();
        Ok(self.files.scratch().publish(&self.record_path(package, requires), &text)?)
    }

    /// Named after all that a build can see.
    fn record_path(&self, package: &Package, requires: &[Package]) -> PathBuf {
        let runtime = self.builder.locked.runtime(self.request.platform);
        let key = format!(
            "{} {} {:?} {:?} {:?} {:?}",
            build::FORMAT,
            package.sha256,
            hashes(self.conda()),
            hashes(requires),
            runtime.map(|runtime| fingerprint::lock_hash(runtime.packages)),
            self.options.build_variables,
        );
        let name = format!("{}.json", fingerprint::of_text(&key));
        self.builder.settings.cache.join(RECORDS).join(name)
    }
}

/// Refuses another wheel than the locked one.
fn demand(sdist: &Package, built: &Built, locked: &BuiltWheel) -> Result<(), Error> {
    if built.sha256 == locked.sha256 {
        return Ok(());
    }
    let (expected, found) = (locked.sha256.clone(), built.sha256.clone());
    let (sdist, name) = (sdist.file_name(), sdist.name.clone());
    Err(build::Error::WrongWheel { sdist, name, expected, found }.into())
}

fn hashes<'a>(packages: impl IntoIterator<Item = &'a Package>) -> BTreeSet<&'a str> {
    packages.into_iter().map(|package| package.sha256.as_str()).collect()
}

/// Removes what became of sdists whose wheels are not among the artifacts to keep; returns how many records.
pub(in crate::commands) fn prune(cache: &Path, artifacts: &BTreeSet<String>) -> Result<usize, fs::Error> {
    let records = cache.join(RECORDS);
    let mut removed = 0;
    for path in fs::names(&records)?.into_iter().map(|name| records.join(name)) {
        let text = fs::read_kept(&path)?;
        let record = text.and_then(|text| serde_json::from_slice::<Record>(&text).ok());
        if record.and_then(|record| record.wheel).is_none_or(|(_, sha256, _)| !artifacts.contains(&sha256)) {
            fs::remove_file(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn sdist<'a>(package: &Package, source: &'a Source, path: &'a Path) -> Sdist<'a> {
    let BuildSystem { build_backend, backend_path, .. } = &source.system;
    Sdist { file_name: package.file_name(), path, backend: build_backend, backend_path }
}
