//! AWS's partitions: worlds that share neither roles nor addresses, told by a region's first word.
//!
//! A table of names and domains; which region is spoken to is for the profile, and how for `aws`.

/// What a partition is called, how its regions begin, and below which domains its services live.
#[derive(Debug)]
pub struct Partition {
    pub name: &'static str,
    prefix: &'static str,
    pub domain: &'static str,
    /// Where services have an address of both families.
    pub dual_stack_domain: &'static str,
    /// Where the console has its pages, and the sign-in to it.
    pub console_domain: &'static str,
}

/// The rest of the world.
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

/// Where to turn to when STS of a region cannot be reached: a region that every account has, in the same country or
/// union. For all others there is none, since a person's token crosses no border unasked.
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
    pub fn from_region(region: &str) -> &'static Self {
        SPECIAL_PARTITIONS.iter().find(|partition| region.starts_with(partition.prefix)).unwrap_or(&AWS)
    }

    /// The partition whose services live at this host; `None` where it is none of AWS's own.
    pub(super) fn from_host(host: &str) -> Option<&'static Self> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        let lives_here = |partition: &&Self| is_below(partition.domain) || is_below(partition.dual_stack_domain);
        let named = host.split('.').find(|label| is_region(label)).map(Self::from_region);
        named
            .filter(lives_here)
            .or_else(|| SPECIAL_PARTITIONS.iter().chain([&AWS]).find(lives_here).map(Self::default_for_domain))
    }

    /// GovCloud shares the domain of the rest of the world, and its addresses always name a region.
    fn default_for_domain(&'static self) -> &'static Self {
        if self.domain == AWS.domain { &AWS } else { self }
    }
}

pub(super) fn find_fallback_region(region: &str) -> Option<&'static str> {
    NEIGHBOURS.iter().find(|(here, _)| *here == region).map(|(_, there)| *there)
}

/// `us-gov-west-1`: lower-case words, then a number.
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
    fn a_region_tells_its_partition() {
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
    fn a_host_of_aws_tells_its_partition_and_another_tells_none() {
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
    fn a_neighbour_is_another_region_of_the_same_partition() {
        for (here, there) in NEIGHBOURS {
            assert!(is_region(here) && is_region(there) && here != there, "{here}");
            assert_eq!(Partition::from_region(here).name, Partition::from_region(there).name, "{here}");
        }
        assert_eq!(find_fallback_region("eu-west-2"), None, "its token would leave the country");
    }
}
