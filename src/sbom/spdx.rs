//! SPDX 2.3, as JSON: <https://spdx.github.io/spdx-spec/v2.3/>.

use std::collections::BTreeSet;

use cyclonedx_bom::prelude::SpdxExpression;
use serde_spdx::spdx::v_2_3::{
    Spdx, SpdxBuilder, SpdxCreationInfoBuilder, SpdxItemHasExtractedLicensingInfos, SpdxItemPackages,
    SpdxItemPackagesBuilder, SpdxItemPackagesItemChecksums, SpdxItemPackagesItemExternalRefs,
    SpdxItemRelationships,
};

use super::{Component, Error, Subject, purl};
use crate::json::sorted;

const UNKNOWN: &str = "NOASSERTION";

pub(super) fn write(subject: &Subject) -> Result<Vec<u8>, Error> {
    let document = document(subject)?;
    let value = serde_json::to_value(document).map_err(|error| subject.error(&error))?;
    serde_json::to_vec_pretty(&sorted(value)).map_err(|error| subject.error(&error))
}

fn document(subject: &Subject) -> Result<Spdx, Error> {
    let failed = |error: &dyn std::fmt::Display| subject.error(error);
    let creation = SpdxCreationInfoBuilder::default()
        .created(subject.created()?)
        .creators(vec![format!("Tool: envlock-{}", env!("CARGO_PKG_VERSION"))])
        .build()
        .map_err(|error| failed(&error))?;
    let mut whole = of_this_document(subject, &subject.name, "whole")?;
    whole.primary_package_purpose = subject.is_image.then(|| "CONTAINER".to_owned());
    let mut packages = vec![whole];
    let mut relationships = vec![relationship("DOCUMENT", "DESCRIBES", "whole")];
    for environment in subject.environments.keys() {
        let id = format!("environment-{environment}");
        packages.push(of_this_document(subject, &format!("{environment} environment"), &id)?);
        relationships.push(relationship("whole", "CONTAINS", &id));
    }
    for (environment, id, component) in subject.components() {
        packages.push(package(&id, component)?);
        relationships.push(relationship(&format!("environment-{environment}"), "CONTAINS", &id));
        for dependency in subject.dependencies(environment, component) {
            relationships.push(relationship(&id, "DEPENDS_ON", &dependency));
        }
    }
    let mut builder = SpdxBuilder::default();
    let extracted = extracted(subject);
    if !extracted.is_empty() {
        builder.has_extracted_licensing_infos(extracted);
    }
    builder
        .spdxid("SPDXRef-DOCUMENT")
        .spdx_version("SPDX-2.3")
        .data_license("CC0-1.0")
        .name(subject.name.clone())
        .document_namespace(format!("https://spdx.org/spdxdocs/{}-{}", subject.name, subject.uuid()))
        .creation_info(creation)
        .packages(packages)
        .relationships(relationships)
        .build()
        .map_err(|error| failed(&error))
}

/// The licences that packages name and SPDX's list lacks, which a document must declare.
fn extracted(subject: &Subject) -> Vec<SpdxItemHasExtractedLicensingInfos> {
    let declared = subject.components().filter_map(|(_, _, it)| declared(it));
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let names: BTreeSet<&str> = declared
        .flat_map(|license| license.split(move |c| !is_word(c)))
        .filter(|word| word.starts_with("LicenseRef-"))
        .collect();
    let info = |name: &str| SpdxItemHasExtractedLicensingInfos {
        comment: None,
        cross_refs: None,
        extracted_text: "The text is in the packages that name this licence.".to_owned(),
        license_id: name.to_owned(),
        name: Some(name.trim_start_matches("LicenseRef-").replace('-', " ")),
        see_alsos: None,
    };
    names.into_iter().map(info).collect()
}

/// The licence of a package, if it is an expression of SPDX.
fn declared(component: &Component) -> Option<&String> {
    component.license.as_ref().filter(|license| SpdxExpression::try_from((*license).clone()).is_ok())
}

/// What the document itself speaks of: it comes from nowhere else.
fn of_this_document(subject: &Subject, name: &str, id: &str) -> Result<SpdxItemPackages, Error> {
    SpdxItemPackagesBuilder::default()
        .spdxid(format!("SPDXRef-{id}"))
        .name(name)
        .download_location(UNKNOWN)
        .files_analyzed(false)
        .license_concluded(UNKNOWN.to_owned())
        .license_declared(UNKNOWN.to_owned())
        .copyright_text(UNKNOWN.to_owned())
        .build()
        .map_err(|error| subject.error(&error))
}

fn package(id: &str, component: &Component) -> Result<SpdxItemPackages, Error> {
    let Component { package, license } = component;
    let checksum = |algorithm: &str, value: &String| SpdxItemPackagesItemChecksums {
        algorithm: algorithm.to_owned(),
        checksum_value: value.clone(),
    };
    let checksums = [Some(("SHA256", &package.sha256)), package.md5.as_ref().map(|md5| ("MD5", md5))];
    let mut builder = SpdxItemPackagesBuilder::default();
    builder
        .spdxid(format!("SPDXRef-{id}"))
        .name(package.name.clone())
        .version_info(package.version.clone())
        .package_file_name(package.file_name())
        .download_location(location(&package.url))
        .files_analyzed(false)
        .checksums(
            checksums.into_iter().flatten().map(|(name, value)| checksum(name, value)).collect::<Vec<_>>(),
        )
        .license_concluded(UNKNOWN.to_owned())
        .copyright_text(UNKNOWN.to_owned())
        .external_refs(vec![SpdxItemPackagesItemExternalRefs {
            comment: None,
            reference_category: "PACKAGE-MANAGER".to_owned(),
            reference_locator: purl(package)?,
            reference_type: "purl".to_owned(),
        }]);
    builder.license_declared(declared(component).cloned().unwrap_or_else(|| UNKNOWN.to_owned()));
    if let (None, Some(license)) = (declared(component), license) {
        builder.license_comments(format!("The package states: {license}"));
    }
    builder.build().map_err(|error| Error { what: package.name.clone(), reason: error.to_string() })
}

/// A URL as SPDX takes it; a file beside the lock has none that means anything elsewhere.
fn location(url: &str) -> String {
    let is_known = ["https://", "http://", "git+"].iter().any(|scheme| url.starts_with(scheme));
    if is_known { url.to_owned() } else { UNKNOWN.to_owned() }
}

fn relationship(from: &str, kind: &str, to: &str) -> SpdxItemRelationships {
    SpdxItemRelationships {
        comment: None,
        related_spdx_element: format!("SPDXRef-{to}"),
        relationship_type: kind.to_owned(),
        spdx_element_id: format!("SPDXRef-{from}"),
    }
}
