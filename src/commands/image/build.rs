//! `envlock image build`: the image of a role.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::{
    bundle::lock_files,
    check::warn_if_stale,
    locked::Locked,
    role::{Role, with_what_is_lost},
    trees::Builder,
};
use crate::{
    cli::ImageBuild,
    cluster,
    error::{Error, ExitCode},
    fs,
    image::{self, Built, LAYER_FORMAT, Options},
    lock::fingerprint,
    printer::Printer,
    settings::Settings,
    store::Files,
};

/// Runs the command.
pub(super) fn build(
    arguments: &ImageBuild,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let locked = Locked::load_project(&arguments.lock)?.with_channels()?;
    locked.demand_files()?;
    warn_if_stale(&locked, settings, printer);
    let role = Role::find(&locked, &arguments.role, arguments.platform.as_deref())?;
    let output = arguments.output.clone();
    let output = output.unwrap_or_else(|| PathBuf::from(format!("{}-image.tar", role.name)));
    let options = Options {
        platform: role.platform(),
        compression: arguments.compression,
        time: settings.source_date_epoch()?.unwrap_or(fs::TREE_TIME),
    };
    let lock = lock_files(&locked)?;
    let files = Files::open(&settings.cache)?;
    let record = Record::path(&role.fingerprint(&lock), options, &settings.cache);
    let kept = Record::load(&record)?.filter(|record| !arguments.rebuild && record.is_there(&output));
    let built = if let Some(record) = kept {
        printer.note(format_args!("unchanged: {}", output.display()));
        record.built
    } else {
        let builder = Builder::new(&locked, &arguments.source, settings, printer)?;
        let write = |rebuild: bool| -> Result<Built, Error> {
            let trees = role.trees(&builder, &files, rebuild)?;
            let content = role.content(&trees, &lock);
            let planned = image::plan(&content, &files)?;
            let waiting = printer.waiting("writing layers");
            let count = planned.len();
            let progress =
                |done| waiting.on(format!("writing {}: {done} of {count} layers", output.display()));
            Ok(image::build(&content, &planned, options, &settings.cache, &files, &output, &progress)?)
        };
        let built = with_what_is_lost(arguments.rebuild, true, write)?;
        Record::new(built.clone(), &output).save(&record, &files)?;
        printer.note(format_args!(
            "wrote {}: {} bytes, sha256 {}",
            output.display(),
            built.size,
            built.archive
        ));
        built
    };
    if arguments.json {
        printer.data(json!({
            "archive": output.to_string_lossy(),
            "archive_sha256": built.archive,
            "image": format!("sha256:{}", built.image),
            "layers": built.layers.iter().map(|layer| format!("sha256:{layer}")).collect::<Vec<_>>(),
            "name": image::image_name(role.name),
            "size": built.size,
            "tree_digest": built.tree_digest,
        }))?;
    }
    printer.note(format_args!("image sha256:{}", built.image));
    printer.note(format_args!("treeDigest {}", built.tree_digest));
    Ok(ExitCode::Success)
}

/// What the store knows of an image that was built: what it is, and the file that it was written to.
#[derive(Deserialize, Serialize)]
struct Record {
    built: Built,
    path: PathBuf,
    stamp: Option<fs::Stamp>,
}

impl Record {
    /// Where it is, for an image of some inputs.
    fn path(inputs: &str, options: Options, cache: &Path) -> PathBuf {
        let Options { platform, compression, time } = options;
        let programs = cluster::fingerprint();
        let version = env!("CARGO_PKG_VERSION");
        let key = format!("{LAYER_FORMAT} {version} {programs} {platform:?} {compression:?} {time} {inputs}");
        cache.join(image::IMAGES).join(format!("{}.json", fingerprint::of_text(&key)))
    }

    fn new(built: Built, output: &Path) -> Self {
        let path = std::path::absolute(output).unwrap_or_else(|_| output.to_path_buf());
        Self { built, stamp: fs::stamp(&path), path }
    }

    fn load(path: &Path) -> Result<Option<Self>, fs::Error> {
        Ok(fs::read_kept(path)?.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    fn save(&self, path: &Path, files: &Files) -> Result<(), fs::Error> {
        files.scratch().publish(path, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// Whether the file is the one that was written, and nobody has touched it since.
    fn is_there(&self, output: &Path) -> bool {
        let is_same = std::path::absolute(output).is_ok_and(|path| path == self.path);
        is_same && self.stamp.is_some() && fs::stamp(&self.path) == self.stamp
    }
}
