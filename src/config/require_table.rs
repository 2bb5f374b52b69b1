//! Parses `require`: the table of what the provider must prove about a sign-in.
//!
//! Whether the provider can prove it is checked by the provider's rules, not here.

use toml::de::DeValue;

use super::{
    ConfigFault,
    error::ParseResult,
    parsers::{expect_table, parse_duration, parse_string_list, reject_text, require},
    sign_in_requirements::SignInRequirements,
    syntax::is_token,
};

const MINUTE: u64 = 60;
const YEAR: u64 = 365 * 24 * 60 * MINUTE;

/// The keys that the table may contain.
pub(super) const FIELDS: [&str; 4] = ["acr", "amr", "max_age", "email_domain"];

pub(super) fn parse_requirements(key: &str, value: &DeValue<'_>) -> ParseResult<SignInRequirements> {
    let mut parsed = SignInRequirements::default();
    for (name, item) in expect_table(key, value, "a table")? {
        let (field, item) = (format!("{key}.{}", name.get_ref()), item.get_ref());
        match name.get_ref().as_ref() {
            "acr" => parsed.acr = parse_words(&field, item)?,
            "amr" => parsed.amr = parse_words(&field, item)?,
            "max_age" => parsed.max_age = Some(parse_duration::<MINUTE, YEAR>(&field, item)?),
            "email_domain" => parsed.email_domain = parse_domains(&field, item)?,
            unknown => return Err(ConfigFault::unknown_key(unknown, key, FIELDS.into_iter())),
        }
    }
    Ok(parsed)
}

/// A list of words. It must not be empty: an administrator who writes the field wants to require something.
fn parse_words(key: &str, value: &DeValue<'_>) -> ParseResult<Vec<String>> {
    let words = parse_string_list(key, value)?;
    // A request separates the values of `acr_values` by spaces.
    let is_legal = !words.is_empty() && words.iter().all(|word| is_token(word));
    require(is_legal, key, value, "it must list at least one value, and no value may contain spaces")?;
    Ok(words)
}

/// A list of domains, in lower case. `*.acme.com` is rejected because a subdomain can belong to somebody else.
fn parse_domains(key: &str, value: &DeValue<'_>) -> ParseResult<Vec<String>> {
    let domains = parse_string_list(key, value)?;
    require(!domains.is_empty(), key, value, "it must list at least one domain")?;
    match domains.iter().find(|domain| !is_domain(domain)) {
        None => Ok(domains.iter().map(|domain| domain.to_ascii_lowercase()).collect()),
        Some(wrong) => Err(reject_text(key, wrong, "write the whole domain alone, such as acme.com")),
    }
}

/// Whether the text is a domain with at least two labels. Labels may contain letters of every script, because a
/// provider may write an internationalized domain so; it matches only as the provider writes it.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|part| part.is_alphanumeric() || part == '-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(text: &str) -> ParseResult<SignInRequirements> {
        parse_requirements("require", DeValue::parse(text).unwrap().get_ref())
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn every_field_of_require_is_read() {
        let parsed = parse(r#"{ acr = ["c1"], amr = ["mfa", "hwk"], max_age = "12h", email_domain = ["Acme.COM"] }"#);
        let expected = SignInRequirements {
            acr: words(&["c1"]),
            amr: words(&["mfa", "hwk"]),
            max_age: Some(Duration::from_secs(12 * 3600)),
            email_domain: words(&["acme.com"]),
        };
        assert_eq!(parsed, Ok(expected));
        assert!(parse("{}").unwrap().is_empty());
    }

    #[test]
    fn wrong_field_of_require_is_named() {
        for (text, named) in [
            ("{ arc = [\"c1\"] }", "arc"),
            ("{ acr = \"c1\" }", "require.acr"),
            ("{ acr = [] }", "require.acr"),
            ("{ acr = [\"\"] }", "require.acr"),
            ("{ amr = [\"mfa hwk\"] }", "require.amr"),
            ("{ max_age = 3600 }", "require.max_age"),
            ("{ max_age = \"59s\" }", "require.max_age"),
            ("{ max_age = \"8761h\" }", "require.max_age"),
            ("{ email_domain = [] }", "require.email_domain"),
            ("[]", "require"),
        ] {
            let fault = parse(text).unwrap_err().to_string();
            assert!(fault.contains(&format!("\"{named}\"")), "{text}: {fault}");
        }
    }

    #[test]
    fn text_that_is_not_a_whole_domain_is_rejected() {
        for wrong in [
            "acme", "@acme.com", "*.acme.com", ".acme.com", "acme.com.", "a@acme.com", "acme..com", "-a.com", "a b.com",
        ] {
            assert!(parse(&format!("{{ email_domain = [\"{wrong}\"] }}")).is_err(), "{wrong}");
        }
        for right in ["acme.com", "eu.acme.co.uk", "bücher.example", "xn--bcher-kva.example"] {
            assert!(parse(&format!("{{ email_domain = [\"{right}\"] }}")).is_ok(), "{right}");
        }
    }
}
