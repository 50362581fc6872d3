//! Receiving a file over HTTP: hashed while it comes, resumed where it broke off, patient with servers that are unwell.
//!
//! Sources: RFC 9110, sections 10.2.3 (`Retry-After`) and 14 (range requests).

use std::{fs::File, io::Write, path::PathBuf, time::Duration};

use futures::StreamExt;
use http::{
    HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE, RETRY_AFTER},
};
use rattler_digest::Md5;
use rattler_networking::LazyClient;
use sha2::{Digest, Sha256};
use url::Url;

use super::Error;
use crate::fs;

/// How often a server that gives nothing is asked again.
const ATTEMPTS: u32 = 5;
/// A server may make us wait this long between two attempts, and no longer.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// A file that is growing.
pub(super) struct Partial {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) sink: Sink,
    /// Whether it was put together from several answers.
    pub(super) resumed: bool,
}

/// What the bytes so far amount to.
#[derive(Clone, Default)]
pub(super) struct Sink {
    pub(super) md5: Md5,
    pub(super) sha256: Sha256,
    pub(super) size: u64,
}

impl Sink {
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.md5.update(piece);
        self.sha256.update(piece);
        self.size += piece.len() as u64;
    }
}

impl Partial {
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.file.write_all(piece).map_err(fs::Error::write(&self.path))?;
        self.sink.add(piece);
        Ok(())
    }

    /// Begins again with nothing.
    pub(super) fn reset(&mut self) -> Result<(), Error> {
        use std::io::Seek;
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(fs::Error::write(&self.path))?;
        self.sink = Sink::default();
        self.resumed = false;
        Ok(())
    }
}

/// How one request ended.
enum Outcome {
    /// The file is whole, as far as the server says.
    Done,
    /// Something that may be better next time; the server may have said when.
    Again { reason: String, after: Option<Duration> },
}

/// Receives what follows `partial` of the file at `from`. More than `limit` bytes are an error; `shown` names it.
pub(super) async fn download(
    client: &LazyClient,
    shown: &str,
    from: &Url,
    partial: &mut Partial,
    limit: Option<u64>,
) -> Result<(), Error> {
    let unreachable = |reason: String| Error::Unreachable { url: shown.to_owned(), reason };
    // The version that the bytes so far are of; of an earlier process' bytes only their hash can tell.
    let mut version: Option<HeaderValue> = None;
    let (mut failures, mut furthest) = (0, partial.sink.size);
    loop {
        let (reason, after) = match request(client, shown, from, partial, limit, &mut version).await? {
            Outcome::Done => return Ok(()),
            Outcome::Again { reason, after } => (reason, after),
        };
        // Whoever gets on is not stuck, however often the line drops.
        failures = if partial.sink.size > furthest { 1 } else { failures + 1 };
        furthest = furthest.max(partial.sink.size);
        if failures >= ATTEMPTS {
            return Err(unreachable(reason));
        }
        let wait = after.unwrap_or_else(|| Duration::from_millis(100 << failures));
        if wait > LONGEST_WAIT {
            return Err(unreachable(format!("{reason}, and asks to wait for {} seconds", wait.as_secs())));
        }
        tokio::time::sleep(wait).await;
    }
}

async fn request(
    client: &LazyClient,
    shown: &str,
    from: &Url,
    partial: &mut Partial,
    limit: Option<u64>,
    version: &mut Option<HeaderValue>,
) -> Result<Outcome, Error> {
    let unreachable = |reason: String| Error::Unreachable { url: shown.to_owned(), reason };
    let begun = partial.sink.size;
    // What is hashed are the bytes of the file, not what a server makes of them on the way.
    let mut request = client.client().get(from.clone()).header(ACCEPT_ENCODING, "identity");
    if begun > 0 {
        request = request.header(RANGE, format!("bytes={begun}-"));
        if let Some(version) = &version {
            request = request.header(IF_RANGE, version.clone());
        }
    }
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Ok(Outcome::Again { reason: crate::causes::chain(&error), after: None }),
    };
    match response.status() {
        StatusCode::OK => partial.reset()?,
        StatusCode::PARTIAL_CONTENT if begins_at(response.headers(), begun) => partial.resumed = true,
        // What we have is longer than what there is, or of something else: from the start, then.
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if begun > 0 => {
            partial.reset()?;
            *version = None;
            return Ok(Outcome::Again {
                reason: "the server gives another part".to_owned(),
                after: Some(Duration::ZERO),
            });
        }
        status => {
            let reason = format!("the server answers {status}");
            let may_pass = status.is_server_error()
                || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
            if may_pass && status != StatusCode::NOT_IMPLEMENTED {
                return Ok(Outcome::Again { reason, after: retry_after(response.headers()) });
            }
            return Err(unreachable(reason));
        }
    }
    // A weak validator says nothing about bytes.
    *version = response.headers().get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/")).cloned();
    let stated = response.content_length().map(|length| partial.sink.size + length);
    let whole = total(response.headers()).or(stated).or(limit);
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                let reason = crate::causes::chain(&error.without_url());
                return Ok(Outcome::Again { reason, after: None });
            }
        };
        if let Some(limit) = limit.filter(|limit| partial.sink.size + piece.len() as u64 > *limit) {
            return Err(Error::WrongHash {
                url: shown.to_owned(),
                kind: "size",
                expected: limit.to_string(),
                found: "more".to_owned(),
            });
        }
        partial.add(&piece)?;
    }
    if whole.is_some_and(|whole| partial.sink.size < whole) {
        return Ok(Outcome::Again { reason: "the answer breaks off".to_owned(), after: None });
    }
    Ok(Outcome::Done)
}

/// The size of the whole file, as `Content-Range: bytes FIRST-LAST/SIZE` states it.
fn total(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.parse().ok()
}

/// Whether `Content-Range: bytes FIRST-LAST/SIZE` begins at `first`.
fn begins_at(headers: &HeaderMap, first: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    range.and_then(|range| range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()) == Some(first)
}

/// `Retry-After` in seconds; one that names a date is as good as none, since no clock is read here.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
