//! `envlock nix-build`: the image of a role by Nix, with a flake or without.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{check::warn_if_stale, locked::Locked, role::Role};
use crate::{
    cli::NixBuild,
    error::{Error, ExitCode},
    fs,
    lock::{
        fingerprint::hex,
        format::nix::{quoted, system},
    },
    nix::{self, Call},
    printer::Printer,
    settings::Settings,
    spec,
};

/// Where Nix keeps what it has built.
const STORE: &str = "/nix/store";
/// How much of what Nix said is told when it fails and was to be quiet.
const LAST_LINES: usize = 20;

/// Runs the command.
pub(super) fn nix_build(
    arguments: &NixBuild,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let locked = Locked::load_project(&arguments.lock)?;
    locked.demand_files()?;
    warn_if_stale(&locked, settings, printer);
    let role = Role::find(&locked, &arguments.role, arguments.platform.as_deref())?;
    let directory = if locked.directory.as_os_str().is_empty() { Path::new(".") } else { &locked.directory };
    // Older versions of Nix take a link along, and not what it leads to.
    let directory = fs::canonical(directory)?;
    let link = arguments.out_link.clone().unwrap_or_else(|| PathBuf::from(format!("result-{}", role.name)));
    let link = std::path::absolute(&link).map_err(fs::Error::write(&link))?;
    let is_ours = || fs::read_link(&link).is_ok_and(|target| target.starts_with(STORE));
    if fs::exists(&link) && !is_ours() {
        let message = format!("--out-link {}: it is there, and no link of Nix", link.display());
        return Err(spec::Error::usage(message, "choose another name").into());
    }
    if let Some(path) = [&directory, &link].into_iter().find(|path| path.to_str().is_none()) {
        let message = format!("{}: Nix cannot be told of a path that is not UTF-8", path.display());
        return Err(spec::Error::usage(message, "choose another name").into());
    }
    let call = call(arguments, &role, &directory, &link, settings)?;
    printer.note(format_args!("running {}", call.shown()));
    let mut last = Vec::new();
    let said = |line: &str| {
        printer.note(line);
        last.push(line.to_owned());
    };
    let ran = call.run(said);
    if ran.is_err() && printer.is_quiet() {
        last.iter().skip(last.len().saturating_sub(LAST_LINES)).for_each(|line| printer.warning(line));
    }
    ran?;
    let archive = std::path::absolute(fs::read_link(&link)?).map_err(fs::Error::read(&link))?;
    let digest = hex(&fs::sha256(&archive)?);
    let size = fs::size(&archive).unwrap_or_default();
    if arguments.json {
        printer.data(json!({
            "archive": archive.to_string_lossy(),
            "archive_sha256": digest,
            "command": call.shown(),
            "link": link.to_string_lossy(),
            "size": size,
        }))?;
    }
    printer.note(format_args!("built {}: {size} bytes, sha256 {digest}", link.display()));
    Ok(ExitCode::Success)
}

/// Which Nix, and with what.
fn call(
    arguments: &NixBuild,
    role: &Role,
    directory: &Path,
    link: &Path,
    settings: &Settings,
) -> Result<Call, Error> {
    let system = system(role.platform());
    if !arguments.plain && arguments.builder.is_none() && fs::exists(&directory.join("flake.nix")) {
        return Ok(Call::flake(directory, &format!("packages.{system}.{}-image", role.name), link));
    }
    let builder = match &arguments.builder {
        Some(builder) => fs::canonical(builder)?,
        None => std::env::current_exe().map_err(fs::Error::read(Path::new("envlock")))?,
    };
    nix::check_builder(&builder, role.platform())?;
    // Any path can be said in a string; its copy in the store is named after nothing but what it is.
    let path = |path: &Path| quoted(&path.to_string_lossy());
    let builder = format!("builtins.path {{ path = {}; name = \"envlock\"; }}", path(&builder));
    let attribute = format!("images.{}", role.name);
    let strings = [("system", system), ("lockDir", &*directory.to_string_lossy())];
    let expressions = nix::expressions(&settings.cache)?;
    Ok(Call::plain(&expressions, &strings, &[("envlock", &builder)], &attribute, link))
}
