//! Checks that every AWS resource of a profile belongs to the same partition as its region.
//!
//! A role of one partition does not exist in another. AWS would answer such a request with a misleading error about the
//! token, after the user has signed in.

use super::ProfileBuilder;
use crate::config::{AwsEndpoints, ChainedRole, ConfigFault, ConfigKey, Partition, RoleArn, SignInSettings, keys};
use crate::url::SecureUrl;

impl ProfileBuilder<'_> {
    /// Reports each key that names a resource of another partition.
    pub(super) fn check_partitions(
        &mut self,
        region: &str,
        sign_in: Option<&SignInSettings>,
        role_chain: &[ChainedRole],
        endpoints: Option<&AwsEndpoints>,
        fallback_regions: &[String],
    ) {
        match sign_in {
            Some(SignInSettings::Oidc(oidc)) => {
                if let Some(role) = oidc.federation.role() {
                    self.check_role(&keys::REGION, region, role);
                }
                if let Some(id) = oidc.federation.pool() {
                    let partition = Partition::from_region(id.region());
                    self.check_partition(&keys::IDENTITY_POOL_ID, region, partition.name, || {
                        format!("the identity pool {}", id.as_str())
                    });
                }
            }
            Some(SignInSettings::IdentityCenter(center)) => {
                let partition = Partition::from_region(&center.region);
                self.check_partition(&keys::IDENTITY_CENTER_REGION, region, partition.name, || {
                    format!("the Identity Center in {}", center.region)
                });
            }
            None => {}
        }
        for link in role_chain {
            self.check_role(&keys::ROLE_CHAIN, region, &link.role);
        }
        // The console endpoint is not checked, because the console has other domains than the services of a partition.
        if let Some(AwsEndpoints { sts, cognito, bedrock, console: _, identity_center }) = endpoints {
            self.check_endpoint(&keys::STS_ENDPOINT, region, sts.iter());
            self.check_endpoint(&keys::COGNITO_ENDPOINT, region, cognito.iter());
            let bedrock = bedrock.iter().flat_map(|both| [&both.control, &both.runtime]);
            self.check_endpoint(&keys::BEDROCK_ENDPOINT, region, bedrock);
            let identity_center = identity_center.iter().flat_map(|both| [&both.sign_in, &both.portal]);
            self.check_endpoint(&keys::IDENTITY_CENTER_ENDPOINT, region, identity_center);
        }
        for other in fallback_regions {
            let partition = Partition::from_region(other);
            self.check_partition(&keys::STS_FALLBACK_REGIONS, region, partition.name, || format!("the region {other}"));
        }
    }

    fn check_role(&mut self, key: &'static ConfigKey, region: &str, role: &RoleArn) {
        self.check_partition(key, region, role.partition(), || format!("the role {}", role.as_str()));
    }

    /// Checks the addresses of one key, and reports the first one in another partition. A host outside AWS, such as a
    /// proxy of the company, belongs to no partition and is accepted.
    fn check_endpoint<'u>(&mut self, key: &'static ConfigKey, region: &str, urls: impl Iterator<Item = &'u SecureUrl>) {
        let expected = Partition::from_region(region).name;
        let hosts = urls.map(|url| url.as_url().host_str().unwrap_or_default());
        let mut partitions = hosts.filter_map(|host| Some((host, Partition::from_host(host)?.name)));
        if let Some((host, found)) = partitions.find(|(_, found)| *found != expected) {
            self.check_partition(key, region, found, || format!("the endpoint {host}"));
        }
    }

    /// Reports the key if `found` is not the partition of the region. `describe_other` names the resource for the
    /// message.
    fn check_partition(
        &mut self,
        key: &'static ConfigKey,
        region: &str,
        found: &str,
        describe_other: impl Fn() -> String,
    ) {
        let expected = Partition::from_region(region).name;
        if found == expected {
            return;
        }
        if let Some(setting) = self.require_setting(key) {
            let (region, other, found) = (region.to_owned(), describe_other(), found.to_owned());
            self.problems.push(setting.problem(ConfigFault::OtherPartition { region, expected, other, found }));
        }
    }
}
