//! Errors of the channel reader and of the solver, in the user's words.

use std::io::ErrorKind;

use rattler_repodata_gateway::{GatewayError, fetch::FetchRepoDataError};

use url::Url;

use super::Error;

/// What went wrong while reading a channel.
pub(super) fn channel(error: &GatewayError, channel: &str, subdir: &str) -> Error {
    let said = crate::causes::chain(error);
    match error {
        GatewayError::DirectUrlQueryError(url, cause) => {
            let url = crate::spec::channel::redact(url);
            return Error::Package { url, reason: short(&crate::causes::chain(cause)) };
        }
        GatewayError::ShardNotCached(_)
        | GatewayError::ShardedIndexNotCached(_)
        | GatewayError::FetchRepoDataError(FetchRepoDataError::NoCacheAvailable(_)) => {
            return Error::NotCached {
                what: format!("the metadata of channel {channel} ({subdir}) is not in the cache"),
                hint: "run the same command once without --offline and --frozen-metadata".to_owned(),
            };
        }
        _ => {}
    }
    if is_cache_failure(error) {
        return Error::Cache { reason: short(&said) };
    }
    let http = http_error(error);
    let (reason, hint) = if let Some(status) = http.and_then(reqwest::Error::status) {
        let hint = match status.as_u16() {
            401 | 403 => {
                "give credentials: a ~/.netrc entry for the host, or a token as in https://host/t/$CONDA_TOKEN/channel"
            }
            404 => {
                "check the channel's name and --channel-alias; a channel has at least noarch/repodata.json"
            }
            _ => ELSEWHERE,
        };
        (format!("the server answers {status}"), hint)
    } else if matches!(error, GatewayError::SubdirNotFoundError(_)) {
        (
            "there is no repodata.json".to_owned(),
            "check the channel's name and its path; a channel has at least noarch/repodata.json",
        )
    } else if http.is_some_and(reqwest::Error::is_timeout) {
        ("the server does not answer in time".to_owned(), ELSEWHERE)
    } else if http.is_some_and(reqwest::Error::is_connect) {
        (
            format!("no connection ({})", short(&said)),
            "check the network; with everything cached, --offline works without one",
        )
    } else if is_malformed(error) {
        (
            format!("its repodata is cut off or is not what a channel serves ({})", short(&said)),
            "try again; if it stays, open the URL in a browser: a login page or a proxy often answers in a channel's place",
        )
    } else {
        (short(&said), ELSEWHERE)
    };
    Error::Channel { channel: channel.to_owned(), subdir: subdir.to_owned(), reason, hint: hint.to_owned() }
}

const ELSEWHERE: &str = "try again later, or read the channel from elsewhere with --mirror";

/// The URL that a channel error is about, if it says so.
pub(super) fn failed_url(error: &GatewayError) -> Option<Url> {
    match error {
        GatewayError::SubdirNotFoundError(missing) => {
            missing.channel.base_url.url().join(&format!("{}/repodata.json", missing.subdir)).ok()
        }
        GatewayError::ShardedIndexNotCached(url)
        | GatewayError::FetchRepoDataError(
            FetchRepoDataError::NoCacheAvailable(url) | FetchRepoDataError::FailedToDownload(url, _),
        ) => Some(url.clone()),
        _ => http_error(error)?.url().cloned(),
    }
}

/// Whether it was not the channel that failed but the directory that keeps its metadata.
fn is_cache_failure(error: &GatewayError) -> bool {
    match error {
        GatewayError::IoError(what, _) => !is_parsing(what),
        GatewayError::CacheError(_) => true,
        GatewayError::FetchRepoDataError(error) => match error {
            FetchRepoDataError::FailedToDownload(_, cause) => {
                matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
            }
            FetchRepoDataError::FailedToAcquireLock(_)
            | FetchRepoDataError::IoError(_)
            | FetchRepoDataError::FailedToCreateTemporaryFile(_)
            | FetchRepoDataError::FailedToPersistTemporaryFile(..)
            | FetchRepoDataError::FailedToGetMetadata(_)
            | FetchRepoDataError::FailedToWriteCacheState(_) => true,
            _ => false,
        },
        _ => false,
    }
}

/// Whether the gateway was reading repodata: it says so only in words.
fn is_parsing(what: &str) -> bool {
    what.starts_with("failed to parse") || what.starts_with("failed to extract")
}

/// Whether something came that is no repodata.
fn is_malformed(error: &GatewayError) -> bool {
    match error {
        GatewayError::FetchRepoDataError(FetchRepoDataError::FailedToDownload(..)) => true,
        GatewayError::IoError(what, _) => is_parsing(what),
        _ => false,
    }
}

/// The message without line ends, and not longer than a person reads.
fn short(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > 200 { line.chars().take(200).chain("…".chars()).collect() } else { line }
}

/// The HTTP error behind a channel error. The layers between are transparent: none of them shows
/// itself as a source, so each is opened by its type.
fn http_error(error: &GatewayError) -> Option<&reqwest::Error> {
    fn middleware(error: &reqwest_middleware::Error) -> Option<&reqwest::Error> {
        match error {
            reqwest_middleware::Error::Reqwest(error) => Some(error),
            reqwest_middleware::Error::Middleware(error) => within(error.chain()),
        }
    }
    fn within<'a>(
        chain: impl Iterator<Item = &'a (dyn std::error::Error + 'static)>,
    ) -> Option<&'a reqwest::Error> {
        for cause in chain {
            if let Some(error) = cause.downcast_ref::<reqwest::Error>() {
                return Some(error);
            }
            if let Some(error) = cause.downcast_ref::<reqwest_middleware::Error>() {
                return middleware(error);
            }
            if let Some(
                reqwest_retry::RetryError::WithRetries { err, .. } | reqwest_retry::RetryError::Error(err),
            ) = cause.downcast_ref::<reqwest_retry::RetryError>()
            {
                return middleware(err);
            }
        }
        None
    }
    match error {
        GatewayError::ReqwestError(error) => Some(error),
        GatewayError::ReqwestMiddlewareError(error) => within(error.chain()),
        GatewayError::FetchRepoDataError(FetchRepoDataError::HttpError(error)) => middleware(error),
        _ => None,
    }
}

/// The solver's explanation, tidied: resolvo draws a tree that names every package in the chain.
pub(super) fn conflict(explanations: &[String]) -> String {
    explanations.join("\n").trim_end().to_owned()
}

/// What the user may change, judged from the explanation.
pub(super) fn conflict_hint(explanation: &str, excludes: bool) -> String {
    if explanation.contains("python 3.1.*") || explanation.contains("python ==3.1,") {
        return "there is no Python 3.1 here; `3.10` without quotes becomes the number 3.1 in YAML: write `python=3.10`".to_owned();
    }
    if explanation.contains("__cuda") {
        return "the target has no CUDA unless you say so: --virtual-package __cuda=12.4".to_owned();
    }
    if let Some(at) = explanation.find("__glibc") {
        let wanted: String = explanation[at..].chars().take_while(|c| !matches!(c, ',' | '\n')).collect();
        return format!(
            "the target is taken to have glibc 2.28; `{}` wants another: --virtual-package __glibc=VERSION",
            wanted.trim()
        );
    }
    if explanation.contains("strict channel priority") {
        return "a channel further down has it: --channel-priority flexible lets it be used".to_owned();
    }
    if excludes {
        return "--exclude-newer hides later packages: choose a later date, or loosen a requirement"
            .to_owned();
    }
    "loosen one of the requirements named above".to_owned()
}
