//! Builds the files for Windows: Claude Code's managed settings as a registry file and as an administrative template,
//! Claude Desktop's as a registry file, and a script that installs the configuration.
//!
//! Registry files are for `regedit`; the template is for Group Policy and Intune. For Claude Code, both set the same
//! registry value below `SOFTWARE\Policies`, which holds all settings as one JSON text.

use serde_json::Value;

use super::ClaudePolicy;
use crate::{shell, text::escape_html};

/// The template of the policy. Its texts are in an ADML file for each language. Its `maxLength` is needed, because
/// without it a value can have only 1023 characters.
pub(super) const ADMX: &str = include_str!("bedrock-sso.admx");

/// The English texts of the template. `SETTINGS` marks the place of the default value.
const ADML: &str = include_str!("bedrock-sso.adml");

/// The script that installs the administrator's file where users can read it but not change it. The script contains the
/// file, because a platform script of Intune consists of one file. `LINES` marks the place.
const INSTALL_SCRIPT: &str = include_str!("Install-Configuration.ps1");

/// The texts of the template. The settings are the default value of the policy's text box.
pub(super) fn render_adml(policy: &ClaudePolicy) -> String {
    let settings = escape_html(&policy.to_json().to_string());
    ADML.replace("SETTINGS", &settings).replace('\n', "\r\n")
}

/// The registry file for Claude Code.
pub(super) fn render_registry(policy: &ClaudePolicy) -> Vec<u8> {
    render_registry_key("ClaudeCode", [("Settings", policy.to_json().to_string().as_str())])
}

/// The registry file for Claude Desktop, which has a value for each setting. All settings are texts.
pub(super) fn render_desktop_registry(settings: &Value) -> Vec<u8> {
    let values = settings.as_object().into_iter().flatten();
    render_registry_key("Claude", values.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))))
}

/// Text values of one key below the policies of the machine. `regedit` and `reg import` need UTF-16 with a byte order
/// mark.
fn render_registry_key<'v>(key: &str, values: impl IntoIterator<Item = (&'v str, &'v str)>) -> Vec<u8> {
    let mut text = format!(
        "\u{feff}Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\{key}]\r\n"
    );
    for (name, value) in values {
        let value = value.replace('\\', r"\\").replace('"', "\\\"");
        text.push_str(&format!("\"{name}\"=\"{value}\"\r\n"));
    }
    text.push_str("\r\n");
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The install script. It begins with a byte order mark: without one, Windows PowerShell 5.1 reads it in the code page
/// of the computer and garbles letters such as umlauts.
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
    fn install_script_quotes_every_configuration_line() {
        let script = render_install_script("version = 1\n# it's ‘here’\n'@\n");
        assert!(script.contains("    'version = 1',\r\n    '# it''s ‘‘here’’',\r\n    '''@'\r\n)\r\n"), "{script}");
    }
}
