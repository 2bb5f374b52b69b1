//! For Windows: Claude Code's policy as a file for `regedit` and as a template for Group Policy and Intune, and the script
//! that installs the configuration.
//!
//! Each form of the policy writes the one value that Claude Code reads below `SOFTWARE\Policies`.

use super::ClaudePolicy;
use crate::{shell, text::escape_html};

/// The policy without its words, which are in the other file for each language. A text may have 1023 characters unless
/// `maxLength` says otherwise.
pub(super) const ADMX: &str = include_str!("bedrock-sso.admx");

const ADML: &str = include_str!("bedrock-sso.adml");

/// Puts the administrator's file where users can read and not write it. It carries the file within itself, since Intune's
/// platform scripts are one file each.
const INSTALL_SCRIPT: &str = include_str!("Install-Configuration.ps1");

/// The words of the template, with the settings as what the policy's box holds at first.
pub(super) fn render_adml(policy: &ClaudePolicy) -> String {
    let settings = escape_html(&policy.to_json().to_string());
    ADML.replace("SETTINGS", &settings).replace('\n', "\r\n")
}

/// For `regedit` and `reg import`, which want UTF-16 with its mark.
pub(super) fn render_registry(policy: &ClaudePolicy) -> Vec<u8> {
    let settings = policy.to_json().to_string().replace('\\', r"\\").replace('"', "\\\"");
    let text = format!(
        "\u{feff}Windows Registry Editor Version 5.00\r\n\r\n\
         [HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\ClaudeCode]\r\n\"Settings\"=\"{settings}\"\r\n\r\n"
    );
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The script. It begins with a byte order mark, without which Windows PowerShell 5.1 takes it for the machine's old code page.
pub(super) fn render_install_script(configuration: &str) -> String {
    let quoted = |line: &str| format!("    {}", shell::quote_powershell(line));
    let lines = configuration.lines().map(quoted).collect::<Vec<_>>().join(",\n");
    let text = INSTALL_SCRIPT.replace("    LINES", &lines);
    format!("\u{feff}{}", text.replace('\n', "\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_the_configuration_ends_its_quotes() {
        let script = render_install_script("version = 1\n# it's ‘here’\n'@\n");
        assert!(script.contains("    'version = 1',\r\n    '# it''s ‘‘here’’',\r\n    '''@'\r\n)\r\n"), "{script}");
    }
}
