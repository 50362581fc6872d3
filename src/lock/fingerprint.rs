//! The two hashes that envlock states about a lock.
//!
//! `lockHash` says which packages an environment has on a platform; it is recomputed from either
//! output. `inputHash` says what was read to get there, so that `check` knows without a network
//! whether the lock is current.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{format::nix, model::Package};
use crate::spec::Inputs;

/// sha256 over the sorted list (kind, name, version, file name, sha256), as 64 hex digits.
pub fn lock_hash(packages: &[Package]) -> String {
    let mut lines: Vec<String> = packages
        .iter()
        .map(|package| {
            let (kind, file) = (package.kind.as_str(), package.file_name());
            format!("{kind}\t{}\t{}\t{file}\t{}\n", package.name, package.version, package.sha256)
        })
        .collect();
    lines.sort();
    hex(&Sha256::digest(lines.concat()))
}

/// sha256 over envlock's reading of the inputs, the options and the project file, as 64 hex digits.
///
/// The order of requirements and of variables does not count; the order of channels does.
pub fn input_hash(inputs: &Inputs) -> String {
    let mut text = String::from("envlock input 1\n");
    // Every part is quoted by `{:?}`, so that no text can pretend to be two parts.
    for (name, value) in inputs.options.entries() {
        let _ = writeln!(text, "option {name:?} {value:?}");
    }
    for (conda, pypi) in &inputs.name_map {
        let _ = writeln!(text, "name {conda:?} {pypi:?}");
    }
    if let Some(cluster) = &inputs.cluster {
        let _ = writeln!(text, "cluster {cluster:?}");
    }
    if let Some(airflow) = &inputs.airflow {
        let _ = writeln!(text, "airflow {airflow:?}");
    }
    for (name, role) in &inputs.roles {
        // As the lock writes it, which says nothing of what a role does not have.
        let (stated, part) = (nix::role_text(role), role.airflow);
        let _ = writeln!(text, "role {name:?} {:?} {part:?} {stated:?}", role.system);
    }
    for environment in &inputs.environments {
        let _ = writeln!(text, "environment {:?}", environment.name);
        for (platform, read) in &environment.platforms {
            let _ = writeln!(text, "platform {}", platform.as_str());
            for channel in &read.channels {
                let urls: Vec<_> = channel.urls.iter().map(url::Url::as_str).collect();
                let _ = writeln!(text, "channel {:?} {urls:?}", channel.lock_url);
            }
            for (name, value) in &read.variables {
                let _ = writeln!(text, "variable {name:?} {value:?}");
            }
            for spec in super::stated_specs(read) {
                let _ = writeln!(text, "spec {spec:?}");
            }
        }
    }
    hex(&Sha256::digest(text))
}

/// sha256 of a text, as 64 hex digits.
pub fn of_text(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::model::tests::package;

    #[test]
    fn the_order_of_packages_does_not_count_and_everything_stated_does() {
        let (a, b) = (package("a", &[]), package("b", &[]));
        let hash = lock_hash(&[a.clone(), b.clone()]);
        assert_eq!(hash, lock_hash(&[b.clone(), a.clone()]));
        let mut other = b.clone();
        other.sha256 = "00".repeat(32);
        assert_ne!(hash, lock_hash(&[a.clone(), other]));
        let mut other = b;
        other.version = "2".to_owned();
        assert_ne!(hash, lock_hash(&[a, other]));
    }

    #[test]
    fn the_hash_of_nothing_is_sha256_of_nothing() {
        assert_eq!(lock_hash(&[]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
