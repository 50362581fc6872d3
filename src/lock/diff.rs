//! What differs between two locks, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    graph::Graph,
    model::{LockedPlatform, Package},
};

/// How many of the packages that need another one are named.
const NAMED: usize = 2;

/// A package that two locks do not have alike.
#[derive(Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// The package, as the second lock has it if it does.
    pub package: &'a Package,
    /// As the first lock has it.
    pub before: Option<&'a Package>,
    /// As the second lock has it.
    pub after: Option<&'a Package>,
    /// Why, as far as requirements tell; nothing where the locks do not say what packages need.
    pub why: Option<String>,
}

impl Change<'_> {
    /// Bytes that artifacts of the second lock have more, if both say their sizes.
    pub fn growth(&self) -> Option<i64> {
        let size = |package: Option<&Package>| package.map_or(Some(0), |it| i64::try_from(it.size?).ok());
        Some(size(self.after)? - size(self.before)?)
    }
}

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

/// What changed from one lock to another, by name.
pub fn changes<'a>(before: &'a LockedPlatform, after: &'a LockedPlatform) -> Vec<Change<'a>> {
    let (old, new) = (Side::new(before), Side::new(after));
    let keys: BTreeSet<_> = old.index.keys().chain(new.index.keys()).copied().collect();
    let change = |key: Key<'a>| {
        let found = (old.index.get(&key).copied(), new.index.get(&key).copied());
        let is_same = |a: usize, b: usize| {
            let (a, b) = (&before.packages[a], &after.packages[b]);
            (&a.version, &a.build, &a.url, &a.sha256) == (&b.version, &b.build, &b.url, &b.sha256)
        };
        let is_same = matches!(found, (Some(a), Some(b)) if is_same(a, b));
        let built = found
            .0
            .zip(found.1)
            .and_then(|(a, b)| otherwise_built((&old, &before.packages[a]), (&new, &after.packages[b])));
        if is_same && built.is_none() {
            return None;
        }
        let old_package = found.0.map(|it| &before.packages[it]);
        let new_package = found.1.map(|it| &after.packages[it]);
        Some(Change {
            package: new_package.or(old_package)?,
            before: old_package,
            after: new_package,
            why: if is_same { built.map(str::to_owned) } else { why(key, found, &old, &new) },
        })
    };
    keys.into_iter().filter_map(change).collect()
}

/// What two locks say otherwise of the wheel of an sdist. A `conda-lock.yml` alone says nothing of it.
fn otherwise_built(
    (old, before): (&Side, &Package),
    (new, after): (&Side, &Package),
) -> Option<&'static str> {
    match (&before.wheel, &after.wheel) {
        (Some(before), Some(after)) => (before != after).then_some("it becomes another wheel"),
        (Some(_), None) if new.says_specs => Some("it is not built any more"),
        (None, Some(_)) if old.says_specs => Some("it is built now"),
        _ => None,
    }
}

/// What a package of an environment is called: its name, and who installs it.
type Key<'a> = (&'a str, &'static str);

/// One lock of two.
struct Side<'a> {
    graph: Graph<'a>,
    index: BTreeMap<Key<'a>, usize>,
    says_needs: bool,
    /// A `conda-lock.yml` alone does not keep what was asked for.
    says_specs: bool,
}

impl<'a> Side<'a> {
    fn new(locked: &'a LockedPlatform) -> Self {
        let key = |package: &'a Package| (package.name.as_str(), package.kind.manager());
        Self {
            graph: Graph::new(&locked.packages, &locked.specs),
            index: locked.packages.iter().enumerate().map(|(it, package)| (key(package), it)).collect(),
            says_specs: !locked.specs.is_empty() || locked.packages.is_empty(),
            says_needs: locked.packages.iter().any(|package| !package.dependencies.is_empty()),
        }
    }

    /// Who needs a package, and what they demand of it.
    fn needed_by(&self, package: Option<usize>) -> Vec<(&'a Package, &'a str)> {
        let needed_by = package.into_iter().flat_map(|it| self.graph.needed_by(it));
        needed_by.map(|(by, requirement)| (self.graph.package(*by), *requirement)).collect()
    }
}

fn why(key: Key, found: (Option<usize>, Option<usize>), old: &Side, new: &Side) -> Option<String> {
    let specs = |side: &Side, it: Option<usize>| -> Vec<String> {
        let specs = it.and_then(|it| side.graph.asked_for(it)).unwrap_or_default();
        specs.iter().map(|spec| format!("`{spec}`")).collect()
    };
    let (was, is) = (specs(old, found.0), specs(new, found.1));
    if found.1.is_none() {
        let other = if key.1 == "conda" { ("PyPI", "pip") } else { ("conda", "conda") };
        return if new.index.contains_key(&(key.0, other.1)) {
            Some(format!("{} installs it now", other.0))
        } else if was.is_empty() || !new.says_specs {
            (old.says_needs && new.says_needs).then(|| "nothing needs it any more".to_owned())
        } else {
            Some(format!("no longer asked for: {}", was.join(", ")))
        };
    }
    if is != was && !is.is_empty() && old.says_specs && new.says_specs {
        let before = if was.is_empty() { String::new() } else { format!(", before {}", was.join(", ")) };
        return Some(format!("asked for: {}{before}", is.join(", ")));
    }
    if !old.says_needs || !new.says_needs {
        return None;
    }
    let before: BTreeSet<_> =
        old.needed_by(found.0).into_iter().map(|(by, requirement)| (&by.name, requirement)).collect();
    let needed = new.needed_by(found.1);
    let demands: Vec<_> =
        needed.iter().filter(|(by, requirement)| !before.contains(&(&by.name, *requirement))).collect();
    if demands.is_empty() {
        return Some(own_needs(found, old, new).unwrap_or_else(|| "no requirement of it changed".to_owned()));
    }
    let named = demands.iter().take(NAMED).map(|(by, requirement)| {
        let requirement = if requirement.is_empty() { String::new() } else { format!(" ({requirement})") };
        format!("{} {}{requirement}", by.name, by.version)
    });
    let named = named.collect::<Vec<_>>().join(", ");
    Some(match demands.len().saturating_sub(NAMED) {
        0 => format!("needed by {named}"),
        more => format!("needed by {named} and {more} more"),
    })
}

/// What the package as it was needs of another one that changed, and the package as it is does not.
fn own_needs(found: (Option<usize>, Option<usize>), old: &Side, new: &Side) -> Option<String> {
    let (before, after) = (found.0?, found.1?);
    let needs = |side: &Side, it: usize| -> Vec<(String, String, String)> {
        let needs = side
            .graph
            .needs(it)
            .iter()
            .map(|(needed, requirement)| (side.graph.package(*needed), requirement));
        needs
            .map(|(needed, text)| (needed.name.clone(), needed.version.clone(), (*text).to_owned()))
            .collect()
    };
    let now = needs(new, after);
    let is_other = |(name, version, requirement): &&(String, String, String)| {
        now.iter().find(|it| it.0 == *name).is_none_or(|it| it.1 != *version && it.2 != *requirement)
    };
    let was = needs(old, before);
    let (name, _, requirement) = was.iter().find(is_other)?;
    let package = old.graph.package(before);
    Some(format!("{} {} needs {name} {requirement}", package.name, package.version).trim_end().to_owned())
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
    use crate::lock::model::tests::package;

    fn locked(specs: &[&str], packages: Vec<Package>) -> LockedPlatform {
        let specs = specs.iter().map(|spec| (*spec).to_owned()).collect();
        LockedPlatform { specs, packages, ..LockedPlatform::default() }
    }

    #[test]
    fn every_change_says_why() {
        let newer = |name: &str, dependencies: &[&str]| {
            let package = package(name, dependencies);
            Package { version: "2.0".to_owned(), size: Some(20), ..package }
        };
        let before = locked(
            &["a", "gone"],
            vec![package("a", &["b"]), package("b", &[]), package("gone", &["c"]), package("c", &[])],
        );
        let mut needs_more = newer("a", &["b", "d"]);
        needs_more.dependencies.insert("b".to_owned(), ">=2".to_owned());
        let after = locked(&["a>=2"], vec![needs_more, newer("b", &[]), newer("d", &[])]);
        let told = changes(&before, &after)
            .iter()
            .map(|change| {
                let version =
                    |package: Option<&Package>| package.map_or("-", |it| it.version.as_str()).to_owned();
                let (before, after) = (version(change.before), version(change.after));
                let growth = change.growth().unwrap();
                format!(
                    "{} {before} {after} {growth}: {}",
                    change.package.name,
                    change.why.as_deref().unwrap()
                )
            })
            .collect::<Vec<_>>();
        assert_eq!(
            told,
            [
                "a 1.0 2.0 3: asked for: `a>=2`, before `a`",
                "b 1.0 2.0 3: needed by a 2.0 (>=2)",
                "c 1.0 - -17: nothing needs it any more",
                "d - 2.0 20: needed by a 2.0",
                "gone 1.0 - -17: no longer asked for: `gone`",
            ]
        );
        assert_eq!(changes(&after, &after), []);
    }

    #[test]
    fn nothing_is_said_of_needs_that_are_not_known() {
        let (before, after) = (locked(&["z"], vec![]), locked(&["a"], vec![package("a", &[])]));
        assert_eq!(changes(&before, &after)[0].why, Some("asked for: `a`".to_owned()));
        assert_eq!(changes(&after, &before)[0].why, Some("no longer asked for: `a`".to_owned()));
        let newer = |specs| {
            let newer = Package { version: "2.0".to_owned(), ..package("a", &[]) };
            locked(specs, vec![newer])
        };
        assert_eq!(changes(&after, &newer(&[]))[0].why, None);
        assert_eq!(changes(&newer(&[]), &after)[0].why, None);
        let needed = locked(&[], vec![package("a", &["b"]), package("b", &[])]);
        let unknown = locked(&[], vec![package("b", &[])]);
        assert_eq!(changes(&needed, &unknown)[0].why, None);
    }

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
