//! Two futures, of which the first to end is heard.
//!
//! Both are looked at in turn, the left one first; what they do is their own.

use std::{future::Future, pin::pin};

pub(crate) use futures_util::future::Either as RaceWinner;
use futures_util::future::select;

/// Runs both; the loser is dropped where it stands, unless it was lent.
pub(crate) async fn race_futures<A, B>(
    left: impl Future<Output = A>,
    right: impl Future<Output = B>,
) -> RaceWinner<A, B> {
    match select(pin!(left), pin!(right)).await {
        RaceWinner::Left((ended, _)) => RaceWinner::Left(ended),
        RaceWinner::Right((ended, _)) => RaceWinner::Right(ended),
    }
}
