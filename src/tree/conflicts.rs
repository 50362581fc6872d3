//! Which of several packages has a path that all of them want: the last in the order.

use std::{cmp::Ordering, collections::BTreeMap};

use super::{Error, layout::Item};
use crate::lock::Package;

/// Who has a path, as a rank in the order, and whether it is a directory there.
pub(super) type Owners<'a> = BTreeMap<&'a str, (usize, bool)>;

/// Decides who has each path; what is left out for another reason than the same path is noted.
pub(super) fn owners<'a>(
    packages: &[&Package],
    layouts: &'a [Vec<Item>],
    notes: &mut Vec<String>,
) -> Result<Owners<'a>, Error> {
    let mut owners = Owners::new();
    for (rank, items) in layouts.iter().enumerate() {
        owners.extend(items.iter().map(|item| (&*item.path, (rank, item.is_directory()))));
    }
    // Byte-code is compiled here, for this prefix, or not at all: what a package brings of it is never valid.
    let is_byte_code =
        |item: &&Item| item.path.source_of_byte_code().is_some_and(|source| owners.contains_key(&*source));
    let byte_code: Vec<&str> =
        layouts.iter().flatten().filter(is_byte_code).map(|item| &*item.path).collect();
    for path in byte_code {
        owners.remove(path);
    }
    for (path, (loser, winner)) in below_files(packages, &owners)? {
        owners.remove(&*path);
        let (loser, winner) = (&packages[loser].name, &packages[winner].name);
        notes.push(format!("{path} of {loser} is left out: {winner} has something else in its place"));
    }
    Ok(owners)
}

/// Paths that lie below what is no directory: path → (whose, for whom it is dropped). Within one package that is an
/// attempt to write through a link, and an error.
fn below_files(packages: &[&Package], owners: &Owners) -> Result<BTreeMap<String, (usize, usize)>, Error> {
    let mut dropped: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (path, (rank, _)) in owners {
        let parents = path.rmatch_indices('/').map(|(at, _)| &path[..at]);
        for (parent, (above, _)) in parents
            .filter_map(|parent| Some((parent, owners.get(parent)?)))
            .filter(|(_, (_, directory))| !directory)
        {
            let (loser, winner) = match above.cmp(rank) {
                Ordering::Equal => {
                    let reason = format!("it lies below {parent}, which is no directory");
                    return Err(Error::unsound(packages[*rank], *path, reason));
                }
                Ordering::Greater => ((*path, *rank), *above),
                Ordering::Less => ((parent, *above), *rank),
            };
            let (path, loser) = loser;
            // Of several winners, the last in the order is told of.
            let told: &mut (usize, usize) = dropped.entry(path.to_owned()).or_insert((loser, winner));
            told.1 = told.1.max(winner);
        }
    }
    Ok(dropped)
}
