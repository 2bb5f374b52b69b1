//! Which hosts belong to a provider.
//!
//! Names only; nothing is looked up.

use crate::config::Partition;

/// `cognito-idp.eu-west-1.amazonaws.com`, and the same in AWS's other partitions.
pub(super) fn is_cognito_host(host: &str) -> bool {
    ["cognito-idp.", "cognito-idp-fips."].iter().any(|service| host.starts_with(service))
        && Partition::from_host(host).is_some()
}

pub(super) fn is_domain_or_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
