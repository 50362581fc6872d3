//! What conda packages are called on PyPI.
//!
//! A conda package that Python can import counts as its PyPI namesake, so that pip requirements see
//! it. Most names are the same once normalised; [`name_map::pypi_name`] knows the common ones that are not,
//! and `--name-map` overrides both.

use std::str::FromStr;

use rattler_conda_types::RepoDataRecord;
use uv_normalize::PackageName;

use crate::spec::name_map::{self, NameMap};

/// The PyPI name of a conda package, or `None` if it is none that Python imports.
pub(super) fn pypi_name(record: &RepoDataRecord, map: &NameMap) -> Option<PackageName> {
    let package = &record.package_record;
    let name = package.name.as_normalized();
    if let Some(stated) = map.get(name) {
        return PackageName::from_str(stated).ok();
    }
    let needs_python = |spec: &String| {
        let wanted = spec.split([' ', '=', '<', '>', '!', '[']).next().unwrap_or_default();
        matches!(wanted, "python" | "python_abi")
    };
    if !package.noarch.is_python() && !package.depends.iter().any(needs_python) {
        return None;
    }
    PackageName::from_str(name_map::pypi_name(name)).ok()
}
