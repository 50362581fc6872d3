//! What is at one path of an image.

use std::collections::BTreeMap;

use crate::{
    fs,
    store::{Added, Files},
    tree::{self, Entry},
};

/// What is at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Directory, file by hash, or symlink.
    pub entry: Entry,
    /// Permissions.
    pub mode: u32,
    /// Number of its user.
    pub owner: u32,
    /// Number of its group.
    pub group: u32,
}

/// What is in a layer, by path without a leading `/`.
pub type Members = BTreeMap<String, Member>;

impl Member {
    /// A member as trees have it: owned by root.
    pub(super) fn of(entry: &Entry) -> Self {
        Self { entry: entry.clone(), mode: entry.mode(), owner: 0, group: 0 }
    }

    /// The same, of another user and its group.
    pub(super) fn owned_by(self, owner: u32) -> Self {
        Self { owner, group: owner, ..self }
    }

    /// A file with some content, which goes into the store.
    pub(super) fn new(files: &Files, content: &[u8], executable: bool) -> Result<Self, fs::Error> {
        let Added { sha256, size } = files.add(content, executable)?;
        Ok(Self::of(&Entry::File { sha256, size, executable }))
    }

    /// A file that is not to be run.
    pub(super) fn file(files: &Files, content: &[u8]) -> Result<Self, fs::Error> {
        Self::new(files, content, false)
    }

    /// Bytes of its content.
    pub(super) fn size(&self) -> u64 {
        if let Entry::File { size, .. } = self.entry { size } else { 0 }
    }
}

/// Adds the directories above every path.
pub(super) fn add_parents(members: &mut Members) {
    for parent in tree::parents(members.keys()) {
        members.entry(parent).or_insert_with(|| Member::of(&Entry::Directory));
    }
}
