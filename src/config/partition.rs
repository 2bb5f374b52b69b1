//! The AWS partitions (the commercial regions, China, GovCloud and others), with their domains. The name of a region
//! determines its partition.
//!
//! Partitions share neither accounts nor endpoints: a role of one partition does not exist in another. The region to
//! use comes from the profile.

/// The name of a partition, the prefix of its regions, and the domains of its services.
#[derive(Debug)]
pub struct Partition {
    pub name: &'static str,
    prefix: &'static str,
    pub domain: &'static str,
    /// The domain of the endpoints that serve both IPv4 and IPv6.
    pub dual_stack_domain: &'static str,
    /// The domain of the AWS console and of the sign-in to it.
    pub console_domain: &'static str,
}

/// The partition of all commercial regions outside China. Its regions have no common prefix.
static AWS: Partition = define_partition("aws", "", "amazonaws.com", "api.aws", "aws.amazon.com");

static SPECIAL_PARTITIONS: [Partition; 7] = [
    define_partition("aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "amazonaws.cn"),
    define_partition("aws-us-gov", "us-gov-", "amazonaws.com", "api.aws", "amazonaws-us-gov.com"),
    define_partition("aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu", "amazonaws-eusc.eu"),
    define_partition("aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov", "c2shome.ic.gov"),
    define_partition("aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud", "sc2shome.sgov.gov"),
    define_partition("aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "csphome.adc-e.uk"),
    define_partition("aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "csphome.hci.ic.gov"),
];

/// The region to call if STS of another region is not reachable. Both are in the same country, or both in the EU, and
/// the second one is enabled in every account. A region that is not in the list has no fallback: the ID token contains
/// personal data, so the program does not send it to another country unless the profile says so.
const NEIGHBOURS: [(&str, &str); 17] = [
    ("us-east-1", "us-west-2"),
    ("us-east-2", "us-west-2"),
    ("us-west-1", "us-west-2"),
    ("us-west-2", "us-east-1"),
    ("eu-west-1", "eu-central-1"),
    ("eu-west-3", "eu-central-1"),
    ("eu-north-1", "eu-central-1"),
    ("eu-south-1", "eu-central-1"),
    ("eu-south-2", "eu-central-1"),
    ("eu-central-1", "eu-west-1"),
    ("ap-northeast-1", "ap-northeast-3"),
    ("ap-northeast-3", "ap-northeast-1"),
    ("ap-southeast-4", "ap-southeast-2"),
    ("us-gov-west-1", "us-gov-east-1"),
    ("us-gov-east-1", "us-gov-west-1"),
    ("cn-north-1", "cn-northwest-1"),
    ("cn-northwest-1", "cn-north-1"),
];

const fn define_partition(
    name: &'static str,
    prefix: &'static str,
    domain: &'static str,
    dual_stack_domain: &'static str,
    console_domain: &'static str,
) -> Partition {
    Partition { name, prefix, domain, dual_stack_domain, console_domain }
}

impl Partition {
    /// The partition of a region. A region without a known prefix belongs to the commercial partition.
    pub fn from_region(region: &str) -> &'static Self {
        SPECIAL_PARTITIONS.iter().find(|partition| region.starts_with(partition.prefix)).unwrap_or(&AWS)
    }

    /// The partition of an AWS endpoint; `None` if the host does not belong to AWS.
    pub(super) fn from_host(host: &str) -> Option<&'static Self> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        let lives_here = |partition: &&Self| is_below(partition.domain) || is_below(partition.dual_stack_domain);
        let named = host.split('.').find(|label| is_region(label)).map(Self::from_region);
        named
            .filter(lives_here)
            .or_else(|| SPECIAL_PARTITIONS.iter().chain([&AWS]).find(lives_here).map(Self::default_for_domain))
    }

    /// GovCloud shares its domain with the commercial partition. Its endpoints always name a region, so a host without
    /// a region belongs to the commercial partition.
    fn default_for_domain(&'static self) -> &'static Self {
        if self.domain == AWS.domain { &AWS } else { self }
    }
}

/// The fallback for a region (see [`NEIGHBOURS`]); `None` if it has none.
pub(super) fn find_fallback_region(region: &str) -> Option<&'static str> {
    NEIGHBOURS.iter().find(|(here, _)| *here == region).map(|(_, there)| *there)
}

/// Whether the text has the form of a region, such as `us-gov-west-1`: lower-case words, then a number. AWS adds
/// regions, so the program does not check whether the region exists.
pub fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let is_number = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    text.len() <= 32 && parts.next().is_some_and(is_number) && parts.clone().count() >= 2 && parts.all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_determines_its_partition() {
        for (region, name) in [
            ("us-east-1", "aws"),
            ("eu-central-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-northwest-1", "aws-cn"),
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
        ] {
            assert_eq!(Partition::from_region(region).name, name, "{region}");
        }
    }

    #[test]
    fn only_aws_hosts_have_a_partition() {
        for (host, name) in [
            ("sts.amazonaws.com", Some("aws")),
            ("sts.eu-west-1.amazonaws.com", Some("aws")),
            ("sts.eu-west-1.api.aws.", Some("aws")),
            ("vpce-0a1b.sts.us-east-1.vpce.amazonaws.com", Some("aws")),
            ("sts.us-gov-west-1.amazonaws.com", Some("aws-us-gov")),
            ("sts.cn-north-1.amazonaws.com.cn", Some("aws-cn")),
            ("sts.amazonaws.com.cn", Some("aws-cn")),
            ("sts.eusc-de-east-1.amazonaws.eu", Some("aws-eusc")),
            ("sts.us-iso-east-1.c2s.ic.gov", Some("aws-iso")),
            ("sts.internal.example", None),
            ("sts.us-gov-west-1.internal.example", None),
            ("amazonaws.com.evil.example", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(Partition::from_host(host).map(|partition| partition.name), name, "{host}");
        }
    }

    #[test]
    fn fallback_region_is_in_the_same_partition() {
        for (here, there) in NEIGHBOURS {
            assert!(is_region(here) && is_region(there) && here != there, "{here}");
            assert_eq!(Partition::from_region(here).name, Partition::from_region(there).name, "{here}");
        }
        assert_eq!(find_fallback_region("eu-west-2"), None, "its token would leave the country");
    }
}
