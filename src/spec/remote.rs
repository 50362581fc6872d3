//! The URLs of a `pip:` section: what is read, and the credentials it takes to read it.
//!
//! Guarantees: a variable fills in a user or a password and nothing else, so what is written anywhere
//! never holds its value.
//!
//! Source: pip's requirements file format, "Using environment variables".

use std::fmt::Write;

use pep508_rs::VersionOrUrl;
use url::Url;

use super::{
    Problem,
    channel::{Credentials, Variables, percent_decoded},
    pip::{PipItem, PipLine},
};

/// A URL in a line, with its variables filled in.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Without credentials.
    pub url: Url,
    /// Those it was written with.
    pub credentials: Option<Credentials>,
}

impl PipLine {
    /// The URL that this line reads from, if it names one: an index, a page of links, an archive.
    pub fn remote(&self, variables: &Variables) -> Result<Option<Remote>, Problem> {
        let written = match &self.item {
            PipItem::Option { name: "--index-url" | "--extra-index-url" | "--find-links", value } => value,
            PipItem::Location { location, .. } => location,
            PipItem::Requirement { requirement, .. } => match &requirement.version_or_url {
                Some(VersionOrUrl::Url(url)) => url.given().unwrap_or_default(),
                _ => return Ok(None),
            },
            PipItem::Option { .. } => return Ok(None),
        };
        if !written.contains("://") {
            return Ok(None);
        }
        let (_, rest) = written.split_once("://").unwrap_or_default();
        let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
        let behind = authority.rfind('@').map_or(rest, |at| &rest[at..]);
        if behind.contains("${") {
            // What is filled in there would be written into the lock.
            let message = format!("`{}` has an environment variable outside its credentials", self.text);
            return Err(self.problem(message).with_hint(
                "only the user and the password may be variables: https://${USER}:${PASSWORD}@host/simple",
            ));
        }
        let filled = fill(written, variables).map_err(|name| {
            self.problem(format!("`{}` needs the environment variable {name}", self.text))
                .with_hint(format!("export {name}, or give the host's credentials in ~/.netrc"))
        })?;
        let mut url = Url::parse(filled.strip_prefix("git+").unwrap_or(&filled)).map_err(|error| {
            self.problem(format!("`{}` is not a URL: {error}", self.text))
                .with_hint("write it like https://host/simple")
        })?;
        if matches!(url.scheme(), "ssh" | "file") || (url.username().is_empty() && url.password().is_none()) {
            return Ok(Some(Remote { url, credentials: None }));
        }
        let credentials = Credentials {
            user: percent_decoded(url.username()),
            password: percent_decoded(url.password().unwrap_or_default()),
            ..Credentials::default()
        };
        // Fails only for URLs without a host, and those have no credentials.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        Ok(Some(Remote { url, credentials: Some(credentials) }))
    }
}

/// The text with every `${NAME}` filled in, as pip does; the error is the variable that is not set.
fn fill(text: &str, variables: &Variables) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let name = &rest[start + 2..start + length];
        let value = variables.get(name).filter(|value| !value.is_empty()).ok_or_else(|| name.to_owned())?;
        filled.push_str(&rest[..start]);
        // What a URL would take for its own punctuation.
        for character in value.chars() {
            match character {
                '%' | '/' | '?' | '#' | '@' | ':' => {
                    // Writing to a string does not fail.
                    let _ = write!(filled, "%{:02X}", u32::from(character));
                }
                other => filled.push(other),
            }
        }
        rest = &rest[start + length + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::spec::{Position, pip};

    fn remote(text: &str, password: &str) -> Result<Option<Remote>, Problem> {
        let variables = Variables::from([("PASSWORD".to_owned(), password.to_owned())]);
        let mut lines = Vec::new();
        let position = Position::new(1, 1);
        pip::read_line(&"env.yml".into(), Path::new(""), position, "main", text, &mut lines).unwrap();
        lines[0].remote(&variables)
    }

    #[test]
    fn credentials_leave_the_url() {
        let found = remote("-i https://me:${PASSWORD}@host/simple", "a/b%2:@c").unwrap().unwrap();
        assert_eq!(found.url.as_str(), "https://host/simple");
        let credentials = found.credentials.unwrap();
        assert_eq!((credentials.user.as_str(), credentials.password.as_str()), ("me", "a/b%2:@c"));
        let found = remote("git+ssh://git@host/a.git@v1", "").unwrap().unwrap();
        assert_eq!((found.url.as_str(), found.credentials.is_none()), ("ssh://git@host/a.git@v1", true));
        assert!(remote("requests>=2", "").unwrap().is_none());
    }

    #[test]
    fn variables_are_credentials_or_refused() {
        assert!(remote("-i https://me:${PASSWORD}@host/simple", "").is_err());
        for wrong in ["-i https://host/${PASSWORD}/simple", "a @ https://u@host/a.whl?t=${PASSWORD}"] {
            assert!(remote(wrong, "secret").unwrap_err().to_string().contains("outside"), "{wrong}");
        }
    }
}
