//! `pixi.lock`, by `rattler_lock`, which is what pixi itself reads and writes it with.

use std::{collections::BTreeSet, fmt::Display, path::Path, str::FromStr};

use pep508_rs::Requirement;
use rattler_conda_types::{
    NoArchType, PackageName, PackageRecord, Subdir, VersionWithSource,
    package::{BuildString, DistArchiveIdentifier},
};
use rattler_digest::{Md5, Sha256, parse_digest_from_hex};
use rattler_lock::{
    Channel, CondaBinaryData, CondaPackageData, LockFile, LockFileBuilder, LockedPackage, PackageHashes,
    PlatformData, PypiDistributionData, PypiIndexes, PypiPackageData, PypiSourceData, SourceData, UrlOrPath,
};
use url::Url;

use super::{Error, Place, Platforms, Subject, nowhere};
use crate::{
    lock::{Kind, LockedChannel, Package, fingerprint::hex, model::dependencies},
    spec::{
        self,
        channel::{Context, Variables},
        name_map::normalised,
    },
};

const FORMAT: &str = "pixi.lock";
/// The environment that pixi takes without being asked for one.
const ENVIRONMENT: &str = "default";
const PYPI: &str = "https://pypi.org/simple";

/// The environment on all its platforms.
pub(super) fn write(subject: &Subject) -> Result<String, Error> {
    let failed = |error: &dyn Display| Error {
        package: subject.environment.to_owned(),
        format: FORMAT,
        reason: error.to_string(),
    };
    let platforms = subject.platforms.iter().map(|(platform, _)| PlatformData {
        name: platform.into(),
        subdir: *platform,
        virtual_packages: Vec::new(),
    });
    let channels = subject.channels.iter().flat_map(|channel| urls(channel, subject.alias));
    let mut builder: LockFileBuilder = LockFile::builder()
        .with_platforms(platforms.collect())
        .map_err(|error| failed(&error))?
        .with_channels(ENVIRONMENT, channels);
    let mut has_pypi = false;
    for (platform, packages) in &subject.platforms {
        let platform = platform.as_str();
        builder.add_environment_platform(ENVIRONMENT, platform).map_err(|error| failed(&error))?;
        for package in packages {
            let added = if package.kind == Kind::Conda {
                builder.add_conda_package(ENVIRONMENT, platform, conda(package)?)
            } else {
                has_pypi = true;
                builder.add_pypi_package(ENVIRONMENT, platform, pypi(package)?)
            };
            added.map_err(|error| unfit(package, &error))?;
        }
    }
    if has_pypi {
        let indexes = Url::parse(PYPI).into_iter().collect();
        builder.set_pypi_indexes(ENVIRONMENT, PypiIndexes { indexes, find_links: Vec::new() });
    }
    builder.finish().render_to_string().map_err(|error| failed(&error))
}

/// A channel by its URLs: pixi has no names in its lock.
fn urls(channel: &LockedChannel, alias: &Url) -> Vec<Channel> {
    let context = Context { alias, directory: Path::new(""), variables: &Variables::new() };
    let named =
        (!channel.url.contains("://")).then(|| spec::channel::Channel::parse(&channel.url, context).ok());
    let urls = named.flatten().map(|channel| channel.urls.iter().map(spec::channel::bare).collect());
    let with_variables = |url| Channel { url, used_env_vars: channel.used_env_vars.clone() };
    urls.unwrap_or_else(|| vec![channel.url.clone()]).into_iter().map(with_variables).collect()
}

fn unfit(package: &Package, error: &dyn Display) -> Error {
    Error { package: package.name.clone(), format: FORMAT, reason: error.to_string() }
}

fn conda(package: &Package) -> Result<CondaPackageData, Error> {
    let name = PackageName::from_str(&package.name).map_err(|error| unfit(package, &error))?;
    let version = VersionWithSource::from_str(&package.version).map_err(|error| unfit(package, &error))?;
    let file = package.file_name();
    let file_name = DistArchiveIdentifier::try_from_filename(&file)
        .ok_or_else(|| unfit(package, &format_args!("`{file}` is no conda package")))?;
    // conda-lock leaves it out.
    let build = package.build.clone().unwrap_or_else(|| file_name.identifier.build_string.clone());
    // conda's builds end with it; the lock states it nowhere else.
    let number = build.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|number| number.parse().ok());
    let build = BuildString::from_str(&build).map_err(|error| unfit(package, &error))?;
    let mut record = PackageRecord::new(name, version, build);
    record.build_number = number.unwrap_or_default();
    package.url.rsplit('/').nth(1).unwrap_or_default().clone_into(&mut record.subdir);
    if record.subdir == Subdir::NoArch.as_str() {
        let is_python = package.dependencies.contains_key("python");
        record.noarch = if is_python { NoArchType::python() } else { NoArchType::generic() };
    }
    record.depends = package
        .dependencies
        .iter()
        .map(|(name, text)| format!("{name} {text}").trim_end().to_owned())
        .collect();
    record.md5 = package.md5.as_deref().and_then(parse_digest_from_hex::<Md5>);
    record.sha256 = parse_digest_from_hex::<Sha256>(&package.sha256);
    record.size = package.size;
    let location = location(package)?;
    let channel = package.url.rsplitn(3, '/').nth(2).and_then(|base| Url::parse(base).ok()).map(Into::into);
    Ok(CondaBinaryData { package_record: record, location, file_name, channel }.into())
}

fn pypi(package: &Package) -> Result<PypiPackageData, Error> {
    let name = package.name.parse().map_err(|error| unfit(package, &error))?;
    let requirement = |(name, text): (&String, &String)| {
        let text = if text == "*" { "" } else { text.as_str() };
        Requirement::from_str(&format!("{name}{text}")).map_err(|error| unfit(package, &error))
    };
    let requires_dist = package.dependencies.iter().map(requirement).collect::<Result<_, _>>()?;
    let location = location(package)?;
    let place = Place::of(package).ok_or_else(|| nowhere(package, FORMAT))?;
    if let Place::Directory(_) = place {
        let source_data = SourceData::default();
        let source = PypiSourceData {
            name,
            location: location.into(),
            requires_dist,
            requires_python: None,
            source_data,
        };
        return Ok(source.into());
    }
    if let Place::Git { .. } = place {
        return Err(unfit(package, &"pixi pins no content of a git tree"));
    }
    let is_pypi = matches!(place, Place::Pypi(_));
    let hash = parse_digest_from_hex::<Sha256>(&package.sha256).map(PackageHashes::Sha256);
    Ok(PypiDistributionData {
        name,
        version: package.version.parse().map_err(|error| unfit(package, &error))?,
        location: location.into(),
        index_url: Url::parse(PYPI).ok().filter(|_| is_pypi),
        hash,
        requires_dist,
        requires_python: None,
    }
    .into())
}

fn location(package: &Package) -> Result<UrlOrPath, Error> {
    let local = package.url.strip_prefix("file:").filter(|path| !path.starts_with('/'));
    let path = local.map(|path| format!("./{}", crate::spec::channel::percent_decoded(path)));
    let text = path.as_deref().unwrap_or(&package.url);
    UrlOrPath::from_str(text).map_err(|error| unfit(package, &error))
}

/// The channels and packages of an environment of a lock; the error is a sentence.
pub(super) fn read(text: &str, environment: Option<&str>) -> Result<(Vec<LockedChannel>, Platforms), String> {
    let lock =
        LockFile::from_str_with_base_directory(text, None).map_err(|error| crate::causes::chain(&error))?;
    let wanted = environment.unwrap_or(ENVIRONMENT);
    let environment = lock.environment(wanted).ok_or_else(|| {
        let known: Vec<_> = lock.environments().map(|(name, _)| name).collect();
        format!("it has no environment `{wanted}`, but {}: use --environment", known.join(", "))
    })?;
    let channel = |channel: &Channel| LockedChannel {
        url: channel.url.trim_end_matches('/').to_owned(),
        used_env_vars: channel.used_env_vars.clone(),
        bases: Vec::new(),
    };
    let channels = environment.channels().iter().map(channel).collect();
    let mut platforms = Platforms::new();
    for (platform, packages) in environment.packages_by_platform() {
        let packages = packages.map(package).collect::<Result<Vec<_>, _>>()?;
        if platforms.insert(platform.subdir(), packages).is_some() {
            return Err(format!("it has several platforms of {}", platform.subdir().as_str()));
        }
    }
    Ok((channels, platforms))
}

fn package(package: &LockedPackage) -> Result<Package, String> {
    let package = match package {
        LockedPackage::Conda(CondaPackageData::Binary(data)) => of_conda(data),
        LockedPackage::Pypi(PypiPackageData::Distribution(data)) => of_pypi(data)?,
        LockedPackage::Conda(_) | LockedPackage::Pypi(_) => {
            return Err(format!("{} is a source tree, whose content pixi does not pin", package.name()));
        }
    };
    Ok(package)
}

fn of_conda(data: &CondaBinaryData) -> Package {
    let record = &data.package_record;
    Package {
        kind: Kind::Conda,
        name: record.name.as_normalized().to_owned(),
        version: record.version.to_string(),
        build: Some(record.build.to_string()),
        url: url(&data.location),
        sha256: record.sha256.map(|digest| hex(&digest)).unwrap_or_default(),
        md5: record.md5.map(|digest| hex(&digest)),
        size: record.size,
        dependencies: dependencies(&record.depends),
        categories: BTreeSet::from(["main".to_owned()]),
        wheel: None,
    }
}

fn of_pypi(data: &PypiDistributionData) -> Result<Package, String> {
    let url = url(data.location.inner());
    let sha256 =
        data.hash.as_ref().and_then(PackageHashes::sha256).map(|digest| hex(digest)).unwrap_or_default();
    if url.starts_with("git+") {
        return Err(format!("{} is a tree of {url}, whose content pixi does not pin by a hash", data.name));
    }
    let requirement = |requirement: &Requirement| {
        let text = match &requirement.version_or_url {
            Some(pep508_rs::VersionOrUrl::VersionSpecifier(specifiers)) => {
                specifiers.to_string().replace(' ', "")
            }
            _ => String::new(),
        };
        (normalised(requirement.name.as_ref()), if text.is_empty() { "*".to_owned() } else { text })
    };
    // What only some extra or platform wants is not known to be wanted here.
    let stated = data.requires_dist.iter().filter(|it| it.marker.is_true());
    let is_wheel = Path::new(&url).extension().is_some_and(|extension| extension == "whl");
    Ok(Package {
        kind: if is_wheel { Kind::Wheel } else { Kind::Sdist },
        name: normalised(data.name.as_ref()),
        version: data.version.to_string(),
        build: None,
        url,
        sha256,
        md5: data.hash.as_ref().and_then(PackageHashes::md5).map(|digest| hex(digest)),
        size: None,
        dependencies: stated.map(requirement).collect(),
        categories: BTreeSet::from(["main".to_owned()]),
        wheel: None,
    })
}

/// A location as a lock of ours states it.
fn url(location: &UrlOrPath) -> String {
    match location {
        // So is a requirement marked that was a URL.
        UrlOrPath::Url(url) => url.as_str().trim_start_matches("direct+").to_owned(),
        UrlOrPath::Path(path) => format!("file:{}", path.as_str().trim_start_matches("./")),
    }
}
