//! `envlock sbom`: what a lock or an image consists of.

use std::{collections::BTreeMap, path::Path};

use sha2::{Digest, Sha256};

use super::{
    bundle::lock_files,
    image::{lock_in, read_layers},
    locked::Locked,
};
use crate::{
    cli::Sbom,
    error::{Error, ExitCode},
    fs,
    image::{Archive, Found, Image},
    lock::{
        self, Kind, Package,
        fingerprint::{hex, lock_hash},
    },
    printer::Printer,
    sbom::{self, Component, Origin, Subject},
    settings::Settings,
    spec::{self, RUNTIME, USER},
    store::Files,
    tree::license,
};

/// Licences by environment, manager and package name.
type Licenses = BTreeMap<(String, &'static str, String), String>;

/// Runs the command.
pub(super) fn sbom(arguments: &Sbom, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let source = &arguments.source;
    let is_lock = source.is_dir()
        || source
            .extension()
            .is_some_and(|extension| extension == "yml" || extension == "yaml" || extension == "nix");
    let time = settings.source_date_epoch()?.unwrap_or(fs::TREE_TIME);
    let platform = arguments.platform.as_deref();
    let subject = if is_lock {
        of_lock(source, platform, time)?
    } else {
        of_image(&Archive::open(source)?, platform, time, settings, printer)?.0
    };
    let bytes = sbom::write(&subject, arguments.format)?;
    super::deliver(&bytes, arguments.output.as_ref(), printer)?;
    Ok(ExitCode::Success)
}

fn of_lock(source: &Path, platform: Option<&str>, time: u32) -> Result<Subject, Error> {
    let locked = Locked::load(source)?.with_dependencies()?;
    let platform = locked.choose(None, platform)?.platform;
    let environments = environments(&locked, platform.as_str(), |_| true, &Licenses::new());
    let packages: Vec<Package> =
        environments.values().flatten().map(|component| component.package.clone()).collect();
    let name = format!("{}-lock", platform.as_str());
    Ok(Subject { name, digest: lock_hash(&packages), is_image: false, time, environments })
}

/// An image of an archive, and where its lock says it comes from.
pub(super) fn of_image(
    archive: &Archive,
    platform: Option<&str>,
    time: u32,
    settings: &Settings,
    printer: &Printer,
) -> Result<(Subject, Origin), Error> {
    let usage = |message: String, hint: &str| Error::from(spec::Error::usage(message, hint));
    let shown = archive.path.display();
    let image = archive.images.iter().find(|image| platform.is_none_or(|it| image.platform() == Some(it)));
    let image = image.ok_or_else(|| {
        usage(
            format!("{shown} has no image for {}", platform.unwrap_or_default()),
            "see `envlock image inspect`",
        )
    })?;
    let found = read_layers(archive, image, printer)?;
    let files = Files::open(&settings.cache)?;
    let directory = lock_in(&found, &files)?.ok_or_else(|| {
        usage(format!("{shown} has no lock inside"), "use an image of `envlock image build`, or its lock")
    })?;
    let locked = Locked::load(&directory.join(lock::NIX_FILE))?.with_dependencies()?;
    let role = image.role().unwrap_or_default();
    let is_in = |name: &str| name == USER || name == RUNTIME || name == role;
    let platform = platform_of(image, &locked)?;
    let environments = environments(&locked, &platform, is_in, &licenses(&found, role));
    let name = format!("{role}-image");
    let origin = Origin {
        role: role.to_owned(),
        platform,
        input_hash: locked.project.as_ref().map(|project| project.input_hash.clone()).unwrap_or_default(),
        files: lock_files(&locked)?
            .into_iter()
            .map(|(name, content)| (name, hex(&Sha256::digest(content))))
            .collect(),
    };
    Ok((Subject { name, digest: image.digest.clone(), is_image: true, time, environments }, origin))
}

fn platform_of(image: &Image, locked: &Locked) -> Result<String, Error> {
    match image.platform() {
        Some(platform) => Ok(platform.to_owned()),
        None => Ok(locked.choose(Some(USER), None)?.platform.as_str().to_owned()),
    }
}

/// The packages of some environments.
fn environments(
    locked: &Locked,
    platform: &str,
    is_in: impl Fn(&str) -> bool,
    licenses: &Licenses,
) -> BTreeMap<String, Vec<Component>> {
    let mut environments = BTreeMap::new();
    for environment in locked.environments.iter().filter(|environment| is_in(&environment.name)) {
        let found = environment.platforms.iter().find(|(known, _)| known.as_str() == platform);
        let Some((_, locked)) = found else { continue };
        let components = locked.packages.iter().map(|package| {
            let key = (environment.name.clone(), package.kind.manager(), package.name.clone());
            Component { license: licenses.get(&key).cloned(), package: package.clone() }
        });
        environments.insert(environment.name.clone(), components.collect());
    }
    environments
}

/// What the packages in an image state as their licence.
fn licenses(found: &[Found], role: &str) -> Licenses {
    let mut licenses = Licenses::new();
    let places =
        [("opt/envlock/env/", USER), ("opt/envlock/runtime/", RUNTIME), ("opt/envlock/system/", role)];
    for (path, content) in found.iter().flat_map(|layer| &layer.kept) {
        let Some((_, environment)) = places.iter().find(|(prefix, _)| path.starts_with(prefix)) else {
            continue;
        };
        // A package may bring copies of others, with their metadata.
        let is_own =
            |path: &str| path.rsplitn(3, '/').nth(2).is_some_and(|it| it.ends_with("/site-packages"));
        if path.ends_with("/METADATA") && !is_own(path) {
            continue;
        }
        let (kind, stated) = if path.ends_with("/METADATA") {
            (Kind::Wheel, license::of_metadata(content))
        } else {
            (Kind::Conda, license::of_record(content))
        };
        if let Some((name, license)) = stated {
            licenses.insert(((*environment).to_owned(), kind.manager(), name), license);
        }
    }
    licenses
}
