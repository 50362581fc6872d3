//! A path below a prefix, checked: the only kind of path that a tree is built of.

use std::{fmt, ops::Deref, path::Path};

/// Linux refuses longer names and paths; so does a tree, before anything is written.
const NAME_LIMIT: usize = 255;
const PATH_LIMIT: usize = 2048;
const TARGET_LIMIT: usize = 4096;

/// A relative path with `/` between its parts: UTF-8, without `.`, `..` and control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(String);

impl TreePath {
    /// Checks a path as an archive states it; the error says what is wrong with it.
    pub fn parse(path: &[u8]) -> Result<Self, &'static str> {
        let path = std::str::from_utf8(path).map_err(|_| "its name is not UTF-8")?;
        if path.starts_with('/') {
            return Err("its path is absolute");
        }
        if path.chars().any(char::is_control) {
            return Err("its name holds a control character");
        }
        let mut parts = Vec::new();
        for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part == ".." {
                return Err("its path leads upwards");
            }
            if part.len() > NAME_LIMIT {
                return Err("its name is longer than a file name may be");
            }
            parts.push(part);
        }
        let path = parts.join("/");
        match path.len() {
            0 => Err("its path is empty"),
            PATH_LIMIT.. => Err("its path is longer than a path may be"),
            _ => Ok(Self(path)),
        }
    }

    /// The path of `name` in this directory.
    pub fn join(&self, name: &str) -> Result<Self, &'static str> {
        Self::parse(format!("{}/{name}", self.0).as_bytes())
    }

    /// The directories above, nearest first, without the prefix itself.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        self.0.rmatch_indices('/').map(|(at, _)| &self.0[..at])
    }

    /// Checks where a symlink at this path leads: to somewhere in the tree, whether or not it is there.
    pub fn check_link(&self, target: &[u8]) -> Result<String, &'static str> {
        let target = std::str::from_utf8(target).map_err(|_| "it leads to a name that is not UTF-8")?;
        if target.is_empty() {
            return Err("it leads nowhere");
        }
        if target.len() >= TARGET_LIMIT {
            return Err("it leads to a path longer than a path may be");
        }
        if target.starts_with('/') {
            return Err("it leads to an absolute path");
        }
        if target.chars().any(char::is_control) {
            return Err("it leads to a name with a control character");
        }
        let mut depth = self.0.matches('/').count();
        for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
            match (part, depth) {
                ("..", 0) => return Err("it leads out of the tree"),
                ("..", _) => depth -= 1,
                _ => depth += 1,
            }
        }
        Ok(target.to_owned())
    }

    /// `directory/name.py` for the byte-code file of that source, as Python 3 places it.
    pub fn source_of_byte_code(&self) -> Option<String> {
        let (directory, file) = self.0.rsplit_once('/')?;
        let parent = directory.strip_suffix("__pycache__")?;
        if !parent.is_empty() && !parent.ends_with('/') {
            return None;
        }
        let stem = file.strip_suffix(".pyc")?;
        // `name.cpython-311.pyc` or `name.cpython-311.opt-1.pyc`.
        let (name, _) = stem.rsplit_once(".cpython-")?;
        Some(format!("{parent}{name}.py"))
    }
}

impl Deref for TreePath {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<Path> for TreePath {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_prefix() {
        assert_eq!(&*TreePath::parse(b"./bin//python").unwrap(), "bin/python");
        for bad in
            ["/bin/sh", "../x", "a/../../x", "a/..", "", "./", "a\nb", &"x".repeat(256), &"x/".repeat(2000)]
        {
            assert!(TreePath::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(TreePath::parse(b"caf\xe9").is_err());
    }

    #[test]
    fn links_stay_in_the_tree() {
        let link = TreePath::parse(b"lib/a/link").unwrap();
        for good in ["target", "../b", "../../bin/x", "../../lib/../bin", "./x"] {
            assert!(link.check_link(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in ["/etc/passwd", "../../../x", "x/../../../../y", "", "a\0b"] {
            assert!(link.check_link(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn byte_code_has_a_source() {
        let source = |path: &str| TreePath::parse(path.as_bytes()).unwrap().source_of_byte_code();
        assert_eq!(source("lib/a/__pycache__/b.cpython-311.pyc").as_deref(), Some("lib/a/b.py"));
        assert_eq!(source("lib/a/__pycache__/b.cpython-36.opt-1.pyc").as_deref(), Some("lib/a/b.py"));
        assert_eq!(
            source("a/__pycache__/b.cpython-39.cpython-311.pyc").as_deref(),
            Some("a/b.cpython-39.py")
        );
        assert_eq!(source("lib/a/b.pyc"), None);
        assert_eq!(source("__pycache__/b.cpython-311.pyc").as_deref(), Some("b.py"));
        assert_eq!(source("lib/my__pycache__/b.cpython-311.pyc"), None);
        assert_eq!(source("lib/my__pycache__x/b.cpython-311.pyc"), None);
    }

    #[test]
    fn parents_are_nearest_first() {
        assert_eq!(TreePath::parse(b"a/b/c").unwrap().parents().collect::<Vec<_>>(), ["a/b", "a"]);
    }
}
