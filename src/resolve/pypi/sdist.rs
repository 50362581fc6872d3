//! The metadata of a source distribution, without running anything of it.
//!
//! In the order of trust: PKG-INFO of metadata 2.2 or newer; `[project]` of pyproject.toml where nothing
//! there is dynamic; `requires.txt` of its egg-info (an egg-info without one declares nothing); a bare
//! PKG-INFO without egg-info, as plain distutils makes it, which cannot declare requirements. Anything else
//! is an error that says so. Requirements in known broken forms are repaired, with a warning.
//!
//! Source: PEP 643, PEP 621, setuptools' `requires.txt`.

use std::{
    io::{Cursor, Read},
    str::FromStr,
};

use flate2::read::GzDecoder;
use uv_normalize::{ExtraName, PackageName};
use uv_pep440::Version;
use uv_pep508::Requirement;
use uv_pypi_types::{PyProjectToml, ResolutionMetadata, VerbatimParsedUrl};

use super::repair;

/// Files of an archive are small text; one that claims more is none of these.
pub(super) const LIMIT: u64 = 4 << 20;

/// The files that may declare requirements.
#[derive(Default)]
struct Declarations {
    pkg_info: Option<Vec<u8>>,
    pyproject: Option<String>,
    egg_info: bool,
    requires: Option<String>,
}

/// `[build-system]` of an sdist (PEP 517, PEP 518).
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BuildSystem {
    /// What the backend needs to run.
    #[serde(default = "setuptools")]
    pub requires: Vec<String>,
    /// The backend, as `module:object`.
    #[serde(default = "legacy_backend")]
    pub build_backend: String,
    /// Where in the sdist the backend is, if it is there.
    #[serde(default)]
    pub backend_path: Vec<String>,
}

fn setuptools() -> Vec<String> {
    vec!["setuptools>=40.8.0".to_owned()]
}

fn legacy_backend() -> String {
    "setuptools.build_meta:__legacy__".to_owned()
}

/// Reads how the sdist `file_name`, whose bytes these are, is built: as its pyproject.toml says, else by setuptools.
/// The error is a sentence.
pub fn build_system(file_name: &str, bytes: &[u8]) -> Result<BuildSystem, String> {
    #[derive(Default, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct PyProject {
        build_system: Option<BuildSystem>,
    }
    let found = declarations(file_name, bytes)?;
    let text = found.pyproject.unwrap_or_default();
    let project: PyProject =
        toml::from_str(&text).map_err(|error| format!("its pyproject.toml: {}", error.message()))?;
    let by_setuptools =
        || BuildSystem { requires: setuptools(), build_backend: legacy_backend(), backend_path: Vec::new() };
    Ok(project.build_system.unwrap_or_else(by_setuptools))
}

fn declarations(file_name: &str, bytes: &[u8]) -> Result<Declarations, String> {
    // By its content: the tree of a repository is an archive without a name.
    let found = if bytes.starts_with(b"\x1f\x8b") {
        from_tar(GzDecoder::new(bytes))
    } else if bytes.starts_with(b"PK\x03\x04") {
        from_zip(bytes)
    } else if bytes.get(257..262) == Some(b"ustar") {
        from_tar(bytes)
    } else {
        return Err(format!("{file_name} is in a form of archive that is not read here"));
    };
    found.map_err(|error| format!("{file_name}: {error}"))
}

/// Reads the metadata of the sdist `file_name`, whose bytes these are.
///
/// `known` are the name and version that an index states for it; a tree of version control has none, and
/// must state them itself. Returns the metadata with warnings about what had to be repaired; the error is
/// a sentence.
pub(super) fn metadata(
    file_name: &str,
    bytes: &[u8],
    known: Option<(&PackageName, &Version)>,
) -> Result<(ResolutionMetadata, Vec<String>), String> {
    let found = declarations(file_name, bytes)?;
    if let Some(pkg_info) = &found.pkg_info
        && let Ok(metadata) = ResolutionMetadata::parse_pkg_info(pkg_info)
    {
        return Ok((metadata, Vec::new()));
    }
    if let Some(text) = &found.pyproject
        && let Ok(project) = PyProjectToml::from_toml(text, "pyproject.toml")
        && let Ok(metadata) = ResolutionMetadata::parse_pyproject_toml(project, known.map(|(_, it)| it))
    {
        return Ok((metadata, Vec::new()));
    }
    let undeclared = || format!("{file_name} declares its requirements only when it is built");
    let stated = found.pkg_info.as_deref().and_then(identity);
    let (name, version) = match (known, &stated) {
        (Some(identity), _) => identity,
        (None, Some((name, version))) => (name, version),
        (None, None) => return Err(undeclared()),
    };
    let mut metadata = ResolutionMetadata {
        name: name.clone(),
        version: version.clone(),
        requires_dist: Box::default(),
        requires_python: None,
        provides_extra: Box::default(),
        dynamic: false,
    };
    let mut warnings = Vec::new();
    match (&found.requires, found.egg_info, &found.pkg_info) {
        (Some(text), ..) => {
            let (requirements, extras) = requires_txt(name, text, &mut warnings)?;
            metadata.requires_dist = requirements.into();
            metadata.provides_extra = extras.into();
        }
        (None, true, _) => {}
        // Made by plain distutils: there is no way to declare a requirement in it.
        (None, false, Some(_)) if found.pyproject.is_none() => {}
        _ => return Err(undeclared()),
    }
    Ok((metadata, warnings))
}

/// Name and version that a PKG-INFO of any age states.
fn identity(pkg_info: &[u8]) -> Option<(PackageName, Version)> {
    let text = String::from_utf8_lossy(pkg_info);
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Some((PackageName::from_str(field("Name:")?).ok()?, Version::from_str(field("Version:")?).ok()?))
}

fn from_tar(archive: impl Read) -> Result<Declarations, std::io::Error> {
    let mut found = Declarations::default();
    for entry in tar::Archive::new(archive).entries()? {
        let entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        found.take(&path, entry)?;
    }
    Ok(found)
}

fn from_zip(bytes: &[u8]) -> Result<Declarations, std::io::Error> {
    let mut found = Declarations::default();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(std::io::Error::other)?;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(std::io::Error::other)?;
        let path = entry.name().map_err(std::io::Error::other)?.into_owned();
        found.take(&path, entry)?;
    }
    Ok(found)
}

impl Declarations {
    /// Keeps a member if it is one of ours: `<top>/PKG-INFO` and the like.
    fn take(&mut self, path: &str, content: impl Read) -> Result<(), std::io::Error> {
        let path = path.trim_start_matches("./");
        let parts: Vec<&str> = path.split('/').collect();
        let in_egg_info = parts.len() >= 2 && parts[parts.len() - 2].ends_with(".egg-info");
        self.egg_info |= in_egg_info;
        let mut text = Vec::new();
        let read = || content.take(LIMIT).read_to_end(&mut text).map(drop);
        match parts.as_slice() {
            [_, "PKG-INFO"] => {
                read()?;
                self.pkg_info = Some(text);
            }
            [_, "pyproject.toml"] => {
                read()?;
                self.pyproject = String::from_utf8(text).ok();
            }
            [.., "requires.txt"] if in_egg_info => {
                read()?;
                self.requires = Some(String::from_utf8_lossy(&text).into_owned());
            }
            _ => {}
        }
        Ok(())
    }
}

/// What `requires.txt` says: requirements with their markers, and the extras it names.
type Requires = (Vec<Requirement<VerbatimParsedUrl>>, Vec<ExtraName>);

/// Reads setuptools' `requires.txt`: sections `[extra]`, `[:marker]`, `[extra:marker]`.
fn requires_txt(name: &PackageName, text: &str, warnings: &mut Vec<String>) -> Result<Requires, String> {
    let mut requirements = Vec::new();
    let mut extras: Vec<ExtraName> = Vec::new();
    let mut condition = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let (extra, marker) = section.split_once(':').unwrap_or((section, ""));
            let mut parts = Vec::new();
            if !extra.is_empty() {
                let extra = ExtraName::from_str(extra).map_err(|error| format!("{name}: {error}"))?;
                parts.push(format!("extra == '{extra}'"));
                if !extras.contains(&extra) {
                    extras.push(extra);
                }
            }
            if !marker.is_empty() {
                parts.push(format!("({marker})"));
            }
            condition = parts.join(" and ");
            continue;
        }
        let (body, own) = line.split_once(';').unwrap_or((line, ""));
        let markers: Vec<_> = [own.trim(), &condition]
            .into_iter()
            .filter(|it| !it.is_empty())
            .map(|it| format!("({it})"))
            .collect();
        let whole =
            if markers.is_empty() { body.to_owned() } else { format!("{body} ; {}", markers.join(" and ")) };
        let (requirement, repaired) = repair::requirement(&whole)
            .ok_or_else(|| format!("{name} asks for `{line}`, which cannot be understood"))?;
        if let Some(meant) = repaired {
            warnings.push(repair::warning(name.as_ref(), line, &meant));
        }
        requirements.push(requirement);
    }
    Ok((requirements, extras))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdist(files: &[(&str, &str)]) -> Vec<u8> {
        let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut archive = tar::Builder::new(encoder);
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, format!("a-1.0/{path}"), text.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    }

    fn read(files: &[(&str, &str)]) -> Result<(Vec<String>, Vec<String>), String> {
        let (name, version) = (PackageName::from_str("a").unwrap(), Version::from_str("1.0").unwrap());
        let (metadata, warnings) = metadata("a-1.0.tar.gz", &sdist(files), Some((&name, &version)))?;
        Ok((metadata.requires_dist.iter().map(ToString::to_string).collect(), warnings))
    }

    const OLD: &str = "Metadata-Version: 1.1\nName: a\nVersion: 1.0\n";

    #[test]
    fn in_the_order_of_trust() {
        let new = "Metadata-Version: 2.2\nName: a\nVersion: 1.0\nRequires-Dist: b>=1\n";
        assert_eq!(read(&[("PKG-INFO", new)]).unwrap().0, ["b>=1"]);
        let project = "[project]\nname = 'a'\nversion = '1.0'\ndependencies = ['c']\n";
        assert_eq!(read(&[("PKG-INFO", OLD), ("pyproject.toml", project)]).unwrap().0, ["c"]);
        let requires = "b>=1\n\n[:python_version < '3']\nc\n\n[x]\nd\n\n[x:os_name == 'nt']\ne\n";
        let (found, _) = read(&[("PKG-INFO", OLD), ("a.egg-info/requires.txt", requires)]).unwrap();
        assert_eq!(
            found,
            [
                "b>=1",
                "c ; python_full_version < '3'",
                "d ; extra == 'x'",
                "e ; os_name == 'nt' and extra == 'x'"
            ]
        );
        assert!(read(&[("PKG-INFO", OLD), ("a.egg-info/SOURCES.txt", "")]).unwrap().0.is_empty());
        assert!(read(&[("PKG-INFO", OLD)]).unwrap().0.is_empty());
        assert!(read(&[("pyproject.toml", "[build-system]\n"), ("setup.py", "")]).is_err());
    }

    #[test]
    fn broken_requirements_are_repaired_and_told() {
        let (found, warnings) =
            read(&[("PKG-INFO", OLD), ("a.egg-info/requires.txt", "apispec[yaml]>=1.1.1<2\n")]).unwrap();
        assert_eq!(found, ["apispec[yaml]>=1.1.1,<2"]);
        assert_eq!(warnings.len(), 1);
        assert!(read(&[("PKG-INFO", OLD), ("a.egg-info/requires.txt", "???\n")]).is_err());
    }
}
