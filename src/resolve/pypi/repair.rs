//! Requirements in broken forms that old packages are known to have, read as they were meant.

use std::{fmt::Write, str::FromStr};

use uv_pep440::{Version, VersionSpecifiers};
use uv_pep508::Requirement;
use uv_pypi_types::{LenientRequirement, VerbatimParsedUrl};

/// Reads a requirement; a broken one is repaired, and the text it is read as is returned, too.
///
/// `None` if there is no reading.
pub(super) fn requirement(text: &str) -> Option<(Requirement<VerbatimParsedUrl>, Option<String>)> {
    if let Ok(requirement) = Requirement::from_str(text) {
        return Some((requirement, None));
    }
    let repaired = LenientRequirement::from_str(text).map(Requirement::from).ok();
    let repaired = repaired.or_else(|| Requirement::from_str(&without_foreign_versions(text)?).ok())?;
    let shown = repaired.to_string();
    Some((repaired, Some(shown)))
}

/// The metadata of a wheel with its broken requirements repaired, and a warning for each.
///
/// `None` if nothing was broken, or something cannot be repaired.
pub(super) fn metadata(name: &str, text: &str) -> Option<(String, Vec<String>)> {
    let mut warnings = Vec::new();
    let mut repaired = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if let Some(value) = line.strip_prefix("Requires-Dist:")
            && let (_, Some(meant)) = requirement(value.trim())?
        {
            warnings.push(warning(name, value.trim(), &meant));
            // Writing to a string does not fail.
            let _ = writeln!(repaired, "Requires-Dist: {meant}");
            continue;
        }
        repaired.push_str(line);
    }
    (!warnings.is_empty()).then_some((repaired, warnings))
}

/// The sentence that tells of a repair.
pub(super) fn warning(name: &str, broken: &str, meant: &str) -> String {
    format!("{name} asks for `{broken}`, which is read as `{meant}`")
}

/// `name (>=2011k) ; marker` without what is no version: `2011k` was one before PEP 440, and later
/// than every `2011`.
fn without_foreign_versions(text: &str) -> Option<String> {
    let (body, marker) =
        text.split_once(';').map_or((text, String::new()), |(body, marker)| (body, format!(" ;{marker}")));
    let start = body.find(|c: char| "(<>=!~".contains(c))?;
    let (name, clauses) = body.split_at(start);
    let clauses = clauses.trim().trim_start_matches('(').trim_end_matches(')');
    let kept: Vec<String> = clauses
        .split(',')
        .map(str::trim)
        .filter_map(|clause| {
            if VersionSpecifiers::from_str(clause).is_ok() {
                return Some(clause.to_owned());
            }
            let at = clause.find(|c: char| !"<>=!~ ".contains(c))?;
            let (operator, version) = clause.split_at(at);
            let number = version.trim_end_matches(|c: char| c.is_ascii_lowercase());
            Version::from_str(number).ok().map(|version| format!("{}{version}", operator.trim()))
        })
        .collect();
    Some(format!("{}{}{marker}", name.trim(), kept.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_broken_forms() {
        let read = |text: &str| requirement(text).map(|(requirement, _)| requirement.to_string());
        for (broken, meant) in [
            ("pytz (>=2011k)", "pytz>=2011"),
            ("pytz (>=2011k) ; extra == 'x'", "pytz>=2011 ; extra == 'x'"),
            ("apispec[yaml]>=1.1.1<2", "apispec[yaml]>=1.1.1,<2"),
            ("a>=dev,<2", "a<2"),
            ("a>=1", "a>=1"),
        ] {
            assert_eq!(read(broken).as_deref(), Some(meant), "{broken}");
        }
        assert_eq!(read("???"), None);
    }

    #[test]
    fn metadata_is_repaired_in_place() {
        let text =
            "Metadata-Version: 2.1\nName: pandas\nRequires-Dist: pytz (>=2011k)\nRequires-Dist: b\n\nLong\n";
        let (repaired, warnings) = metadata("pandas", text).unwrap();
        assert_eq!(repaired, text.replace("pytz (>=2011k)", "pytz>=2011"));
        assert_eq!(warnings, ["pandas asks for `pytz (>=2011k)`, which is read as `pytz>=2011`"]);
        assert!(metadata("a", "Requires-Dist: b\n").is_none());
    }
}
