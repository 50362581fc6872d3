//! One archive for several platforms, made of archives that were built on each.
//!
//! Source: the OCI image specification, "Image Index". It holds no `manifest.json`: that of Docker knows one platform.

use std::{collections::BTreeSet, path::Path};

use oci_spec::image::{ImageIndexBuilder, MediaType};

use super::{
    Error, Image,
    archive::{self, Blob, Layout},
    config, oci,
    read::Archive,
};

/// Assembles the images of some archives into one; returns the digest of the index, and hex sha256 and size of the
/// archive.
pub fn assemble(archives: &[Archive], time: u32, path: &Path) -> Result<(String, String, u64), Error> {
    let (digest, layout) = layout(archives, time)?;
    let (sha256, size) = layout.write(path, time)?;
    Ok((digest, sha256, size))
}

/// What the archive of the images of some archives holds, and the digest of its index.
pub(super) fn layout(archives: &[Archive], time: u32) -> Result<(String, Layout), Error> {
    let mut images: Vec<(&Archive, &Image)> = archives
        .iter()
        .flat_map(|archive| archive.images.iter().map(move |image| (archive, image)))
        .collect();
    images.sort_by_key(|(_, image)| image.platform().map(str::to_owned));
    let failed = |message: String, hint: &str| Err(Error::Role { message, hint: hint.to_owned() });
    let mut platforms = BTreeSet::new();
    for (archive, image) in &images {
        let (Some(role), Some(platform)) = (image.role(), image.platform()) else {
            return failed(
                format!("{} does not say which role and platform it is for", archive.path.display()),
                "use archives that `envlock image build` wrote",
            );
        };
        if !platforms.insert(platform) {
            return failed(
                format!("{} is the second image for {platform}", archive.path.display()),
                "give one archive for each platform",
            );
        }
        let first = images[0].1.role();
        if first != Some(role) {
            return failed(
                format!(
                    "{} is of the role {role}, not {}",
                    archive.path.display(),
                    first.unwrap_or_default()
                ),
                "an index holds one role for several platforms",
            );
        }
    }
    let Some(role) = images.first().and_then(|(_, image)| image.role()) else {
        return failed("there is no image to assemble".to_owned(), "name archives of `envlock image build`");
    };

    let mut manifests = Vec::new();
    let mut blobs: Vec<Blob> = Vec::new();
    for (archive, image) in &images {
        let mut descriptor = image.descriptor().clone();
        descriptor.set_annotations(None);
        manifests.push(descriptor);
        let layers = image.layers.iter().map(|layer| layer.digest.as_str());
        let own = [image.digest.as_str(), image.manifest.config().digest().digest()];
        for digest in own.into_iter().chain(layers) {
            if blobs.iter().all(|blob| blob.digest != digest) {
                blobs.push(archive.blob(digest)?);
            }
        }
    }
    let index = ImageIndexBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageIndex)
        .manifests(manifests)
        .annotations([("org.opencontainers.image.created".to_owned(), config::created(time)?)])
        .build()
        .map_err(oci)?;
    let index = Blob::of(archive::json(&index)?);
    let digest = index.digest.clone();
    let mut entry = archive::descriptor(MediaType::ImageIndex, &digest, index.size)?;
    entry.set_annotations(Some(archive::names(&archive::image_name(role))));
    blobs.insert(0, index);
    Ok((digest, Layout { entry, docker: None, blobs }))
}
