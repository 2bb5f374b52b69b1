//! A configuration profile for macOS, as Jamf, Intune and their like install it.
//!
//! Managed preferences of Claude Code's domain; other keys of that domain are for other profiles.

use ring::digest;
use serde_json::{Value, json};

use super::ClaudePolicy;
use crate::text::{escape_html, format_uuid};

/// Where Claude Code looks for managed preferences.
const DOMAIN: &str = "com.anthropic.claudecode";
/// Under this name a newer profile takes the older one's place.
const IDENTIFIER: &str = "bedrock-sso.claude-code";

/// The profile as an XML property list.
pub(super) fn render_profile(policy: &ClaudePolicy, organisation: &str) -> String {
    let preferences = format!("{IDENTIFIER}.preferences");
    let content = json!({
        "PayloadContent": { DOMAIN: { "Forced": [{ "mcx_preference_settings": policy.to_json() }] } },
        "PayloadDisplayName": "Claude Code through bedrock-sso",
        "PayloadEnabled": true,
        "PayloadIdentifier": preferences,
        "PayloadType": "com.apple.ManagedClient.preferences",
        "PayloadUUID": derive_uuid(&preferences, policy, organisation),
        "PayloadVersion": 1,
    });
    let profile = json!({
        "PayloadContent": [content],
        "PayloadDescription": "Has Claude Code use Amazon Bedrock with the company's single sign-on.",
        "PayloadDisplayName": "Claude Code on Amazon Bedrock",
        "PayloadIdentifier": IDENTIFIER,
        "PayloadOrganization": organisation,
        "PayloadScope": "System",
        "PayloadType": "Configuration",
        "PayloadUUID": derive_uuid(IDENTIFIER, policy, organisation),
        "PayloadVersion": 1,
    });
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n"
        .to_owned();
    write_plist_value(&mut text, 0, &profile);
    text + "</plist>\n"
}

/// The same for the same organisation and settings, and no other: management tells profiles apart by it.
fn derive_uuid(identifier: &str, policy: &ClaudePolicy, organisation: &str) -> String {
    let said = [identifier, organisation, &policy.to_json().to_string()].join("\n");
    let mut bytes = digest::digest(&digest::SHA256, said.as_bytes()).as_ref().to_vec();
    // RFC 9562 §5.8: of version 8, whose bits are the maker's own.
    for (place, kept, set) in [(6, 0x0f, 0x80), (8, 0x3f, 0x80)] {
        if let Some(byte) = bytes.get_mut(place) {
            *byte = *byte & kept | set;
        }
    }
    format_uuid(&bytes).to_ascii_uppercase()
}

fn write_plist_value(text: &mut String, depth: usize, value: &Value) {
    let indent = "\t".repeat(depth);
    let said = match value {
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
        Value::String(said) => format!("<string>{}</string>", escape_html(said)),
        Value::Bool(said) => format!("<{said}/>"),
        number => format!("<integer>{number}</integer>"),
    };
    text.push_str(&format!("{indent}{said}\n"));
}
