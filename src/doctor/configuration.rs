//! Whether the configuration is right, every profile of every file.

use super::{Finding, Patient};
use crate::{config, failure::Failure};

pub(super) fn look(patient: &Patient<'_>) -> Finding {
    match config::check(&patient.inputs) {
        Ok(said) => Finding::Fine(said.join("; ")),
        Err(error) => Finding::Bad(Failure::from(error)),
    }
}
