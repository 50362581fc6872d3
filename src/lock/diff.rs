//! What differs between two locks, in words.

use std::collections::BTreeMap;

use super::model::{LockedPlatform, Package};

/// One line for each requirement that was added or taken away since `locked`.
pub fn specs(locked: &[String], current: &[String]) -> Vec<String> {
    let name = |spec: &String| {
        let end = spec.find([' ', '=', '<', '>', '!', '~', '[', ';']).unwrap_or(spec.len());
        spec.strip_prefix("pip: ").map_or_else(|| spec[..end].to_owned(), str::to_owned)
    };
    let gone: Vec<_> = locked.iter().filter(|spec| !current.contains(spec)).collect();
    let mut came: Vec<_> = current.iter().filter(|spec| !locked.contains(spec)).collect();
    let mut lines = Vec::new();
    for old in gone {
        match came.iter().position(|new| name(new) == name(old)) {
            Some(index) => lines.push(format!("`{}` was `{old}` when locked", came.remove(index))),
            None => lines.push(format!("`{old}` is locked and no longer asked for")),
        }
    }
    lines.extend(came.into_iter().map(|new| format!("`{new}` is asked for and not locked")));
    lines
}

/// One line for each package that two outputs state differently.
pub fn packages(left: &LockedPlatform, right: &LockedPlatform) -> Vec<String> {
    let key = |package: &Package| (package.kind.manager(), package.name.clone());
    let index = |platform: &LockedPlatform| -> BTreeMap<_, Package> {
        platform.packages.iter().map(|package| (key(package), package.clone())).collect()
    };
    let (left, mut right) = (index(left), index(right));
    let mut lines = Vec::new();
    for (key, ours) in left {
        let name = &ours.name;
        match right.remove(&key) {
            None => lines.push(format!("{name} {} is only in the first", ours.version)),
            Some(theirs) if ours.version != theirs.version => {
                lines.push(format!(
                    "{name} is {} in the first and {} in the second",
                    ours.version, theirs.version
                ));
            }
            Some(theirs) if ours.build != theirs.build => lines.push(format!("{name} has another build")),
            Some(theirs) if ours.sha256 != theirs.sha256 => lines.push(format!("{name} has another sha256")),
            Some(theirs) if ours.url != theirs.url => lines.push(format!("{name} has another URL")),
            Some(_) => {}
        }
    }
    lines.extend(
        right.into_values().map(|theirs| format!("{} {} is only in the second", theirs.name, theirs.version)),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_requirement_is_one_line() {
        let list = |specs: &[&str]| specs.iter().map(|spec| (*spec).to_owned()).collect::<Vec<_>>();
        let lines = specs(&list(&["python=3.10", "zlib", "b"]), &list(&["b", "python=3.11", "xz"]));
        assert_eq!(
            lines,
            [
                "`python=3.11` was `python=3.10` when locked",
                "`zlib` is locked and no longer asked for",
                "`xz` is asked for and not locked"
            ]
        );
    }
}
