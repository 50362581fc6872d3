//! `envlock image verify`: whether images have one environment, and nothing that no lock accounts for.

use std::path::Path;

use serde_json::json;

use super::{
    super::{
        bundle::lock_files,
        locked::Locked,
        role::{Role, with_what_is_lost},
        trees::Builder,
    },
    lock_in, look_at_layers, name, printable,
};
use crate::{
    cli::ImageVerify,
    error::{Error, ExitCode},
    fs,
    image::{self, Archive, Audit, Described, Finding, Found, Image},
    lock,
    printer::Printer,
    settings::Settings,
    spec,
    store::Files,
};

/// How many findings of one image are told one by one.
const TOLD: usize = 20;

/// An image by its name and platform, and what was found in it.
type Audited = (String, Option<String>, Audit);

/// Compares every image of some archives with what its lock makes of its role, and tells what differs.
pub(super) fn audits(
    archives: &[Archive],
    arguments: &ImageVerify,
    settings: &Settings,
    printer: &Printer,
) -> Result<Vec<Audited>, Error> {
    let mut audits: Vec<Audited> = Vec::new();
    for archive in archives {
        let (before, mut expected) = (audits.len(), Vec::new());
        for image in &archive.images {
            let found = look_at_layers(archive, image, printer);
            let name = name(archive, image);
            let (audit, described) = audit(&name, image, &found, arguments, settings, printer)?;
            tell(&name, image, &audit, printer);
            expected.extend(described);
            audits.push((name, image.platform().map(str::to_owned), audit));
        }
        let are_sound = audits[before..].iter().all(|(_, _, audit)| audit.findings.is_empty());
        if are_sound && !arguments.repacked {
            let time = archive.images.first().map_or(fs::TREE_TIME, image::time);
            let findings = image::audit_archive(archive, &expected, time)?;
            for finding in &findings {
                let finding = printable(&finding.to_string());
                printer.warning(format_args!("{}: {finding}", archive.path.display()));
            }
            if let Some((_, _, audit)) = audits.last_mut() {
                audit.findings.extend(findings);
            }
        }
    }
    Ok(audits)
}

/// What to do with an image that is not what its lock says.
pub(super) const UNSOUND: &str =
    "build it again with `envlock image build`, or say with --lock which lock it should be of";

/// Runs the command.
pub(super) fn verify(
    arguments: &ImageVerify,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let archives =
        arguments.archives.iter().map(|path| Archive::open(path)).collect::<Result<Vec<_>, _>>()?;
    let audits = audits(&archives, arguments, settings, printer)?;
    let are_sound = audits.iter().all(|(_, _, audit)| audit.findings.is_empty());
    let mut are_one = true;
    // Images for several platforms have an environment each.
    let mut shared: Vec<(&Option<String>, &str, &str)> = Vec::new();
    for (name, platform, audit) in &audits {
        match shared.iter().find(|(other, _, _)| other == &platform) {
            None => shared.push((platform, &audit.tree_digest, name)),
            Some((_, digest, first)) if *digest != audit.tree_digest => {
                are_one = false;
                printer.warning(format_args!(
                    "{name} has another environment than {first}: treeDigest {} instead of {digest}",
                    audit.tree_digest
                ));
            }
            Some(_) => {}
        }
    }
    if arguments.json {
        let images = audits.iter().map(|(name, platform, audit)| {
            json!({
                "image": name,
                "platform": platform,
                "tree_digest": audit.tree_digest,
                "paths": audit.paths,
                "findings": audit.findings.iter().map(as_json).collect::<Vec<_>>(),
            })
        });
        printer.data(json!({ "identical": are_sound && are_one, "images": images.collect::<Vec<_>>() }))?;
    }
    if !are_sound {
        printer.error("the images are not what their lock says", Some(UNSOUND));
        return Ok(ExitCode::Differs);
    }
    if !are_one {
        let hint = "build all of them from one lock";
        printer
            .error("each image is what its lock says, and their environments are not the same", Some(hint));
        return Ok(ExitCode::Differs);
    }
    if !arguments.json {
        for (platform, digest, _) in shared {
            match platform {
                Some(platform) if audits.iter().any(|(_, other, _)| other.as_ref() != Some(platform)) => {
                    printer.data(format_args!("identical on {platform}: treeDigest {digest}"))?;
                }
                _ => printer.data(format_args!("identical: treeDigest {digest}"))?,
            }
        }
    }
    Ok(ExitCode::Success)
}

fn as_json(finding: &Finding) -> serde_json::Value {
    json!({ "what": finding.what, "path": finding.path.as_ref().map(|path| format!("/{path}")), "of": finding.of })
}

/// Compares an image with what the lock in it, or the one that is named, makes of its role.
fn audit(
    name: &str,
    image: &Image,
    found: &[Found],
    arguments: &ImageVerify,
    settings: &Settings,
    printer: &Printer,
) -> Result<(Audit, Option<Described>), Error> {
    let usage = |message: String, hint: &str| Error::from(spec::Error::usage(message, hint));
    let files = Files::open(&settings.cache)?;
    let directory = match &arguments.lock {
        Some(lock) if lock.is_dir() => Some(lock.clone()),
        Some(lock) => Some(lock.parent().unwrap_or(Path::new("")).to_path_buf()),
        None => lock_in(found, &files)?,
    };
    let Some(directory) = directory else {
        // A damaged layer may be the one with the lock.
        let findings = image::faults(image, found, &[]);
        if findings.is_empty() {
            let hint = "say with --lock DIR which lock it should be of";
            return Err(usage(format!("{name} has no lock inside"), hint));
        }
        return Ok((Audit { findings, ..Audit::default() }, None));
    };
    let locked = Locked::load(&directory.join(lock::NIX_FILE))?;
    let locked = if arguments.lock.is_some() { locked.with_channels()? } else { locked };
    let role_name = image.role().ok_or_else(|| {
        usage(
            format!("{name} does not say which role it is of"),
            "only images of `envlock image build` can be verified",
        )
    })?;
    let role = Role::find(&locked, role_name, image.platform())?;
    // A lock names a Python, which would be run to compile byte-code: one that nobody here knows is not.
    let is_trusted = arguments.lock.is_some() || arguments.trust_lock;
    if !is_trusted && !role.is_kept(&settings.cache) {
        return Err(usage(
            format!("{name} is of a lock that was not built on this machine"),
            "name the lock that it should be of (--lock DIR), or let what it names itself be fetched and run (--trust-lock)",
        ));
    }
    let builder = Builder::new(&locked, &arguments.source, settings, printer)?;
    let lock = lock_files(&locked)?;
    let options = image::wanted(image, role.platform());
    with_what_is_lost(arguments.rebuild && is_trusted, is_trusted, |rebuild| {
        let trees = role.trees(&builder, &files, rebuild)?;
        let content = role.content(&trees, &lock);
        let planned = image::plan(&content, &files)?;
        let waiting = printer.waiting("deriving layers");
        let count = planned.len();
        let progress = |done| waiting.on(format!("deriving {done} of {count} layers"));
        let described = image::describe(&content, &planned, options, &settings.cache, &files, &progress)?;
        let audit = image::audit(image, found, &content, &planned, &described, arguments.repacked);
        Ok((audit, Some(described)))
    })
}

fn tell(name: &str, image: &Image, audit: &Audit, printer: &Printer) {
    for finding in audit.findings.iter().take(TOLD) {
        printer.warning(format_args!("{name}: {}", printable(&finding.to_string())));
    }
    if audit.findings.len() > TOLD {
        printer.warning(format_args!("{name}: and {} more", audit.findings.len() - TOLD));
    }
    if audit.findings.is_empty() {
        let (layers, paths) = (image.layers.len(), audit.paths);
        printer.note(format_args!("{name}: {layers} layers and {paths} paths, all as the lock says"));
    }
}
