//! How other programs call this one: an absolute, quoted path that every caller's shell reads alike.
//!
//! AWS's tools split the line by themselves or hand it to `sh -c` or `cmd.exe /C`; Claude Code hands it to a shell.

use std::path::{Path, PathBuf};

/// This program, and the configuration file that it is to be told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTemplate {
    program: String,
    config: Option<String>,
}

/// A path that some caller would read differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnquotablePath(pub PathBuf);

impl CommandTemplate {
    pub fn new(program: &Path, config: Option<&Path>) -> Result<Self, UnquotablePath> {
        Ok(Self { program: check_quotable(program)?, config: config.map(check_quotable).transpose()? })
    }

    /// For `credential_process`.
    pub fn render_for_aws(&self, profile: &str) -> String {
        self.render_for_shell("credentials", profile)
    }

    pub fn render_for_shell(&self, verb: &str, profile: &str) -> String {
        let config = self.config.as_ref().map(|file| format!(" --config \"{file}\"")).unwrap_or_default();
        format!("\"{}\" {verb} --profile {profile}{config}", self.program)
    }
}

/// Within double quotes these characters still mean something to one shell or another; a backslash does in `sh` only
/// before one of them, so that Windows's paths pass.
fn check_quotable(path: &Path) -> Result<String, UnquotablePath> {
    let unquotable = || UnquotablePath(path.to_owned());
    let text = path.to_str().ok_or_else(unquotable)?;
    let means_something = |part: char| part.is_control() || "\"$`%!".contains(part);
    if text.contains(means_something) || text.contains("\\\\") || text.ends_with('\\') {
        return Err(unquotable());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_and_the_configuration_named() {
        let call = CommandTemplate::new(Path::new("/opt/Jane Doe/bedrock-sso"), None).unwrap();
        assert_eq!(call.render_for_aws("work"), "\"/opt/Jane Doe/bedrock-sso\" credentials --profile work");
        let call =
            CommandTemplate::new(Path::new(r"C:\Program Files\x.exe"), Some(Path::new(r"C:\a b.toml")))
                .unwrap();
        assert_eq!(
            call.render_for_shell("login", "w"),
            "\"C:\\Program Files\\x.exe\" login --profile w --config \"C:\\a b.toml\""
        );
    }

    #[test]
    fn what_a_shell_would_read_differently_is_refused() {
        for path in ["/opt/$HOME/x", "/opt/`x`", "/opt/a\"b", "/opt/100%/x", "/opt/x\n", r"\\server\share\x"]
        {
            assert_eq!(CommandTemplate::new(Path::new(path), None), Err(UnquotablePath(path.into())));
        }
    }
}
