//! Where rattler's types meet uv's: what the solved conda packages mean for PyPI.

use std::{collections::BTreeMap, str::FromStr};

use rattler_conda_types::{GenericVirtualPackage, RepoDataRecord, Subdir};
use uv_normalize::PackageName;
use uv_pep440::Version;
use uv_pep508::{MarkerEnvironment, MarkerEnvironmentBuilder};
use uv_platform_tags::{Arch, Os, Platform, Tags, TagsOptions};

use super::names;
use crate::spec::name_map::NameMap;

/// A conda package that Python sees under a PyPI name.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    /// The conda package.
    pub(super) conda: String,
    /// Its version, as PyPI writes versions.
    pub(super) version: Version,
}

/// The solved Python packages by PyPI name. One whose version PyPI could not have is left out.
pub(super) fn facts(records: &[RepoDataRecord], map: &NameMap) -> BTreeMap<PackageName, Fact> {
    let fact = |record: &RepoDataRecord| {
        let version = Version::from_str(&record.package_record.version.to_string()).ok()?;
        let conda = record.package_record.name.as_normalized().to_owned();
        Some((names::pypi_name(record, map)?, Fact { conda, version }))
    };
    records.iter().filter_map(fact).collect()
}

/// The machine that wheels are chosen for.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) markers: MarkerEnvironment,
    pub(super) tags: Tags,
}

/// The target that the solved Python makes on a platform; the error is a sentence.
pub(super) fn target(
    python: &RepoDataRecord,
    platform: Subdir,
    virtual_packages: &[GenericVirtualPackage],
) -> Result<Target, String> {
    let record = &python.package_record;
    let full = record.version.to_string();
    let version = Version::from_str(&full).map_err(|error| format!("Python {full}: {error}"))?;
    let (major, minor) = match &*version.release() {
        [major, minor, ..] => (u8::try_from(*major).unwrap_or(3), u8::try_from(*minor).unwrap_or(0)),
        _ => return Err(format!("Python {full} has no minor version")),
    };
    let build = record.build.to_string();
    let implementation = if build.contains("pypy") { "pypy" } else { "cpython" };
    let short = format!("{major}.{minor}");

    let stated = |name: &str| {
        let found = virtual_packages.iter().find(|package| package.name.as_normalized() == name)?;
        let text = found.version.to_string();
        let mut parts = text.split('.').map(|part| part.parse::<u16>().unwrap_or(0));
        Some((parts.next()?, parts.next().unwrap_or(0)))
    };
    let (os_name, architecture) = platform.as_str().split_once('-').unwrap_or((platform.as_str(), ""));
    let unknown = || format!("PyPI has no wheels for the platform {}", platform.as_str());
    let (os, names) = match os_name {
        // Without a glibc no wheel of PyPI's would load: a lower bound that only pure wheels meet.
        "linux" => {
            let (major, minor) = stated("__glibc").unwrap_or((2, 5));
            (Os::Manylinux { major, minor }, ("posix", "Linux", "linux"))
        }
        "osx" => {
            let (major, minor) = stated("__osx").unwrap_or((11, 0));
            (Os::Macos { major, minor }, ("posix", "Darwin", "darwin"))
        }
        "win" => (Os::Windows, ("nt", "Windows", "win32")),
        _ => return Err(unknown()),
    };
    let (arch, machine) = match (os_name, architecture) {
        ("win", "64") => (Arch::X86_64, "AMD64"),
        (_, "64") => (Arch::X86_64, "x86_64"),
        (_, "32") => (Arch::X86, "i686"),
        ("linux", "aarch64") => (Arch::Aarch64, "aarch64"),
        (_, "arm64") => (Arch::Aarch64, if os_name == "win" { "ARM64" } else { "arm64" }),
        (_, "armv7l") => (Arch::Armv7L, "armv7l"),
        (_, "ppc64le") => (Arch::Powerpc64Le, "ppc64le"),
        (_, "s390x") => (Arch::S390X, "s390x"),
        (_, "riscv64") => (Arch::Riscv64, "riscv64"),
        _ => return Err(unknown()),
    };
    let markers = MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
        implementation_name: implementation,
        implementation_version: &full,
        os_name: names.0,
        platform_machine: machine,
        platform_python_implementation: if implementation == "pypy" { "PyPy" } else { "CPython" },
        // Of the machine that will run it nothing more is known.
        platform_release: "",
        platform_system: names.1,
        platform_version: "",
        python_full_version: &full,
        python_version: &short,
        sys_platform: names.2,
    })
    .map_err(|error| format!("Python {full}: {error}"))?;
    let options = TagsOptions {
        manylinux_compatible: true,
        gil_disabled: build.contains("cp313t") || build.contains("cp314t"),
        ..TagsOptions::default()
    };
    let tags =
        Tags::from_env(Platform::new(os, arch), (major, minor), implementation, (major, minor), options)
            .map_err(|error| format!("Python {full}: {error}"))?;
    Ok(Target { markers, tags })
}

#[cfg(test)]
mod tests {
    use rattler_conda_types::PackageRecord;
    use uv_distribution_filename::WheelFilename;

    use super::*;
    use crate::resolve::virtual_packages;

    fn record(name: &str, version: &str, depends: &[&str]) -> RepoDataRecord {
        let mut package = PackageRecord::new(
            rattler_conda_types::PackageName::new_unchecked(name),
            rattler_conda_types::Version::from_str(version).unwrap(),
            rattler_conda_types::package::BuildString::new_unchecked("h0_0_cpython"),
        );
        package.depends = depends.iter().map(|text| (*text).to_owned()).collect();
        let file = format!("{name}-{version}-h0_0_cpython.conda");
        RepoDataRecord {
            package_record: package,
            identifier: file.parse().unwrap(),
            url: url::Url::parse(&format!("https://h/c/linux-64/{file}")).unwrap(),
            channel: None,
        }
    }

    #[test]
    fn wheels_are_chosen_for_the_target_and_never_for_this_machine() {
        let fits = |platform: Subdir, said: &[(&str, &str)], wheel: &str| {
            let said = said.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            let virtual_packages = virtual_packages::of(platform, &said);
            let target = target(&record("python", "3.6.7", &[]), platform, &virtual_packages).unwrap();
            WheelFilename::from_str(wheel).unwrap().is_compatible(&target.tags)
        };
        let (intel, arm) = (Subdir::Linux64, Subdir::LinuxAarch64);
        assert!(fits(intel, &[], "a-1-cp36-cp36m-manylinux1_x86_64.whl"));
        assert!(fits(intel, &[], "a-1-cp36-cp36m-manylinux_2_28_x86_64.whl"));
        assert!(!fits(intel, &[("__glibc", "2.17")], "a-1-cp36-cp36m-manylinux_2_28_x86_64.whl"));
        assert!(!fits(intel, &[], "a-1-cp37-cp37m-manylinux1_x86_64.whl"));
        assert!(fits(arm, &[], "a-1-cp36-cp36m-manylinux2014_aarch64.whl"));
        assert!(!fits(arm, &[], "a-1-cp36-cp36m-manylinux2014_x86_64.whl"));
        assert!(fits(Subdir::OsxArm64, &[], "a-1-py3-none-any.whl"));
    }

    #[test]
    fn facts_are_what_python_imports() {
        let records = [
            record("pytorch", "2.4.0", &["python_abi 3.11.* *_cp311"]),
            record("flask", "3.0.3", &["python >=3.8"]),
            record("redis-server", "7.4.0", &["openssl"]),
            record("odd", "1_a.b", &["python"]),
        ];
        let found = facts(&records, &NameMap::from([("flask".to_owned(), "Flask-2".to_owned())]));
        let names: Vec<_> = found.iter().map(|(name, fact)| format!("{name} {}", fact.version)).collect();
        assert_eq!(names, ["flask-2 3.0.3", "torch 2.4.0"]);
    }
}
