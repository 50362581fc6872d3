//! Where symlinks lead when they lead to each other.

use super::{Entries, Entry, Error};
use crate::lock::Package;

/// How many links may lead to links: as many as Linux follows.
const LINKS_FOLLOWED: usize = 40;

/// Checks that no symlink leads out of the tree by way of others. (Each by itself was checked before.)
pub(super) fn check(packages: &[&Package], entries: &Entries) -> Result<(), Error> {
    for (path, (entry, owner)) in entries {
        if matches!(entry, Entry::Symlink { .. })
            && let Err(reason) = follow(path, entries)
        {
            let owner = owner.and_then(|owner| packages.get(owner as usize)).or(packages.first());
            return Err(owner.map_or_else(
                || Error::ByteCode { reason: reason.to_owned() },
                |package| Error::unsound(package, path.clone(), reason),
            ));
        }
    }
    Ok(())
}

/// Follows every symlink on the way of a path, and fails where one leads out of the tree.
fn follow(path: &str, entries: &Entries) -> Result<(), &'static str> {
    let mut open: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
    // Where we are, the lengths of all paths above, and how many of them there are as far as the tree knows.
    let (mut place, mut above, mut known) = (String::new(), Vec::new(), 0);
    let mut followed = 0;
    while let Some(part) = open.pop() {
        match part.as_str() {
            "" | "." => {}
            ".." => {
                place.truncate(above.pop().ok_or("it leads out of the tree, by way of other links")?);
                known = known.min(above.len());
            }
            _ => {
                let before = place.len();
                if before > 0 {
                    place.push('/');
                }
                place.push_str(&part);
                // Below what is not there, there are no links either.
                let entry = if known == above.len() { entries.get(&place) } else { None };
                if let Some((Entry::Symlink { target }, _)) = entry {
                    followed += 1;
                    if followed > LINKS_FOLLOWED {
                        // In a circle: nobody gets anywhere on it.
                        return Ok(());
                    }
                    place.truncate(before);
                    open.extend(target.rsplit('/').map(str::to_owned));
                } else {
                    above.push(before);
                    known += usize::from(entry.is_some());
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_as_the_system_would() {
        let link = |path: &str, target: &str| {
            (path.to_owned(), (Entry::Symlink { target: target.to_owned() }, None))
        };
        let directory = |path: &str| (path.to_owned(), (Entry::Directory, None));
        let entries = Entries::from([
            directory("a"),
            directory("bin"),
            link("a/up", ".."),
            link("a/out", "up/.."),
            link("bin/X11", "."),
            link("round", "about"),
            link("about", "round"),
            link("far", "a/up/a/up/a/../bin/X11"),
        ]);
        for good in ["a/up", "bin/X11", "round", "far", "bin/X11/X11/X11"] {
            assert!(follow(good, &entries).is_ok(), "{good}");
        }
        assert!(follow("a/out", &entries).is_err());
    }
}
