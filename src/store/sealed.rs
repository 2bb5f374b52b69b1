//! Sealed files: AES-256-GCM (NIST SP 800-38D), with the record's name and its expiry as additional authenticated data.
//!
//! A file that is damaged, renamed, written by another program, or sealed with a lost key does not open. It counts as
//! absent, so the user signs in again; it never opens as another record.
//!
//! The nonce is 96 random bits, new for each write. SP 800-38D §8.3 allows 2³² writes with one key, which a program
//! that writes a few records an hour does not reach.

use std::path::PathBuf;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{
    Error, UnsealedRecord,
    key::{KeyLocation, KeyManager},
    sealing_key::SealingKey,
};
use crate::{files, host, lock::ExclusiveLock, log, time::Timestamp};

/// The header before the nonce: eight bytes of magic and version, then the expiry in plain text.
const MAGIC: [u8; 8] = *b"bsso\x01\0\0\0";
const HEADER_LEN: usize = 16;

/// A folder of sealed records, or the null store, which stores nothing. Writing needs the lock of the record.
#[derive(Debug)]
pub struct SealedFiles {
    folder: PathBuf,
    /// `None` for the null store.
    key: Option<KeyManager>,
}

impl SealedFiles {
    pub(super) fn new(folder: PathBuf, location: Option<KeyLocation>) -> Self {
        Self { key: location.map(|location| KeyManager::new(location, &folder)), folder }
    }

    /// Fails if a record cannot be stored: no folder, no disk space, or a keyring that refuses. Call it before the user
    /// is prompted or a refresh token is used, because their result would be lost.
    pub fn check_writable(&self, _: &ExclusiveLock) -> Result<(), Error> {
        let Some(key) = &self.key else { return Ok(()) };
        files::ensure_private_folder(&self.folder)?;
        files::check_disk_space(&self.folder)?;
        key.ensure_available()
    }

    /// The record of this name; `None` if it is absent or cannot be opened. A key that exists but cannot be read (a
    /// locked keyring) is an error instead: the record may be fine.
    pub fn read_record(&self, name: &str) -> Result<Option<UnsealedRecord>, Error> {
        let Some(manager) = &self.key else { return Ok(None) };
        let Some(sealed) = self.read_sealed(name)? else { return Ok(None) };
        let Some(key) = manager.read_key()? else {
            log::warn(
                "store",
                format_args!("{name}: the sealing key does not exist any more, so the record counts as absent"),
            );
            return Ok(None);
        };
        let plain = match unseal_bytes(&key, name, sealed) {
            Some(plain) => Some(plain),
            None => self.read_with_replacement(name, manager.read_replacement(&key)?)?,
        };
        if plain.is_none() {
            log::warn(
                "store",
                format_args!("{name}: the sealing key does not open it, so the record counts as absent"),
            );
        }
        Ok(plain.map(UnsealedRecord))
    }

    /// Opens the record with the keyring's own key, after an outdated copy of the key has failed.
    fn read_with_replacement(&self, name: &str, key: Option<SealingKey>) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let Some(key) = key else { return Ok(None) };
        // The file is read again, because decryption works in place and has destroyed the bytes.
        Ok(self.read_sealed(name)?.and_then(|sealed| unseal_bytes(&key, name, sealed)))
    }

    fn read_sealed(&self, name: &str) -> Result<Option<Vec<u8>>, files::Error> {
        files::read_own(&self.folder.join(name))
    }

    /// The path of a record that is about to change. In debug builds it panics if the lock is another record's.
    fn locked_record_path(&self, held: &ExclusiveLock, name: &str) -> PathBuf {
        let path = self.folder.join(name);
        debug_assert!(held.guards_record(&path), "only the holder of a record's own lock may change it");
        path
    }

    /// Stores `plain` in place of the earlier record. A crash leaves either the old or the new record. `expires` is
    /// authenticated, and readable without the key.
    pub fn write_record(
        &self,
        held: &ExclusiveLock,
        name: &str,
        expires: Timestamp,
        plain: &[u8],
    ) -> Result<(), Error> {
        let Some(manager) = &self.key else { return Ok(()) };
        let path = self.locked_record_path(held, name);
        files::ensure_private_folder(&self.folder)?;
        // The guard lives until the record is written, so that the key is not removed meanwhile.
        let (key, _in_use) = manager.read_or_create()?;
        let sealed = seal_bytes(&key, name, expires, plain);
        Ok(files::write_atomically(&path, &sealed)?)
    }

    /// Removes the record of this name, whether it can be opened or not.
    pub fn remove_record(&self, held: &ExclusiveLock, name: &str) -> Result<(), Error> {
        match self.key {
            Some(_) => Ok(files::remove_file(&self.locked_record_path(held, name))?),
            None => Ok(()),
        }
    }

    /// Seals a note for other processes of this user, bound to `name`. `None` without a key, or with an unreadable one.
    pub fn seal_note(&self, name: &str, plain: &[u8]) -> Option<Vec<u8>> {
        let key = self.key.as_ref()?.read_key().ok()??;
        Some(seal_bytes(&key, name, Timestamp::from_unix(0), plain))
    }

    /// Opens a sealed note. `None` if this program did not seal it, or if reading the key would prompt the user.
    pub fn open_note(&self, name: &str, sealed: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
        let key = self.key.as_ref()?.read_without_prompt().ok()??;
        unseal_bytes(&key, name, sealed)
    }

    /// Removes the key if it opens no record of the folder. It needs no record's lock: the key's own lock prevents that
    /// another process seals a record with it at the same time.
    pub fn remove_unused_key(&self) -> Result<(), Error> {
        let Some(key) = &self.key else { return Ok(()) };
        key.remove_unless(|key| self.opens_any_record(key))
    }

    /// Whether this key opens any file of the folder. Damaged files and files of a lost key do not count.
    fn opens_any_record(&self, key: &SealingKey) -> Result<bool, files::Error> {
        // Windows does not allow reading a locked file.
        for name in files::list_files(&self.folder)?.iter().filter(|name| !name.ends_with(".lock")) {
            let sealed = self.read_sealed(name)?;
            if sealed.is_some_and(|sealed| unseal_bytes(key, name, sealed).is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Header, nonce, ciphertext and tag.
fn seal_bytes(key: &SealingKey, name: &str, expires: Timestamp, plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    host::fill_random(&mut nonce);
    let header = build_header(expires);
    let mut body = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
    body.extend_from_slice(plain);
    build_cipher(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), build_aad(header, name), &mut *body)
        .expect("a record is far smaller than the cipher's limit");
    [&header[..], &nonce, &body].concat()
}

/// The plain bytes; `None` if the key, the name or any byte differs. The buffer is wiped on drop.
fn unseal_bytes(key: &SealingKey, name: &str, mut sealed: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
    let (header, rest) = sealed.split_first_chunk_mut::<HEADER_LEN>()?;
    let (nonce, body) = rest.split_first_chunk_mut::<NONCE_LEN>()?;
    if !header.starts_with(&MAGIC) {
        return None;
    }
    let length = build_cipher(key)
        .open_in_place(Nonce::assume_unique_for_key(*nonce), build_aad(*header, name), body)
        .ok()?
        .len();
    let mut plain = Zeroizing::new(sealed);
    plain.copy_within(HEADER_LEN + NONCE_LEN.., 0);
    plain.truncate(length);
    Some(plain)
}

fn build_header(expires: Timestamp) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    let (magic, expiry) = header.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    expiry.copy_from_slice(&expires.unix_seconds().to_be_bytes());
    header
}

/// The additional authenticated data: the header, and the name of the record. Because of the name, a copy of one record
/// does not open as another, for example as that of a profile with other permissions.
fn build_aad(header: [u8; HEADER_LEN], name: &str) -> Aad<Vec<u8>> {
    Aad::from([&header[..], name.as_bytes()].concat())
}

fn build_cipher(key: &SealingKey) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("the key has the cipher's length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fill: u8) -> SealingKey {
        Zeroizing::new([fill; 32])
    }

    #[test]
    fn a_sealed_record_opens_and_hides_its_content() {
        let sealed = seal_bytes(&key(1), "a.session", Timestamp::from_unix(77), b"the secret");
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(sealed[8..16], 77i64.to_be_bytes());
        assert_eq!(unseal_bytes(&key(1), "a.session", sealed).unwrap().as_slice(), b"the secret");
    }

    #[test]
    fn a_sealed_record_with_a_changed_byte_does_not_open() {
        let sealed = seal_bytes(&key(1), "a.session", Timestamp::from_unix(77), b"the secret");
        for place in 0..sealed.len() {
            let mut torn = sealed.clone();
            torn[place] ^= 1;
            assert!(unseal_bytes(&key(1), "a.session", torn).is_none(), "byte {place}");
        }
        for length in 0..sealed.len() {
            assert!(unseal_bytes(&key(1), "a.session", sealed[..length].to_vec()).is_none(), "length {length}");
        }
    }

    #[test]
    fn a_record_does_not_open_with_another_name_or_key() {
        let sealed = seal_bytes(&key(1), "a.session", Timestamp::from_unix(77), b"the secret");
        assert!(unseal_bytes(&key(1), "b.session", sealed.clone()).is_none());
        assert!(unseal_bytes(&key(2), "a.session", sealed).is_none());
    }
}
