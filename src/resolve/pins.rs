//! What a resolution begins with: an earlier answer, and versions that are demanded.

use serde::{Deserialize, Serialize};

use crate::lock::{Kind, Package};

/// What a job begins with; nothing is a resolution from scratch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Pins {
    /// What stays as it is where the requirements allow it. Its order does not count.
    pub kept: Vec<Pin>,
    /// The requirements that it answered, as [`crate::lock::stated_specs`] states them.
    pub specs: Vec<String>,
    /// What has to have a certain version.
    pub demanded: Vec<Demand>,
}

/// A package of an earlier answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Pin {
    /// Whether it comes from PyPI instead of conda.
    pub pypi: bool,
    /// Normalised name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Where the artifact is, without credentials.
    pub url: String,
    /// sha256 of the artifact, as hex.
    pub sha256: String,
}

/// A version that a package must have, if it is needed at all.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Demand {
    /// Whether the package comes from PyPI instead of conda.
    pub pypi: bool,
    /// Its name.
    pub name: String,
    /// The version; `1.2.*` is any that begins with 1.2.
    pub version: String,
}

impl Demand {
    /// The requirement that says so, without the name.
    pub fn requirement(&self) -> String {
        if self.version.ends_with('*') && !self.pypi {
            self.version.clone()
        } else {
            format!("=={}", self.version)
        }
    }
}

impl Pins {
    /// Pins for everything that an earlier answer has.
    pub fn of(packages: &[Package], specs: Vec<String>) -> Self {
        let pin = |package: &Package| Pin {
            pypi: package.kind != Kind::Conda,
            name: package.name.clone(),
            version: package.version.clone(),
            url: package.url.clone(),
            sha256: package.sha256.clone(),
        };
        Self { kept: packages.iter().map(pin).collect(), specs, demanded: Vec::new() }
    }

    /// Those of one kind.
    pub(super) fn kept(&self, pypi: bool) -> impl Iterator<Item = &Pin> {
        self.kept.iter().filter(move |pin| pin.pypi == pypi)
    }

    /// Those of one kind.
    pub(super) fn demanded(&self, pypi: bool) -> impl Iterator<Item = &Demand> {
        self.demanded.iter().filter(move |demand| demand.pypi == pypi)
    }
}
