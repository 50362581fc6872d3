//! `--name-map`: what conda packages are called on PyPI, where the names differ.

use std::collections::BTreeMap;

use super::{
    Problem,
    environment::{mapping, string},
    yaml,
};

/// conda name → PyPI name.
pub type NameMap = BTreeMap<String, String>;

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
