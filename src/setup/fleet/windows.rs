//! Claude Code's policy for Windows: a file for `regedit`, and a template for Group Policy and Intune.
//!
//! Each writes the one value that Claude Code reads below `SOFTWARE\Policies`.

use super::ClaudePolicy;
use crate::text::escape_html;

/// The policy without its words, which are in the other file for each language. A text may have 1023 characters unless
/// `maxLength` says otherwise.
pub(super) const ADMX: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<policyDefinitions xmlns="http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions" revision="1.0" schemaVersion="1.0">
  <policyNamespaces>
    <target prefix="bedrocksso" namespace="BedrockSso.Policies.ClaudeCode" />
  </policyNamespaces>
  <resources minRequiredRevision="1.0" />
  <supportedOn>
    <definitions>
      <definition name="Windows10" displayName="$(string.Windows10)" />
    </definitions>
  </supportedOn>
  <categories>
    <category name="ClaudeCode" displayName="$(string.ClaudeCode)" />
  </categories>
  <policies>
    <policy name="Settings" class="Machine" displayName="$(string.Settings)" explainText="$(string.SettingsExplained)" presentation="$(presentation.Settings)" key="SOFTWARE\Policies\ClaudeCode">
      <parentCategory ref="ClaudeCode" />
      <supportedOn ref="Windows10" />
      <elements>
        <text id="Settings" valueName="Settings" required="true" maxLength="1000000" />
      </elements>
    </policy>
  </policies>
</policyDefinitions>
"#;

/// The words of the template, with the settings as what the policy's box holds at first.
pub(super) fn render_adml(policy: &ClaudePolicy) -> String {
    let settings = escape_html(&policy.to_json_line());
    let text = format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<policyDefinitionResources xmlns="http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions" revision="1.0" schemaVersion="1.0">
  <displayName>Claude Code through bedrock-sso</displayName>
  <description>Has Claude Code use Amazon Bedrock with the company's single sign-on.</description>
  <resources>
    <stringTable>
      <string id="Windows10">Windows 10 or later</string>
      <string id="ClaudeCode">Claude Code</string>
      <string id="Settings">Claude Code on Amazon Bedrock through bedrock-sso</string>
      <string id="SettingsExplained">Claude Code's managed settings, which no user can override, as JSON on one line. The box holds those that sign in with bedrock-sso; add keys of your own to them. Where another policy writes Claude Code's settings, put these keys into that one instead: there is one value for all.</string>
    </stringTable>
    <presentationTable>
      <presentation id="Settings">
        <textBox refId="Settings">
          <label>Managed settings (JSON):</label>
          <defaultValue>{settings}</defaultValue>
        </textBox>
      </presentation>
    </presentationTable>
  </resources>
</policyDefinitionResources>
"#
    );
    text.replace('\n', "\r\n")
}

/// For `regedit` and `reg import`, which want UTF-16 with its mark.
pub(super) fn render_registry(policy: &ClaudePolicy) -> Vec<u8> {
    let settings = policy.to_json_line().replace('\\', r"\\").replace('"', "\\\"");
    let text = format!(
        "\u{feff}Windows Registry Editor Version 5.00\r\n\r\n\
         [HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\ClaudeCode]\r\n\"Settings\"=\"{settings}\"\r\n\r\n"
    );
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
