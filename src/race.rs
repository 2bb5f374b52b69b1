//! Two futures, of which the first to end is heard.
//!
//! Both are looked at in turn, the left one first; what they do is their own.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

pub(crate) enum RaceWinner<A, B> {
    Left(A),
    Right(B),
}

/// Runs both; the loser is dropped where it stands, unless it was lent.
pub(crate) async fn race_futures<A, B>(
    left: impl Future<Output = A>,
    right: impl Future<Output = B>,
) -> RaceWinner<A, B> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|context| {
        if let Poll::Ready(ended) = left.as_mut().poll(context) {
            return Poll::Ready(RaceWinner::Left(ended));
        }
        right.as_mut().poll(context).map(RaceWinner::Right)
    })
    .await
}
