//! The folder that a fleet's management takes its files from: compared with what it shall hold, then written.
//!
//! It holds nothing else: what no earlier run wrote is never replaced.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ring::digest;

use super::{super::Error, CONFIGURATION, FleetFile};
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
        let list_path = path.join(DIGEST_LIST);
        let known = match files::read_if_exists(&list_path)? {
            Some(list) => parse_digest_list(&list).ok_or(Error::UnknownFile { path: list_path })?,
            None => BTreeMap::new(),
        };
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
                let fate = if piece.is_some() { FolderChangeKind::Changed } else { FolderChangeKind::Removed };
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

/// The digests that an earlier run left, by name; `None` when no run of this program wrote the list: every one of ours
/// names the configuration.
fn parse_digest_list(list: &[u8]) -> Option<BTreeMap<String, String>> {
    let pair = |line: &str| {
        let (digest, name) = line.split_once("  ").filter(|(digest, _)| digest.len() == 64)?;
        Some((name.to_owned(), digest.to_owned()))
    };
    let digests = std::str::from_utf8(list).ok()?.lines().map(pair).collect::<Option<BTreeMap<_, _>>>();
    digests.filter(|digests| digests.contains_key(CONFIGURATION))
}
