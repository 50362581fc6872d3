//! What conda packages are called on PyPI, where the names differ: the common ones, and `--name-map`.

use std::collections::BTreeMap;

use super::{
    Problem,
    environment::{mapping, string},
    yaml,
};

/// conda name → PyPI name.
pub type NameMap = BTreeMap<String, String>;

/// conda name, PyPI name: those that differ once they are normalised.
const DIFFERENT: [(&str, &str); 11] = [
    ("matplotlib-base", "matplotlib"),
    ("msgpack-python", "msgpack"),
    ("opencv", "opencv-python"),
    ("py-opencv", "opencv-python"),
    ("pyqt", "pyqt5"),
    ("python-build", "build"),
    ("python-flatbuffers", "flatbuffers"),
    ("python-graphviz", "graphviz"),
    ("pytables", "tables"),
    ("pytorch", "torch"),
    ("redis-py", "redis"),
];

/// What a conda package is usually called on PyPI.
pub fn pypi_name(conda: &str) -> &str {
    DIFFERENT.iter().find(|(known, _)| *known == conda).map_or(conda, |(_, pypi)| pypi)
}

/// A name as PEP 503 compares it.
pub fn normalised(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        if !matches!(c, '-' | '_' | '.') {
            normal.extend(c.to_lowercase());
        } else if !normal.ends_with('-') {
            normal.push('-');
        }
    }
    normal
}

/// Reads a YAML mapping of conda names to PyPI names.
pub fn parse(file: &str, text: &str) -> Result<NameMap, Problem> {
    let root = yaml::parse(file, text)?;
    let mut names = NameMap::new();
    for (key, node) in mapping(file, &root, "a name map")? {
        names.insert(key.name.clone(), string(file, node, "a PyPI name")?.to_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_pep_503_says() {
        assert_eq!(normalised("Flask.AppBuilder__x"), "flask-appbuilder-x");
    }

    #[test]
    fn names() {
        assert_eq!(parse("m", "pytorch: torch\n").unwrap()["pytorch"], "torch");
        assert!(parse("m", "").unwrap().is_empty());
        assert_eq!(
            parse("m", "- torch\n").unwrap_err().to_string(),
            "m:1:1: `a name map` wants keys and values, found a list"
        );
        assert!(parse("m", "a: [b]\n").is_err());
    }
}
