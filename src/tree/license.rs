//! What packages state as their licence.

use std::path::Path;

use mailparse::MailHeaderMap;

use super::unpack::{About, What, kept};
use crate::{lock::Package, spec::name_map::normalised, store::Files};

/// How long a licence may be: some packages state its whole text.
const LIMIT: usize = 120;

/// What a package states, if it has been unpacked into the store: nothing else is read, and a lock says nothing of it.
pub fn of_package(package: &Package, cache: &Path, files: &Files) -> Option<String> {
    let unpacked = kept(cache, package).ok()??;
    match unpacked.about {
        About::Conda { index, .. } => usable(index.license.as_deref()?),
        About::Wheel { dist_info, .. } => {
            let path = format!("{dist_info}/METADATA");
            let member = unpacked.members.iter().find(|member| member.path == path)?;
            let What::File(file) = &member.what else { return None };
            let content = files.read(&file.sha256, file.executable).ok()??;
            of_metadata(&content).map(|(_, license)| license)
        }
    }
}

/// Name and licence by a `conda-meta` record.
pub fn of_record(content: &[u8]) -> Option<(String, String)> {
    let record: serde_json::Value = serde_json::from_slice(content).ok()?;
    let text = |key: &str| record[key].as_str();
    Some((text("name")?.to_owned(), usable(text("license")?)?))
}

/// Normalised name and licence by a wheel's `METADATA`.
pub fn of_metadata(content: &[u8]) -> Option<(String, String)> {
    let (headers, _) = mailparse::parse_headers(content).ok()?;
    let name = normalised(&headers.get_first_value("Name")?);
    // PEP 639's field first.
    let stated = ["License-Expression", "License"];
    let license =
        stated.iter().filter_map(|key| headers.get_first_value(key)).find_map(|license| usable(&license))?;
    Some((name, license))
}

fn usable(license: &str) -> Option<String> {
    let is_usable = license.len() <= LIMIT && !license.contains('\n');
    let says_something = !license.trim().is_empty() && license != "UNKNOWN";
    (is_usable && says_something).then(|| license.trim().to_owned())
}
