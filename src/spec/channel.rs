//! Channels as they are written, and the URLs they stand for.
//!
//! Guarantees: what is written anywhere ([`Channel::urls`], [`Channel::lock_url`]) holds no secret;
//! credentials exist only in [`Channel::access`], which is used on the wire and never stored.
//! A token or password is named by an environment variable (`https://host/t/$CONDA_TOKEN/channel`);
//! conda-lock's way of recognising a literal one by the variable that holds it works, too.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rattler_conda_types::ChannelConfig;
use url::Url;

/// The environment variables of the process, as a value: nothing below `main` reads the process.
pub type Variables = BTreeMap<String, String>;

/// Where channel names lead without `--channel-alias`.
pub const DEFAULT_ALIAS: &str = "https://conda.anaconda.org/";

/// What conda's `defaults` stands for on Linux and macOS.
const DEFAULTS: [&str; 2] = ["https://repo.anaconda.com/pkgs/main/", "https://repo.anaconda.com/pkgs/r/"];

/// One entry of `channels:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// As `conda-lock.yml` states it: the name, or the URL with `${VARIABLE}` for credentials.
    pub lock_url: String,
    /// The base URLs without credentials, each with a final `/`; `defaults` has several.
    pub urls: Vec<Url>,
    /// The variables that hold this channel's credentials, sorted.
    pub used_env_vars: Vec<String>,
    /// How the channel is reached, if it wants credentials.
    pub access: Option<Access>,
}

/// Whether a channel's credentials are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// They are.
    Known(Credentials),
    /// This environment variable is not set, so the channel cannot be reached.
    Unset(String),
}

/// Credentials as the variables hold them, not as a URL would encode them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// User name, or empty.
    pub user: String,
    /// Password, or empty.
    pub password: String,
    /// Token, or empty.
    pub token: String,
    /// The path in front of `/t/TOKEN`.
    pub token_after: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("Credentials(***)")
    }
}

impl Credentials {
    /// The values that must not be seen.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        // A user without a password is a token, as forges take it.
        let user = if self.password.is_empty() { self.user.as_str() } else { "" };
        [self.password.as_str(), self.token.as_str(), user].into_iter().filter(|secret| !secret.is_empty())
    }

    /// The URL with the token in its path, percent-encoded as one segment.
    #[must_use]
    pub fn with_token(&self, url: &Url) -> Url {
        let Some(rest) = url.path().strip_prefix(&self.token_after).filter(|_| !self.token.is_empty()) else {
            return url.clone();
        };
        let mut with = url.clone();
        if let Ok(mut segments) = with.path_segments_mut() {
            segments.clear().push("t").push(&self.token);
        }
        // What is around the token is encoded already: pushing it would encode its `%` again.
        let path = format!("{}{}{rest}", self.token_after, with.path());
        with.set_path(&path);
        with
    }
}

/// Why a channel cannot be used: a message and a hint.
pub type ChannelProblem = (String, String);

/// What a channel's text is read against.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Where names lead; with a final `/`.
    pub alias: &'a Url,
    /// The directory that relative paths start from; empty for the working directory.
    pub directory: &'a Path,
    /// Environment variables.
    pub variables: &'a Variables,
}

impl Channel {
    /// Reads one entry of `channels:`.
    pub fn parse(written: &str, context: Context) -> Result<Self, ChannelProblem> {
        let written = written.trim();
        if written == "defaults" {
            let urls = DEFAULTS.iter().filter_map(|url| Url::parse(url).ok()).collect();
            return Ok(Self { lock_url: written.to_owned(), urls, used_env_vars: Vec::new(), access: None });
        }
        if let Some((scheme, rest)) = written.split_once("://") {
            if !matches!(scheme, "http" | "https" | "file") {
                return Err((
                    format!("channel `{}` has the unknown scheme `{scheme}`", redact(written)),
                    "channels are read over https, http or file".to_owned(),
                ));
            }
            return Self::from_url(written, scheme, rest, context);
        }
        let plausible = !written.is_empty()
            && written
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+' | '~'));
        if !plausible {
            return Err((
                format!("`{written}` is not a channel"),
                "a channel is a name such as `conda-forge`, or a URL".to_owned(),
            ));
        }
        let config =
            ChannelConfig { channel_alias: context.alias.clone(), root_dir: absolute(context.directory) };
        let channel = rattler_conda_types::Channel::from_str(written, &config).map_err(|error| {
            (format!("`{written}` is not a channel: {error}"), "check the name".to_owned())
        })?;
        let url: Url = channel.base_url.into();
        // A path says where the channel is on this machine: the lock must say the same elsewhere.
        let lock_url = if url.scheme() == "file" { bare(&url) } else { written.to_owned() };
        Ok(Self { lock_url, urls: vec![slashed(url)], used_env_vars: Vec::new(), access: None })
    }

    fn from_url(written: &str, scheme: &str, rest: &str, context: Context) -> Result<Self, ChannelProblem> {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let (before_token, token, after_token) = split_token(path);

        let mut reader = CredentialReader { variables: context.variables, used: Vec::new(), unset: None };
        let (user_written, user) = reader.part(user, None)?;
        let (password_written, password) =
            reader.part(password, Some(&["PASSWORD", "PASS", "TOKEN", "KEY"]))?;
        let (token_written, token) =
            reader.part(token, Some(&["TOKEN", "CRED", "PASSWORD", "PASS", "KEY"]))?;

        let plain = format!("{scheme}://{host}{before_token}{after_token}");
        if plain.contains('$') {
            return Err((
                format!("channel `{}` has an environment variable outside its credentials", redact(written)),
                "only the user, the password and the token (/t/$CONDA_TOKEN/) may be variables".to_owned(),
            ));
        }
        let url = slashed(Url::parse(&plain).map_err(|error| {
            let message = format!("channel `{}` is not a URL: {error}", redact(written));
            (message, "write it like https://host/channel".to_owned())
        })?);
        if url.query().is_some() || url.fragment().is_some() {
            return Err((
                format!("channel `{}` has a query or a fragment", redact(written)),
                "a channel's URL ends with the channel's name".to_owned(),
            ));
        }
        let access = if user_written.is_empty() && token_written.is_empty() {
            None
        } else if let Some(name) = reader.unset {
            Some(Access::Unset(name))
        } else {
            Some(Access::Known(Credentials { user, password, token, token_after: before_token.to_owned() }))
        };
        let colon = if password_written.is_empty() { "" } else { ":" };
        let at = if user_written.is_empty() { "" } else { "@" };
        let token_path = if token_written.is_empty() { String::new() } else { format!("/t/{token_written}") };
        reader.used.sort();
        reader.used.dedup();
        Ok(Self {
            // As written to its last slash: conda-lock hashes that text.
            lock_url: format!(
                "{scheme}://{user_written}{colon}{password_written}{at}{host}{before_token}{token_path}{after_token}"
            ),
            urls: vec![url],
            used_env_vars: reader.used,
            access,
        })
    }
}

struct CredentialReader<'a> {
    variables: &'a Variables,
    used: Vec<String>,
    unset: Option<String>,
}

impl CredentialReader<'_> {
    /// How to write a part of the credentials, and its value. A part with `suffixes` is a secret: it
    /// may be literal only if a variable holds it, best one whose name ends so.
    fn part(&mut self, text: &str, suffixes: Option<&[&str]>) -> Result<(String, String), ChannelProblem> {
        if text.is_empty() {
            return Ok((String::new(), String::new()));
        }
        let name = match (text.strip_prefix('$'), suffixes) {
            (Some(name), _) => name.trim_matches(['{', '}']).to_owned(),
            (None, None) => return Ok((text.to_owned(), text.to_owned())),
            (None, Some(suffixes)) => self.holder(text, suffixes).ok_or_else(|| {
                (
                    "a channel's URL holds a password or token in plain text".to_owned(),
                    "put it into an environment variable and write its name: https://host/t/$CONDA_TOKEN/channel"
                        .to_owned(),
                )
            })?,
        };
        let value = self.variables.get(&name).filter(|value| !value.is_empty()).cloned();
        let value = value.unwrap_or_else(|| {
            self.unset.get_or_insert_with(|| name.clone());
            String::new()
        });
        let reference = format!("${{{name}}}");
        self.used.push(name);
        Ok((reference, value))
    }

    /// The variable that holds a literal, preferring names that end like a credential's.
    fn holder(&self, value: &str, suffixes: &[&str]) -> Option<String> {
        suffixes.iter().chain([&""]).find_map(|suffix| {
            self.variables
                .iter()
                .find(|(name, held)| *held == value && name.to_uppercase().ends_with(suffix))
                .map(|(name, _)| name.clone())
        })
    }
}

/// Splits `/a/t/TOKEN/b` into `/a`, `TOKEN` and `/b`.
fn split_token(path: &str) -> (&str, &str, &str) {
    let Some(start) = path.find("/t/") else { return (path, "", "") };
    let token = &path[start + 3..];
    let end = token.find('/').unwrap_or(token.len());
    (&path[..start], &token[..end], &token[end..])
}

/// A text with a URL in it, without the parts that may be secret.
pub fn redact(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    // `git@` of an SSH URL is an account that everybody has.
    let user = if scheme.ends_with("ssh") && !user.is_empty() && !user.contains(':') {
        format!("{user}@")
    } else {
        String::new()
    };
    let (before, token, after) = split_token(path);
    let token = if token.is_empty() { "" } else { "/t/***" };
    format!("{scheme}://{user}{host}{before}{token}{after}")
}

/// [`redact`] for each word of a line.
pub fn redact_words(line: &str) -> String {
    line.split(' ').map(redact).collect::<Vec<_>>().join(" ")
}

/// The URL without its final slash.
pub fn bare(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// The URL with a final slash, so that joining a name to it keeps its own path.
pub fn slashed(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

/// Decodes `%XX`; what is not an escape stays.
pub fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escape = text.get(index + 1..index + 3).filter(|_| bytes[index] == b'%');
        if let Some(byte) = escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            decoded.push(byte);
            index += 3;
        } else {
            decoded.push(bytes[index]);
            index += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The directory as an absolute path; the empty one is the working directory.
fn absolute(directory: &Path) -> PathBuf {
    std::path::absolute(Path::new(".").join(directory)).unwrap_or_else(|_| directory.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(written: &str, variables: &[(&str, &str)]) -> Result<Channel, ChannelProblem> {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let alias = Url::parse(DEFAULT_ALIAS).unwrap();
        Channel::parse(
            written,
            Context { alias: &alias, directory: Path::new("/project"), variables: &variables },
        )
    }

    fn known(written: &str, variables: &[(&str, &str)]) -> Credentials {
        match parse(written, variables).unwrap().access {
            Some(Access::Known(credentials)) => credentials,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_and_urls() {
        let url = |written| parse(written, &[]).unwrap().urls[0].to_string();
        assert_eq!(url("conda-forge"), "https://conda.anaconda.org/conda-forge/");
        assert_eq!(url("conda-forge/label/rc"), "https://conda.anaconda.org/conda-forge/label/rc/");
        assert_eq!(url("https://h/c"), "https://h/c/");
        assert_eq!(url("./local"), "file:///project/local/");
        assert_eq!(parse("defaults", &[]).unwrap().urls.len(), 2);
        assert!(parse("ftp://h/c", &[]).is_err());
        assert!(parse("conda forge", &[]).is_err());
    }

    #[test]
    fn credentials_are_named_and_never_written() {
        let variables = [("PW", "p@s/s"), ("TOK", "s3/c r")];
        let channel = parse("https://u:$PW@h/a/t/${TOK}/c", &variables).unwrap();
        assert_eq!(channel.lock_url, "https://u:${PW}@h/a/t/${TOK}/c");
        assert_eq!(channel.urls[0].as_str(), "https://h/a/c/");
        assert_eq!(channel.used_env_vars, ["PW", "TOK"]);
        assert!(!format!("{channel:?}").contains("p@s/s"));

        let credentials = known("https://u:$PW@h/a/t/${TOK}/c", &variables);
        assert_eq!((credentials.user.as_str(), credentials.password.as_str()), ("u", "p@s/s"));
        assert_eq!(credentials.secrets().collect::<Vec<_>>(), ["p@s/s", "s3/c r"]);
        let wire = credentials.with_token(&Url::parse("https://h/a/c/noarch/x%21y.json").unwrap());
        assert_eq!(wire.as_str(), "https://h/a/t/s3%2Fc%20r/c/noarch/x%21y.json");
    }

    #[test]
    fn a_literal_secret_is_recognised_or_refused() {
        let channel = parse("https://h/t/s3cret/c", &[("MY_REPO_TOKEN", "s3cret")]).unwrap();
        assert_eq!(channel.lock_url, "https://h/t/${MY_REPO_TOKEN}/c");
        let (message, _) = parse("https://h/t/s3cret/c", &[]).unwrap_err();
        assert!(!message.contains("s3cret"));
        // A user name is no secret, and must not change with the variables of whoever looks.
        assert_eq!(
            parse("https://root:$P@h/c", &[("USER", "root")]).unwrap().lock_url,
            "https://root:${P}@h/c"
        );
    }

    #[test]
    fn an_unset_or_empty_variable_is_known_by_name() {
        for variables in [&[][..], &[("TOK", "")]] {
            let channel = parse("https://h/t/$TOK/c", variables).unwrap();
            assert_eq!(channel.access, Some(Access::Unset("TOK".to_owned())));
        }
    }

    #[test]
    fn secrets_are_redacted_wherever_a_url_stands() {
        assert_eq!(redact_words("--index-url=https://u:p@h/t/x/y a"), "--index-url=https://h/t/***/y a");
        assert_eq!(redact_words("a @ git+https://tok@h/a.git"), "a @ git+https://h/a.git");
        assert_eq!(redact_words("git+ssh://git@h/a.git"), "git+ssh://git@h/a.git");
    }
}
