//! How other programs call this one: an absolute, quoted path that every caller's shell reads alike.
//!
//! AWS's tools split the line by themselves or hand it to `sh -c` or `cmd.exe /C`; Claude Code hands it to a shell.

use std::path::Path;

use super::Error;

/// This program, and the configuration file that it is to be told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTemplate {
    program: String,
    config: Option<String>,
}

impl CommandTemplate {
    /// Fails with `UnquotableProgram` for a path that some caller would read differently.
    pub fn new(program: &Path, config: Option<&Path>) -> Result<Self, Error> {
        Ok(Self { program: check_quotable(program)?, config: config.map(check_quotable).transpose()? })
    }

    pub fn render(&self, verb: &str, profile: &str) -> String {
        let config = self.config.as_ref().map(|file| format!(" --config \"{file}\"")).unwrap_or_default();
        format!("\"{}\" {verb} --profile {profile}{config}", self.program)
    }
}

/// Within double quotes these characters still mean something to one shell or another; a backslash does in `sh` only
/// before one of them, so that Windows's paths pass.
fn check_quotable(path: &Path) -> Result<String, Error> {
    let unquotable = || Error::UnquotableProgram(path.to_owned());
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
        assert_eq!(call.render("credentials", "work"), "\"/opt/Jane Doe/bedrock-sso\" credentials --profile work");
        let call = CommandTemplate::new(Path::new(r"C:\Program Files\x.exe"), Some(Path::new(r"C:\a b.toml"))).unwrap();
        assert_eq!(
            call.render("login", "w"),
            "\"C:\\Program Files\\x.exe\" login --profile w --config \"C:\\a b.toml\""
        );
    }

    #[test]
    fn what_a_shell_would_read_differently_is_refused() {
        for path in ["/opt/$HOME/x", "/opt/`x`", "/opt/a\"b", "/opt/100%/x", "/opt/x\n", r"\\server\share\x"] {
            let refused = CommandTemplate::new(Path::new(path), None);
            assert!(matches!(refused, Err(Error::UnquotableProgram(named)) if named == Path::new(path)));
        }
    }
}
