//! What the network options of a command line mean: mirrors, credentials, offline.

use std::path::Path;

use url::Url;

use crate::{
    http::Network,
    printer::Printer,
    resolve::Mirror,
    settings::Settings,
    spec::{
        self,
        channel::{Access, Context},
    },
};

/// Reads `--mirror` options.
pub(super) fn mirrors(
    texts: &[String],
    alias: &Url,
    settings: &Settings,
) -> Result<Vec<Mirror>, spec::Error> {
    let usage = |(message, hint): (String, String)| spec::Error::usage(format!("--mirror: {message}"), hint);
    let context = Context { alias, directory: Path::new(""), variables: &settings.variables };
    let mut mirrors: Vec<Mirror> = Vec::new();
    for text in texts {
        let mirror = Mirror::parse(text, context).map_err(usage)?;
        if let Some(Access::Unset(name)) = &mirror.access {
            let message = format!("the environment variable {name} is not set");
            return Err(usage((message, format!("export {name}, or leave the credentials out of the URL"))));
        }
        if mirrors.iter().any(|other| other.canonical == mirror.canonical) {
            let message = format!("{} has two mirrors", mirror.canonical);
            return Err(usage((message, "give the one that is to be read".to_owned())));
        }
        mirrors.push(mirror);
    }
    Ok(mirrors)
}

/// Collects every credential, for the wire and for the printer to blot out.
pub(super) fn network<'a>(
    wanted: impl Iterator<Item = (&'a Url, &'a Access)>,
    offline: bool,
    settings: &Settings,
    printer: &Printer,
) -> Network {
    let mut access = Vec::new();
    for (url, wanted) in wanted {
        if let Access::Known(credentials) = wanted {
            credentials.secrets().for_each(|secret| printer.conceal(secret));
            access.push((url.clone(), credentials.clone()));
        }
    }
    let netrc = if offline { None } else { settings.netrc(printer) };
    Network { offline, access, netrc, patience: settings.patience() }
}
