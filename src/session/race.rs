//! Two futures, of which the first to end is heard.

use std::{future::Future, pin::Pin, task::Poll};

pub(super) enum First<A, B> {
    Left(A),
    Right(B),
}

/// Runs both; the loser is dropped where it stands.
pub(super) async fn race<A, B>(
    left: impl Future<Output = A>,
    right: Pin<&mut (impl Future<Output = B> + ?Sized)>,
) -> First<A, B> {
    let (mut left, mut right) = (std::pin::pin!(left), right);
    std::future::poll_fn(|context| {
        if let Poll::Ready(ended) = left.as_mut().poll(context) {
            return Poll::Ready(First::Left(ended));
        }
        right.as_mut().poll(context).map(First::Right)
    })
    .await
}
