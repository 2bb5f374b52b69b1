//! Lets the AWS SDK send its requests through [`Client`], so that certificates, proxies and limits apply to AWS as
//! well.
//!
//! It only converts requests and answers. The client sets the timeouts; those of the SDK are off.

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;

use super::{Client, Error};

impl HttpClient for Client {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// The SDK's own settings are ignored: they would be a second source of timeouts.
impl HttpConnector for Client {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.clone();
        HttpConnectorFuture::new(async move { send_sdk_request(&client, request).await })
    }
}

async fn send_sdk_request(client: &Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let answer = client.send(request.map(|body| body.bytes().unwrap_or_default().to_vec())).await?;
    let mut response = ::http::Response::new(SdkBody::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
}

/// The SDK does not retry and only carries the error, so the kind does not matter: `aws` extracts the [`Error`] again.
impl From<Error> for ConnectorError {
    fn from(error: Error) -> Self {
        Self::other(error.into(), None)
    }
}
