//! `conda-lock.yml`, version 1.
//!
//! Source: CEP 37, and conda-lock 4, which writes this format. No timestamps and no custom
//! metadata are written; entries are sorted by manager, name, platform and category.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rattler_conda_types::Subdir;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::{
    Error, Kind, LockedChannel, LockedEnvironment, LockedPlatform, Package, file_name, fingerprint::hex,
};
use crate::spec::environment::parse_platform;

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    metadata: Metadata,
    package: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    content_hash: BTreeMap<String, String>,
    channels: Vec<ChannelEntry>,
    platforms: Vec<String>,
    sources: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct ChannelEntry {
    url: String,
    used_env_vars: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    name: String,
    version: String,
    manager: String,
    platform: String,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
    url: String,
    hash: Hash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build: Option<String>,
    category: String,
    optional: bool,
}

#[derive(Serialize, Deserialize)]
struct Hash {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    /// Empty where another tool has left it out.
    #[serde(default)]
    sha256: String,
}

/// The bytes of an environment's `conda-lock.yml`.
pub fn write(environment: &LockedEnvironment) -> String {
    let names: BTreeMap<String, Subdir> =
        environment.platforms.keys().map(|platform| (platform.as_str().to_owned(), *platform)).collect();
    let content_hash = &environment.content_hash;
    let mut package: Vec<Entry> = environment
        .platforms
        .iter()
        .flat_map(|(platform, locked)| locked.packages.iter().map(move |package| (platform, package)))
        .flat_map(|(platform, package)| {
            package.categories.iter().map(move |category| entry(environment, *platform, package, category))
        })
        .collect();
    package.sort_by(|a, b| {
        (&a.manager, &a.name, &a.platform, &a.category).cmp(&(&b.manager, &b.name, &b.platform, &b.category))
    });
    let file = File {
        version: 1,
        metadata: Metadata {
            content_hash: names
                .iter()
                .filter_map(|(name, platform)| Some((name.clone(), content_hash.get(platform)?.clone())))
                .collect(),
            channels: environment
                .channels
                .iter()
                .map(|channel| ChannelEntry {
                    url: channel.url.clone(),
                    used_env_vars: channel.used_env_vars.clone(),
                })
                .collect(),
            platforms: names.into_keys().collect(),
            sources: environment.sources.clone(),
        },
        package,
    };
    // YAML 1.1 readers (PyYAML, yaml-cpp) must see text where text is meant: `1_0` and `2024-01-02`
    // are a number and a date to them, and serde-saphyr quotes both by default.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    // Writing to a string fails only for types that YAML cannot hold, and these are plain structs.
    let body = serde_saphyr::to_string_with_options(&file, options).unwrap_or_default();
    format!("{}{body}", header(&environment.name))
}

fn header(environment: &str) -> String {
    let file = file_name(environment);
    format!(
        "# Locked by envlock; do not edit. The environment file beside it says what is wanted, this\n\
         # file says which packages that is, with their hashes. To install it without envlock:\n\
         #     conda-lock install --name NAME {file}\n\
         #     micromamba create --name NAME --file {file}\n\
         # To lock it anew after a change: envlock convert\n"
    )
}

fn entry(environment: &LockedEnvironment, platform: Subdir, package: &Package, category: &str) -> Entry {
    Entry {
        name: package.name.clone(),
        version: package.version.clone(),
        manager: package.kind.manager().to_owned(),
        platform: platform.as_str().to_owned(),
        dependencies: package.dependencies.clone(),
        url: with_variables(&package.url, &environment.channels),
        hash: Hash { md5: package.md5.clone(), sha256: package.sha256.clone() },
        build: package.build.clone(),
        category: category.to_owned(),
        optional: category != "main",
    }
}

/// The URL with `${VARIABLE}` where its channel wants credentials.
fn with_variables(url: &str, channels: &[LockedChannel]) -> String {
    for channel in channels.iter().filter(|channel| !channel.used_env_vars.is_empty()) {
        for base in &channel.bases {
            if let Some(rest) = url.strip_prefix(base.as_str()) {
                return format!("{}{rest}", channel.url.trim_end_matches('/'));
            }
        }
    }
    url.to_owned()
}

/// sha256 over what a `conda-lock.yml` says, however it is formatted; of no meaning if it says nothing.
pub fn digest(text: &str) -> String {
    let said = serde_yaml::from_str::<File>(text).ok().and_then(|file| serde_json::to_string(&file).ok());
    hex(&Sha256::digest(said.unwrap_or_default()))
}

/// What is read first: a newer format may not even have the rest.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Reads what [`write()`] wrote, or what conda-lock did.
pub fn read(path: &Path, name: &str, text: &str) -> Result<LockedEnvironment, Error> {
    let wrong = |message: String| Error { path: path.to_path_buf(), message };
    let Version { version } =
        serde_yaml::from_str(text).map_err(|error| wrong(format!("not a conda-lock file: {error}")))?;
    if version != 1 {
        return Err(wrong(format!("version {version} of conda-lock's format is not known here, only 1")));
    }
    let file: File = serde_yaml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let platform = |name: &str| parse_platform(name).map_err(|(message, _)| wrong(message));

    let mut content_hash = BTreeMap::new();
    for (name, hash) in file.metadata.content_hash {
        content_hash.insert(platform(&name)?, hash);
    }
    let mut platforms: BTreeMap<Subdir, LockedPlatform> = BTreeMap::new();
    for name in &file.metadata.platforms {
        platforms.insert(platform(name)?, LockedPlatform::default());
    }
    for entry in file.package {
        let kind = match entry.manager.as_str() {
            "conda" => Kind::Conda,
            "pip" if has_extension(&entry.url, "whl") => Kind::Wheel,
            "pip" => Kind::Sdist,
            other => return Err(wrong(format!("{}: the manager `{other}` is not known", entry.name))),
        };
        let packages = &mut platforms.entry(platform(&entry.platform)?).or_default().packages;
        if let Some(known) = packages.iter_mut().find(|known| known.kind == kind && known.name == entry.name)
        {
            known.categories.insert(entry.category);
            continue;
        }
        packages.push(Package {
            kind,
            name: entry.name,
            version: entry.version,
            build: entry.build,
            url: without_credentials(&entry.url),
            sha256: entry.hash.sha256,
            md5: entry.hash.md5,
            size: None,
            dependencies: entry.dependencies,
            categories: BTreeSet::from([entry.category]),
            wheel: None,
        });
    }
    Ok(LockedEnvironment {
        name: name.to_owned(),
        channels: file
            .metadata
            .channels
            .into_iter()
            .map(|channel| LockedChannel {
                // What is needed to write the variables again.
                bases: if channel.used_env_vars.is_empty() {
                    Vec::new()
                } else {
                    vec![without_credentials(&channel.url)]
                },
                url: channel.url,
                used_env_vars: channel.used_env_vars,
            })
            .collect(),
        sources: file.metadata.sources,
        content_hash,
        platforms,
    })
}

/// Whether the path of a URL ends with a file extension.
fn has_extension(url: &str, extension: &str) -> bool {
    let path = url.split(['#', '?']).next().unwrap_or_default();
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// The reverse of [`with_variables`], without knowing the channels.
fn without_credentials(url: &str) -> String {
    if url.contains("${") { crate::spec::channel::redact(url).replace("/t/***", "") } else { url.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::model::tests::package;

    pub(crate) fn environment() -> LockedEnvironment {
        let mut odd = package("odd", &["a"]);
        odd.version = "2024-01-02".to_owned();
        odd.build = Some("1_0".to_owned());
        odd.dependencies.insert("yes".to_owned(), "1_2".to_owned());
        odd.categories = BTreeSet::from(["dev".to_owned(), "docs".to_owned()]);
        LockedEnvironment {
            name: "user".to_owned(),
            channels: vec![LockedChannel {
                url: "https://h/t/${TOKEN}/c".to_owned(),
                used_env_vars: vec!["TOKEN".to_owned()],
                bases: vec!["https://h/c".to_owned()],
            }],
            sources: vec!["env.yml".to_owned()],
            content_hash: BTreeMap::from([(Subdir::Linux64, "00".repeat(32))]),
            platforms: BTreeMap::from([(
                Subdir::Linux64,
                LockedPlatform { packages: vec![package("a", &[]), odd], ..LockedPlatform::default() },
            )]),
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let written = write(&environment());
        let read = read(Path::new("conda-lock.yml"), "user", &written).unwrap();
        let mut expected = environment();
        for package in &mut expected.platforms.get_mut(&Subdir::Linux64).unwrap().packages {
            package.size = None;
        }
        assert_eq!(read, expected);
    }

    #[test]
    fn shuffled_packages_give_the_same_bytes() {
        let mut shuffled = environment();
        shuffled.platforms.get_mut(&Subdir::Linux64).unwrap().packages.reverse();
        assert_eq!(write(&shuffled), write(&environment()));
    }

    #[test]
    fn text_stays_text_for_yaml_1_1() {
        let written = write(&environment());
        for quoted in ["version: \"2024-01-02\"", "build: \"1_0\"", "\"yes\": \"1_2\""] {
            assert!(written.replace('\'', "\"").contains(quoted), "{quoted} in {written}");
        }
        assert!(written.contains("url: https://h/t/${TOKEN}/c/linux-64/a-1.0-h0_0.conda"), "{written}");
    }

    #[test]
    fn another_version_is_refused() {
        let error = read(Path::new("conda-lock.yml"), "user", "version: 2\n").unwrap_err();
        assert!(error.to_string().contains("version 2"));
    }
}
