//! What an image was built from, as an in-toto statement with the predicate of SLSA provenance.
//!
//! Sources: in-toto's Statement v1, SLSA's provenance v1. It holds no time: the same image gives the same statement.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sigstore_types::{
    Sha256Hash,
    intoto::{Digest, Statement, Subject as Item},
};

use super::{Error, Subject, purl};
use crate::json::sorted;

const PREDICATE: &str = "https://slsa.dev/provenance/v1";
/// Says what the parameters mean: docs/images.md does.
const BUILD_TYPE: &str = "urn:envlock:image:1";
const BUILDER: &str = "urn:envlock";

/// Where an image comes from.
pub struct Origin {
    /// The role that it is of.
    pub role: String,
    /// The conda platform that it is for.
    pub platform: String,
    /// inputHash of its lock.
    pub input_hash: String,
    /// The lock files in it: name → sha256 as hex.
    pub files: BTreeMap<String, String>,
}

/// Writes the statement, or its predicate alone; it ends with a newline.
pub fn write(subject: &Subject, origin: &Origin, predicate_alone: bool) -> Result<Vec<u8>, Error> {
    let locks =
        origin.files.iter().map(|(name, sha256)| json!({ "name": name, "digest": { "sha256": sha256 } }));
    let packages = subject.components().map(|(_, _, component)| {
        let package = &component.package;
        Ok(json!({
            "name": purl(package)?,
            "uri": package.url,
            "digest": { "sha256": package.sha256 },
        }))
    });
    let mut dependencies: Vec<Value> = packages.collect::<Result<_, Error>>()?;
    // A package of several environments is one artifact.
    dependencies.sort_by_key(ToString::to_string);
    dependencies.dedup();
    let predicate = json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "role": origin.role,
                "platform": origin.platform,
                "inputHash": origin.input_hash,
            },
            "resolvedDependencies": locks.chain(dependencies).collect::<Vec<_>>(),
        },
        "runDetails": { "builder": { "id": BUILDER, "version": { "envlock": env!("CARGO_PKG_VERSION") } } },
    });
    let document = if predicate_alone {
        predicate
    } else {
        let digest = Sha256Hash::from_hex(&subject.digest).map_err(|error| subject.error(&error))?;
        let item = Item::new(subject.name.clone(), Digest::sha256(digest));
        let statement = Statement::new(vec![item], PREDICATE, predicate);
        serde_json::to_value(statement).map_err(|error| subject.error(&error))?
    };
    let mut bytes = serde_json::to_vec_pretty(&sorted(document)).map_err(|error| subject.error(&error))?;
    bytes.push(b'\n');
    Ok(bytes)
}
