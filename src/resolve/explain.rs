//! Errors of the channel reader and of the solver, in the user's words.

use rattler_repodata_gateway::{GatewayError, fetch::FetchRepoDataError};

use super::Error;

/// What went wrong while reading a channel.
pub(super) fn channel(error: &GatewayError, channel: &str, subdir: &str) -> Error {
    let said = crate::causes::chain(error);
    match error {
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
    let (reason, hint) = if let Some(status) = status(error) {
        let hint = match status.as_u16() {
            401 | 403 => {
                "give credentials: a ~/.netrc entry for the host, or a token as in https://host/t/$CONDA_TOKEN/channel"
            }
            404 => "check the channel's name and --channel-alias; a channel has at least noarch/repodata.json",
            _ => "try again later, or read the channel from elsewhere with --mirror",
        };
        (format!("the server answers {status}"), hint)
    } else if matches!(error, GatewayError::SubdirNotFoundError(_)) {
        (
            "there is no repodata.json".to_owned(),
            "check the channel's name; a channel has at least noarch/repodata.json",
        )
    } else if said.contains("parse") || said.contains("expected") || said.contains("EOF") {
        (
            format!("its repodata is not what a channel serves ({})", short(&said)),
            "open the URL in a browser: a login page or a proxy often answers in a channel's place",
        )
    } else if is(error, reqwest::Error::is_timeout) {
        ("the server does not answer in time".to_owned(), "try again, or read the channel from elsewhere with --mirror")
    } else if is(error, reqwest::Error::is_connect) {
        (
            format!("no connection ({})", short(&said)),
            "check the network; with everything cached, --offline works without one",
        )
    } else {
        (short(&said), "try again, or read the channel from elsewhere with --mirror")
    };
    Error::Channel { channel: channel.to_owned(), subdir: subdir.to_owned(), reason, hint: hint.to_owned() }
}

/// The message without line ends, and not longer than a person reads.
fn short(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > 200 { line.chars().take(200).chain("…".chars()).collect() } else { line }
}

fn status(error: &GatewayError) -> Option<reqwest::StatusCode> {
    causes(error).find_map(|cause| cause.downcast_ref::<reqwest::Error>()?.status())
}

fn is(error: &GatewayError, what: fn(&reqwest::Error) -> bool) -> bool {
    causes(error).any(|cause| cause.downcast_ref::<reqwest::Error>().is_some_and(what))
}

fn causes(error: &GatewayError) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source())
}

/// The solver's explanation, tidied: resolvo draws a tree that names every package in the chain.
pub(super) fn conflict(explanations: &[String]) -> String {
    explanations.join("\n").trim_end().to_owned()
}

/// What the user may change, judged from the explanation.
pub(super) fn conflict_hint(explanation: &str, excludes: bool) -> Option<String> {
    if explanation.contains("python 3.1.*") || explanation.contains("python ==3.1,") {
        return Some("there is no Python 3.1 here; `3.10` without quotes becomes the number 3.1 in YAML: write `python=3.10`".to_owned());
    }
    if explanation.contains("__cuda") {
        return Some("the target has no CUDA unless you say so: --virtual-package __cuda=12.4".to_owned());
    }
    if let Some(at) = explanation.find("__glibc") {
        let wanted: String = explanation[at..].chars().take_while(|c| !matches!(c, ',' | '\n')).collect();
        return Some(format!(
            "the target is taken to have glibc 2.28; `{}` wants another: --virtual-package __glibc=VERSION",
            wanted.trim()
        ));
    }
    if explanation.contains("strict channel priority") {
        return Some("a channel further down has it: --channel-priority flexible lets it be used".to_owned());
    }
    if excludes {
        return Some("--exclude-newer hides later packages: choose a later date, or loosen a requirement".to_owned());
    }
    Some("loosen one of the requirements named above".to_owned())
}
