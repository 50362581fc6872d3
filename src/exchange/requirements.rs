//! Requirements with hashes, as `pip install --require-hashes` takes them.

use std::fmt::Write;

use rattler_conda_types::Subdir;

use super::{Error, Place, nowhere, of_conda};
use crate::lock::Package;

const FORMAT: &str = "requirements.txt";

/// The packages of PyPI, each with its hash. pip can check no hash of a tree.
pub(super) fn write(platform: Subdir, packages: &[Package]) -> Result<String, Error> {
    let mut text = format!(
        "# Locked by envlock: the PyPI packages for {}, on top of the conda packages. To install them:\n\
         #     pip install --no-deps --require-hashes --requirement FILE\n",
        platform.as_str()
    );
    for package in of_conda(packages, false) {
        let requirement = match Place::of(package).ok_or_else(|| nowhere(package, FORMAT))? {
            Place::Pypi(_) => format!("{}=={}", package.name, package.version),
            Place::Url(url) => format!("{} @ {url}", package.name),
            Place::File(path) if path.starts_with('/') => format!("{} @ {}", package.name, package.url),
            Place::File(path) => format!("./{path}"),
            Place::Directory(_) | Place::Git { .. } => {
                return Err(Error {
                    package: package.name.clone(),
                    format: FORMAT,
                    reason: "it is a tree of files, of which pip checks no hash".to_owned(),
                });
            }
        };
        let _ = writeln!(text, "{requirement} \\\n    --hash=sha256:{}", package.sha256);
    }
    Ok(text)
}
