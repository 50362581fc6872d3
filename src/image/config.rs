//! The configuration of an image: what a container starts with, and what the image says of itself.
//!
//! Source: the OCI image specification, "Image Configuration"; `Healthcheck` is Docker's own.

use std::collections::{BTreeMap, HashMap};

use oci_spec::image::{Arch, ConfigBuilder, HistoryBuilder, ImageConfigurationBuilder, Os, RootFsBuilder};
use rattler_conda_types::{Arch as CondaArch, Subdir};
use serde_json::{Value, json};

use super::{
    Content, Error, Planned,
    content::{CERTIFICATES, TINI},
    layer::Layer,
    oci,
};
use crate::{
    cluster::{self, HEALTH_INTERVAL, HEALTH_RETRIES, HEALTH_START_PERIOD, HEALTH_TIMEOUT},
    json::sorted,
};

/// The label with the role.
pub(super) const ROLE: &str = "io.envlock.role";
/// The label with the lockHash of the user environment.
pub(super) const LOCK_HASH: &str = "io.envlock.lock-hash";
/// The label with the treeDigest of the user environment.
pub(super) const TREE_DIGEST: &str = "io.envlock.tree-digest";

/// The label with the conda platform.
pub(super) const PLATFORM: &str = "io.envlock.platform";

/// Labels of the image, which are annotations of its manifest as well.
pub(super) fn labels(content: &Content, platform: Subdir) -> HashMap<String, String> {
    HashMap::from([
        (LOCK_HASH.to_owned(), content.user.manifest.marker.lock_hash.clone()),
        (ROLE.to_owned(), content.role.to_owned()),
        (TREE_DIGEST.to_owned(), content.tree_digest.to_owned()),
        (PLATFORM.to_owned(), platform.as_str().to_owned()),
        ("org.opencontainers.image.title".to_owned(), format!("{}-image", content.role)),
    ])
}

/// The time of an image as its configuration and its annotations write it.
pub(super) fn created(time: u32) -> Result<String, Error> {
    jiff::Timestamp::from_second(time.into()).map(|time| time.to_string()).map_err(oci)
}

/// The whole configuration.
pub(super) fn configuration(
    content: &Content,
    planned: &[Planned],
    layers: &[Layer],
    platform: Subdir,
    time: u32,
) -> Result<Value, Error> {
    let created = created(time)?;
    let history = planned
        .iter()
        .map(|layer| {
            HistoryBuilder::default()
                .created(created.clone())
                .created_by("envlock image build")
                .comment(layer.about.clone())
                .build()
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(oci)?;
    let diff_ids: Vec<_> = layers.iter().map(|layer| format!("sha256:{}", layer.diff_id)).collect();
    let configuration = ImageConfigurationBuilder::default()
        .created(created)
        .architecture(architecture(platform)?)
        .os(Os::Linux)
        .rootfs(RootFsBuilder::default().typ("layers").diff_ids(diff_ids).build().map_err(oci)?)
        .history(history)
        .build()
        .map_err(oci)?;
    let mut configuration = serde_json::to_value(configuration).map_err(oci)?;
    configuration["config"] = process(content, platform)?;
    Ok(sorted(configuration))
}

/// What a container starts with.
fn process(content: &Content, platform: Subdir) -> Result<Value, Error> {
    let role = content.services;
    let has_python = content.programs().0.is_some();
    let tini = format!("{}/{TINI}", content.runtime.manifest.marker.prefix);
    let mut entrypoint = vec![tini, "--".to_owned()];
    let mut command = Vec::new();
    if has_python {
        entrypoint.extend(cluster::command("start"));
    } else {
        // Without Python there is one service at most, and it is started as it stands.
        command.extend(role.services.values().next().into_iter().flat_map(|it| it.command.clone()));
    }
    let user = &role.user;
    let env: Vec<_> = variables(content).iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut config = ConfigBuilder::default()
        .user(format!("{0}:{0}", user.id))
        .env(env)
        .entrypoint(entrypoint)
        .working_dir(content.home())
        .labels(labels(content, platform));
    if !command.is_empty() {
        config = config.cmd(command);
    }
    let ports: Vec<_> = cluster::ports(role).iter().map(|port| format!("{port}/tcp")).collect();
    if !ports.is_empty() {
        config = config.exposed_ports(ports);
    }
    let volumes = cluster::volumes(role);
    if !volumes.is_empty() {
        config = config.volumes(volumes);
    }
    let mut config = serde_json::to_value(config.build().map_err(oci)?).map_err(oci)?;
    let is_asked = role.services.values().any(|service| service.readiness.is_some());
    if has_python && is_asked {
        let test: Vec<_> = ["CMD".to_owned()].into_iter().chain(cluster::command("health")).collect();
        let nanoseconds = |seconds: u32| u64::from(seconds) * 1_000_000_000;
        config["Healthcheck"] = json!({
            "Test": test,
            "Interval": nanoseconds(HEALTH_INTERVAL),
            "Timeout": nanoseconds(HEALTH_TIMEOUT),
            "StartPeriod": nanoseconds(HEALTH_START_PERIOD),
            "Retries": HEALTH_RETRIES,
        });
    }
    Ok(config)
}

pub(super) fn variables(content: &Content) -> BTreeMap<String, String> {
    let prefix = |part: &super::Part| part.manifest.marker.prefix.clone();
    let bins = [Some(content.user), content.system, Some(content.runtime)];
    let bins = bins.iter().flatten().map(|part| format!("{}/bin", prefix(part)));
    let own = content.programs().0.map(|_| format!("{}/bin", cluster::ROLE_DIRECTORY));
    let mut variables = BTreeMap::from([
        ("HOME".to_owned(), content.home()),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("PATH".to_owned(), bins.chain(own).collect::<Vec<_>>().join(":")),
    ]);
    if content.programs().0.is_some() {
        // Logs are read while they are written.
        variables.insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
    }
    if content.runtime.manifest.entries.contains_key(CERTIFICATES) {
        // Whatever place an OpenSSL was built for.
        variables.insert("SSL_CERT_FILE".to_owned(), format!("{}/{CERTIFICATES}", prefix(&content.runtime)));
    }
    variables.extend(content.user.manifest.marker.variables.clone());
    variables.extend(content.services.environment.clone());
    variables
}

/// The name that OCI, as Go, has for the architecture of a conda platform.
pub(super) fn architecture(platform: Subdir) -> Result<Arch, Error> {
    Ok(match platform.arch() {
        Some(CondaArch::Aarch64 | CondaArch::Arm64) => Arch::ARM64,
        Some(CondaArch::Ppc64le) => Arch::PowerPC64le,
        Some(CondaArch::S390X) => Arch::s390x,
        Some(CondaArch::X86_64) => Arch::Amd64,
        _ => return Err(oci(format!("there are no containers for {}", platform.as_str()))),
    })
}
