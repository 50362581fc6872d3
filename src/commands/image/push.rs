//! `envlock image push`: hands an archive to skopeo, which knows registries and their credentials.

use crate::{
    cli::ImagePush,
    error::{Error, ExitCode},
    fs,
    image::{self, Archive},
    printer::Printer,
    spec,
};

/// skopeo's transports, as containers-transports(5) names them.
const TRANSPORTS: [&str; 10] = [
    "containers-storage:",
    "dir:",
    "docker://",
    "docker-archive:",
    "docker-daemon:",
    "oci:",
    "oci-archive:",
    "ostree:",
    "sif:",
    "tarball:",
];

/// Runs the command.
pub(super) fn push(arguments: &ImagePush, printer: &Printer) -> Result<ExitCode, Error> {
    let archive = Archive::open(&arguments.archive)?;
    let destination = &arguments.destination;
    // A bare name is meant for a registry.
    let is_transport = TRANSPORTS.iter().any(|transport| destination.starts_with(transport));
    let destination = if is_transport { destination.clone() } else { format!("docker://{destination}") };
    let source = format!("oci-archive:{}", archive.path.display());
    let skopeo = which::which("skopeo").map_err(|_| {
        let message = "there is no skopeo on the PATH, which talks to registries for envlock";
        let hint = format!(
            "install it (Debian: apt-get install skopeo), or use another tool that reads OCI archives: {source}"
        );
        Error::from(spec::Error::usage(message, hint))
    })?;
    let mut words = vec!["copy".to_owned()];
    if archive.images.len() > 1 {
        words.push("--all".to_owned());
    }
    // Options may hold credentials, so they are not told.
    printer.note(format_args!("running skopeo copy {source} {destination}"));
    words.extend(arguments.options.iter().cloned());
    // What arrives may not be what was sent: skopeo compresses where its destination wants it.
    let scratch = fs::scratch_in(&std::env::temp_dir())?;
    let digest = scratch.path().join("digest");
    words.extend(["--digestfile".to_owned(), digest.display().to_string(), source, destination.clone()]);
    let ended = duct::cmd(skopeo, words).stdout_to_stderr().unchecked().run();
    let ended = ended.map_err(|source| fs::Error::Io { action: "run", path: "skopeo".into(), source })?;
    if !ended.status.success() {
        let status = ended.status.to_string();
        return Err(image::Error::Push { destination, status }.into());
    }
    let digest = fs::read_own(&digest)?.unwrap_or_default();
    printer.note(format_args!("pushed {}", digest.trim()));
    Ok(ExitCode::Success)
}
