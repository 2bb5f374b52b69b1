//! Records as sealed files: AES-256-GCM, with the record's name and its expiry authenticated.
//!
//! A file that is torn, foreign, swapped, or sealed with a lost key is no record; it never opens as another.

use std::path::PathBuf;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{
    Error, UnsealedRecord,
    key::{KeyLocation, KeyManager},
    sealing_key::SealingKey,
};
use crate::{files, host, lock::ExclusiveLock, log, time::Timestamp};

/// Magic and version, then the expiry in the clear: the 16 bytes before the nonce.
const MAGIC: [u8; 8] = *b"bsso\x01\0\0\0";
const HEADER_LEN: usize = 16;

/// A folder of sealed records, or the store that keeps none. Writing a record demands the lock of its profile.
#[derive(Debug)]
pub struct SealedFiles {
    folder: PathBuf,
    /// `None`: nothing is stored, and nothing is found.
    key: Option<KeyManager>,
}

impl SealedFiles {
    pub(super) fn new(folder: PathBuf, location: Option<KeyLocation>) -> Self {
        Self { key: location.map(|location| KeyManager::new(location, &folder)), folder }
    }

    /// Checks that a record could be stored, before the user is prompted or a token spent for what it holds.
    pub fn check_writable(&self, _: &ExclusiveLock) -> Result<(), Error> {
        let Some(key) = &self.key else { return Ok(()) };
        files::ensure_private_folder(&self.folder)?;
        files::check_disk_space(&self.folder)?;
        key.ensure_available()
    }

    /// The record of this name; `None` when there is none, or none that can still be opened.
    pub fn read_record(&self, name: &str) -> Result<Option<UnsealedRecord>, Error> {
        let Some(manager) = &self.key else { return Ok(None) };
        let Some(sealed) = self.read_sealed(name)? else { return Ok(None) };
        let Some(key) = manager.read_key()? else {
            log::warn("store", format_args!("{name}: its key is gone, so it counts as absent"));
            return Ok(None);
        };
        let plain = match unseal_bytes(&key, name, sealed) {
            Some(plain) => Some(plain),
            None => self.read_with_replacement(name, manager.read_replacement(&key)?)?,
        };
        if plain.is_none() {
            log::warn("store", format_args!("{name}: cannot be opened, so it counts as absent"));
        }
        Ok(plain.map(UnsealedRecord))
    }

    /// The record, opened with the key that the keyring itself has, if that differs from the copy that opened nothing.
    fn read_with_replacement(&self, name: &str, key: Option<SealingKey>) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let Some(key) = key else { return Ok(None) };
        // It is read again: opening works in place, and destroys what it cannot open.
        Ok(self.read_sealed(name)?.and_then(|sealed| unseal_bytes(&key, name, sealed)))
    }

    /// The record as it lies in its file.
    fn read_sealed(&self, name: &str) -> Result<Option<Vec<u8>>, files::Error> {
        files::read_own(&self.folder.join(name))
    }

    fn locked_record_path(&self, held: &ExclusiveLock, name: &str) -> PathBuf {
        let place = self.folder.join(name);
        debug_assert!(held.guards_record(&place), "a record is changed by whoever holds its own lock");
        place
    }

    /// Stores `plain` in place of what was there. `expires` is authenticated, and readable without the key.
    pub fn write_record(
        &self,
        held: &ExclusiveLock,
        name: &str,
        expires: Timestamp,
        plain: &[u8],
    ) -> Result<(), Error> {
        let Some(manager) = &self.key else { return Ok(()) };
        let place = self.locked_record_path(held, name);
        files::ensure_private_folder(&self.folder)?;
        let (key, _in_use) = manager.read_or_create()?;
        let sealed = seal_bytes(&key, name, expires, plain);
        Ok(files::write_atomically(&place, &sealed)?)
    }

    /// Removes the record of this name, whether it can be opened or not.
    pub fn remove_record(&self, held: &ExclusiveLock, name: &str) -> Result<(), Error> {
        match self.key {
            Some(_) => Ok(files::remove_file(&self.locked_record_path(held, name))?),
            None => Ok(()),
        }
    }

    /// Seals a note for other processes of this user; `None` where there is no key. `name` is bound to it.
    pub fn seal_note(&self, name: &str, plain: &[u8]) -> Option<Vec<u8>> {
        let key = self.key.as_ref()?.read_key().ok()??;
        Some(seal_bytes(&key, name, Timestamp::from_unix(0), plain))
    }

    /// Opens a sealed note. `None` when this program did not seal it, or reading the key would prompt the user.
    pub fn open_note(&self, name: &str, sealed: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
        let key = self.key.as_ref()?.read_without_prompt().ok()??;
        unseal_bytes(&key, name, sealed)
    }

    /// Removes the key once no record is left that it opens. All profiles share it, so no profile's lock guards it.
    pub fn remove_unused_key(&self) -> Result<(), Error> {
        let Some(key) = &self.key else { return Ok(()) };
        key.remove_unless(|key| self.opens_any_record(key))
    }

    /// Whether a record is left that this key opens: any other needs no key.
    fn opens_any_record(&self, key: &SealingKey) -> Result<bool, files::Error> {
        // Windows does not let a locked file be read.
        for name in files::list_files(&self.folder)?.iter().filter(|name| !name.ends_with(".lock")) {
            let sealed = self.read_sealed(name)?;
            if sealed.is_some_and(|sealed| unseal_bytes(key, name, sealed).is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

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

/// What the seal covers besides the record: its header, and the name it is kept under, so that no file can stand in for
/// another profile's.
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
