//! Software bills of materials: what a lock or an image consists of, in the two standard formats; and provenance: what an
//! image was built from.
//!
//! Guarantees: the same lock or image gives the same bytes. Licences are told where they can be known: they are in the
//! packages, so an image has them and a lock alone has not.

mod cyclonedx;
mod provenance;
mod spdx;

use std::{collections::BTreeMap, path::Path};

pub use provenance::{Origin, write as provenance};
use purl::GenericPurlBuilder;
use sha2::{Digest, Sha256};

use crate::lock::{Kind, Package};

/// Which format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// SPDX 2.3
    Spdx,
    /// CycloneDX 1.5
    Cyclonedx,
}

/// What a bill is of.
pub struct Subject {
    /// Its name, such as `worker-image`.
    pub name: String,
    /// What identifies it: a digest or a lockHash, as hex.
    pub digest: String,
    /// Whether it is an image, instead of a lock.
    pub is_image: bool,
    /// When it is of, in seconds since 1970.
    pub time: u32,
    /// Its environments, by name.
    pub environments: BTreeMap<String, Vec<Component>>,
}

/// A package, and what is known of it besides.
pub struct Component {
    /// The package.
    pub package: Package,
    /// Its licence, as the package states it.
    pub license: Option<String>,
}

/// Why there is no bill.
#[derive(Debug, thiserror::Error)]
#[error("cannot describe {what}: {reason}")]
pub struct Error {
    /// The package or the document.
    pub what: String,
    /// Why not.
    pub reason: String,
}

/// Writes a bill; it ends with a newline.
pub fn write(subject: &Subject, format: Format) -> Result<Vec<u8>, Error> {
    let mut bytes = match format {
        Format::Spdx => spdx::write(subject)?,
        Format::Cyclonedx => cyclonedx::write(subject)?,
    };
    bytes.push(b'\n');
    Ok(bytes)
}

impl Subject {
    /// A UUID that follows from what the bill is of, in RFC 9562's version 8.
    fn uuid(&self) -> String {
        let mut hasher = Sha256::new();
        for part in [&self.name, &self.digest, &self.time.to_string()] {
            hasher.update(part);
            hasher.update([0]);
        }
        let digest = hasher.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
    }

    fn created(&self) -> Result<String, Error> {
        let time = jiff::Timestamp::from_second(self.time.into());
        time.map(|time| time.to_string()).map_err(|error| self.error(&error))
    }

    fn error(&self, reason: &dyn std::fmt::Display) -> Error {
        Error { what: self.name.clone(), reason: reason.to_string() }
    }

    /// Every package with its environment and its identifier in the document.
    fn components(&self) -> impl Iterator<Item = (&str, String, &Component)> {
        self.environments.iter().flat_map(|(environment, components)| {
            components.iter().map(move |it| (environment.as_str(), identifier(environment, &it.package), it))
        })
    }

    /// Identifiers of what a package of an environment depends on, as far as it is in there.
    fn dependencies(&self, environment: &str, component: &Component) -> Vec<String> {
        let Some(known) = self.environments.get(environment) else { return Vec::new() };
        let manager = component.package.kind.manager();
        let find = |name: &String| {
            let named = || known.iter().map(|it| &it.package).filter(|it| it.name == *name);
            // A wheel may need what conda has installed.
            named().find(|it| it.kind.manager() == manager).or_else(|| named().next())
        };
        let found = component.package.dependencies.keys().filter_map(find);
        found.map(|package| identifier(environment, package)).collect()
    }
}

/// The identifier of a package in a document, which may hold letters, digits, `.` and `-`.
fn identifier(environment: &str, package: &Package) -> String {
    // No name has two dots in a row, so that no two names become one.
    format!("{environment}-{}-{}", package.kind.manager(), package.name.replace('_', ".."))
}

/// The package URL of a package, by the purl specification's types `conda` and `pypi`.
fn purl(package: &Package) -> Result<String, Error> {
    let failed = |reason: String| Error { what: package.name.clone(), reason };
    let kind = if package.kind == Kind::Conda { "conda" } else { "pypi" };
    let mut builder = GenericPurlBuilder::<String>::new(kind.to_owned(), package.name.as_str())
        .with_version(package.version.as_str());
    let file = package.file_name();
    let mut qualifiers: Vec<(&str, &str)> = Vec::new();
    if package.kind == Kind::Conda {
        let mut parts = package.url.rsplit('/').skip(1);
        qualifiers.extend(parts.next().map(|subdir| ("subdir", subdir)));
        qualifiers.extend(parts.next().map(|channel| ("channel", channel)));
        qualifiers.extend(package.build.as_deref().map(|build| ("build", build)));
        let is_conda = Path::new(&file).extension().is_some_and(|extension| extension == "conda");
        qualifiers.push(("type", if is_conda { "conda" } else { "tar.bz2" }));
    } else {
        qualifiers.push(("file_name", &file));
    }
    for (name, value) in qualifiers.into_iter().filter(|(_, value)| !value.is_empty()) {
        builder = builder.with_qualifier(name, value).map_err(|error| failed(error.to_string()))?;
    }
    builder.build().map(|purl| purl.to_string()).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::model::tests::package;

    #[test]
    fn package_urls() {
        let mut package = package("a", &[]);
        package.version = "1!2.0+x".to_owned();
        let conda = purl(&package).unwrap();
        assert_eq!(conda, "pkg:conda/a@1!2.0+x?build=h0_0&channel=c&subdir=linux-64&type=conda");
        package.kind = Kind::Wheel;
        package.url = "https://h/x/a-1.0-py3-none-any.whl".to_owned();
        package.version = "1.0".to_owned();
        assert_eq!(purl(&package).unwrap(), "pkg:pypi/a@1.0?file_name=a-1.0-py3-none-any.whl");
    }

    #[test]
    fn identifiers_have_no_other_characters() {
        assert_eq!(identifier("user", &package("_libgcc_mutex", &[])), "user-conda-..libgcc..mutex");
    }
}
