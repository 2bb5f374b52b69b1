//! Who carries a request out: this process, or the server that has opened the store.

use std::{
    io,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bedrock_sso::{
    failure::Exit,
    host,
    http::{Client, HttpSettings},
    text::{describe_io_error, display_path},
};

use crate::{
    administration::{
        AdminAnswer, AdminRequest, Administration,
        socket::{self, SocketAnswer},
    },
    api::Service,
    config::{Config, StoreLocation},
    failure::Failure,
    prices::PriceList,
    store::{Store, StoreError, dynamodb_store::DynamoDbStore, file_store::FileStore},
};

/// For how long a command waits for a server that is just starting, and has opened the store but not its socket.
const SERVER_START: Duration = Duration::from_secs(5);

/// The pause before the next attempt to open a store that another process holds for a moment.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

pub(super) fn open_store(
    runtime: &tokio::runtime::Runtime,
    location: &StoreLocation,
) -> Result<Arc<dyn Store>, Failure> {
    Ok(match location {
        StoreLocation::File(path) => Arc::new(open_when_free(path)?),
        StoreLocation::DynamoDb { table } => Arc::new(runtime.block_on(open_table(table))?),
        StoreLocation::Nowhere => return Err(no_store()),
    })
}

async fn open_table(table: &str) -> Result<DynamoDbStore, Failure> {
    let environment = host::Environment::Process;
    let client = Client::new_for_service(HttpSettings::from_environment(&environment)).map_err(|error| {
        Failure::configuration(
            format!("requests to AWS are impossible: {error:?}"),
            "correct the proxy or the CA bundle in the environment",
        )
    })?;
    Ok(DynamoDbStore::open(table, &client, &environment).await?)
}

/// Opens the store. An administrator's command may have opened it for a moment.
fn open_when_free(path: &Path) -> Result<FileStore, Failure> {
    let deadline = Instant::now() + SERVER_START;
    loop {
        match FileStore::open(path) {
            // The lock of a file reports no event when it becomes free.
            Err(StoreError::InUse(_)) if Instant::now() < deadline => thread::sleep(RETRY_PAUSE),
            opened => return opened.map_err(Failure::from),
        }
    }
}

/// Carries the request out here, or in the server that has opened the store.
pub(super) async fn carry_out(
    config: &Config,
    prices: PriceList,
    request: AdminRequest,
) -> Result<AdminAnswer, Failure> {
    match &config.store {
        StoreLocation::File(path) => match FileStore::open(path) {
            Ok(store) => carry_out_here(Arc::new(store), config, prices, request).await,
            Err(StoreError::InUse(_)) => send_to_server(path, &request).await,
            Err(error) => Err(error.into()),
        },
        StoreLocation::DynamoDb { table } => {
            carry_out_here(Arc::new(open_table(table).await?), config, prices, request).await
        }
        StoreLocation::Nowhere => Err(no_store()),
    }
}

fn no_store() -> Failure {
    Failure::configuration(
        "store = \"none\" leaves nothing to work on",
        "set store to file:PATH or dynamodb:TABLE; only the function with the role relay needs none",
    )
}

async fn carry_out_here(
    store: Arc<dyn Store>,
    config: &Config,
    prices: PriceList,
    request: AdminRequest,
) -> Result<AdminAnswer, Failure> {
    let service = Service::for_command(config, prices, store)?;
    let Service { store, watch, prices, calendar, now, .. } = &service;
    let administration = Administration { store: store.as_ref(), watch, calendar, prices, now: now() };
    Ok(administration.carry_out(request).await?)
}

async fn send_to_server(store: &Path, request: &AdminRequest) -> Result<AdminAnswer, Failure> {
    let unreachable = |error: io::Error| {
        Failure::new(
            Exit::Busy,
            "store/in_use",
            format!(
                "another program has opened the store {}, and does not answer: {}",
                display_path(store),
                describe_io_error(&error)
            ),
            "wait until it has ended, or see whether the server runs as another user",
        )
    };
    let sent = tokio::time::timeout(SERVER_START, async {
        loop {
            match socket::connect(store).await {
                // The server opens its socket right after the store, and nothing reports that.
                Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
                Ok(stream) => return stream,
            }
        }
    })
    .await
    .map_err(|_| unreachable(io::ErrorKind::TimedOut.into()))?;
    match socket::send(sent, request).await.map_err(unreachable)? {
        SocketAnswer::Done(answer) => Ok(answer),
        SocketAnswer::Refused(error) => Err(error.into()),
    }
}
