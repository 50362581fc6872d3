//! The folders are the pipeline: a module uses only what stands before it.

use std::path::{Path, PathBuf};

use crate::common::root;

/// What each module of the crate may use. A module that is not here may be used by none of them.
const MAY_USE: [(&str, &[&str]); 20] = [
    ("causes", &[]),
    ("fs", &[]),
    ("json", &[]),
    ("printer", &["fs"]),
    ("spec", &["causes", "fs"]),
    ("http", &["spec"]),
    ("lock", &["spec"]),
    ("cluster", &["json", "lock", "spec"]),
    ("exchange", &["causes", "lock", "spec"]),
    ("sbom", &["json", "lock"]),
    ("store", &["causes", "fs", "http", "lock", "spec"]),
    ("resolve", &["causes", "fs", "http", "lock", "printer", "spec", "store"]),
    ("tree", &["causes", "fs", "lock", "spec", "store"]),
    ("build", &["causes", "fs", "lock", "store", "tree"]),
    ("image", &["cluster", "fs", "json", "lock", "spec", "store", "tree"]),
    ("nix", &["fs", "lock"]),
    (
        "error",
        &["build", "exchange", "fs", "image", "lock", "nix", "resolve", "sbom", "spec", "store", "tree"],
    ),
    ("cli", &["exchange", "image", "sbom", "spec"]),
    ("settings", &["causes", "cli", "printer", "spec"]),
    (
        "commands",
        &[
            "build", "causes", "cli", "cluster", "error", "exchange", "fs", "http", "image", "lock", "nix",
            "printer", "resolve", "sbom", "settings", "spec", "store", "tree",
        ],
    ),
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a source file names behind `crate::`, also within `use crate::{…}`.
fn used(text: &str) -> Vec<String> {
    // Documentation may point anywhere.
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let text = code.as_str();
    let mut modules = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let name = |text: &str| -> String {
            text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
        };
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut start) = (0, 0);
            for (index, character) in group.char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => {
                        modules.push(name(&group[start..index]));
                        break;
                    }
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        modules.push(name(&group[start..index]));
                        start = index + 1;
                    }
                    _ => {}
                }
            }
        } else {
            modules.push(name(rest));
        }
    }
    modules.retain(|module| !module.is_empty());
    modules
}

#[test]
fn dependencies_point_one_way() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut wrong = Vec::new();
    for path in files {
        let relative = path.strip_prefix(root().join("src")).unwrap();
        let module = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if module == "lib" || module == "main" {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{} is not in the list of modules", relative.display()));
            continue;
        };
        let text = std::fs::read_to_string(&path).unwrap();
        // `super::` may climb within a module, not out of it.
        let depth = relative.components().count() - usize::from(relative.ends_with("mod.rs"));
        if text
            .lines()
            .any(|line| !line.trim_start().starts_with("//") && line.contains(&"super::".repeat(depth)))
            && !text.contains("mod tests {\n    use super::")
        {
            wrong.push(format!("{} climbs out of {module} by `super::`", relative.display()));
        }
        for used in used(&text) {
            if used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{} uses {used}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// uv's crates are no stable interface: whoever follows their changes has few files to look at.
#[test]
fn uv_is_used_in_a_few_places() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let at_home = ["resolve/pypi/", "resolve/bridge.rs", "resolve/names.rs", "resolve/known_breaks.rs"];
    for path in files {
        let relative = path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
        let uses = std::fs::read_to_string(&path).unwrap().contains("uv_");
        assert!(
            !uses || at_home.iter().any(|home| relative.starts_with(home)),
            "{relative} uses uv's crates"
        );
    }
}

#[test]
fn the_list_has_no_cycle() {
    for (index, (module, allowed)) in MAY_USE.iter().enumerate() {
        for used in *allowed {
            let position = MAY_USE.iter().position(|(name, _)| name == used).unwrap();
            assert!(position < index, "{module} uses {used}, which stands behind it");
        }
    }
}

#[test]
fn a_wrong_arrow_is_seen() {
    let text = "use crate::{fs, commands::{run, x}, spec};\nfn f() { crate::store::g() }";
    assert_eq!(used(text), ["fs", "commands", "spec", "store"]);
}
