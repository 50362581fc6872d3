//! A directory or a version control tree as an artifact: one tar file that depends on its files alone.

use std::{
    io::Read,
    path::{Component, Path, PathBuf},
};

use crate::fs;

/// What no build of the tree depends on, and what envlock writes itself: a lock beside a
/// `pyproject.toml` must not change the hash that it states.
const LEFT_OUT: [&str; 13] = [
    ".git",
    ".hg",
    ".svn",
    ".venv",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
    "node_modules",
    crate::lock::NIX_FILE,
    "conda-lock.yml",
];

/// The directory that all members lie in.
const TOP: &str = "tree";

/// Packs a directory: members sorted, times 1, no owner, modes 644 and 755; the error is a sentence.
pub(super) fn pack(directory: &Path) -> Result<Vec<u8>, String> {
    let mut archive = tar::Builder::new(Vec::new());
    add(&mut archive, directory, Path::new(""))
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    archive.into_inner().map_err(|error| error.to_string())
}

fn add(archive: &mut tar::Builder<Vec<u8>>, root: &Path, inner: &Path) -> Result<(), String> {
    let at = root.join(inner);
    for name in fs::names(&at).map_err(|error| crate::causes::chain(&error))? {
        let compiled = Path::new(&name).extension().is_some_and(|extension| extension == "pyc");
        if LEFT_OUT.contains(&name.as_str()) || compiled || name.ends_with(".conda-lock.yml") {
            continue;
        }
        let (path, inner) = (at.join(&name), inner.join(&name));
        let said = |error: std::io::Error| format!("{}: {error}", path.display());
        let kind = path.symlink_metadata().map_err(said)?;
        if kind.is_dir() {
            add(archive, root, &inner)?;
            continue;
        }
        let mut header = tar::Header::new_gnu();
        header.set_mtime(1);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mode(0o644);
        header.set_size(0);
        let member = Path::new(TOP).join(&inner);
        if kind.is_symlink() {
            let target = path.read_link().map_err(said)?;
            if leaves(&inner, &target) {
                return Err(format!("{} points out of the tree", path.display()));
            }
            header.set_entry_type(tar::EntryType::Symlink);
            archive.append_link(&mut header, &member, &target).map_err(said)?;
        } else if kind.is_file() {
            let mut content = Vec::new();
            let mut file = fs::open(&path).map_err(|error| crate::causes::chain(&error))?;
            file.read_to_end(&mut content).map_err(said)?;
            header.set_size(content.len() as u64);
            header.set_mode(if is_executable(&kind) { 0o755 } else { 0o644 });
            archive.append_data(&mut header, &member, content.as_slice()).map_err(said)?;
        } else {
            return Err(format!("{} is neither file, directory nor link", path.display()));
        }
    }
    Ok(())
}

/// Whether a link at `inner` that points to `target` would leave the tree.
fn leaves(inner: &Path, target: &Path) -> bool {
    let mut depth = inner.components().count() - 1;
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return true,
        }
    }
    false
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    false
}

/// The part of a tree that a requirement names.
pub(super) fn subdirectory(root: &Path, inner: Option<&str>) -> Result<PathBuf, String> {
    let Some(inner) = inner else { return Ok(root.to_path_buf()) };
    let clean = fs::normal(Path::new(inner));
    let path = root.join(&clean);
    if clean.components().all(|part| matches!(part, Component::Normal(_))) && path.is_dir() {
        Ok(path)
    } else {
        Err(format!("there is no directory `{inner}` in it"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn put(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        let mut file = fs::temporary_in(path.parent().unwrap()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        fs::publish(file, &path).unwrap();
    }

    fn members(bytes: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().unwrap();
        entries.map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
    }

    #[test]
    fn a_tree_is_its_files_alone() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (root, names) in [(one.path(), ["a.py", "sub/b.py"]), (two.path(), ["sub/b.py", "a.py"])] {
            for name in names {
                put(root, name, name);
            }
        }
        put(two.path(), ".git/HEAD", "x");
        put(two.path(), "sub/__pycache__/b.pyc", "x");
        put(two.path(), "envlock.nix", "x");
        let packed = pack(one.path()).unwrap();
        assert_eq!(packed, pack(two.path()).unwrap());
        assert_eq!(members(&packed), ["tree/a.py", "tree/sub/b.py"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_in_the_tree() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "sub/a", "");
        std::os::unix::fs::symlink("../sub/a", root.path().join("sub/fine")).unwrap();
        assert!(pack(root.path()).is_ok());
        std::os::unix::fs::symlink("../../a", root.path().join("sub/out")).unwrap();
        assert!(pack(root.path()).unwrap_err().contains("points out of the tree"));
    }

    #[test]
    fn subdirectories_stay_in_the_tree() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "sub/a", "");
        assert!(subdirectory(root.path(), Some("sub")).is_ok());
        for wrong in ["../x", "/etc", "none", "sub/../.."] {
            assert!(subdirectory(root.path(), Some(wrong)).is_err(), "{wrong}");
        }
    }
}
