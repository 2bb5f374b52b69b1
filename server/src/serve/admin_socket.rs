//! The administrators' side of a running server: their commands arrive at a socket, because only one process can open
//! the store's file.

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use bedrock_sso::{
    failure::Exit,
    log,
    text::{describe_io_error, display_path},
};
use tokio::time::sleep;

use crate::{
    administration::{
        AdminRequest, Administration,
        socket::{self, SocketAnswer},
    },
    api::Service,
    failure::Failure,
};

/// The pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers administrators, as long as the server runs.
pub(super) fn serve_administrators(
    store: &Path,
    service: Arc<Service>,
) -> Result<impl Future<Output = ()> + use<>, Failure> {
    let listener = socket::listen(store).map_err(|error| {
        Failure::new(
            Exit::Storage,
            "serve/admin_socket",
            format!(
                "no socket for administrators at {}: {}",
                display_path(&socket::socket_path(store)),
                describe_io_error(&error)
            ),
            "put the store into a folder that this user can write, with a short path",
        )
    })?;
    Ok(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let service = Arc::clone(&service);
                    tokio::spawn(async move {
                        let answered = socket::answer(stream, |request| carry_out(service, request)).await;
                        if let Err(error) = answered {
                            log::info("serve", format_args!("an administrator got no answer: {error}"));
                        }
                    });
                }
                Err(error) => {
                    log::warn("serve", format_args!("an administrator cannot be accepted: {error}"));
                    // The usual cause, too many open files, lasts for a while: without a pause the loop would occupy a
                    // processor until then.
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}

async fn carry_out(service: Arc<Service>, request: AdminRequest) -> SocketAnswer {
    let Service { store, watch, prices, calendar, now, .. } = &*service;
    let administration = Administration { store: store.as_ref(), watch, calendar, prices, now: now() };
    match administration.carry_out(request).await {
        Ok(answer) => SocketAnswer::Done(answer),
        Err(error) => SocketAnswer::Refused(error),
    }
}
