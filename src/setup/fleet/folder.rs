//! The folder that a fleet's management takes its files from: compared with what it shall hold, then written.
//!
//! It holds nothing else: what no earlier run wrote is never replaced.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ring::digest;

use super::{super::Error, FleetFile};
use crate::{
    files::{self, ReadableBy},
    text::encode_hex,
};

/// The digests of all others, by which a later run knows its own; `sha256sum --check` reads it too.
const DIGEST_LIST: &str = "bedrock-sso.sha256";

/// What is to become of the folder.
#[derive(Debug)]
pub struct FleetFolder {
    path: PathBuf,
    pub changes: Vec<FolderChange>,
}

/// What is to become of one file in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderChange {
    pub path: PathBuf,
    pub kind: FolderChangeKind,
    pub file: Option<FleetFile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderChangeKind {
    New,
    Changed,
    Removed,
}

impl FleetFolder {
    /// Compares, and refuses a folder in which something else lies.
    pub fn plan(path: &Path, mut pieces: Vec<FleetFile>) -> Result<Self, Error> {
        let list: String =
            pieces.iter().map(|piece| format!("{}  {}\n", hash_bytes(&piece.bytes), piece.name)).collect();
        pieces.push(FleetFile::new(DIGEST_LIST, list));
        let known = parse_digest_list(&files::read_if_exists(&path.join(DIGEST_LIST))?.unwrap_or_default());
        let mut changes = Vec::new();
        for name in files::list_recursively(path)? {
            let file = path.join(&name);
            let bytes = files::read_if_exists(&file)?.unwrap_or_default();
            let place = pieces.iter().position(|piece| piece.name == name);
            let piece = place.map(|place| pieces.remove(place));
            let is_same = piece.as_ref().is_some_and(|piece| piece.bytes == bytes);
            if !is_same && name != DIGEST_LIST && known.get(&name) != Some(&hash_bytes(&bytes)) {
                return Err(Error::UnknownFile { path: file });
            }
            if !is_same {
                let fate =
                    if piece.is_some() { FolderChangeKind::Changed } else { FolderChangeKind::Removed };
                changes.push(FolderChange { path: file, kind: fate, file: piece });
            }
        }
        let new = pieces.into_iter().map(|piece| FolderChange {
            path: path.join(piece.name),
            kind: FolderChangeKind::New,
            file: Some(piece),
        });
        changes.extend(new);
        // The list last: what is not in it yet, and half done, is what the next run would write anyway.
        changes.sort_by_key(|change| (change.path.ends_with(DIGEST_LIST), change.path.clone()));
        Ok(Self { path: path.to_owned(), changes })
    }

    pub fn write_changes(&self) -> Result<(), Error> {
        for FolderChange { path, kind: _, file: piece } in &self.changes {
            files::create_parent_folders(path, ReadableBy::Everyone)?;
            match piece {
                Some(piece) => files::replace_preserving_owner(path, &piece.bytes, ReadableBy::Everyone)?,
                None => {
                    files::remove_file(path)?;
                    let within = path.ancestors().skip(1).take_while(|folder| *folder != self.path);
                    within.for_each(files::remove_empty_folder);
                }
            }
        }
        Ok(())
    }
}

fn hash_bytes(bytes: &[u8]) -> String {
    encode_hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// The digests that an earlier run left, by name.
fn parse_digest_list(list: &[u8]) -> BTreeMap<String, String> {
    let pair = |line: &str| line.split_once("  ").map(|(sum, name)| (name.to_owned(), sum.to_owned()));
    String::from_utf8_lossy(list).lines().filter_map(pair).collect()
}
