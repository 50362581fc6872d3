//! `envlock image inspect`: what an archive says of itself.

use serde_json::{Value, json};

use super::{name, printable};
use crate::{
    cli::ImageInspect,
    error::{Error, ExitCode},
    image::{Archive, Image},
    printer::Printer,
};

/// Runs the command.
pub(super) fn inspect(arguments: &ImageInspect, printer: &Printer) -> Result<ExitCode, Error> {
    let archive = Archive::open(&arguments.archive)?;
    if arguments.json {
        let images: Vec<Value> = archive.images.iter().map(as_json).collect();
        printer.data(json!({ "archive": archive.path.to_string_lossy(), "images": images }))?;
        return Ok(ExitCode::Success);
    }
    for image in &archive.images {
        printer.data(describe(&archive, image))?;
    }
    Ok(ExitCode::Success)
}

fn as_json(image: &Image) -> Value {
    let layers: Vec<Value> = image
        .layers
        .iter()
        .map(|layer| {
            json!({
                "digest": format!("sha256:{}", layer.digest),
                "diff_id": format!("sha256:{}", layer.diff_id),
                "media_type": layer.media_type.to_string(),
                "size": layer.size,
                "about": layer.about,
            })
        })
        .collect();
    json!({
        "digest": format!("sha256:{}", image.digest),
        "role": image.role(),
        "platform": image.platform(),
        "tree_digest": image.tree_digest(),
        "lock_hash": image.lock_hash(),
        "config": image.config["config"],
        "created": image.config["created"],
        "layers": layers,
    })
}

fn describe(archive: &Archive, image: &Image) -> String {
    let unknown = "not stated";
    let config = &image.config["config"];
    let words = |value: &Value| {
        let words: Vec<_> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(" ") }
    };
    let keys = |value: &Value| {
        let keys: Vec<_> = value.as_object().into_iter().flat_map(serde_json::Map::keys).cloned().collect();
        if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
    };
    let mut lines = vec![
        format!("{}: role {}", name(archive, image), image.role().unwrap_or(unknown)),
        format!("  image       sha256:{}", image.digest),
        format!("  platform    {}", image.platform().unwrap_or(unknown)),
        format!("  treeDigest  {}", image.tree_digest().unwrap_or(unknown)),
        format!("  lockHash    {}", image.lock_hash().unwrap_or(unknown)),
        format!("  created     {}", image.config["created"].as_str().unwrap_or(unknown)),
        format!("  user        {}", config["User"].as_str().unwrap_or(unknown)),
        format!("  starts      {}", words(&config["Entrypoint"])),
        format!("  ports       {}", keys(&config["ExposedPorts"])),
        format!("  volumes     {}", keys(&config["Volumes"])),
        format!("  {} layers", image.layers.len()),
    ];
    for layer in &image.layers {
        lines.push(format!(
            "  {:>11}  sha256:{}  {}",
            layer.size,
            &layer.digest[..12.min(layer.digest.len())],
            layer.about
        ));
    }
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}
