//! Whose usage is counted.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A person, by the name of their role session: the only name in Bedrock's invocation log. The client derives it from
/// the ID token, and the role's trust policy can pin it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Person(String);

/// The text is no name that STS accepts for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotASessionName;

impl Person {
    /// Accepts what STS accepts as the name of a session: `[\w+=,.@-]{2,64}`.
    pub fn parse(name: &str) -> Result<Self, NotASessionName> {
        let is_legal = |part: char| part.is_ascii_alphanumeric() || "_+=,.@-".contains(part);
        match (2..=64).contains(&name.len()) && name.chars().all(is_legal) {
            true => Ok(Self(name.to_owned())),
            false => Err(NotASessionName),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NotASessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a session has 2 to 64 characters: letters, digits and _+=,.@-")
    }
}

impl std::error::Error for NotASessionName {}

impl FromStr for Person {
    type Err = NotASessionName;

    fn from_str(name: &str) -> Result<Self, NotASessionName> {
        Self::parse(name)
    }
}

impl TryFrom<String> for Person {
    type Error = NotASessionName;

    fn try_from(name: String) -> Result<Self, NotASessionName> {
        Self::parse(&name)
    }
}

impl From<Person> for String {
    fn from(person: Person) -> Self {
        person.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_names_are_those_of_sts() {
        for legal in ["al", "alice@example.com", "00u1+x=y,z_-", &"a".repeat(64)] {
            assert_eq!(Person::parse(legal).unwrap().as_str(), legal);
        }
        for illegal in ["", "a", &"a".repeat(65), "al ice", "alice/bob", "alice*", "älice", "auth0|123"] {
            assert_eq!(Person::parse(illegal), Err(NotASessionName), "{illegal}");
        }
    }
}
