//! Builds a macOS configuration profile (`.mobileconfig`), which Jamf, Intune and other device managements install.
//!
//! The profile sets managed preferences in the preference domain of an application. It sets only our keys, so other
//! profiles can set other keys of that domain.

use ring::digest;
use serde_json::{Value, json};

use crate::text::{escape_html, format_uuid};

/// An application whose preferences the profile sets.
pub(super) struct ManagedApplication {
    /// The preference domain from which it reads managed settings.
    domain: &'static str,
    /// The identifier of the profile. It must never change: macOS replaces an installed profile by a new one with the
    /// same identifier, and would install a second one otherwise.
    identifier: &'static str,
    name: &'static str,
}

pub(super) const CLAUDE_CODE: ManagedApplication = ManagedApplication {
    domain: "com.anthropic.claudecode",
    identifier: "bedrock-sso.claude-code",
    name: "Claude Code",
};

pub(super) const CLAUDE_DESKTOP: ManagedApplication = ManagedApplication {
    domain: "com.anthropic.claudefordesktop",
    identifier: "bedrock-sso.claude-desktop",
    name: "Claude Desktop",
};

/// The profile as an XML property list. `organisation` is shown to the user in System Settings.
pub(super) fn render_profile(application: &ManagedApplication, settings: &Value, organisation: &str) -> String {
    let ManagedApplication { domain, identifier, name } = application;
    let preferences = format!("{identifier}.preferences");
    let content = json!({
        "PayloadContent": { *domain: { "Forced": [{ "mcx_preference_settings": settings }] } },
        "PayloadDisplayName": format!("{name} with bedrock-sso"),
        "PayloadEnabled": true,
        "PayloadIdentifier": preferences,
        "PayloadType": "com.apple.ManagedClient.preferences",
        "PayloadUUID": derive_uuid(&preferences, settings, organisation),
        "PayloadVersion": 1,
    });
    let profile = json!({
        "PayloadContent": [content],
        "PayloadDescription":
            format!("Configures {name} to use Amazon Bedrock with your organization's single sign-on."),
        "PayloadDisplayName": format!("{name} on Amazon Bedrock"),
        "PayloadIdentifier": identifier,
        "PayloadOrganization": organisation,
        "PayloadScope": "System",
        "PayloadType": "Configuration",
        "PayloadUUID": derive_uuid(identifier, settings, organisation),
        "PayloadVersion": 1,
    });
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n"
        .to_owned();
    write_plist_value(&mut text, 0, &profile);
    text + "</plist>\n"
}

/// Derives a UUID from the organisation and the settings. Device managements use the UUID to detect a changed profile,
/// so it changes if and only if the content does; a random one would make every run look like a change.
fn derive_uuid(identifier: &str, settings: &Value, organisation: &str) -> String {
    let text = [identifier, organisation, &settings.to_string()].join("\n");
    let mut bytes = digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec();
    // RFC 9562 §5.8: UUIDs of version 8 have freely chosen bits, except for the version and the variant.
    for (position, mask, fixed) in [(6, 0x0f, 0x80), (8, 0x3f, 0x80)] {
        if let Some(byte) = bytes.get_mut(position) {
            *byte = *byte & mask | fixed;
        }
    }
    format_uuid(&bytes).to_ascii_uppercase()
}

/// Writes a JSON value as an XML property list, indented by tabs. `null` and fractions do not occur in these profiles.
fn write_plist_value(text: &mut String, depth: usize, value: &Value) {
    let indent = "\t".repeat(depth);
    let element = match value {
        Value::Object(entries) => {
            text.push_str(&format!("{indent}<dict>\n"));
            for (key, value) in entries {
                text.push_str(&format!("{indent}\t<key>{}</key>\n", escape_html(key)));
                write_plist_value(text, depth + 1, value);
            }
            "</dict>".to_owned()
        }
        Value::Array(items) => {
            text.push_str(&format!("{indent}<array>\n"));
            items.iter().for_each(|item| write_plist_value(text, depth + 1, item));
            "</array>".to_owned()
        }
        Value::String(string) => format!("<string>{}</string>", escape_html(string)),
        Value::Bool(truth) => format!("<{truth}/>"),
        number => format!("<integer>{number}</integer>"),
    };
    text.push_str(&format!("{indent}{element}\n"));
}
