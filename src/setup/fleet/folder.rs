//! The folder that a fleet's management takes its files from: compared with what it shall hold, then written.
//!
//! It holds nothing else: what no earlier run wrote is never replaced.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ring::digest;

use super::{super::Error, Piece};
use crate::{
    files::{self, Access},
    text::hex,
};

/// The digests of all others, by which a later run knows its own; `sha256sum --check` reads it too.
const LIST: &str = "bedrock-sso.sha256";

/// What is to become of the folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    pub changes: Vec<Change>,
}

/// What is to become of one file in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: PathBuf,
    pub fate: Fate,
    pub piece: Option<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    New,
    Changed,
    Gone,
}

impl Folder {
    /// Compares, and refuses a folder in which something else lies.
    pub fn plan(path: &Path, mut pieces: Vec<Piece>) -> Result<Self, Error> {
        let list: String =
            pieces.iter().map(|piece| format!("{}  {}\n", sum(&piece.bytes), piece.name)).collect();
        pieces.push(Piece::new(LIST, list));
        let known = known(&files::read(&path.join(LIST))?.unwrap_or_default());
        let mut changes = Vec::new();
        for name in files::everything_in(path)? {
            let file = path.join(&name);
            let bytes = files::read(&file)?.unwrap_or_default();
            let place = pieces.iter().position(|piece| piece.name == name);
            let piece = place.map(|place| pieces.remove(place));
            let is_same = piece.as_ref().is_some_and(|piece| piece.bytes == bytes);
            if !is_same && name != LIST && known.get(&name) != Some(&sum(&bytes)) {
                return Err(Error::Strange { path: file });
            }
            if !is_same {
                let fate = if piece.is_some() { Fate::Changed } else { Fate::Gone };
                changes.push(Change { path: file, fate, piece });
            }
        }
        let new = pieces.into_iter().map(|piece| Change {
            path: path.join(piece.name),
            fate: Fate::New,
            piece: Some(piece),
        });
        changes.extend(new);
        // The list last: what is not in it yet, and half done, is what the next run would write anyway.
        changes.sort_by_key(|change| (change.path.ends_with(LIST), change.path.clone()));
        Ok(Self { path: path.to_owned(), changes })
    }

    pub fn write(&self) -> Result<(), Error> {
        for Change { path, fate: _, piece } in &self.changes {
            files::make_folders_for(path, Access::Everyone)?;
            match piece {
                Some(piece) => files::replace_anothers(path, &piece.bytes, Access::Everyone)?,
                None => {
                    files::remove(path)?;
                    let within = path.ancestors().skip(1).take_while(|folder| *folder != self.path);
                    within.for_each(files::remove_empty_folder);
                }
            }
        }
        Ok(())
    }
}

fn sum(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// The digests that an earlier run left, by name.
fn known(list: &[u8]) -> BTreeMap<String, String> {
    let pair = |line: &str| line.split_once("  ").map(|(sum, name)| (name.to_owned(), sum.to_owned()));
    String::from_utf8_lossy(list).lines().filter_map(pair).collect()
}
