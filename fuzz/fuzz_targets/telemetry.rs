//! Fuzzes what the relays of telemetry read, with any body in both formats, and checks what they pass on.
//!
//! The first byte chooses the signal and the format. Run with `cargo +nightly fuzz run telemetry -- -max_total_time=300`.
#![no_main]

use bedrock_sso::telemetry::{
    IdentityAttributes,
    otlp::{OtlpFormat, OtlpSignal, StampPlace},
};
use bedrock_sso_server::relay::parse_body;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// A name that no relay leaves to a sender, as readers of telemetry may fold it.
const CLAIMED: [&str; 4] = ["user_email", "department", "organization_id", "enduser_id"];

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else { return };
    let signal = if choice & 1 == 0 { OtlpSignal::Metrics } else { OtlpSignal::Logs };
    let format = if choice & 2 == 0 { OtlpFormat::Json } else { OtlpFormat::Protobuf };
    let Ok(mut export) = parse_body(signal, format, body) else { return };
    // Without a token nobody has an identity, so all that claims one must be gone.
    let nobody = IdentityAttributes::nobody();
    export.stamp(&nobody, StampPlace::ResourceAndDataPoints);
    let passed_on = export.to_json();
    assert!(passed_on.len() <= 64 * body.len() + 4096, "{} of {}", passed_on.len(), body.len());
    // The next reader accepts it, and finds no claimed identity.
    let again = parse_body(signal, OtlpFormat::Json, &passed_on).expect("what is passed on is OTLP");
    assert_eq!((again.resources().len(), again.count_items()), (export.resources().len(), export.count_items()));
    let tree: Value = serde_json::from_slice(&passed_on).expect("what is passed on is JSON");
    assert_no_claims(&tree);
});

/// Fails if a list of attributes names an identity. Texts and bodies of log records are data.
fn assert_no_claims(value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(assert_no_claims),
        Value::Object(fields) => {
            for (name, field) in fields {
                if ["attributes", "filteredAttributes", "metadata"].contains(&name.as_str()) {
                    for key in field.as_array().into_iter().flatten().filter_map(|attribute| attribute["key"].as_str()) {
                        let fold = |part: char| if part.is_ascii_alphanumeric() { part.to_ascii_lowercase() } else { '_' };
                        let folded: String = key.chars().map(fold).collect();
                        assert!(!CLAIMED.contains(&folded.as_str()), "{key}");
                    }
                }
                if name != "body" {
                    assert_no_claims(field);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
