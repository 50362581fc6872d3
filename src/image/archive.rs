//! The archive: an OCI image layout that `docker load` takes, too.
//!
//! Sources: the OCI image specification (layout, index, manifest, configuration), and Docker's image archive, whose
//! `manifest.json` is what Engines before 25 read.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
    path::Path,
};

use oci_spec::image::{
    Arch, Config, ConfigBuilder, DescriptorBuilder, HistoryBuilder, ImageConfiguration,
    ImageConfigurationBuilder, ImageIndex, ImageIndexBuilder, ImageManifestBuilder, MediaType,
    OciLayoutBuilder, Os, RootFsBuilder, Sha256Digest,
};
use rattler_conda_types::{Arch as CondaArch, Subdir};
use rattler_digest::HashingWriter;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::{
    Content, Error, Image,
    layer::{self, Layer},
};
use crate::{fs, lock::fingerprint::hex, store::Files};

/// What was built.
pub struct Built {
    /// Hex sha256 of the archive.
    pub archive: String,
    /// Digest of the image's manifest.
    pub image: String,
    /// Digests of the layers, lowest first.
    pub layers: Vec<String>,
    /// Size of the archive in bytes.
    pub size: u64,
}

/// Builds the image of a role. `time` is that of everything in it, in seconds since 1970.
pub fn build(
    content: &Content,
    platform: Subdir,
    time: u32,
    files: &Files,
    path: &Path,
) -> Result<Built, Error> {
    let mut layers = Vec::new();
    for manifest in content.trees() {
        layers.push(layer::of_tree(manifest, files, files.scratch().fresh(), time.into())?);
    }
    layers.push(content.layer(files.scratch().fresh(), time.into())?);

    let config = json(&configuration(content, &layers, platform, time)?)?;
    let (config_digest, config_size) = (sha256(&config), config.len() as u64);
    let descriptors = layers
        .iter()
        .map(|layer| descriptor(MediaType::ImageLayer, &layer.sha256, layer.size))
        .collect::<Result<Vec<_>, _>>()?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(MediaType::ImageConfig, &config_digest, config_size)?)
        .layers(descriptors)
        .build()
        .map_err(oci)?;
    let manifest = json(&manifest)?;
    let image = sha256(&manifest);
    let name = format!("{}-image:latest", content.role);
    let index = json(&index(&image, manifest.len() as u64, platform, &name)?)?;
    let layout = json(&OciLayoutBuilder::default().image_layout_version("1.0.0").build().map_err(oci)?)?;
    let blob = |digest: &str| format!("blobs/sha256/{digest}");
    let docker = json!([{
        "Config": blob(&config_digest),
        "RepoTags": [name],
        "Layers": layers.iter().map(|layer| blob(&layer.sha256)).collect::<Vec<_>>(),
    }]);
    let docker = json(&docker)?;

    let failed = |source| Error::Fs(fs::Error::write(path)(source));
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = fs::temporary_in(parent)?;
    let mut tar = Builder::new(HashingWriter::<_, Sha256>::new(io::BufWriter::with_capacity(1 << 18, file)));
    append(&mut tar, "oci-layout", &layout, time).map_err(failed)?;
    append(&mut tar, "index.json", &index, time).map_err(failed)?;
    append(&mut tar, "manifest.json", &docker, time).map_err(failed)?;
    append(&mut tar, &blob(&config_digest), &config, time).map_err(failed)?;
    append(&mut tar, &blob(&image), &manifest, time).map_err(failed)?;
    for layer in &layers {
        let content = fs::open(&layer.path)?;
        tar.append_data(&mut header(layer.size, time), blob(&layer.sha256), content).map_err(failed)?;
    }
    let (buffer, archive) = tar.into_inner().map_err(failed)?.finalize();
    let file = buffer.into_inner().map_err(|error| failed(error.into()))?;
    let size = file.as_file().metadata().map_err(failed)?.len();
    fs::publish(file, path)?;
    for layer in &layers {
        fs::remove_file(&layer.path)?;
    }
    Ok(Built {
        archive: hex(&archive),
        image,
        layers: layers.into_iter().map(|layer| layer.sha256).collect(),
        size,
    })
}

fn configuration(
    content: &Content,
    layers: &[Layer],
    platform: Subdir,
    time: u32,
) -> Result<ImageConfiguration, Error> {
    let created = jiff::Timestamp::from_second(time.into()).map(|time| time.to_string()).map_err(oci)?;
    let diff_ids: Vec<_> = layers.iter().map(|layer| format!("sha256:{}", layer.sha256)).collect();
    let history = layers
        .iter()
        .map(|layer| {
            HistoryBuilder::default()
                .created(created.clone())
                .created_by("envlock")
                .comment(layer.about.clone())
                .build()
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(oci)?;
    ImageConfigurationBuilder::default()
        .created(created)
        .architecture(architecture(platform)?)
        .os(Os::Linux)
        .config(process(content)?)
        .rootfs(RootFsBuilder::default().typ("layers").diff_ids(diff_ids).build().map_err(oci)?)
        .history(history)
        .build()
        .map_err(oci)
}

fn process(content: &Content) -> Result<Config, Error> {
    let Image { entrypoint, command, environment, user, directory } = content.image();
    let env: Vec<_> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let ports: Vec<_> = content.services.ports.iter().map(|port| format!("{port}/tcp")).collect();
    let labels = HashMap::from([
        ("io.envlock.lock-hash".to_owned(), content.user.marker.lock_hash.clone()),
        ("io.envlock.role".to_owned(), content.role.to_owned()),
        ("io.envlock.tree-digest".to_owned(), content.user.digest()),
    ]);
    let mut config = ConfigBuilder::default()
        .user(user)
        .env(env)
        .entrypoint(entrypoint)
        .working_dir(directory)
        .labels(labels);
    if !command.is_empty() {
        config = config.cmd(command);
    }
    if !ports.is_empty() {
        config = config.exposed_ports(ports);
    }
    config.build().map_err(oci)
}

fn index(image: &str, size: u64, platform: Subdir, name: &str) -> Result<ImageIndex, Error> {
    let mut manifest = descriptor(MediaType::ImageManifest, image, size)?;
    let platform =
        oci_spec::image::PlatformBuilder::default().architecture(architecture(platform)?).os(Os::Linux);
    manifest.set_platform(Some(platform.build().map_err(oci)?));
    manifest.set_annotations(Some(HashMap::from([
        ("io.containerd.image.name".to_owned(), format!("docker.io/library/{name}")),
        ("org.opencontainers.image.ref.name".to_owned(), "latest".to_owned()),
    ])));
    ImageIndexBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageIndex)
        .manifests(vec![manifest])
        .build()
        .map_err(oci)
}

fn descriptor(kind: MediaType, digest: &str, size: u64) -> Result<oci_spec::image::Descriptor, Error> {
    let digest: Sha256Digest = digest.parse().map_err(oci)?;
    DescriptorBuilder::default().media_type(kind).digest(digest).size(size).build().map_err(oci)
}

/// The name that OCI, as Go, has for the architecture of a conda platform.
fn architecture(platform: Subdir) -> Result<Arch, Error> {
    Ok(match platform.arch() {
        Some(CondaArch::Aarch64 | CondaArch::Arm64) => Arch::ARM64,
        Some(CondaArch::Ppc64le) => Arch::PowerPC64le,
        Some(CondaArch::S390X) => Arch::s390x,
        Some(CondaArch::X86_64) => Arch::Amd64,
        _ => return Err(oci(format!("there are no containers for {}", platform.as_str()))),
    })
}

fn oci(error: impl std::fmt::Display) -> Error {
    Error::Oci { reason: error.to_string() }
}

/// JSON with sorted keys: some of the types hold their maps in no order.
fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    let value = serde_json::to_value(value).map_err(oci)?;
    serde_json::to_vec(&sorted(value)).map_err(oci)
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let entries: BTreeMap<String, Value> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn header(size: u64, time: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(time.into());
    header.set_size(size);
    header
}

fn append(tar: &mut Builder<impl Write>, name: &str, content: &[u8], time: u32) -> io::Result<()> {
    tar.append_data(&mut header(content.len() as u64, time), name, content)
}
