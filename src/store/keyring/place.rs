//! What kind of place this is, as far as it explains why there is no keyring.
//!
//! It is looked at only when there is a fault to explain.

use super::{Place, secret_service::is_kwallet};
use crate::host::{Environment, Surroundings};

pub(super) fn place(environment: &Environment) -> Place {
    if is_kwallet(environment) { Place::KWallet } else { told_by(&Surroundings::of(environment, false)) }
}

/// The nearest of the walls around it: a container may stand on WSL's kernel.
fn told_by(around: &Surroundings) -> Place {
    match around {
        Surroundings { ssh: true, .. } => Place::Ssh,
        Surroundings { container: true, .. } => Place::Container,
        Surroundings { wsl: true, .. } => Place::Wsl,
        _ => Place::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_by_the_nearest_of_its_walls() {
        let wsl = Surroundings { wsl: true, ..Surroundings::default() };
        let container = Surroundings { container: true, ..wsl };
        let ssh = Surroundings { ssh: true, ..container };
        let told = [Surroundings::default(), wsl, container, ssh].map(|around| told_by(&around));
        assert_eq!(told, [Place::Plain, Place::Wsl, Place::Container, Place::Ssh]);
    }
}
