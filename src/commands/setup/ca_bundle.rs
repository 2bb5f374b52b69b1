//! Offers the wizard's user to trust a CA bundle that an environment variable names.
//!
//! Once a configuration file exists, such a variable has no effect, so a sign-in behind a TLS-intercepting proxy would
//! fail. But the variable can come from an untrusted repository. So the user sees what its file contains, and the
//! default is no.

use std::path::{Path, PathBuf};

use super::{
    prompts::{InputEnded, read_yes_no},
    write_stderr,
};
use crate::{
    failure::Failure,
    host::{self, Environment},
    http::{self, BundleAuthority, BundleFault},
    text::display_path,
};

/// The variables that name a PEM file, in the order in which they are offered.
const VARIABLES: [&str; 3] = ["AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"];

/// The variable that names a folder, which a profile cannot.
const FOLDER_VARIABLE: &str = "SSL_CERT_DIR";

/// How many certificates the user can be expected to compare. A larger bundle is not offered.
const MAX_CERTIFICATES: usize = 5;

/// Prompts for each bundle of the environment until the user accepts one. Returns its absolute path, or `None` if the
/// user accepts no bundle.
pub(super) fn prompt_for_ca_bundle(environment: &Environment) -> Result<Option<String>, InputEnded> {
    if environment.var_os(FOLDER_VARIABLE).is_some() {
        write_stderr(&format!("  ! {FOLDER_VARIABLE} is not used: `ca_bundle` names a PEM file and not a folder\n"));
    }
    let mut seen: Vec<PathBuf> = Vec::new();
    for variable in VARIABLES {
        let Some(path) = environment.var_path(variable).filter(|path| !seen.contains(path)) else { continue };
        match inspect_bundle(variable, &path) {
            Err(problem) => write_stderr(&format!("  ! {variable} is not used: {problem}\n")),
            Ok((_, authorities)) if authorities.is_empty() => {}
            Ok((text, authorities)) => {
                write_stderr(&describe_bundle(variable, &path, &authorities));
                if read_yes_no("Trust these certificates for your sign-in (ca_bundle)?", false)? {
                    return Ok(Some(text));
                }
            }
        }
        seen.push(path);
    }
    Ok(None)
}

/// The path as a value for the configuration, and the certificates that the file adds to those of the system. Fails
/// with the reason why the file is not offered.
fn inspect_bundle(variable: &'static str, path: &Path) -> Result<(String, Vec<BundleAuthority>), String> {
    let unusable = |fault| {
        let path = path.to_owned();
        Failure::from(http::Error::BadBundle { path, variable: Some(variable), fault }).what().to_owned()
    };
    if !path.is_absolute() {
        return Err(unusable(BundleFault::Relative));
    }
    let text = path.to_str().ok_or_else(|| "its value is not UTF-8 text".to_owned())?;
    let authorities =
        http::list_added_authorities(path, variable).map_err(|error| Failure::from(error).what().to_owned())?;
    let writer = host::find_untrusted_writer_at(path).map_err(|error| error.to_string())?;
    match writer {
        Some(who) if !authorities.is_empty() => Err(format!("{}: {who}", display_path(path))),
        _ if authorities.len() > MAX_CERTIFICATES => Err(format!(
            "its file has {} certificates; if you trust them, set `ca_bundle` after this",
            authorities.len()
        )),
        _ => Ok((text.to_owned(), authorities)),
    }
}

/// The file and its certificates, and what the decision means.
fn describe_bundle(variable: &str, path: &Path, authorities: &[BundleAuthority]) -> String {
    let describe = |BundleAuthority { subject, fingerprint }: &BundleAuthority| {
        format!("      subject  {}\n      SHA-256  {fingerprint}\n", subject.to_safe_line())
    };
    let list: String = authorities.iter().map(describe).collect();
    format!(
        "  ! {variable} names a CA bundle, but has no effect once you have a configuration. The file {} contains:\n\
         {list}    The owner of a certificate that you trust can read your sign-in. Compare the fingerprint with the \
         one\n    that your administrator gives you.\n",
        display_path(path)
    )
}
