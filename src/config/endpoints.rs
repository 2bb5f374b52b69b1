//! Where AWS's services are asked, as far as the profile names an address.
//!
//! Which address holds where it names none is for `aws`.

use toml::de::DeValue;

use super::{error::ConfigFault, keys::ConfigKey, parsers, profile_builder::ProfileBuilder};
use crate::url::SecureUrl;

/// The addresses that the profile names; the region's own, or those of AWS's variables, in place of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsEndpoints {
    pub sts: Option<SecureUrl>,
    pub cognito: Option<SecureUrl>,
    pub bedrock: Option<BedrockEndpoints>,
}

/// Bedrock's two services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BedrockEndpoints {
    /// Lists of models and inference profiles.
    pub control: SecureUrl,
    /// Answers of models.
    pub runtime: SecureUrl,
}

/// The keys of these addresses. Where the administrator enforces one of them, no variable counts for any.
pub(super) const KEYS: [&str; 3] = ["sts_endpoint", "cognito_endpoint", "bedrock_endpoint"];

/// Stands for the service's name, `bedrock` or `bedrock-runtime`: each has an address of its own at AWS.
const SERVICE: &str = "{service}";

impl ProfileBuilder<'_> {
    pub(super) fn build_aws_endpoints(&mut self) -> Option<AwsEndpoints> {
        let sts = self.read_key("sts_endpoint", parsers::parse_url);
        let cognito = self.read_key("cognito_endpoint", parsers::parse_url);
        Some(AwsEndpoints {
            sts: sts?,
            cognito: cognito?,
            bedrock: self.read_key("bedrock_endpoint", parse_bedrock_endpoints)?,
        })
    }
}

/// `None` when left empty.
pub(super) fn parse_bedrock_endpoints(
    key: &ConfigKey,
    value: &DeValue<'_>,
) -> Result<Option<BedrockEndpoints>, ConfigFault> {
    let DeValue::String(text) = value else { return parsers::parse_url(key, value).map(|_| None) };
    let of = |service: &str| {
        let address = DeValue::String(text.replace(SERVICE, service).into());
        parsers::parse_url(key, &address)
    };
    Ok(match (of("bedrock")?, of("bedrock-runtime")?) {
        (Some(control), Some(runtime)) => Some(BedrockEndpoints { control, runtime }),
        _ => None,
    })
}

impl AwsEndpoints {
    /// Each address that is named, with its key.
    pub(super) fn iter_urls(&self) -> impl Iterator<Item = (&'static str, &SecureUrl)> {
        let bedrock = self.bedrock.iter().flat_map(|both| [&both.control, &both.runtime]);
        let named = [("sts_endpoint", &self.sts), ("cognito_endpoint", &self.cognito)];
        let named = named.into_iter().filter_map(|(key, url)| Some((key, url.as_ref()?)));
        named.chain(bedrock.map(|url| ("bedrock_endpoint", url)))
    }
}
