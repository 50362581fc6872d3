//! Scripts that conda would run when it links a package. envlock runs none: what they do depends on the machine.

use crate::lock::Package;

/// Packages that are known to lack something without their script, and what.
const NEEDED: [(&str, &str); 7] = [
    ("gdk-pixbuf", "its image loaders are not registered (`gdk-pixbuf-query-loaders --update-cache`)"),
    ("glib", "GSettings schemas are not compiled (`glib-compile-schemas`)"),
    ("gtk3", "its icon cache is missing (`gtk3-update-icon-cache`)"),
    ("gtk4", "its icon cache is missing (`gtk4-update-icon-cache`)"),
    ("librsvg", "its loader is not registered (`gdk-pixbuf-query-loaders --update-cache`)"),
    ("shared-mime-info", "its database is missing (`update-mime-database`)"),
    ("fonts-conda-ecosystem", "fontconfig does not know its fonts (`fc-cache`)"),
];

/// What to tell the user about a package with such a script.
pub(super) fn note(package: &Package, script: &str) -> String {
    let name = &package.name;
    let mut note = format!("{name} has {script}, which envlock does not run");
    if let Some((_, lacks)) = NEEDED.iter().find(|(known, _)| known == name) {
        note.push_str("; without it ");
        note.push_str(lacks);
    } else if name.starts_with("bioconductor-") {
        note.push_str("; without it the data that it downloads is missing");
    }
    note
}
