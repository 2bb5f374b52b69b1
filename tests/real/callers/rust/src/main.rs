//! Prints the identity that the AWS SDK for Rust has by its default chain, with the profile and the endpoint in its
//! environment.

use std::{env, fs, process::ExitCode};

use aws_sdk_sts::error::DisplayErrorContext;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // The SDK does not read this variable.
    let authority = fs::read(env::var("AWS_CA_BUNDLE").unwrap()).unwrap();
    let trust = TrustStore::empty().with_pem_certificate(authority);
    let trust = TlsContext::builder().with_trust_store(trust).build().unwrap();
    let client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(trust).build_https();
    let settings = aws_config::from_env().region("us-east-1").http_client(client).load().await;
    match aws_sdk_sts::Client::new(&settings).get_caller_identity().send().await {
        Ok(answer) => {
            println!("{}", answer.arn().unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", DisplayErrorContext(&error));
            ExitCode::FAILURE
        }
    }
}
