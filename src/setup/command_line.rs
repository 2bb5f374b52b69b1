//! Writes the command lines by which AWS tools and Claude Code call this program.
//!
//! The callers read such a line in different ways: some AWS SDKs split it themselves, others pass it to `sh -c` or
//! `cmd.exe /C`, and Claude Code passes it to a shell. So a line contains only what all of them read alike.

use std::path::Path;

use super::Error;

/// The parts that all command lines share: the path of this program, and the configuration file for `--config`. Both
/// are paths that every caller reads alike in double quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTemplate {
    program: String,
    config: Option<String>,
}

impl CommandTemplate {
    /// Fails with `UnquotableProgram` for a path that some caller would read differently. `program` should be absolute,
    /// because callers run in any directory.
    pub fn new(program: &Path, config: Option<&Path>) -> Result<Self, Error> {
        Ok(Self { program: check_quotable(program)?, config: config.map(check_quotable).transpose()? })
    }

    /// The command line for one command and one profile. The profile's name must need no quotes.
    pub fn render(&self, verb: &str, profile: &str) -> String {
        let config = self.config.as_ref().map(|file| format!(" --config \"{file}\"")).unwrap_or_default();
        format!("\"{}\" {verb} --profile {profile}{config}", self.program)
    }
}

/// Rejects the characters that some shell interprets even within double quotes. In `sh` a backslash is special only
/// before one of those characters or another backslash, so ordinary Windows paths are accepted.
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
    fn command_line_quotes_paths_and_names_the_config() {
        let call = CommandTemplate::new(Path::new("/opt/Jane Doe/bedrock-sso"), None).unwrap();
        assert_eq!(call.render("credentials", "work"), "\"/opt/Jane Doe/bedrock-sso\" credentials --profile work");
        let call = CommandTemplate::new(Path::new(r"C:\Program Files\x.exe"), Some(Path::new(r"C:\a b.toml"))).unwrap();
        assert_eq!(
            call.render("login", "w"),
            "\"C:\\Program Files\\x.exe\" login --profile w --config \"C:\\a b.toml\""
        );
    }

    #[test]
    fn path_with_shell_characters_is_refused() {
        for path in ["/opt/$HOME/x", "/opt/`x`", "/opt/a\"b", "/opt/100%/x", "/opt/x\n", r"\\server\share\x"] {
            let refused = CommandTemplate::new(Path::new(path), None);
            assert!(matches!(refused, Err(Error::UnquotableProgram(named)) if named == Path::new(path)));
        }
    }
}
