//! Wheels: zip files whose `RECORD` states the hash of every file.
//!
//! Sources: the binary distribution format (PEP 427) and "Recording installed projects" (PEP 376, PEP 627).

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use configparser::ini::Ini;
use rattler_conda_types::package::EntryPoint;
use zip::ZipArchive;

use super::{About, Content, Error, Member, Promise, Unpacker, What};
use crate::lock::fingerprint::hex;

/// Files of `*.dist-info` that `RECORD` does not list: itself and its signatures.
const UNRECORDED: [&str; 3] = ["RECORD", "RECORD.jws", "RECORD.p7s"];

/// Unpacks a wheel.
pub(super) fn unpack(unpacker: &Unpacker, content: Box<dyn Content>) -> Result<(Vec<Member>, About), Error> {
    let package = unpacker.package;
    let unreadable = |error: &dyn std::error::Error| {
        Error::unsound_whole(package, format!("it cannot be read: {}", crate::causes::chain(error)))
    };
    let mut archive = ZipArchive::new(content).map_err(|error| unreadable(&error))?;
    if archive.has_duplicate_names() {
        return Err(Error::unsound_whole(package, "two of its members have one name"));
    }
    let places = places(unpacker, &mut archive)?;
    let dist_info = dist_info(unpacker, &places)?;
    let mut read = |name: &str| -> Result<Option<Vec<u8>>, Error> {
        let path = format!("{dist_info}/{name}");
        let Some(place) = places.get(&path) else { return Ok(None) };
        let mut member = archive.by_index(place.index).map_err(|error| unreadable(&error))?;
        unpacker.small(&path, &mut member).map(Some)
    };
    let missing = |name: &str| Error::unsound_whole(package, format!("it has no {dist_info}/{name}"));
    check_version(unpacker, &dist_info, &read("WHEEL")?.ok_or_else(|| missing("WHEEL"))?)?;
    let metadata = read("METADATA")?.ok_or_else(|| missing("METADATA"))?;
    let name = header(&metadata, "Name").unwrap_or_default();
    let record =
        read_record(unpacker, &dist_info, &places, &read("RECORD")?.ok_or_else(|| missing("RECORD"))?)?;
    let entry_points = match read("entry_points.txt")? {
        Some(text) => read_entry_points(unpacker, &dist_info, &text)?,
        None => Vec::new(),
    };

    let mut members = Vec::new();
    for (path, place) in &places {
        let unrecorded = UNRECORDED.iter().any(|name| *path == format!("{dist_info}/{name}"));
        let promise = match record.get(path) {
            Some(promise) => promise,
            None if unrecorded => continue, // An installed project has a RECORD of its own.
            None => return Err(Error::unsound(package, path, "RECORD does not list it")),
        };
        let mut member = archive.by_index(place.index).map_err(|error| unreadable(&error))?;
        members.push(Member {
            path: path.clone(),
            what: What::File(unpacker.file(path, &mut member, place.executable, promise)?),
        });
    }
    let listed = record.keys().find(|path| !places.contains_key(*path));
    if let Some(path) = listed {
        return Err(Error::unsound(package, path, "RECORD lists it, and it is not in the wheel"));
    }
    Ok((members, About::Wheel { name, dist_info, entry_points }))
}

/// A file in the zip.
struct Place {
    index: usize,
    size: u64,
    executable: bool,
}

fn places(
    unpacker: &Unpacker,
    archive: &mut ZipArchive<Box<dyn Content>>,
) -> Result<BTreeMap<String, Place>, Error> {
    let package = unpacker.package;
    let mut places = BTreeMap::new();
    let mut sum: u64 = 0;
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).map_err(|error| {
            Error::unsound_whole(package, format!("it cannot be read: {}", crate::causes::chain(&error)))
        })?;
        let raw = member.name_raw();
        if raw.ends_with(b"/") {
            unpacker.path(raw)?;
            continue;
        }
        let path = unpacker.path(raw)?.to_string();
        let wrong = |reason: &str| Error::unsound(package, path.clone(), reason);
        let mode = member.unix_mode().unwrap_or(0o644);
        match mode & 0o170_000 {
            0 | 0o100_000 => {}
            0o120_000 => return Err(wrong("it is a symlink, and a wheel has none")),
            _ => return Err(wrong("it is neither file nor directory")),
        }
        if member.encrypted() {
            return Err(wrong("it is encrypted"));
        }
        if path.contains('\\') {
            return Err(wrong("its name holds a backslash"));
        }
        sum = sum.saturating_add(member.size());
        let place = Place { index, size: member.size(), executable: mode & 0o111 != 0 };
        if places.insert(path.clone(), place).is_some() {
            return Err(wrong("it is in the wheel twice"));
        }
    }
    if sum > unpacker.limit {
        let reason = format!("it expands to {sum} bytes, more than any real package of its size");
        return Err(Error::unsound_whole(package, reason));
    }
    Ok(places)
}

/// The one `NAME-VERSION.dist-info` at the top.
fn dist_info(unpacker: &Unpacker, places: &BTreeMap<String, Place>) -> Result<String, Error> {
    let mut found: Vec<&str> = places
        .keys()
        .filter_map(|path| path.split_once('/').map(|(top, _)| top))
        .filter(|top| top.ends_with(".dist-info"))
        .collect();
    found.dedup();
    match found.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Error::unsound_whole(unpacker.package, "it has no .dist-info directory")),
        several => {
            let reason = format!("it has several .dist-info directories: {}", several.join(", "));
            Err(Error::unsound_whole(unpacker.package, reason))
        }
    }
}

/// The value of a header, as `METADATA` and `WHEEL` have them.
fn header(text: &[u8], name: &str) -> Option<String> {
    let (headers, _) = mailparse::parse_headers(text).ok()?;
    headers
        .iter()
        .find(|header| header.get_key_ref().eq_ignore_ascii_case(name))
        .map(mailparse::MailHeader::get_value)
}

fn check_version(unpacker: &Unpacker, dist_info: &str, text: &[u8]) -> Result<(), Error> {
    let version = header(text, "Wheel-Version").unwrap_or_default();
    if version.split('.').next() == Some("1") {
        return Ok(());
    }
    let reason = format!("its Wheel-Version is `{version}`, and only 1.x is known here");
    Err(Error::unsound(unpacker.package, format!("{dist_info}/WHEEL"), reason))
}

/// Reads `RECORD`: what it promises, by path.
fn read_record(
    unpacker: &Unpacker,
    dist_info: &str,
    places: &BTreeMap<String, Place>,
    text: &[u8],
) -> Result<BTreeMap<String, Promise>, Error> {
    let name = format!("{dist_info}/RECORD");
    let wrong = |reason: String| Error::unsound(unpacker.package, name.clone(), reason);
    let mut record = BTreeMap::new();
    let rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text).into_records();
    for row in rows {
        let row = row.map_err(|error| wrong(format!("it cannot be understood: {error}")))?;
        let field = |index: usize| row.get(index).unwrap_or_default();
        let path = unpacker.path(field(0).as_bytes())?.to_string();
        if UNRECORDED.iter().any(|name| path == format!("{dist_info}/{name}")) {
            continue;
        }
        let sha256 = match field(1).split_once('=') {
            Some(("sha256", digest)) => {
                let digest = URL_SAFE_NO_PAD.decode(digest.trim_end_matches('='));
                hex(&digest.map_err(|_| wrong(format!("the hash of {path} is no base64")))?)
            }
            Some((other, _)) => return Err(wrong(format!("the hash of {path} is {other}, not sha256"))),
            None => return Err(wrong(format!("it states no hash of {path}"))),
        };
        let size = match field(2) {
            // Then the zip's own: a deflated stream could go on forever.
            "" => places.get(&path).map(|place| place.size),
            text => Some(text.parse().map_err(|_| wrong(format!("the size of {path} is `{text}`")))?),
        };
        if record.insert(path.clone(), Promise { size, sha256: Some(sha256), placeholder: None }).is_some() {
            return Err(wrong(format!("it lists {path} twice")));
        }
    }
    Ok(record)
}

/// Reads the commands of `entry_points.txt`, sorted by name.
fn read_entry_points(unpacker: &Unpacker, dist_info: &str, text: &[u8]) -> Result<Vec<EntryPoint>, Error> {
    let name = format!("{dist_info}/entry_points.txt");
    let wrong = |reason: String| Error::unsound(unpacker.package, name.clone(), reason);
    let mut ini = Ini::new_cs();
    // Only `=` separates here: the value of an entry point holds a colon.
    let mut defaults = ini.defaults();
    defaults.delimiters = vec!['='];
    ini.load_defaults(defaults);
    let sections = ini.read(String::from_utf8_lossy(text).into_owned()).map_err(wrong)?;
    let mut commands = BTreeMap::new();
    for section in ["console_scripts", "gui_scripts"] {
        for (command, object) in sections.get(section).into_iter().flatten() {
            let object = object.as_deref().unwrap_or_default();
            // `module:function [extra]`: extras are of the past, and mean nothing to a script.
            let object = object.split('[').next().unwrap_or_default();
            let point: EntryPoint = format!("{command} = {object}")
                .parse()
                .map_err(|error| wrong(format!("`{command}` is no command: {error}")))?;
            commands.insert(point.command.clone(), point);
        }
    }
    Ok(commands.into_values().collect())
}
