//! What builds an sdist: its build requirements, resolved as everything else is, and what became of its metadata.
//!
//! A build sees the environment's Python and its conda packages, and of PyPI its build requirements alone: wheels, since
//! what would build those would have to be built first.

use std::{collections::BTreeSet, path::Path, str::FromStr, sync::Arc};

use rattler_conda_types::{RepoDataRecord, Subdir};
use uv_normalize::{ExtraName, PackageName};
use uv_pep440::Version;
use uv_pep508::{MarkerEnvironment, Requirement, VersionOrUrl};
use uv_pypi_types::{ResolutionMetadata, VerbatimParsedUrl};

use super::{
    super::{Error, Job, Pins, bridge, virtual_packages},
    PypiResolver, PypiSolution, sdist,
};
use crate::{
    lock::{Kind, Package},
    spec::{
        Environment, Position,
        options::{Options, PipResolver},
        pip::{self, PipItem, PipLine},
    },
};

/// The options of a `pip:` section that say where packages come from.
const OF_INDEXES: [&str; 6] =
    ["--index-url", "--pypi-url", "--extra-index-url", "--no-index", "--find-links", "--trusted-host"];

/// What is to be resolved for one build.
#[derive(Clone, Copy)]
pub struct BuildRequest<'a> {
    /// The sdist.
    pub sdist: &'a Package,
    /// What the build asks for, as requirements.
    pub requirements: &'a [String],
    /// Limits on their versions, as requirements.
    pub constraints: &'a [String],
    /// The `pip:` lines of its environment: they say where packages come from.
    pub lines: &'a [PipLine],
    /// The conda packages of its environment.
    pub records: &'a [RepoDataRecord],
    /// For which platform.
    pub platform: Subdir,
    /// What it had before.
    pub pins: &'a Pins,
}

impl PypiResolver<'_> {
    /// Resolves build requirements: wheels, sorted by name.
    pub async fn solve_build(
        &self,
        request: BuildRequest<'_>,
        options: &Options,
    ) -> Result<Vec<Package>, Error> {
        let BuildRequest { sdist, platform, pins, .. } = request;
        let spec = Environment { pip: lines(&request)?, ..Environment::default() };
        let environment = format!("{}-build", sdist.name);
        let job = Job { environment: &environment, platform, spec: &spec, pins };
        let is_python = |record: &&RepoDataRecord| record.package_record.name.as_normalized() == "python";
        let python: Vec<_> = request.records.iter().filter(is_python).cloned().collect();
        let options = Options { pip_resolver: Some(PipResolver::Strict), ..options.clone() };
        let packages = self.solve(job, &python, &options).await?.packages;
        match packages.iter().find(|package| package.kind != Kind::Wheel) {
            None => Ok(packages),
            Some(other) => Err(unbuildable(sdist, format!("it asks for {}, which has no wheel", other.name))),
        }
    }
}

/// The requirements as `pip:` lines, with the indexes of the environment.
fn lines(request: &BuildRequest) -> Result<Vec<PipLine>, Error> {
    let of_index =
        |line: &&PipLine| matches!(&line.item, PipItem::Option { name, .. } if OF_INDEXES.contains(name));
    let mut lines: Vec<PipLine> = request.lines.iter().filter(of_index).cloned().collect();
    let file: Arc<str> = request.sdist.file_name().into();
    let mut read = |text: &str| {
        let position = Position { line: 1, column: 1 };
        pip::read_line(&file, Path::new(""), position, "main", text, &mut lines).map_err(|problem| {
            unbuildable(request.sdist, format!("it asks for `{text}`: {}", problem.message))
        })
    };
    read("--only-binary :all:")?;
    request.requirements.iter().try_for_each(|text| read(text))?;
    let constrained = lines.len();
    let mut read = |text: &str| {
        let position = Position { line: 1, column: 1 };
        pip::read_line(&"envlock.yml".into(), Path::new(""), position, "main", text, &mut lines)
            .map_err(|problem| unbuildable(request.sdist, problem.message))
    };
    request.constraints.iter().try_for_each(|text| read(text))?;
    for line in &mut lines[constrained..] {
        if let PipItem::Requirement { constraint, .. } = &mut line.item {
            *constraint = true;
        }
    }
    Ok(lines)
}

fn unbuildable(sdist: &Package, reason: String) -> Error {
    Error::Metadata {
        package: sdist.file_name(),
        reason,
        hint: format!(
            "lock a version of {0} that has a wheel: put `--only-binary {0}` into `pip:`",
            sdist.name
        ),
    }
}

/// What a wheel says otherwise of itself than the sdist that it was built from; nothing, if they agree.
///
/// What counts is what the solver saw: name, version and the requirements that hold for this Python, this platform and
/// the extras that are asked for. The error is a sentence.
pub fn disagreement(
    (sdist, bytes): (&Package, &[u8]),
    metadata: &[u8],
    (records, solution): (&[RepoDataRecord], &PypiSolution),
    platform: Subdir,
    options: &Options,
) -> Result<Option<String>, String> {
    let python = records.iter().find(|record| record.package_record.name.as_normalized() == "python");
    let python = python.ok_or("there is no Python")?;
    let virtual_packages = virtual_packages::of(platform, &options.virtual_packages);
    let markers = bridge::target(python, platform, &virtual_packages)?.markers;
    let built = ResolutionMetadata::parse_metadata(metadata).map_err(|error| crate::causes::chain(&error))?;
    let name = PackageName::from_str(&sdist.name).map_err(|error| error.to_string())?;
    let version = Version::from_str(&sdist.version).map_err(|error| error.to_string())?;
    if built.name != name || built.version != version {
        return Ok(Some(format!("it is {} {} instead of {name} {version}", built.name, built.version)));
    }
    let (declared, _) = sdist::metadata(&sdist.file_name(), bytes, Some((&name, &version)))?;
    let extras: Vec<ExtraName> = solution.extras.get(&sdist.name).into_iter().flatten().cloned().collect();
    let [declared, built] = [&declared, &built].map(|it| active(&it.requires_dist, &markers, &extras));
    let only = |these: &BTreeSet<String>, others: &BTreeSet<String>| {
        let only: Vec<_> = these.difference(others).cloned().collect();
        if only.is_empty() { "nothing else".to_owned() } else { only.join(", ") }
    };
    let (wheel, sdist) = (only(&built, &declared), only(&declared, &built));
    Ok((built != declared).then(|| format!("the wheel asks for {wheel}, the sdist for {sdist}")))
}

/// The requirements that hold, without their markers.
fn active(
    requirements: &[Requirement<VerbatimParsedUrl>],
    markers: &MarkerEnvironment,
    extras: &[ExtraName],
) -> BTreeSet<String> {
    let holding = requirements.iter().filter(|it| it.evaluate_markers(markers, extras));
    let shown = |it: &Requirement<VerbatimParsedUrl>| {
        let mut extras: Vec<_> = it.extras.iter().map(ToString::to_string).collect();
        extras.sort();
        let limits = match &it.version_or_url {
            None => String::new(),
            Some(VersionOrUrl::VersionSpecifier(specifiers)) => {
                let mut limits: Vec<_> = specifiers.iter().map(ToString::to_string).collect();
                limits.sort();
                limits.join(",")
            }
            Some(VersionOrUrl::Url(url)) => format!("@{}", url.verbatim),
        };
        let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
        format!("{}{extras}{limits}", it.name)
    };
    holding.map(shown).collect()
}
