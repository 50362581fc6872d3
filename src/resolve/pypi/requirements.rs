//! The `pip:` lines of an environment as one target reads them.
//!
//! Markers are decided here, so that what follows sees only requirements that hold; lines that no
//! resolution can honour are refused with their place.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use url::Url;
use uv_configuration::{BuildOptions, NoBinary, NoBuild, PackageNameSpecifier};
use uv_normalize::{ExtraName, PackageName};
use uv_pep440::{Operator, VersionSpecifiers};
use uv_pep508::{MarkerEnvironment, MarkerTree, Requirement, VerbatimUrl, VersionOrUrl};
use uv_pypi_types::HashDigest;

use super::super::Error;
use crate::spec::{
    Position, Problem,
    channel::{Credentials, Variables},
    pip::{PipItem, PipLine},
    remote::Remote,
};

/// One requirement by name.
#[derive(Clone, Debug)]
pub(super) struct Root {
    pub(super) line: PipLine,
    pub(super) name: PackageName,
    pub(super) extras: Vec<ExtraName>,
    pub(super) specifiers: VersionSpecifiers,
    pub(super) hashes: Vec<HashDigest>,
    /// Whether it has a marker; one that holds, if the target is known.
    pub(super) conditional: bool,
}

impl Root {
    /// The version that `==` asks for, if it does.
    pub(super) fn pin(&self) -> Option<&uv_pep440::Version> {
        self.specifiers.iter().find_map(|specifier| {
            matches!(specifier.operator(), Operator::Equal | Operator::ExactEqual)
                .then_some(specifier.version())
        })
    }
}

/// One requirement by its place.
#[derive(Clone, Debug)]
pub(super) struct Direct {
    pub(super) line: PipLine,
    /// If the line says it.
    pub(super) name: Option<PackageName>,
    pub(super) extras: Vec<ExtraName>,
    pub(super) hashes: Vec<HashDigest>,
    pub(super) place: Place,
}

impl Direct {
    /// Repository and directory of a tree that is named by a branch or a tag.
    pub(super) fn tree(&self) -> Option<(&Url, Option<&str>)> {
        let Place::Git(git) = &self.place else { return None };
        let is_fixed = git.reference.as_deref().is_some_and(super::direct::is_commit);
        (!is_fixed).then_some((&git.repository, git.subdirectory.as_deref()))
    }
}

/// Where a requirement by place is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// An archive behind a URL, or a local one behind `file:`.
    Archive(Url),
    /// A local file or directory.
    Path {
        path: PathBuf,
        /// As the line writes it: then the lock does, too.
        absolute: bool,
    },
    /// A version control tree.
    Git(Git),
}

/// A tree in a git repository.
#[derive(Clone, Debug)]
pub(super) struct Git {
    /// Without credentials.
    pub(super) repository: Url,
    pub(super) credentials: Option<Credentials>,
    /// A branch, a tag or a commit.
    pub(super) reference: Option<String>,
    pub(super) subdirectory: Option<String>,
}

/// An index or a page of links.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// Without credentials; `file:` for a directory.
    pub(super) url: Url,
    pub(super) remote: Option<Remote>,
}

/// Everything that the lines say for one target.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) roots: Vec<Root>,
    pub(super) constraints: Vec<Root>,
    pub(super) direct: Vec<Direct>,
    pub(super) index: Option<Index>,
    pub(super) extra_indexes: Vec<Index>,
    pub(super) find_links: Vec<Index>,
    pub(super) no_index: bool,
    pub(super) build_options: BuildOptions,
    pub(super) pre: bool,
    pub(super) require_hashes: bool,
    /// What the lines say and is not done.
    pub(super) warnings: Vec<String>,
}

impl Wanted {
    fn warn(&mut self, line: &PipLine, instead: &str) {
        let place = format!("{}:{}", line.file, line.position.line);
        self.warnings.push(format!("{place}: `{}` has no effect: {instead}", line.text));
    }
}

/// Reads all lines for one target; while it is not known, every marker holds.
pub(super) fn read(
    lines: &[PipLine],
    markers: Option<&MarkerEnvironment>,
    variables: &Variables,
) -> Result<Wanted, Error> {
    let mut wanted = Wanted::default();
    let (mut no_binary, mut only_binary) = (Vec::new(), Vec::new());
    for line in lines {
        match &line.item {
            PipItem::Requirement { requirement, hashes, constraint } => {
                let text = requirement.to_string();
                let parsed = Requirement::<VerbatimUrl>::from_str(&text)
                    .map_err(|error| unusable(line, first_line(&error), "write it as PEP 508 has it"))?;
                if !parsed.marker.evaluate_optional_environment(markers, &[]) {
                    continue;
                }
                let (name, extras) = (parsed.name, parsed.extras.to_vec());
                let hashes = digests(line, hashes)?;
                let specifiers = match parsed.version_or_url {
                    None => VersionSpecifiers::empty(),
                    Some(VersionOrUrl::VersionSpecifier(specifiers)) => specifiers,
                    Some(VersionOrUrl::Url(_)) => {
                        if *constraint {
                            return Err(unusable(
                                line,
                                format!("`{}` is a constraint with a URL", line.text),
                                "constrain it to a version, and require the URL in `pip:`",
                            ));
                        }
                        let place = url_place(line, variables)?;
                        let hashes = with_fragment(line, &place, hashes)?;
                        wanted.direct.push(Direct {
                            line: line.clone(),
                            name: Some(name),
                            extras,
                            hashes,
                            place,
                        });
                        continue;
                    }
                };
                let conditional = !parsed.marker.is_true();
                let root = Root { line: line.clone(), name, extras, specifiers, hashes, conditional };
                if *constraint { &mut wanted.constraints } else { &mut wanted.roots }.push(root);
            }
            PipItem::Location { location, hashes, editable } => {
                if *editable {
                    wanted.warn(line, "`-e` follows a directory, a lock holds it as it is now");
                }
                if let Some(direct) = location_of(line, location, hashes, markers, variables)? {
                    wanted.direct.push(direct);
                }
            }
            PipItem::Option { name, value } => match *name {
                "--index-url" => wanted.index = Some(index(line, value, variables)?),
                "--extra-index-url" => wanted.extra_indexes.push(index(line, value, variables)?),
                "--find-links" => wanted.find_links.push(index(line, value, variables)?),
                "--no-index" => wanted.no_index = true,
                "--pre" => wanted.pre = true,
                "--prefer-binary" => {
                    wanted.warn(line, "the newest version is taken; --only-binary excludes sdists");
                }
                "--require-hashes" => wanted.require_hashes = true,
                "--no-binary" => no_binary.extend(names(line, value)?),
                "--only-binary" => only_binary.extend(names(line, value)?),
                "--trusted-host" => {
                    wanted.warn(line, "certificates are always checked (SSL_CERT_FILE names more)");
                }
                _ => {}
            },
        }
    }
    wanted.build_options =
        BuildOptions::new(NoBinary::from_pip_args(no_binary), NoBuild::from_pip_args(only_binary, false));
    // As in pip: one hash anywhere means that all must have one.
    wanted.require_hashes |= wanted.roots.iter().any(|root| !root.hashes.is_empty());
    Ok(wanted)
}

/// An error that points at a line.
pub(super) fn unusable(line: &PipLine, message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Unusable {
        file: line.file.to_string(),
        position: line.position,
        message: message.into(),
        hint: hint.into(),
    }
}

fn from_problem(problem: Problem) -> Error {
    Error::Unusable {
        file: problem.file,
        position: problem.position.unwrap_or(Position::new(1, 1)),
        message: problem.message,
        hint: problem.hint.unwrap_or_default(),
    }
}

/// The reason, without the drawing below it.
fn first_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn digests(line: &PipLine, hashes: &[String]) -> Result<Vec<HashDigest>, Error> {
    let parse = |text: &String| {
        HashDigest::from_str(&text.to_lowercase())
            .map_err(|error| unusable(line, error.to_string(), "write it like `--hash=sha256:0123…`"))
    };
    hashes.iter().map(parse).collect()
}

/// The hashes of a line with those in its URL's fragment, `#sha256=…`.
fn with_fragment(
    line: &PipLine,
    place: &Place,
    mut hashes: Vec<HashDigest>,
) -> Result<Vec<HashDigest>, Error> {
    if let Place::Archive(url) = place {
        let stated = url.fragment().unwrap_or_default().split('&').filter_map(|part| part.split_once('='));
        let stated = stated.filter(|(kind, _)| matches!(*kind, "sha256" | "sha384" | "sha512"));
        hashes.extend(digests(line, &stated.map(|(kind, hex)| format!("{kind}:{hex}")).collect::<Vec<_>>())?);
    }
    Ok(hashes)
}

fn names(line: &PipLine, value: &str) -> Result<Vec<PackageNameSpecifier>, Error> {
    let parse = |name: &str| {
        PackageNameSpecifier::from_str(name.trim()).map_err(|error| {
            unusable(line, error.to_string(), "give package names with commas, `:all:` or `:none:`")
        })
    };
    value.split(',').filter(|name| !name.trim().is_empty()).map(parse).collect()
}

fn index(line: &PipLine, value: &str, variables: &Variables) -> Result<Index, Error> {
    if let Some(remote) = line.remote(variables).map_err(from_problem)? {
        return Ok(Index { url: remote.url.clone(), remote: Some(remote) });
    }
    let path = line.directory().join(value);
    let absolute = std::path::absolute(Path::new(".").join(&path)).unwrap_or(path);
    if !absolute.exists() {
        return Err(unusable(
            line,
            format!("`{}`: there is no {value}", line.text),
            "paths are relative to the file that names them",
        ));
    }
    let url =
        if absolute.is_dir() { Url::from_directory_path(&absolute) } else { Url::from_file_path(&absolute) };
    let url =
        url.map_err(|()| unusable(line, format!("`{value}` is no path"), "give a directory or a URL"))?;
    Ok(Index { url, remote: None })
}

/// The place that the URL of a line is.
fn url_place(line: &PipLine, variables: &Variables) -> Result<Place, Error> {
    let Some(remote) = line.remote(variables).map_err(from_problem)? else {
        return Err(unusable(
            line,
            format!("`{}` has no URL", line.text),
            "write it like `name @ https://…`",
        ));
    };
    let written = match &line.item {
        PipItem::Location { location, .. } => location.as_str(),
        PipItem::Requirement { requirement, .. } => match &requirement.version_or_url {
            Some(pep508_rs::VersionOrUrl::Url(url)) => url.given().unwrap_or_default(),
            _ => "",
        },
        PipItem::Option { .. } => "",
    };
    let scheme = written.split("://").next().unwrap_or_default();
    if scheme.starts_with("git+") {
        return git_place(line, remote);
    }
    if let Some((system, _)) = scheme.split_once('+') {
        return Err(unusable(
            line,
            format!("`{}`: {system} is not supported", line.text),
            "use git, or an archive of the revision",
        ));
    }
    match scheme {
        "http" | "https" => Ok(Place::Archive(remote.url)),
        "file" => match remote.url.to_file_path() {
            Ok(path) if path.is_dir() => Ok(Place::Path { path, absolute: true }),
            _ => Ok(Place::Archive(remote.url)),
        },
        other => Err(unusable(
            line,
            format!("`{}` has the unknown scheme `{other}`", line.text),
            "packages are read over https, http, file and git+https",
        )),
    }
}

fn git_place(line: &PipLine, remote: Remote) -> Result<Place, Error> {
    let Remote { mut url, credentials } = remote;
    if !matches!(url.scheme(), "https" | "http" | "ssh" | "file") {
        return Err(unusable(
            line,
            format!("`{}`: git is not asked over `{}`", line.text, url.scheme()),
            "write git+https://, git+ssh:// or git+file://",
        ));
    }
    let fragment = url.fragment().unwrap_or_default().to_owned();
    let subdirectory = fragment.split('&').find_map(|part| part.strip_prefix("subdirectory="));
    url.set_fragment(None);
    let path = url.path().to_owned();
    // The `@` of a reference stands behind the last slash, or a branch with slashes behind `.git`.
    let at = path.find(".git@").map(|at| at + 4).or_else(|| {
        let last = path.rfind('/')?;
        path[last..].find('@').map(|at| last + at)
    });
    let reference = at.map(|at| path[at + 1..].to_owned());
    if let Some(at) = at {
        url.set_path(&path[..at]);
    }
    if reference.as_ref().is_some_and(|reference| reference.is_empty() || reference.starts_with('-')) {
        return Err(unusable(
            line,
            format!("`{}` has no revision behind `@`", line.text),
            "write it like `git+https://host/repository@v1.0`",
        ));
    }
    let subdirectory = subdirectory.map(str::to_owned);
    Ok(Place::Git(Git { repository: url, credentials, reference, subdirectory }))
}

/// A line without a name: `./pkg[extra] ; marker`, `https://…#egg=name`, `git+https://…`.
fn location_of(
    line: &PipLine,
    location: &str,
    hashes: &[String],
    markers: Option<&MarkerEnvironment>,
    variables: &Variables,
) -> Result<Option<Direct>, Error> {
    let (location, marker) = location.split_once(" ;").unwrap_or((location, ""));
    if !marker.trim().is_empty() {
        let tree = MarkerTree::from_str(marker.trim())
            .map_err(|error| unusable(line, first_line(&error), "write the marker as PEP 508 has it"))?;
        if !tree.evaluate_optional_environment(markers, &[]) {
            return Ok(None);
        }
    }
    let location = location.trim();
    let named;
    let place = if location.contains("://") {
        let mut bare = line.clone();
        if let PipItem::Location { location: inner, .. } = &mut bare.item {
            location.clone_into(inner);
        }
        let fragment = location.split_once('#').map_or("", |(_, fragment)| fragment);
        let egg = fragment.split('&').find_map(|part| part.strip_prefix("egg="));
        named = egg.unwrap_or_default().to_owned();
        url_place(&bare, variables)?
    } else {
        let (path, extras) = match location.split_once('[') {
            Some((path, extras)) => (path, extras.trim_end_matches(']')),
            None => (location, ""),
        };
        named = if extras.is_empty() { String::new() } else { format!("x[{extras}]") };
        Place::Path { path: line.directory().join(path), absolute: Path::new(path).is_absolute() }
    };
    let (name, extras) = if named.is_empty() {
        (None, Vec::new())
    } else {
        let parsed = Requirement::<VerbatimUrl>::from_str(&named)
            .map_err(|error| unusable(line, first_line(&error), "write it like `#egg=name[extra]`"))?;
        ((!named.starts_with("x[")).then_some(parsed.name), parsed.extras.to_vec())
    };
    let hashes = with_fragment(line, &place, digests(line, hashes)?)?;
    Ok(Some(Direct { line: line.clone(), name, extras, hashes, place }))
}
