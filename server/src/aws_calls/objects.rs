//! Objects in S3.

use axum::http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{AwsCall, AwsCallError, AwsClient, CalledService};

/// What S3 expects to be encoded in a path: everything but what RFC 3986 calls unreserved, and the slash.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

impl AwsClient {
    /// The content of an object, as it is stored.
    pub async fn get_object(&self, region: &str, bucket: &str, key: &str) -> Result<Vec<u8>, AwsCallError> {
        let encode = |text| utf8_percent_encode(text, ENCODED);
        let call = AwsCall {
            service: CalledService::S3,
            operation: "GetObject",
            method: Method::GET,
            region,
            // The bucket is a part of the path, because a name with dots is in no certificate.
            path: format!("/{}/{}", encode(bucket), encode(key)),
            headers: Vec::new(),
            body: Vec::new(),
        };
        self.call(&call).await
    }
}
