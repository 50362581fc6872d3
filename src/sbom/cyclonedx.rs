//! CycloneDX 1.5, as JSON: <https://cyclonedx.org/docs/1.5/json/>.

use cyclonedx_bom::{
    models::{
        component::Classification,
        dependency::{Dependencies, Dependency},
        external_reference::{ExternalReference, ExternalReferenceType, ExternalReferences, Uri},
        hash::{Hash, HashAlgorithm, HashValue, Hashes},
        license::{LicenseChoice, Licenses},
        property::{Properties, Property},
        tool::Tools,
    },
    prelude::{
        Bom, Component as Item, Components, DateTime, Metadata, NormalizedString, Purl, SpdxExpression,
        SpecVersion, UrnUuid, Validate,
    },
};

use super::{Component, Error, Subject, purl};
use crate::json::sorted;

pub(super) fn write(subject: &Subject) -> Result<Vec<u8>, Error> {
    let bom = bom(subject)?;
    let validated = bom.validate_version(SpecVersion::V1_5);
    if validated.has_errors() {
        return Err(subject.error(&format!("{validated:?}")));
    }
    let mut bytes = Vec::new();
    bom.output_as_json(&mut bytes, SpecVersion::V1_5).map_err(|error| subject.error(&error))?;
    let value = serde_json::from_slice(&bytes).map_err(|error| subject.error(&error))?;
    serde_json::to_vec_pretty(&sorted(value)).map_err(|error| subject.error(&error))
}

fn bom(subject: &Subject) -> Result<Bom, Error> {
    let tool = Item::new(Classification::Application, "envlock", env!("CARGO_PKG_VERSION"), None);
    let kind = if subject.is_image { Classification::Container } else { Classification::Application };
    let mut whole = Item::new(kind, &subject.name, &subject.digest, Some("whole".to_owned()));
    whole.components = None;
    let metadata = Metadata {
        timestamp: Some(DateTime::try_from(subject.created()?).map_err(|error| subject.error(&error))?),
        tools: Some(Tools::Object { services: None, components: Some(Components(vec![tool])) }),
        component: Some(whole),
        ..Metadata::default()
    };
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for (environment, id, component) in subject.components() {
        components.push(item(environment, &id, component)?);
        let needs = subject.dependencies(environment, component);
        dependencies.push(Dependency { dependency_ref: id, dependencies: needs });
    }
    let all = components.iter().filter_map(|component| component.bom_ref.clone()).collect();
    dependencies.push(Dependency { dependency_ref: "whole".to_owned(), dependencies: all });
    Ok(Bom {
        version: 1,
        serial_number: Some(
            UrnUuid::new(format!("urn:uuid:{}", subject.uuid()))
                .map_err(|_| subject.error(&"its UUID is none"))?,
        ),
        metadata: Some(metadata),
        components: Some(Components(components)),
        dependencies: Some(Dependencies(dependencies)),
        ..Bom::default()
    })
}

fn item(environment: &str, id: &str, component: &Component) -> Result<Item, Error> {
    let Component { package, license } = component;
    let mut item = Item::new(Classification::Library, &package.name, &package.version, Some(id.to_owned()));
    let hash = |alg, value: &String| Hash { alg, content: HashValue(value.clone()) };
    let md5 = package.md5.as_ref().map(|md5| hash(HashAlgorithm::MD5, md5));
    item.hashes =
        Some(Hashes(md5.into_iter().chain([hash(HashAlgorithm::SHA_256, &package.sha256)]).collect()));
    let locator = purl(package)?;
    item.purl = locator.parse::<Purl>().ok();
    item.properties = Some(Properties(vec![Property::new("envlock:environment", environment)]));
    item.external_references = Some(ExternalReferences(vec![ExternalReference {
        external_reference_type: ExternalReferenceType::Distribution,
        url: Uri::Url(cyclonedx_bom::prelude::Uri::new(&package.url)),
        comment: None,
        hashes: None,
    }]));
    item.licenses = license.as_ref().map(|license| {
        Licenses(vec![match SpdxExpression::try_from(license.clone()) {
            Ok(expression) => LicenseChoice::Expression(expression),
            Err(_) => LicenseChoice::license(&NormalizedString::new(license)),
        }])
    });
    Ok(item)
}
