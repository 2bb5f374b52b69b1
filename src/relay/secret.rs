//! The secret that the processes of one user share, and what is derived from it: the relay's proof and the exporter's
//! token.
//!
//! Only this user can read the file. The secret itself is never sent. The proof answers a random number for one port, so
//! a program on another port cannot pass on the proof of the real relay. The token names a profile and the current
//! period of half an hour. Only the relays of this user accept it, and only until two further periods have passed. It
//! does not depend on the relay's process, so an exporter continues with its token after the relay has started again.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use zeroize::Zeroizing;

use crate::{files, secret::Secret, text::encode_hex, time::Timestamp};

const FILE_NAME: &str = "relay.secret";
const LENGTH: usize = 32;

/// Claude Code asks for new headers after 29 minutes.
pub(super) const HEADER_PERIOD_SECONDS: i64 = 29 * 60;

/// How many periods before the current one a token may have. The exporter gets a token at any time of a period, and
/// may send it for a whole period and a few seconds more.
const OLDEST_PERIOD: i64 = 2;

/// The secret of one user.
#[derive(Clone)]
pub(super) struct RelaySecret(Zeroizing<[u8; LENGTH]>);

impl RelaySecret {
    /// Reads the secret from the folder for stored data. A file that others can read is not used.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>, files::Error> {
        let path = secret_path(folder);
        let Some(bytes) = files::read_own(&path)?.map(Zeroizing::new) else { return Ok(None) };
        if !files::is_private(&path) {
            return Ok(None);
        }
        Ok(<[u8; LENGTH]>::try_from(bytes.as_slice()).ok().map(|bytes| Self(Zeroizing::new(bytes))))
    }

    /// Reads the secret, or creates it. The caller holds the lock of a relay, because two relays must not create it at
    /// the same time.
    pub(super) fn load_or_create(folder: &Path, fill_random: fn(&mut [u8])) -> Result<Self, files::Error> {
        if let Some(secret) = Self::load(folder)? {
            return Ok(secret);
        }
        let secret = Self::generate(fill_random);
        files::write_atomically(&secret_path(folder), secret.0.as_slice())?;
        Ok(secret)
    }

    pub(super) fn generate(fill_random: fn(&mut [u8])) -> Self {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        fill_random(bytes.as_mut_slice());
        Self(bytes)
    }

    /// What only a relay of this user on this port can answer to `nonce`. `instance` names the process.
    pub(super) fn prove(&self, port: u16, nonce: &str, version: &str, instance: &str) -> String {
        self.sign("proof", &[&port.to_string(), nonce, version, instance])
    }

    pub(super) fn is_proof(&self, proof: &str, port: u16, nonce: &str, version: &str, instance: &str) -> bool {
        self.verify("proof", &[&port.to_string(), nonce, version, instance], proof)
    }

    /// The request that ends the process with this name.
    pub(super) fn end_token(&self, port: u16, instance: &str) -> Secret {
        Secret::new(self.sign("end", &[&port.to_string(), instance]))
    }

    pub(super) fn is_end_token(&self, token: &str, port: u16, instance: &str) -> bool {
        self.verify("end", &[&port.to_string(), instance], token)
    }

    /// The token with which an exporter sends the telemetry of this profile.
    pub(super) fn exporter_token(&self, profile: &str, now: Timestamp) -> Secret {
        let (name, period) = (URL_SAFE_NO_PAD.encode(profile), find_period(now).to_string());
        Secret::new(format!("{name}.{period}.{}", self.sign("token", &[&name, &period])))
    }

    /// The profile of an exporter's token; `None` if this user's program did not make the token, or it is too old.
    pub(super) fn find_profile(&self, token: &str, now: Timestamp) -> Option<String> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (name, period) = signed.split_once('.')?;
        if !self.verify("token", &[name, period], signature) {
            return None;
        }
        let age = find_period(now) - period.parse::<i64>().ok()?;
        // The clock may have been set back by some minutes since the token was made.
        let is_current = (-1..=OLDEST_PERIOD).contains(&age);
        let name = URL_SAFE_NO_PAD.decode(name).ok().filter(|_| is_current)?;
        String::from_utf8(name).ok()
    }

    /// Signs the parts for one use. The parts have no line breaks, so two lists never give the same text.
    fn sign(&self, label: &str, parts: &[&str]) -> String {
        encode_hex(hmac::sign(&self.key(), message(label, parts).as_bytes()).as_ref())
    }

    /// Compares in constant time: the signature comes from any program of the computer.
    fn verify(&self, label: &str, parts: &[&str], signature: &str) -> bool {
        decode_hex(signature)
            .is_some_and(|tag| hmac::verify(&self.key(), message(label, parts).as_bytes(), &tag).is_ok())
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice())
    }
}

impl PartialEq for RelaySecret {
    fn eq(&self, other: &Self) -> bool {
        self.verify("same", &[], &other.sign("same", &[]))
    }
}

crate::trait_impls::impl_debug!(RelaySecret, |_| "RelaySecret");

/// Deletes the secret. A relay that still runs ends at its next request.
pub(super) fn remove_secret(folder: &Path) -> Result<(), files::Error> {
    files::remove_file(&secret_path(folder))
}

/// The file with the secret, in the folder for stored data.
fn secret_path(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

fn find_period(now: Timestamp) -> i64 {
    now.unix_seconds().div_euclid(HEADER_PERIOD_SECONDS)
}

fn message(label: &str, parts: &[&str]) -> String {
    format!("bedrock-sso relay 1\n{label}\n{}", parts.join("\n"))
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2) && digits.len() <= 128)?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn after(minutes: i64) -> Timestamp {
        Timestamp::from_unix(NOW.unix_seconds() + minutes * 60)
    }

    fn secret() -> RelaySecret {
        RelaySecret::generate(host::fill_random)
    }

    #[test]
    fn token_names_its_profile_for_an_hour() {
        let secret = secret();
        let token = secret.exporter_token("a profile.1", NOW);
        for minutes in [-20, 0, 29, 58] {
            assert_eq!(
                secret.find_profile(token.expose(), after(minutes)).as_deref(),
                Some("a profile.1"),
                "{minutes}"
            );
        }
        for minutes in [-60, 90, 60 * 24] {
            assert_eq!(secret.find_profile(token.expose(), after(minutes)), None, "{minutes}");
        }
    }

    #[test]
    fn changed_token_and_token_of_another_user_are_refused() {
        let secret = secret();
        let token = secret.exporter_token("claude", NOW);
        let other_name = format!("{}{}", URL_SAFE_NO_PAD.encode("admin"), &token.expose()[8..]);
        let other_period = token.expose().replacen('.', ".1", 1);
        for wrong in [&other_name, &other_period, "", ".", "..", "a.b.c", &token.expose().to_uppercase(), "ä.1.ff"] {
            assert_eq!(secret.find_profile(wrong, NOW), None, "{wrong}");
        }
        assert_eq!(self::secret().find_profile(token.expose(), NOW), None);
    }

    #[test]
    fn proof_holds_for_one_port_and_one_nonce() {
        let secret = secret();
        let proof = secret.prove(48318, "n1", "0.1.0", "i1");
        assert!(secret.is_proof(&proof, 48318, "n1", "0.1.0", "i1"));
        assert!(
            !secret.is_proof(&proof, 48319, "n1", "0.1.0", "i1"),
            "another relay of this user cannot answer for it"
        );
        assert!(!secret.is_proof(&proof, 48318, "n2", "0.1.0", "i1"));
        assert!(!secret.is_end_token(&proof, 48318, "n1"), "a proof is not a request to end");
        assert!(!self::secret().is_proof(&proof, 48318, "n1", "0.1.0", "i1"));
    }

    #[test]
    fn secret_is_created_once_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        assert!(RelaySecret::load(folder.path()).unwrap().is_none());
        let first = RelaySecret::load_or_create(folder.path(), host::fill_random).unwrap();
        assert!(first == RelaySecret::load_or_create(folder.path(), host::fill_random).unwrap());
        assert!(first == RelaySecret::load(folder.path()).unwrap().unwrap());
        assert!(files::is_private(&secret_path(folder.path())));
        files::write_atomically(&secret_path(folder.path()), b"short").unwrap();
        assert!(RelaySecret::load(folder.path()).unwrap().is_none());
        assert!(first != RelaySecret::load_or_create(folder.path(), host::fill_random).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn secret_that_others_can_read_is_replaced() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let first = RelaySecret::load_or_create(folder.path(), host::fill_random).unwrap();
        std::fs::set_permissions(secret_path(folder.path()), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(RelaySecret::load(folder.path()).unwrap().is_none());
        assert!(first != RelaySecret::load_or_create(folder.path(), host::fill_random).unwrap());
    }
}
