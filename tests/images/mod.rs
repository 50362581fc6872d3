//! Images: which layers, what is in them, what is said of them, and what an audit sees.

mod audit;
mod building;
mod commands;

use std::path::Path;

use serde_json::Value;

use crate::common::Place;

/// Builds an image and returns the summary.
fn build(place: &Place, arguments: &[&str]) -> Value {
    let ran = place.run(&[&["image", "build", "--json"], arguments].concat()).expect(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// What `inspect` says of the image of an archive.
fn inspect(place: &Place, archive: &str) -> Value {
    let ran = place.run(&["image", "inspect", archive, "--json"]).expect(0);
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    value["images"][0].clone()
}

fn layers(image: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    image["layers"].as_array().unwrap().iter().map(|it| (text(&it["about"]), text(&it["digest"]))).collect()
}

/// Where the bytes of a member are in an archive, and how many.
fn position(archive: &Path, name: &str) -> (u64, u64) {
    let mut tar = tar::Archive::new(std::fs::File::open(archive).unwrap());
    let found =
        tar.entries().unwrap().map(Result::unwrap).find(|it| it.path_bytes() == name.as_bytes()).unwrap();
    (found.raw_file_position(), found.size())
}
