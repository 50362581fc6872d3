//! Which file makes two builds of one wheel differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
};

use sha2::{Digest, Sha256};

use super::{Built, Error};
use crate::{
    causes::{self, printable},
    fs,
};

/// How many files are named.
const NAMED: usize = 5;
/// How many bytes of a wheel are compared: what comes behind them is not worth a name.
const READ_LIMIT: u64 = 4 << 30;

/// What differs, as the end of a sentence.
pub(super) fn of(first: &Built, second: &Built) -> Result<String, Error> {
    if first.file_name != second.file_name {
        return Ok(format!("the first is named {}, the second {}", first.file_name, second.file_name));
    }
    let (first, second) = (members(first)?, members(second)?);
    let names: BTreeSet<_> = first.keys().chain(second.keys()).collect();
    let differing = |by: fn(&Member) -> &[u8]| -> Vec<&str> {
        let unlike = names.iter().filter(|name| first.get(**name).map(by) != second.get(**name).map(by));
        // RECORD states the hashes of all the others: it tells nothing new.
        unlike.map(|name| name.as_str()).filter(|name| !name.ends_with(".dist-info/RECORD")).collect()
    };
    let (content, header) = (differing(|member| &member.content), differing(|member| &member.header));
    Ok(if !content.is_empty() {
        format!("{} has other content", listed(&content))
    } else if !header.is_empty() {
        format!("{} has another time or mode", listed(&header))
    } else {
        "the same files are in another order, or compressed otherwise".to_owned()
    })
}

struct Member {
    content: Vec<u8>,
    header: Vec<u8>,
}

fn members(wheel: &Built) -> Result<BTreeMap<String, Member>, Error> {
    let unreadable = |error: &dyn std::error::Error| Error::NoWheel {
        wheel: wheel.file_name.clone(),
        reason: causes::chain(error),
    };
    let mut archive = zip::ZipArchive::new(fs::open(&wheel.path)?).map_err(|error| unreadable(&error))?;
    let (mut members, mut read) = (BTreeMap::new(), 0);
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(|error| unreadable(&error))?;
        let name = printable(&String::from_utf8_lossy(member.name_raw()));
        let header = format!("{:?} {:?}", member.last_modified(), member.unix_mode()).into_bytes();
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            match member.read(&mut buffer).map_err(|error| unreadable(&error))? {
                0 => break,
                length if read + (length as u64) < READ_LIMIT => {
                    read += length as u64;
                    hasher.update(&buffer[..length]);
                }
                _ => return Ok(members),
            }
        }
        members.insert(name, Member { content: hasher.finalize().to_vec(), header });
    }
    Ok(members)
}

fn listed(names: &[&str]) -> String {
    let first = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMED) {
        None | Some(0) => first,
        Some(more) => format!("{first} and {more} more"),
    }
}
