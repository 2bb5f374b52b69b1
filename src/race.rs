//! Runs two futures at the same time and returns the result of the one that ends first.
//!
//! It is a wrapper around `futures_util::select` that handles pinning. If both are ready, the left one wins.

use std::{future::Future, pin::pin};

pub(crate) use futures_util::future::Either as RaceWinner;
use futures_util::future::select;

/// Runs both futures until one of them ends. The other one is dropped, which cancels it; pass `&mut future` to use it
/// later.
pub(crate) async fn race_futures<A, B>(
    left: impl Future<Output = A>,
    right: impl Future<Output = B>,
) -> RaceWinner<A, B> {
    match select(pin!(left), pin!(right)).await {
        RaceWinner::Left((ended, _)) => RaceWinner::Left(ended),
        RaceWinner::Right((ended, _)) => RaceWinner::Right(ended),
    }
}
