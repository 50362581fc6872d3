//! How several requirements of one name are read.
//!
//! `strict`: two that cannot both hold are an error that shows both lines. `legacy`: as pip before
//! 20.3, the first wins and later ones are dropped with their extras. `merge`: the first that
//! states a version wins, with the extras of all.
//!
//! Source: pip 18.1's `RequirementSet.add_requirement`.

use std::collections::BTreeMap;

use uv_normalize::PackageName;

use super::{
    super::Error,
    requirements::{Root, unusable},
};
use crate::spec::{options::PipResolver, pip::PipLine};

/// What remains of the root requirements, and what was given up, in words.
pub(super) fn apply(reading: PipResolver, roots: Vec<Root>) -> Result<(Vec<Root>, Vec<String>), Error> {
    match reading {
        PipResolver::Strict => strict(roots).map(|roots| (roots, Vec::new())),
        PipResolver::Legacy => legacy(roots),
        PipResolver::Merge => Ok(merge(roots)),
    }
}

fn place(root: &Root) -> String {
    format!("{}:{}", root.line.file, root.line.position.line)
}

/// A line that another one stands before.
fn behind(root: &Root, first: &Root) -> String {
    format!(
        "{}: `{}`, behind `{}` of line {}",
        place(root),
        root.line.text,
        first.line.text,
        first.line.position.line
    )
}

/// What it means that lines are given up.
pub(super) fn headline(reading: PipResolver) -> &'static str {
    match reading {
        PipResolver::Legacy => {
            "the legacy reading keeps the first requirement of a name; these are dropped, with their extras"
        }
        _ => "the merge reading keeps the first version of a name; these give their extras alone",
    }
}

/// Two lines that cannot both hold.
pub(super) fn conflict(name: &PackageName, first: &PipLine, second: &PipLine, hint: &str) -> Error {
    let shown = |line: &PipLine| format!("{}:{}: `{}`", line.file, line.position.line, line.text);
    Error::Conflict {
        name: name.to_string(),
        first: shown(first),
        second: shown(second),
        hint: hint.to_owned(),
    }
}

fn strict(roots: Vec<Root>) -> Result<Vec<Root>, Error> {
    let mut pinned: BTreeMap<&PackageName, &Root> = BTreeMap::new();
    for root in &roots {
        if root.pin().is_some() {
            pinned.entry(&root.name).or_insert(root);
        }
    }
    for root in &roots {
        let Some(first) = pinned.get(&root.name) else { continue };
        if first.pin().is_some_and(|version| !root.specifiers.contains(version)) {
            let (first, second) =
                if first.line.position <= root.line.position { (*first, root) } else { (root, *first) };
            return Err(conflict(
                &first.name,
                &first.line,
                &second.line,
                "keep one of the two, or read them as an older pip did: --pip-resolver legacy (the first line \
                 wins) or merge (the first version, the extras of all)",
            ));
        }
    }
    Ok(roots)
}

fn legacy(roots: Vec<Root>) -> Result<(Vec<Root>, Vec<String>), Error> {
    let mut kept: Vec<Root> = Vec::new();
    let mut dropped = Vec::new();
    for root in roots {
        let Some(first) = kept.iter().find(|kept| kept.name == root.name) else {
            kept.push(root);
            continue;
        };
        if first.extras == root.extras && first.specifiers != root.specifiers {
            let hint = "pip before 20.3 stops at this as well: keep one of the two";
            return Err(conflict(&root.name, &first.line, &root.line, hint));
        }
        if first.extras != root.extras || first.specifiers != root.specifiers {
            dropped.push(behind(&root, first));
        }
    }
    Ok((kept, dropped))
}

fn merge(roots: Vec<Root>) -> (Vec<Root>, Vec<String>) {
    let mut kept: Vec<Root> = Vec::new();
    let mut dropped = Vec::new();
    for root in roots {
        let Some(first) = kept.iter_mut().find(|kept| kept.name == root.name) else {
            kept.push(root);
            continue;
        };
        for extra in &root.extras {
            if !first.extras.contains(extra) {
                first.extras.push(extra.clone());
            }
        }
        first.extras.sort();
        if first.specifiers.is_empty() {
            first.specifiers = root.specifiers;
            first.line = root.line;
        } else if !root.specifiers.is_empty() && root.specifiers != first.specifiers {
            dropped.push(behind(&root, first));
        }
        first.hashes.extend(root.hashes);
    }
    (kept, dropped)
}

/// The reading that a project's own pip would have, if it says nothing.
pub(super) fn default(pip: Option<&uv_pep440::Version>) -> PipResolver {
    match pip {
        Some(version) if *version < uv_pep440::Version::new([20, 3]) => PipResolver::Legacy,
        _ => PipResolver::Strict,
    }
}

/// A root requirement that excludes the version that conda's solution has; in `strict` an error.
pub(super) fn against_conda(root: &Root, version: &uv_pep440::Version, stated: Option<&str>) -> Error {
    let conda = format!("{} {version} of the conda part", root.name);
    Error::Conflict {
        name: root.name.to_string(),
        first: stated.map_or(conda.clone(), |stated| format!("{stated}, which is {conda}")),
        second: format!("{}: `{}`", place(root), root.line.text),
        hint: "take the package from one of the two, or let pip replace conda's with --pip-resolver merge"
            .to_owned(),
    }
}

/// Every requirement must be pinned and have a hash, if hashes are asked for.
pub(super) fn check_hashes(roots: &[Root]) -> Result<(), Error> {
    let missing = roots.iter().find(|root| root.hashes.is_empty() || root.pin().is_none());
    missing.map_or(Ok(()), |root| {
        Err(unusable(
            &root.line,
            format!("`{}` needs `==` and a --hash, because hashes are required", root.line.text),
            "pip asks for hashes on every line as soon as one has them: give all or none",
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::{path::Path, str::FromStr};

    use uv_pep508::{Requirement, VerbatimUrl, VersionOrUrl};

    use super::*;
    use crate::spec::{Position, pip};

    fn roots(lines: &[&str]) -> Vec<Root> {
        let mut read = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let position = Position::new(index + 1, 1);
            pip::read_line(&"env.yml".into(), Path::new(""), position, "main", line, &mut read).unwrap();
        }
        read.into_iter()
            .map(|line| {
                let parsed = Requirement::<VerbatimUrl>::from_str(&line.text).unwrap();
                let specifiers = match parsed.version_or_url {
                    Some(VersionOrUrl::VersionSpecifier(specifiers)) => specifiers,
                    _ => uv_pep440::VersionSpecifiers::empty(),
                };
                let extras = parsed.extras.to_vec();
                Root { line, name: parsed.name, extras, specifiers, hashes: Vec::new(), conditional: false }
            })
            .collect()
    }

    fn shown(roots: &[Root]) -> Vec<String> {
        roots
            .iter()
            .map(|root| {
                let extras: Vec<_> = root.extras.iter().map(ToString::to_string).collect();
                format!("{}[{}]{}", root.name, extras.join(","), root.specifiers)
            })
            .collect()
    }

    const SEED: [&str; 4] = ["a==1.10.1", "b==2", "a[celery,x]", "a[y]==1.10.3"];

    #[test]
    fn legacy_keeps_the_first_without_later_extras() {
        let (kept, dropped) = apply(PipResolver::Legacy, roots(&SEED)).unwrap();
        assert_eq!(shown(&kept), ["a[]==1.10.1", "b[]==2"]);
        assert_eq!(dropped.len(), 2);
        assert_eq!(dropped[0], "env.yml:3: `a[celery,x]`, behind `a==1.10.1` of line 1");
        // The same extras and another version is an error there, too.
        let error = apply(PipResolver::Legacy, roots(&["a==1", "a==2"])).unwrap_err();
        assert!(error.to_string().contains("env.yml:1: `a==1`"), "{error}");
        assert_eq!(apply(PipResolver::Legacy, roots(&["a==1", "a==1"])).unwrap().1, [""; 0]);
    }

    #[test]
    fn merge_takes_the_first_version_and_all_extras() {
        let (kept, dropped) = apply(PipResolver::Merge, roots(&SEED)).unwrap();
        assert_eq!(shown(&kept), ["a[celery,x,y]==1.10.1", "b[]==2"]);
        assert_eq!(dropped.len(), 1);
        assert_eq!(shown(&apply(PipResolver::Merge, roots(&["a[x]", "a==1"])).unwrap().0), ["a[x]==1"]);
    }

    #[test]
    fn strict_shows_both_lines() {
        let error = apply(PipResolver::Strict, roots(&SEED)).unwrap_err().to_string();
        assert!(
            error.contains("env.yml:1: `a==1.10.1`") && error.contains("env.yml:4: `a[y]==1.10.3`"),
            "{error}"
        );
        assert!(apply(PipResolver::Strict, roots(&["a>2", "a==1"])).is_err());
        assert_eq!(apply(PipResolver::Strict, roots(&["a>=1", "a==1", "a[x]"])).unwrap().0.len(), 3);
    }

    #[test]
    fn the_solved_pip_decides() {
        let version = |text: &str| uv_pep440::Version::from_str(text).unwrap();
        assert_eq!(default(Some(&version("18.1"))), PipResolver::Legacy);
        assert_eq!(default(Some(&version("20.3"))), PipResolver::Strict);
        assert_eq!(default(None), PipResolver::Strict);
    }
}
