//! Channels as they are written, and the URLs they stand for.
//!
//! Guarantees: what is written anywhere ([`Channel::urls`], [`Channel::lock_url`]) holds no secret;
//! credentials exist only in [`Channel::access`], which is used on the wire and never stored.
//! A token or password is named by an environment variable (`https://host/t/$CONDA_TOKEN/channel`);
//! conda-lock's way of recognising a literal one by the variable that holds it works, too.

use std::{collections::BTreeMap, path::Path};

use rattler_conda_types::ChannelConfig;
use url::Url;

/// The environment variables of the process, as a value: nothing below `main` reads the process.
pub type Variables = BTreeMap<String, String>;

/// Where channel names lead without `--channel-alias`.
pub const DEFAULT_ALIAS: &str = "https://conda.anaconda.org";

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
    /// The base URL with the credentials in it, if there are any.
    pub access: Option<Access>,
}

/// A channel's URL on the wire.
#[derive(Clone, PartialEq, Eq)]
pub enum Access {
    /// The base URL with credentials.
    Url(Url),
    /// This environment variable is not set, so the channel cannot be reached.
    Unset(String),
}

impl std::fmt::Debug for Access {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Url(_) => formatter.write_str("Url(***)"),
            Self::Unset(name) => formatter.debug_tuple("Unset").field(name).finish(),
        }
    }
}

/// Why a channel cannot be used: a message and a hint.
pub type ChannelProblem = (String, String);

/// What a channel's text is read against.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Where names lead.
    pub alias: &'a Url,
    /// The directory that relative paths start from.
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

        let mut secrets = Secrets { variables: context.variables, used: Vec::new(), unset: None };
        let (user_name, user_value) = secrets.part(user, &["USERNAME", "USER"], false)?;
        let (password_name, password_value) =
            secrets.part(password, &["PASSWORD", "PASS", "TOKEN", "KEY"], true)?;
        let (token_name, token_value) =
            secrets.part(token, &["TOKEN", "CRED", "PASSWORD", "PASS", "KEY"], true)?;

        let compose = |user: &str, password: &str, token: &str| {
            let mut url = format!("{scheme}://{user}");
            if !password.is_empty() {
                url.push(':');
                url.push_str(password);
            }
            if !user.is_empty() || !password.is_empty() {
                url.push('@');
            }
            url.push_str(host);
            url.push_str(before_token);
            if !token.is_empty() {
                url.push_str("/t/");
                url.push_str(token);
            }
            url.push_str(after_token);
            url
        };
        let plain = compose("", "", "");
        if plain.contains('$') {
            return Err((
                format!("channel `{}` has an environment variable outside its credentials", redact(written)),
                "only the user, the password and the token (/t/$CONDA_TOKEN/) may be variables".to_owned(),
            ));
        }
        let wrong = |error| {
            let message = format!("channel `{}` is not a URL: {error}", redact(written));
            (message, "write it like https://host/channel".to_owned())
        };
        let url = slashed(Url::parse(&plain).map_err(wrong)?);
        if url.query().is_some() || url.fragment().is_some() {
            return Err((
                format!("channel `{}` has a query or a fragment", redact(written)),
                "a channel's URL ends with the channel's name".to_owned(),
            ));
        }
        let access = if user.is_empty() && token.is_empty() {
            None
        } else if let Some(name) = secrets.unset {
            Some(Access::Unset(name))
        } else {
            Some(Access::Url(slashed(
                Url::parse(&compose(&user_value, &password_value, &token_value)).map_err(wrong)?,
            )))
        };
        secrets.used.sort();
        secrets.used.dedup();
        Ok(Self {
            lock_url: compose(&user_name, &password_name, &token_name).trim_end_matches('/').to_owned(),
            urls: vec![url],
            used_env_vars: secrets.used,
            access,
        })
    }

    /// The values that must not be seen.
    pub fn secrets(&self) -> Vec<String> {
        let Some(Access::Url(url)) = &self.access else { return Vec::new() };
        let token = split_token(url.path()).1;
        [url.password().unwrap_or_default(), token]
            .into_iter()
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

struct Secrets<'a> {
    variables: &'a Variables,
    used: Vec<String>,
    unset: Option<String>,
}

impl Secrets<'_> {
    /// How to write a part of the credentials, and its value.
    fn part(
        &mut self,
        text: &str,
        suffixes: &[&str],
        secret: bool,
    ) -> Result<(String, String), ChannelProblem> {
        if text.is_empty() {
            return Ok((String::new(), String::new()));
        }
        let name = if let Some(name) = text.strip_prefix('$') {
            name.trim_matches(['{', '}']).to_owned()
        } else if let Some(name) = self.holder(text, suffixes) {
            name
        } else if secret {
            return Err((
                "a channel's URL holds a password or token in plain text".to_owned(),
                "put it into an environment variable and write its name: https://host/t/$CONDA_TOKEN/channel"
                    .to_owned(),
            ));
        } else {
            return Ok((text.to_owned(), text.to_owned()));
        };
        let value = self.variables.get(&name).cloned().unwrap_or_else(|| {
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

/// A URL's text without the parts that may be secret.
pub fn redact(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (before, token, after) = split_token(path);
    let token = if token.is_empty() { "" } else { "/t/***" };
    format!("{scheme}://{host}{before}{token}{after}")
}

/// The URL without its final slash.
pub fn bare(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

fn slashed(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

fn absolute(directory: &Path) -> std::path::PathBuf {
    std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf())
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
        let channel = parse("https://u:$PW@h/t/${TOK}/c", &[("PW", "p"), ("TOK", "s3")]).unwrap();
        assert_eq!(channel.lock_url, "https://u:${PW}@h/t/${TOK}/c");
        assert_eq!(channel.urls[0].as_str(), "https://h/c/");
        assert_eq!(channel.used_env_vars, ["PW", "TOK"]);
        assert_eq!(channel.access, Some(Access::Url(Url::parse("https://u:p@h/t/s3/c/").unwrap())));
        assert_eq!(channel.secrets(), ["p", "s3"]);
        assert!(!format!("{channel:?}").contains("s3"));
    }

    #[test]
    fn a_literal_secret_is_recognised_or_refused() {
        let channel = parse("https://h/t/s3cret/c", &[("MY_REPO_TOKEN", "s3cret")]).unwrap();
        assert_eq!(channel.lock_url, "https://h/t/${MY_REPO_TOKEN}/c");
        let (message, _) = parse("https://h/t/s3cret/c", &[]).unwrap_err();
        assert!(!message.contains("s3cret"));
    }

    #[test]
    fn an_unset_variable_is_known_by_name() {
        let channel = parse("https://h/t/$TOK/c", &[]).unwrap();
        assert_eq!(channel.access, Some(Access::Unset("TOK".to_owned())));
    }
}
