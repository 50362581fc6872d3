//! What builds an sdist: its build requirements, resolved as everything else is, and what became of its metadata.
//!
//! A build sees the environment's Python and its conda packages, and of PyPI its build requirements alone: wheels, since
//! what would build those would have to be built first.

use std::{collections::BTreeSet, str::FromStr, sync::Arc};

use rattler_conda_types::{RepoDataRecord, Subdir};
use uv_distribution_filename::WheelFilename;
use uv_normalize::{ExtraName, PackageName};
use uv_pep440::Version;
use uv_pep508::{MarkerEnvironment, Requirement, VersionOrUrl};
use uv_pypi_types::VerbatimParsedUrl;

use super::{
    super::{Error, Job, Pins, bridge, virtual_packages},
    PypiResolver, PypiSolution,
    direct::wheel_metadata,
    sdist,
};
use crate::{
    causes::printable,
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

/// The `pip:` lines that say where packages come from.
fn index_lines(lines: &[PipLine]) -> impl Iterator<Item = &PipLine> {
    let is_one = |item: &PipItem| matches!(item, PipItem::Option { name, .. } if OF_INDEXES.contains(name));
    lines.iter().filter(move |line| is_one(&line.item))
}

/// The requirements as `pip:` lines, with the indexes of the environment. A stranger wrote them: they are requirements
/// by name, and nothing else that a line can be.
fn lines(request: &BuildRequest) -> Result<Vec<PipLine>, Error> {
    let sdist: Arc<str> = request.sdist.file_name().into();
    let line = |file: &Arc<str>, text: &str, item| PipLine {
        file: file.clone(),
        position: Position { line: 1, column: 1 },
        text: text.to_owned(),
        category: "main".into(),
        item,
    };
    let required = |file: &Arc<str>, text: &str, constraint| {
        let requirement = pip::by_name(text).map_err(|reason| {
            unbuildable(request.sdist, format!("it asks for `{}`: {reason}", printable(text)))
        })?;
        let item =
            PipItem::Requirement { requirement: Box::new(requirement), hashes: Vec::new(), constraint };
        Ok::<_, Error>(line(file, text, item))
    };
    let wheels = PipItem::Option { name: "--only-binary", value: ":all:".to_owned() };
    let mut lines: Vec<PipLine> = index_lines(request.lines).cloned().collect();
    lines.push(line(&sdist, "--only-binary :all:", wheels));
    for text in request.requirements {
        lines.push(required(&sdist, text, false)?);
    }
    for text in request.constraints {
        lines.push(required(&"envlock.yml".into(), text, true)?);
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

/// What a wheel is otherwise than the sdist that it was built from has promised, or than its target takes; nothing, if
/// all is well.
///
/// What counts is what the solver saw: name, version and the requirements that hold for this Python, this platform and
/// the extras that are asked for. The error is a sentence.
pub fn disagreement(
    (sdist, bytes): (&Package, &[u8]),
    (file_name, wheel): (&str, &[u8]),
    (records, solution): (&[RepoDataRecord], &PypiSolution),
    platform: Subdir,
    options: &Options,
) -> Result<Option<String>, String> {
    let python = records.iter().find(|record| record.package_record.name.as_normalized() == "python");
    let python = python.ok_or("there is no Python")?;
    let virtual_packages = virtual_packages::of(platform, &options.virtual_packages);
    let target = bridge::target(python, platform, &virtual_packages)?;
    let named = WheelFilename::from_str(file_name).map_err(|error| error.to_string())?;
    let (built, _) = wheel_metadata(&sdist.name, wheel)?;
    let name = PackageName::from_str(&sdist.name).map_err(|error| error.to_string())?;
    let version = Version::from_str(&sdist.version).map_err(|error| error.to_string())?;
    for (found_name, found_version) in [(&named.name, &named.version), (&built.name, &built.version)] {
        if (found_name, found_version) != (&name, &version) {
            return Ok(Some(format!("it is {found_name} {found_version} instead of {name} {version}")));
        }
    }
    if !named.is_compatible(&target.tags) {
        return Ok(Some(format!("{file_name} does not fit the solved Python and platform")));
    }
    let (declared, _) = sdist::metadata(&sdist.file_name(), bytes, Some((&name, &version)))?;
    let extras: Vec<ExtraName> = solution.extras.get(&sdist.name).into_iter().flatten().cloned().collect();
    let [declared, built] = [&declared, &built].map(|it| active(&it.requires_dist, &target.markers, &extras));
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
