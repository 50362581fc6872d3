//! Trees for the commands that need them: artifacts are fetched where they must, everything else comes from the store.

mod wheels;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use rattler_conda_types::Subdir;
use rayon::prelude::*;
use url::Url;

use super::locked::{Chosen, Locked};
use crate::{
    cli::SourceArguments,
    error::Error,
    fs,
    http::Network,
    lock::{
        Kind, Package,
        fingerprint::{hex, lock_hash},
    },
    printer::Printer,
    resolve::{self, Mirror},
    settings::Settings,
    spec,
    store::{self, Fetcher, Files, Wanted},
    tree::{self, Loader, Manifest, Request},
};

pub(super) use wheels::{Bench, Resolution, Source, prune as prune_wheels};

/// The prefix of the user environment in images.
pub(super) const USER_PREFIX: &str = "/opt/envlock/env";
/// The prefix of the runtime in images.
pub(super) const RUNTIME_PREFIX: &str = "/opt/envlock/runtime";
/// The prefix of a role's system environment in images.
pub(super) const SYSTEM_PREFIX: &str = "/opt/envlock/system";

/// Builds the trees of one lock.
pub(super) struct Builder<'a> {
    locked: &'a Locked,
    mirrors: Vec<Mirror>,
    /// Files that were named on the command line, by sha256.
    given: BTreeMap<String, Url>,
    fetcher: Fetcher,
    offline: bool,
    settings: &'a Settings,
    printer: &'a Printer,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        locked: &'a Locked,
        source: &SourceArguments,
        settings: &'a Settings,
        printer: &'a Printer,
    ) -> Result<Self, Error> {
        let alias = locked.alias()?;
        let mirrors = super::network::mirrors(&source.mirror, &alias, settings)?;
        let access = locked.access(settings, printer);
        let of_mirrors = mirrors.iter().filter_map(|mirror| Some((&mirror.url, mirror.access.as_ref()?)));
        let wanted = access.iter().map(|(url, access)| (url, access)).chain(of_mirrors);
        let network = super::network::network(wanted, source.offline, settings, printer);
        Self::with(locked, source, mirrors, &network, settings, printer)
    }

    /// With mirrors and a network that somebody has already.
    pub(super) fn with(
        locked: &'a Locked,
        source: &SourceArguments,
        mirrors: Vec<Mirror>,
        network: &Network,
        settings: &'a Settings,
        printer: &'a Printer,
    ) -> Result<Self, Error> {
        let fetcher = Fetcher::new(settings.cache.clone(), network);
        let given = source.artifact.par_iter().map(|path| given(path)).collect::<Result<_, _>>()?;
        Ok(Self { locked, mirrors, given, fetcher, offline: source.offline, settings, printer })
    }

    /// Fetches those artifacts of some packages that the store lacks; returns how many.
    pub(super) fn fetch<'p>(&self, packages: impl Iterator<Item = &'p Package>) -> Result<usize, Error> {
        let mut wanted = Vec::new();
        let mut packed = 0;
        for package in packages {
            let is_there = || fs::exists(&store::artifact_path(&self.settings.cache, &package.sha256));
            if !self.given.contains_key(&package.sha256) && package.kind == Kind::Sdist && !is_there() {
                packed += usize::from(self.repack(package)?);
            }
            wanted.push({
                let given = self.given.get(&package.sha256).cloned();
                let from = match given {
                    Some(file) => file,
                    None => resolve::read_from(&self.locked.url(package)?, &self.mirrors),
                };
                Wanted { url: package.url.clone(), from, sha256: package.sha256.clone(), size: package.size }
            });
        }
        Ok(packed + self.fetch_wanted(&wanted)?)
    }

    /// Makes the artifact of a git tree or a directory again, if a package is one; it has to be the locked one.
    fn repack(&self, package: &Package) -> Result<bool, Error> {
        let place = self.locked.url(package)?;
        if self.offline && place.scheme() != "file" {
            return Ok(false);
        }
        let _waiting = self.printer.waiting(format!("packing {}", package.url));
        let Some(packed) = resolve::repack(&package.url, &place, &self.settings.cache) else {
            return Ok(false);
        };
        let url = package.url.clone();
        let unreachable = |reason| store::Error::Unreachable { url: url.clone(), reason };
        let found = self.fetcher.keep(&packed.map_err(unreachable)?)?.sha256;
        if found == package.sha256 {
            return Ok(true);
        }
        Err(store::Error::WrongHash { url, kind: "sha256", expected: package.sha256.clone(), found }.into())
    }

    fn fetch_wanted(&self, wanted: &[Wanted]) -> Result<usize, Error> {
        if wanted.is_empty() {
            return Ok(0);
        }
        let waiting = Cell::new(None);
        let progress = |done: usize, bytes: u64| {
            let line = waiting.take().unwrap_or_else(|| self.printer.waiting(""));
            #[allow(clippy::cast_precision_loss, reason = "for the eye")]
            line.on(format!("fetching: {done} of {} artifacts, {:.1} MB", wanted.len(), bytes as f64 / 1e6));
            waiting.set(Some(line));
        };
        let runtime = super::runtime()?;
        let fetched = runtime.block_on(self.fetcher.fetch_all(wanted, &progress))?;
        runtime.shutdown_background();
        Ok(fetched)
    }

    /// Where the artifact of a package is, once it has been fetched: the file that was named for it, or the store's.
    pub(super) fn path(&self, package: &Package) -> PathBuf {
        let given = self.given.get(&package.sha256).and_then(|url| url.to_file_path().ok());
        given.unwrap_or_else(|| store::artifact_path(&self.settings.cache, &package.sha256))
    }

    /// The manifest of a tree: the one that the store kept, or a new one. With `rebuild` it is always a new one,
    /// from the artifacts alone.
    pub(super) fn manifest(
        &self,
        request: &Request,
        files: &Files,
        rebuild: bool,
    ) -> Result<Manifest, Error> {
        let kept = request.kept_manifest(&self.settings.cache);
        if !rebuild && let Some(manifest) = Manifest::load(&kept)? {
            self.tell(&manifest);
            return Ok(manifest);
        }
        self.derive(request, files, None, rebuild)
    }

    /// Builds a tree in a place.
    pub(super) fn build(&self, request: &Request, files: &Files, place: Place) -> Result<Manifest, Error> {
        let kept = request.kept_manifest(&self.settings.cache);
        if let Some(manifest) = Manifest::load(&kept)? {
            match place.put(&manifest, files) {
                Ok(()) => {
                    self.tell(&manifest);
                    return Ok(manifest);
                }
                // The store has lost something: from the artifacts, then.
                Err(tree::Error::Stale { .. }) => place.empty()?,
                Err(error) => return Err(error.into()),
            }
        }
        self.derive(request, files, Some(place), false)
    }

    /// Derives a tree from its artifacts, which are fetched where they must.
    fn derive(
        &self,
        request: &Request,
        files: &Files,
        place: Option<Place>,
        rebuild: bool,
    ) -> Result<Manifest, Error> {
        tree::check_kinds(request.packages)?;
        self.gather(request, files)?;
        let mut anew = rebuild;
        let mut fetched_again = BTreeSet::new();
        loop {
            let result = self.try_derive(request, files, place, anew);
            match &result {
                Err(Error::Tree(tree::Error::Stale { .. })) if !anew => anew = true,
                Err(Error::Tree(tree::Error::Store(error @ store::Error::Damaged { path, .. })))
                    // Once each: a server may serve the damage itself.
                    if !self.offline && fetched_again.insert(path.clone()) =>
                {
                    self.printer.warning(format_args!("{error}; it is fetched again"));
                    fs::remove_file(path)?;
                    self.gather(request, files)?;
                }
                _ => return result,
            }
            if let Some(place) = place {
                place.empty()?;
            }
        }
    }

    /// Sees to it that the store has everything that a tree is made of.
    fn gather(&self, request: &Request, files: &Files) -> Result<(), Error> {
        self.fetch(request.packages.iter().filter(|package| package.kind != Kind::Sdist))?;
        self.ensure_wheels(request, files, &|_| true)
    }

    fn try_derive(
        &self,
        request: &Request,
        files: &Files,
        place: Option<Place>,
        anew: bool,
    ) -> Result<Manifest, Error> {
        let count = request.packages.len();
        let waiting = self.printer.waiting(format!("unpacking {count} packages"));
        let progress = |done: usize| waiting.on(format!("unpacking: {done} of {count} packages"));
        let mut tree = tree::derive(request, &self.settings.cache, files, anew, &progress)?;
        self.tell(&tree.manifest);
        waiting.on(format!("placing {} files", tree.manifest.entries.len()));
        if let Some(place) = place {
            place.put(&tree.manifest, files)?;
        }
        if request.byte_code && tree.has_python() {
            let cache = &self.settings.cache;
            let runtime = self.locked.runtime(request.platform).map(|it| lock_hash(it.packages));
            let runtime = runtime.unwrap_or_default();
            let mut byte_code = tree.byte_code(request, &runtime, cache, files, anew)?;
            if !byte_code.missing.is_empty() {
                can_run(request, "its byte-code can only be compiled")?;
                let loader = self.loader(request.platform, files)?;
                let scratch = files.scratch().fresh();
                let root = place.map_or(scratch.as_path(), |place| place.root);
                if place.is_none() {
                    fs::create_directory(root)?;
                    let needed = tree.needed_by(request, &byte_code);
                    tree::materialise(&tree.manifest, &needed, root, files, false)?;
                }
                waiting.on("compiling byte-code");
                tree.compile(&mut byte_code, request, root, files, loader.as_ref())?;
            }
            let added = tree.add(&byte_code);
            if let Some(place) = place {
                tree::materialise(&tree.manifest, &added, place.root, files, place.copies)?;
            }
        }
        tree.manifest.save(&request.kept_manifest(&self.settings.cache), files.scratch())?;
        Ok(tree.manifest)
    }

    fn tell(&self, manifest: &Manifest) {
        // What is only there to build is nobody's environment.
        if manifest.marker.environment != wheels::ENVIRONMENT {
            manifest.notes.iter().for_each(|note| self.printer.note(note));
        }
    }

    /// The runtime's loader, ready to run; none if the lock has no runtime.
    fn loader(&self, platform: Subdir, files: &Files) -> Result<Option<Loader>, Error> {
        let Some(runtime) = self.locked.runtime(platform) else { return Ok(None) };
        let root = files.scratch().fresh();
        fs::create_directory(&root)?;
        let place = Place { root: &root, copies: false };
        let manifest = self.build(&request(&runtime, RUNTIME_PREFIX, false), files, place)?;
        Ok(Loader::find(&manifest, &root))
    }
}

/// Whether the Python of an environment runs on this machine; `what` wants it to.
fn can_run(request: &Request, what: &str) -> Result<(), Error> {
    if Subdir::current() == Some(request.platform) {
        return Ok(());
    }
    Err(tree::Error::Unsupported {
        what: format!("{} for {}", request.environment, request.platform.as_str()),
        reason: format!("{what} where its Python runs, which is not on this machine"),
        hint: "do it on a machine of that platform; without sdists, --no-byte-code helps, too".to_owned(),
    }
    .into())
}

/// A file that may be an artifact: its sha256 and where it is.
fn given(path: &Path) -> Result<(String, Url), Error> {
    let sha256 = hex(&fs::sha256(path)?);
    let absolute = std::path::absolute(path).map_err(fs::Error::read(path))?;
    let url = Url::from_file_path(absolute).map_err(|()| {
        spec::Error::usage(format!("--artifact {}: it is no path", path.display()), "name a file")
    })?;
    Ok((sha256, url))
}

/// The request for a chosen environment.
pub(super) fn request<'a>(chosen: &Chosen<'a>, prefix: &'a str, byte_code: bool) -> Request<'a> {
    Request {
        environment: chosen.environment,
        platform: chosen.platform,
        packages: chosen.packages,
        variables: chosen.variables,
        prefix,
        byte_code,
    }
}

/// A directory that is to hold a tree, empty at first.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) root: &'a Path,
    /// Whether its files are copies, instead of links into the store.
    pub(super) copies: bool,
}

impl Place<'_> {
    fn put(&self, manifest: &Manifest, files: &Files) -> Result<(), tree::Error> {
        tree::materialise(manifest, &manifest.entries, self.root, files, self.copies)
    }

    fn empty(&self) -> Result<(), fs::Error> {
        fs::remove_tree(self.root)?;
        fs::create_directory(self.root)
    }
}
