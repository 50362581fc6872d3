//! Why there is no answer from PyPI, in the user's words.

use std::collections::{BTreeMap, BTreeSet};

use uv_client::ErrorKind;
use uv_normalize::PackageName;
use uv_resolver::{NoSolutionError, ResolveError};

use super::{
    super::{Error, bridge::Fact},
    Session,
    requirements::Wanted,
    stated,
};
use crate::{printer::plain, resolve::Job, spec::channel::redact_words};

impl Session<'_> {
    /// The solver's own chain of packages, and the lines that began it.
    pub(super) fn explain(
        &self,
        job: &Job,
        error: &NoSolutionError,
        wanted: &Wanted,
        facts: &BTreeMap<PackageName, Fact>,
    ) -> Error {
        let involved: BTreeSet<_> = error.packages().cloned().collect();
        let learned = self.learned.borrow();
        if let Some(name) = learned.offline.iter().find(|name| involved.contains(*name)) {
            return Error::NotCached {
                what: format!("the metadata of `{name}` is not in the cache"),
                hint: "run the same command once without --offline and --frozen-metadata".to_owned(),
            };
        }
        let mut explanation = plain(error.report()).trim_end().to_owned();
        let lines = wanted.roots.iter().chain(&wanted.constraints).filter(|it| involved.contains(&it.name));
        let lines = lines.map(|it| format!("{}:{}: `{}`", it.line.file, it.line.position.line, it.line.text));
        let conda = facts.iter().filter(|(name, _)| involved.contains(*name)).map(|(name, fact)| {
            let line = stated(job, fact).map_or_else(String::new, |line| format!(" ({line})"));
            format!("{name} {} comes from conda{line}", fact.version)
        });
        let fixed: Vec<String> = conda.collect();
        for line in lines.chain(fixed.iter().cloned()) {
            explanation.push_str("\n  ");
            explanation.push_str(&line);
        }
        let unknown = learned.unknown.iter().find(|name| involved.contains(*name));
        let hint = if let Some(name) = unknown {
            format!(
                "no index has `{name}`: check the name, and that the index that has it is named by --extra-index-url"
            )
        } else if !fixed.is_empty() {
            "change the version in the conda part, or let pip replace it with --pip-resolver merge".to_owned()
        } else if let Some(index) = wanted.extra_indexes.first() {
            format!(
                "a package is taken from the first index that has it at all, {} before the main one, so that nobody \
                 can put a foreign package in front of yours: publish the version there, or name the indexes in \
                 another order",
                crate::spec::channel::redact(index.url.as_str())
            )
        } else if plain(&uv_errors::Hint::hints(error).to_string()).contains("re-release") {
            "only pre-releases fit: add `--pre` to the pip section, or ask for one by its version".to_owned()
        } else if self.exclude_newer.global.is_some() {
            "--exclude-newer hides later uploads: choose a later date, or loosen a requirement".to_owned()
        } else {
            "loosen one of the requirements named above".to_owned()
        };
        Error::NoSolution {
            environment: job.environment.to_owned(),
            platform: job.platform.as_str(),
            explanation,
            hint: Some(hint),
        }
    }

    /// What stopped the solver, if not a contradiction.
    pub(super) fn failed(&self, error: &ResolveError) -> Error {
        let mut learned = self.learned.borrow_mut();
        if let Some(failure) = learned.failure.take() {
            return Error::Store(failure);
        }
        if let ResolveError::Dist(_, dist, ..) = innermost(error) {
            let name = uv_distribution_types::Name::name(&**dist);
            let unreadable = learned.unreadable.iter().find(|((unreadable, _), _)| unreadable == name);
            if let Some(((name, version), said)) = unreadable {
                return Error::Metadata {
                    package: format!("{name} {version}"),
                    reason: said.clone(),
                    hint: format!(
                        "envlock reads metadata and runs nothing: ask for a version of {name} that has a wheel, or \
                         exclude this one with `{name}!={version}`"
                    ),
                };
            }
        }
        let said = redact_words(&plain(&crate::causes::chain(innermost(error))));
        let kind = client_error(innermost(error));
        if let Some(ErrorKind::Offline(_)) = kind {
            return Error::NotCached {
                what: said,
                hint: "run the same command once without --offline and --frozen-metadata".to_owned(),
            };
        }
        if let Some(ErrorKind::CacheWrite(_) | ErrorKind::CacheLock(_) | ErrorKind::Io(_)) = kind {
            return Error::Cache { reason: said };
        }
        if let Some((kind, place)) = kind.and_then(|kind| Some((kind, place(kind)?))) {
            return Error::index(&place, &reason(kind, &said));
        }
        Error::Metadata {
            package: subject(error).unwrap_or_else(|| "a package of PyPI".to_owned()),
            reason: said,
            hint: "ask for another version of it, and tell who publishes it".to_owned(),
        }
    }
}

/// The package that an error is about.
fn subject(error: &ResolveError) -> Option<String> {
    match error {
        ResolveError::Dependencies(_, name, version, _) => Some(format!("{name} {version}")),
        ResolveError::Dist(_, dist, ..) => Some(uv_distribution_types::Name::name(&**dist).to_string()),
        _ => None,
    }
}

fn innermost(error: &ResolveError) -> &ResolveError {
    match error {
        ResolveError::Dependencies(inner, ..) => innermost(inner),
        other => other,
    }
}

/// The index client's error behind a resolver's error.
fn client_error(error: &ResolveError) -> Option<&ErrorKind> {
    match error {
        ResolveError::Client(error) | ResolveError::Distribution(uv_distribution::Error::Client(error)) => {
            Some(error.kind())
        }
        ResolveError::Dist(.., source) => match &**source {
            uv_distribution::Error::Client(error) => Some(error.kind()),
            _ => None,
        },
        _ => None,
    }
}

/// What the client was reading.
fn place(kind: &ErrorKind) -> Option<String> {
    let (ErrorKind::WrappedReqwestError(url, _)
    | ErrorKind::AsyncHttpRangeReader(url, _)
    | ErrorKind::MissingContentType(url)
    | ErrorKind::InvalidContentTypeHeader(url, _)
    | ErrorKind::UnsupportedMediaType(url, _)
    | ErrorKind::BadJson { url, .. }
    | ErrorKind::BadHtml { url, .. }) = kind
    else {
        return None;
    };
    Some(crate::spec::channel::redact(url.as_str()))
}

fn reason(kind: &ErrorKind, said: &str) -> String {
    match kind {
        ErrorKind::WrappedReqwestError(_, error) => match error.inner() {
            Some(inner) if inner.is_timeout() => "the server does not answer in time".to_owned(),
            Some(inner) if inner.status().is_some() => {
                format!("the server answers {}", inner.status().unwrap_or_default())
            }
            _ => said.to_owned(),
        },
        ErrorKind::BadJson { .. }
        | ErrorKind::BadHtml { .. }
        | ErrorKind::MissingContentType(_)
        | ErrorKind::UnsupportedMediaType(..) => format!("it is not what an index serves ({said})"),
        _ => said.to_owned(),
    }
}
