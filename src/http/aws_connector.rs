//! Lets the AWS SDK send through our client, so that roots, proxies and limits hold for AWS as for the provider.
//!
//! It converts; deadlines are the client's own, not the SDK's.

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

/// The SDK retries nothing and only carries the error, so its kind does not matter: `aws` takes our own out again.
impl From<Error> for ConnectorError {
    fn from(error: Error) -> Self {
        Self::other(error.into(), None)
    }
}
