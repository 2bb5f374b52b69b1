//! Many futures side by side, all heard to their end.
//!
//! They are few, so each is looked at whenever any of them has news.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

enum JoinedFuture<F: Future> {
    Pending(Pin<Box<F>>),
    Done(F::Output),
}

/// What each comes to, in their order.
pub(super) async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut courses: Vec<_> =
        futures.into_iter().map(|future| JoinedFuture::Pending(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut is_over = true;
        for course in &mut courses {
            let JoinedFuture::Pending(future) = course else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(ended) => *course = JoinedFuture::Done(ended),
                Poll::Pending => is_over = false,
            }
        }
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let ended = |course| match course {
        JoinedFuture::Done(ended) => Some(ended),
        JoinedFuture::Pending(_) => None,
    };
    courses.into_iter().filter_map(ended).collect()
}
