//! The part of an image that is no tree, in a directory: for nodes that are no containers.

use std::path::Path;

use super::{Content, Error};
use crate::{fs, store::Files, tree::Entry};

/// Writes what a node has below `/opt/envlock` besides its environments into `root`, an empty directory: `role/` with the
/// programs and the table of its services, `lock/`, and `tree-digest`.
///
/// # Errors
/// If the role cannot be started with what its environments have, or a file cannot be written.
pub fn write_node(content: &Content, root: &Path, files: &Files) -> Result<(), Error> {
    let members = content.node(files)?;
    let mut directories = vec![root.to_path_buf()];
    for (path, member) in &members {
        let target = root.join(path);
        match &member.entry {
            Entry::Directory => {
                fs::create_directory(&target)?;
                directories.push(target);
            }
            Entry::File { sha256, size, executable } => {
                if !files.place((sha256, *size, *executable), &target, true)? {
                    return Err(Error::Lost { what: path.clone() });
                }
            }
            Entry::Symlink { target: leads } => fs::create_symlink(&target, leads)?,
        }
    }
    Ok(directories.iter().try_for_each(|directory| fs::settle_directory(directory))?)
}
