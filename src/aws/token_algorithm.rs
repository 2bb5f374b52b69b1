//! The signature algorithms of ID tokens that AWS accepts.
//!
//! `session` and `doctor` ask before AWS does, because AWS's own refusal does not name the algorithm.

use crate::config::Federation;

/// What AWS documents for `AssumeRoleWithWebIdentity` (its API reference, `WebIdentityToken`).
const STS_ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

/// What AWS says about tokens that are signed with an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgorithmSupport {
    Accepted,
    Refused,
    /// AWS's documents neither accept nor exclude it.
    Undocumented,
}

/// Who accepts none of the algorithms with which a provider signs ID tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgorithmRefuser {
    /// This program cannot verify any of them.
    Program,
    /// This program can verify one of them, but AWS accepts none.
    Aws,
}

/// Returns what AWS says about this algorithm at the first exchange of a profile.
///
/// An identity pool verifies signatures "via an RSA public key" (Amazon Cognito, "Setting up an OIDC provider as an
/// identity pool IdP"). That page names no algorithm, so this program leaves the decision to the pool.
pub fn assess_algorithm(federation: &Federation, name: &str) -> AlgorithmSupport {
    match federation {
        Federation::Sts { .. } if STS_ALGORITHMS.contains(&name) => AlgorithmSupport::Accepted,
        Federation::Sts { .. } => AlgorithmSupport::Refused,
        Federation::IdentityPool { .. } if name.starts_with("RS") => AlgorithmSupport::Accepted,
        Federation::IdentityPool { .. } => AlgorithmSupport::Undocumented,
    }
}

/// Returns the algorithms that an ID token must have one of; `None` if AWS does not say.
pub fn list_required_algorithms(federation: &Federation) -> Option<&'static [&'static str]> {
    match federation {
        Federation::Sts { .. } => Some(&STS_ALGORITHMS),
        Federation::IdentityPool { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{IdentityPoolId, RoleArn};

    #[test]
    fn sts_refuses_what_its_reference_does_not_list() {
        let sts = Federation::Sts { role: RoleArn::parse("arn:aws:iam::123456789012:role/R").unwrap() };
        for name in ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"] {
            assert_eq!(assess_algorithm(&sts, name), AlgorithmSupport::Accepted, "{name}");
        }
        for name in ["PS256", "PS512", "EdDSA", "ES256K", "none"] {
            assert_eq!(assess_algorithm(&sts, name), AlgorithmSupport::Refused, "{name}");
        }
    }

    #[test]
    fn identity_pool_decides_about_signatures_itself() {
        let id = IdentityPoolId::parse("us-east-1:5f0c1d6e-8a3b-4c9d-b2e7-1a2b3c4d5e6f").unwrap();
        let pool = Federation::IdentityPool { id, role: None };
        assert_eq!(assess_algorithm(&pool, "RS512"), AlgorithmSupport::Accepted);
        for name in ["PS256", "ES256", "EdDSA"] {
            assert_eq!(assess_algorithm(&pool, name), AlgorithmSupport::Undocumented, "{name}");
        }
        assert_eq!(list_required_algorithms(&pool), None);
    }
}
