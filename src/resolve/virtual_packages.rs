//! What the target machine is assumed to have: never what this machine has.

use std::collections::BTreeMap;

use rattler_conda_types::{GenericVirtualPackage, PackageName, Subdir, Version, package::BuildString};

/// The virtual packages of a platform without CUDA: glibc 2.28 and Linux 5.10, or macOS 11.0.
fn defaults(platform: Subdir) -> Vec<(&'static str, String)> {
    let name = platform.as_str();
    let (os, architecture) = name.split_once('-').unwrap_or((name, ""));
    let machine = match architecture {
        "64" => "x86_64",
        "32" => "x86",
        other => other,
    };
    let mut packages = vec![("__archspec", format!("1={machine}"))];
    match os {
        "win" => packages.push(("__win", "0".to_owned())),
        "osx" => packages.extend([("__unix", "0".to_owned()), ("__osx", "11.0".to_owned())]),
        "linux" => packages.extend([
            ("__unix", "0".to_owned()),
            ("__linux", "5.10".to_owned()),
            ("__glibc", "2.28".to_owned()),
        ]),
        _ => packages.push(("__unix", "0".to_owned())),
    }
    packages
}

/// The virtual packages of a platform, with what the user said about them.
pub(super) fn of(platform: Subdir, said: &BTreeMap<String, String>) -> Vec<GenericVirtualPackage> {
    let mut packages: BTreeMap<String, String> =
        defaults(platform).into_iter().map(|(name, version)| (name.to_owned(), version)).collect();
    packages.extend(said.clone());
    packages
        .into_iter()
        .filter_map(|(name, stated)| {
            let (version, build) = stated.split_once('=').unwrap_or((&stated, "0"));
            Some(GenericVirtualPackage {
                name: PackageName::try_from(name).ok()?,
                version: version.parse::<Version>().ok()?,
                build_string: BuildString::new_unchecked(build),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_what_is_said() {
        let said = BTreeMap::from([
            ("__glibc".to_owned(), "2.17".to_owned()),
            ("__cuda".to_owned(), "12.4".to_owned()),
        ]);
        let packages: Vec<_> = of(Subdir::LinuxAarch64, &said).iter().map(ToString::to_string).collect();
        assert_eq!(
            packages,
            ["__archspec=1=aarch64", "__cuda=12.4=0", "__glibc=2.17=0", "__linux=5.10=0", "__unix=0=0"]
        );
        assert!(of(Subdir::Linux64, &BTreeMap::new()).iter().all(|it| it.name.as_normalized() != "__cuda"));
    }
}
