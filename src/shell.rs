//! Writes commands and assignments in the syntax of a shell, with arbitrary text as data.
//!
//! The text can come from a configuration or a provider, so a shell must not run any part of it. A value that a shell
//! cannot represent is an error.

use clap::ValueEnum;

use crate::host::{Environment, NATIVE_SHELL};

/// The syntax of a shell. Several shells share a syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    #[value(aliases = ["bash", "zsh", "dash", "ksh"])]
    Sh,
    Fish,
    #[value(alias = "pwsh")]
    Powershell,
    Cmd,
}

/// The value contains a character that this shell (always `cmd`) cannot represent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShellValueError {
    pub shell: Shell,
}

impl Shell {
    /// The shell that `$SHELL` names, or else the usual shell of the system.
    pub fn from_environment(environment: &Environment) -> Self {
        let named = environment.var_text("SHELL").and_then(|path| {
            let program = path.rsplit(['/', '\\']).next()?.trim_end_matches(".exe").to_owned();
            Self::from_str(&program, true).ok()
        });
        named.unwrap_or_else(Self::native)
    }

    /// The usual shell of the system: `sh` or PowerShell.
    pub fn native() -> Self {
        Self::from_str(NATIVE_SHELL, true).unwrap_or(Self::Sh)
    }

    /// The text as one word of a command. It gets quotes only if the shell needs them, so that most commands in hints
    /// stay readable.
    pub fn quote_word(self, text: &str) -> String {
        let punctuation = match self {
            Self::Sh | Self::Fish => "/._-+:,@=",
            // In PowerShell a comma makes a list, and `@` begins a hash table.
            Self::Powershell | Self::Cmd => "/\\._-+:=",
        };
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || punctuation.contains(letter);
        if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { self.quote(text) }
    }

    /// The same for a path that begins with `~/`, as messages show it. `sh` and fish expand the tilde only outside
    /// quotes, so it must stay outside.
    pub fn quote_shown_path(self, path: &str) -> String {
        match path.strip_prefix("~/") {
            Some(rest) if matches!(self, Self::Sh | Self::Fish) => format!("~/{}", self.quote_word(rest)),
            Some(_) | None => self.quote_word(path),
        }
    }

    /// The text in quotes inside which the shell expands nothing. `cmd` has no such quotes; see [`Shell::format_set`].
    fn quote(self, text: &str) -> String {
        match self {
            Self::Sh => format!("'{}'", text.replace('\'', "'\\''")),
            Self::Fish => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            Self::Powershell => quote_powershell(text),
            Self::Cmd => format!("\"{text}\""),
        }
    }

    /// A line that sets an environment variable in the shell. Fails for a value that `cmd` cannot represent.
    pub fn format_set(self, name: &str, value: &str) -> Result<String, ShellValueError> {
        Ok(match self {
            Self::Sh => format!("export {name}={}\n", self.quote(value)),
            Self::Fish => format!("set -gx {name} {}\n", self.quote(value)),
            Self::Powershell => format!("$env:{name} = {}\n", self.quote(value)),
            // `cmd` interprets these characters inside quotes as well, and no escape works both at the prompt and in a
            // batch file.
            Self::Cmd if value.contains(['"', '%', '!', '\r', '\n']) => {
                return Err(ShellValueError { shell: self });
            }
            Self::Cmd => format!("set \"{name}={value}\"\n"),
        })
    }

    /// A line that removes an environment variable. It succeeds even if the variable is not set.
    pub fn format_unset(self, name: &str) -> String {
        match self {
            Self::Sh => format!("unset {name}\n"),
            Self::Fish => format!("set -e {name}\n"),
            Self::Powershell => format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue\n"),
            Self::Cmd => format!("set \"{name}=\"\n"),
        }
    }
}

/// The text as one word of a command, for the usual shell of the system.
pub fn quote_word(text: &str) -> String {
    Shell::native().quote_word(text)
}

/// The same for a path that begins with `~/`, as messages show it.
pub fn quote_shown_path(path: &str) -> String {
    Shell::native().quote_shown_path(path)
}

/// The text in single quotes for PowerShell, which then expands nothing.
pub fn quote_powershell(text: &str) -> String {
    let double = |text: String, quote: &char| text.replace(*quote, &format!("{quote}{quote}"));
    format!("'{}'", POWERSHELL_QUOTES.iter().fold(text.to_owned(), double))
}

/// The characters that PowerShell treats as single quotes, including the typographic ones. Each of them ends a quoted
/// text unless it is doubled.
const POWERSHELL_QUOTES: [char; 5] = ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_is_detected_from_its_path() {
        let of = |path: &str| Shell::from_environment(&Environment::fixed([("SHELL", path)]));
        assert_eq!([of("/bin/sh"), of("/usr/bin/zsh"), of("/bin/bash")], [Shell::Sh; 3]);
        assert_eq!([of("/usr/bin/fish"), of("/opt/fish/bin/fish")], [Shell::Fish; 2]);
        assert_eq!([of("/usr/bin/pwsh"), of(r"C:\x\pwsh.exe")], [Shell::Powershell; 2]);
        assert_eq!(of(r"C:\Program Files\Git\usr\bin\bash.exe"), Shell::Sh);
        let native = Shell::from_environment(&Environment::fixed([]));
        assert_eq!([of("/bin/tcsh"), of("/bin/nu")], [native; 2]);
    }

    #[test]
    fn assignment_has_the_syntax_of_each_shell() {
        let both = |shell: Shell| shell.format_set("A", "x y").unwrap() + &shell.format_unset("B");
        assert_eq!(both(Shell::Sh), "export A='x y'\nunset B\n");
        assert_eq!(both(Shell::Fish), "set -gx A 'x y'\nset -e B\n");
        assert_eq!(both(Shell::Powershell), "$env:A = 'x y'\nRemove-Item Env:B -ErrorAction SilentlyContinue\n");
        assert_eq!(both(Shell::Cmd), "set \"A=x y\"\nset \"B=\"\n");
    }

    #[test]
    fn quote_in_a_value_does_not_end_it() {
        assert_eq!(Shell::Sh.format_set("A", "it's $x").unwrap(), "export A='it'\\''s $x'\n");
        assert_eq!(Shell::Fish.format_set("A", "it's \\").unwrap(), "set -gx A 'it\\'s \\\\'\n");
        assert_eq!(Shell::Powershell.format_set("A", "it's \u{2019}").unwrap(), "$env:A = 'it''s \u{2019}\u{2019}'\n");
    }

    #[test]
    fn word_is_quoted_only_if_the_shell_needs_it() {
        for plain in ["/etc/x.pem", "claude", "a-b_c"] {
            assert_eq!([Shell::Sh, Shell::Powershell].map(|shell| shell.quote_word(plain)), [plain; 2]);
        }
        assert_eq!(Shell::Powershell.quote_word(r"C:\Users\x"), r"C:\Users\x");
        for (text, sh, powershell) in [
            ("/a b/$x", "'/a b/$x'", "'/a b/$x'"),
            ("it's", "'it'\\''s'", "'it''s'"),
            ("it\u{2019}s", "'it\u{2019}s'", "'it\u{2019}\u{2019}s'"),
            ("", "''", "''"),
            ("~/x", "'~/x'", "'~/x'"),
        ] {
            assert_eq!(Shell::Sh.quote_word(text), sh);
            assert_eq!(Shell::Powershell.quote_word(text), powershell);
        }
    }

    #[test]
    fn tilde_of_a_shown_path_stays_outside_the_quotes() {
        let quoted = ["~/.local/a-b", "~/a b/it's", "~", "~other/x"].map(|path| Shell::Sh.quote_shown_path(path));
        assert_eq!(quoted, ["~/.local/a-b", "~/'a b/it'\\''s'", "'~'", "'~other/x'"]);
        assert_eq!(Shell::Powershell.quote_shown_path("~/a"), "'~/a'");
    }

    #[test]
    fn value_that_cmd_cannot_represent_is_an_error() {
        for value in ["a\"b", "a%b", "a!b", "a\nb"] {
            assert_eq!(Shell::Cmd.format_set("A", value), Err(ShellValueError { shell: Shell::Cmd }), "{value}");
        }
        assert_eq!(Shell::Cmd.format_set("A", "a&b|c^d").unwrap(), "set \"A=a&b|c^d\"\n");
    }
}
