//! `env.yml` with every version and build pinned: what conda, mamba and envlock itself solve to the same packages.

use rattler_conda_types::Subdir;
use serde::Serialize;

use super::{Error, Place, nowhere, of_conda};
use crate::lock::{LockedChannel, Package};

const FORMAT: &str = "env.yml";

#[derive(Serialize)]
struct File {
    channels: Vec<String>,
    platforms: Vec<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Dependency {
    Conda(String),
    Pip { pip: Vec<String> },
}

/// All packages of a platform. The format has no place for hashes.
pub(super) fn write(
    channels: &[LockedChannel],
    platform: Subdir,
    packages: &[Package],
) -> Result<String, Error> {
    let conda = of_conda(packages, true).map(|package| {
        let build = package.build.as_ref().map(|build| format!("={build}")).unwrap_or_default();
        Dependency::Conda(format!("{}={}{build}", package.name, package.version))
    });
    let mut dependencies: Vec<_> = conda.collect();
    let pip: Vec<String> = of_conda(packages, false).map(requirement).collect::<Result<_, _>>()?;
    if !pip.is_empty() {
        dependencies.push(Dependency::Pip { pip });
    }
    let file = File {
        channels: channels.iter().map(|channel| channel.url.clone()).collect(),
        platforms: vec![platform.as_str().to_owned()],
        dependencies,
    };
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    // Lists of texts always serialise.
    let body = serde_saphyr::to_string_with_options(&file, options).unwrap_or_default();
    Ok(format!("# Pinned by envlock; the hashes are in conda-lock.yml.\n{body}"))
}

fn requirement(package: &Package) -> Result<String, Error> {
    let name = &package.name;
    Ok(match Place::of(package).ok_or_else(|| nowhere(package, FORMAT))? {
        Place::Pypi(_) => format!("{name}=={}", package.version),
        Place::Url(url) => format!("{name} @ {url}"),
        Place::File(path) | Place::Directory(path) if path.starts_with('/') => {
            format!("{name} @ {}", package.url)
        }
        Place::File(path) | Place::Directory(path) => format!("./{path}"),
        Place::Git { repository, commit, subdirectory } => {
            let inner = subdirectory.map(|inner| format!("#subdirectory={inner}")).unwrap_or_default();
            format!("{name} @ git+{repository}@{commit}{inner}")
        }
    })
}
