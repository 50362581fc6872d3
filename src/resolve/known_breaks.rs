//! Versions that solvers put together and that do not run together.
//!
//! Their metadata allows them, so no solver can know. Each entry was seen to fail; a warning names the
//! constraint that avoids it.

use std::{collections::BTreeMap, str::FromStr};

use uv_pep440::{Version, VersionSpecifiers};

/// Package and versions, the other package and versions, what happens, what avoids it.
const BREAKS: [(&str, &str, &str, &str, &str, &str); 5] = [
    ("flower", "<1.0", "tornado", ">=6", "flower does not start", "tornado<6"),
    ("kombu", ">=4.4,<5", "redis", "<3", "kombu refuses this redis client", "kombu<4.4"),
    (
        "kombu",
        ">=5.3,<5.4",
        "redis",
        ">=3",
        "workers do not come back after a restart of Redis",
        "kombu>=5.4",
    ),
    ("apache-airflow", ">=2.11,<3", "celery", ">=5.7", "the CeleryExecutor does not start", "celery<5.7"),
    (
        "apache-airflow",
        ">=2.11,<3",
        "apache-airflow-providers-celery",
        ">=3.16,<3.18",
        "every task fails as unregistered",
        "apache-airflow-providers-celery>=3.18",
    ),
];

/// One sentence for each pair that is known not to run.
pub(super) fn find(versions: &BTreeMap<String, Version>) -> Vec<String> {
    let within = |name: &str, range: &str| {
        let version = versions.get(name)?;
        VersionSpecifiers::from_str(range).ok()?.contains(version).then_some(version)
    };
    BREAKS
        .iter()
        .filter_map(|(first, range, second, other_range, what, constraint)| {
            let (version, other) = (within(first, range)?, within(second, other_range)?);
            Some(format!(
                "{first} {version} and {second} {other} are allowed together and do not work: {what}; add `{constraint}`"
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_pairs_found() {
        for (_, first, _, second, _, constraint) in BREAKS {
            assert!(
                VersionSpecifiers::from_str(first).is_ok() && VersionSpecifiers::from_str(second).is_ok()
            );
            assert!(uv_pep508::Requirement::<uv_pep508::VerbatimUrl>::from_str(constraint).is_ok());
        }
        let versions = |tornado: &str| {
            BTreeMap::from(
                [("flower", "0.9.2"), ("tornado", tornado)]
                    .map(|(name, version)| (name.to_owned(), Version::from_str(version).unwrap())),
            )
        };
        assert!(find(&versions("6.0.2"))[0].contains("add `tornado<6`"));
        assert!(find(&versions("5.1.1")).is_empty());
    }
}
