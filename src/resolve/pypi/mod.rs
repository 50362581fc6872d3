//! PyPI packages: uv's resolver, in process, on top of what conda has solved.
//!
//! Guarantees: no Python is run or needed; the solved conda packages are facts, which only the `legacy`
//! and `merge` readings may replace, and say so; every artifact of the answer has a sha256. uv's crates
//! are not a stable interface and are used nowhere but here and in `bridge.rs`.

mod answer;
mod build;
mod direct;
mod explain;
mod git;
mod indexes;
mod no_build;
mod provider;
mod readings;
mod repair;
mod requirements;
mod sdist;
mod session;
mod tree;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use rattler_conda_types::RepoDataRecord;
use tokio::sync::Semaphore;
use url::Url;
use uv_client::Connectivity;
use uv_distribution_types::IndexCapabilities;
use uv_normalize::{ExtraName, PackageName};

use self::{
    answer::Conda,
    direct::{Located, Locator},
    requirements::{Direct, Place, Wanted},
    session::{Failure, Session},
};
pub use self::{
    build::{BuildRequest, disagreement},
    sdist::{BuildSystem, build_system},
};
use super::{
    Error, Job, Mirror, PIP, Pins,
    bridge::{self, Fact, Target},
    virtual_packages,
};
use crate::{
    lock::{Package, model::git_tree},
    printer::Printer,
    spec::{
        channel::Variables,
        name_map::NameMap,
        options::{Options, PipResolver},
        pip::PipLine,
    },
    store::Fetcher,
};

/// Packs what a lock names and no server has as a file: a git tree, or a directory behind `file:`. None for anything
/// else; the error is a sentence.
pub fn repack(url: &str, place: &Url, cache: &Path) -> Option<Result<Vec<u8>, String>> {
    if let Some((repository, commit, inner)) = git_tree(url) {
        let packed = git::pack(repository, None, Some(commit), inner, cache);
        return Some(packed.map(|(_, bytes)| bytes).map_err(|failure| match failure {
            git::Failure::NoGit => "it needs git, which is not on PATH".to_owned(),
            git::Failure::NoReference(commit) => format!("the repository has no commit {commit}"),
            git::Failure::Unreachable(said) => {
                format!("{said} (credentials of a repository come from ~/.netrc)")
            }
            git::Failure::NoTree(said) => said,
            git::Failure::Fs(error) => crate::causes::chain(&error),
        }));
    }
    let directory = place.to_file_path().ok().filter(|path| path.is_dir())?;
    Some(tree::pack(&directory))
}

/// As many requests at a time as uv itself makes.
const CONCURRENCY: usize = 50;

/// How to reach PyPI's indexes, for all jobs of a run.
pub struct PypiResolver<'a> {
    /// Where metadata is kept.
    pub cache: PathBuf,
    /// Nothing newer than the cache is looked at.
    pub cache_only: bool,
    /// How long an index may be silent.
    pub patience: Duration,
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
    /// The extras that a package is asked with, by its name.
    extras: BTreeMap<String, BTreeSet<ExtraName>>,
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
        // Whether a marker holds is not known yet: what may not be wanted is not asked for.
        let names: BTreeSet<_> =
            wanted.roots.iter().filter(|it| !it.conditional).map(|it| &it.name).collect();
        let pages = names.into_iter().map(|name| client.simple_detail(name, None, &capabilities, &semaphore));
        futures::future::join_all(pages).await;
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
        let mut facts = bridge::facts(records, self.name_map);
        let reading = self.read(&key, &mut wanted, &facts, options)?;

        let waiting = Rc::new(self.printer.waiting(format!("{key}: reading PyPI")));
        keep_commits(&mut wanted, job.pins);
        let located = self.locate(&mut wanted, &target).await?;
        let mut replaced = replace_roots(&job, reading, &wanted, &located, &mut facts)?;
        let session =
            Session::open(self, &wanted, &facts, options, &target, (&key, job.pins), waiting).await?;
        let chosen = loop {
            match session.attempt(&wanted, &located, &facts).await {
                Ok(chosen) => break chosen,
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
        let conda = Conda { facts, replaced };
        let solution = session.finish(&chosen, &wanted, &located, conda).await?;
        self.printer.note(format_args!(
            "resolved {key}: {} packages of PyPI in {:.2} s",
            solution.packages.len(),
            started.elapsed().as_secs_f64()
        ));
        Ok(solution)
    }

    /// Settles several requirements of one name, and says which reading did it and what it gave up.
    fn read(
        &self,
        key: &str,
        wanted: &mut Wanted,
        facts: &BTreeMap<PackageName, Fact>,
        options: &Options,
    ) -> Result<PipResolver, Error> {
        let pip = facts.values().find(|fact| fact.conda == PIP).map(|fact| &fact.version);
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
        Ok(reading)
    }

    /// Fetches and reads the requirements by place.
    async fn locate(&self, wanted: &mut Wanted, target: &Target) -> Result<Vec<Located>, Error> {
        let locator = Locator {
            fetcher: self.fetcher,
            mirrors: self.mirrors,
            base: self.base,
            cache: &self.cache,
            offline: self.cache_only,
            target,
        };
        let mut located: Vec<Located> = Vec::new();
        for direct in std::mem::take(&mut wanted.direct) {
            let new = locator.locate(direct).await?;
            match located.iter_mut().find(|known| known.metadata.name == new.metadata.name) {
                None => located.push(new),
                Some(known) if known.artifact.sha256 == new.artifact.sha256 => {
                    known.direct.extras.extend(new.direct.extras);
                }
                Some(known) => {
                    let hint = "a package comes from one place: keep one of the two";
                    let (first, second) = (&known.direct.line, &new.direct.line);
                    return Err(readings::conflict(&new.metadata.name, first, second, hint));
                }
            }
        }
        Ok(located)
    }
}

/// A branch stays at the commit that it was answered with, if its line still stands, and it is plain which commit that is.
fn keep_commits(wanted: &mut Wanted, pins: &Pins) {
    let places: Vec<_> = wanted.direct.iter().filter_map(Direct::tree).collect();
    let kept: Vec<(usize, String)> = wanted
        .direct
        .iter()
        .enumerate()
        .filter_map(|(index, direct)| {
            let (repository, subdirectory) = direct.tree()?;
            let stands = pins.specs.iter().any(|spec| spec.strip_prefix("pip: ") == Some(&direct.line.text));
            let mut commits = pins.kept(true).filter_map(|pin| {
                let (found, commit, inner) = git_tree(&pin.url)?;
                let is_named = direct.name.as_ref().is_none_or(|name| name.as_ref() == pin.name);
                (found == repository.as_str() && inner == subdirectory && is_named).then_some(commit)
            });
            let only = commits.next().filter(|_| commits.next().is_none())?;
            let is_alone = places.iter().filter(|place| **place == (repository, subdirectory)).count() == 1;
            (stands && (is_alone || direct.name.is_some())).then(|| (index, only.to_owned()))
        })
        .collect();
    for (index, commit) in kept {
        if let Place::Git(git) = &mut wanted.direct[index].place {
            git.reference = Some(commit);
        }
    }
}

/// Takes facts away that a requirement of the file itself excludes; in `strict` that is an error.
fn replace_roots(
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
