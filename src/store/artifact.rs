//! Reading an artifact that is kept: its hash is checked before a byte of it is used.

use std::{
    io::{BufReader, Cursor, ErrorKind, Read, Seek},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{Error, artifact_path};
use crate::{fs, lock::fingerprint::hex};

/// Artifacts up to this many bytes are read once, into memory; larger ones twice, as streams.
const IN_MEMORY: u64 = 32 << 20;

/// A checked artifact, to be read in any order.
pub trait Content: Read + Seek + Send {}
impl<T: Read + Seek + Send> Content for T {}

/// Opens an artifact of the store and checks that it still is what it was. `url` names it in messages.
pub fn open(cache: &Path, sha256: &str, url: &str) -> Result<Box<dyn Content>, Error> {
    let path = artifact_path(cache, sha256);
    let mut file = match fs::open(&path) {
        Err(fs::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return Err(Error::NotCached { url: url.to_owned() });
        }
        file => file?,
    };
    let failed = |source| fs::Error::Io { action: "read", path: path.clone(), source };
    let size = file.metadata().map_err(failed)?.len();
    let (found, content): (_, Box<dyn Content>) = if size <= IN_MEMORY {
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        file.read_to_end(&mut bytes).map_err(failed)?;
        (Sha256::digest(&bytes), Box::new(Cursor::new(bytes)))
    } else {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => break,
                length => hasher.update(&buffer[..length]),
            }
        }
        file.rewind().map_err(failed)?;
        // The store replaces files and never changes one: this is still the file that was hashed.
        (hasher.finalize(), Box::new(BufReader::with_capacity(1 << 16, file)))
    };
    let found = hex(&found);
    if found == sha256 {
        return Ok(content);
    }
    Err(Error::Damaged { path, url: url.to_owned(), expected: sha256.to_owned(), found })
}
