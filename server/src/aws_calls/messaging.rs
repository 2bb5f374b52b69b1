//! Messages to others: a notice to a topic of SNS, and an event for a function of Lambda.

use std::{fmt, str::FromStr};

use axum::http::{HeaderName, HeaderValue, Method, header};

use super::{AwsCall, AwsCallError, AwsClient, CalledService};

/// The version of SNS's interface.
const API_VERSION: &str = "2010-03-31";

/// The most characters of a message's subject, which must be ASCII without line breaks.
const MAX_SUBJECT: usize = 100;

/// The ARN of a topic, such as `arn:aws:sns:eu-west-1:123456789012:limits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicArn {
    text: String,
    region: String,
}

/// The text is not the ARN of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATopicArn;

impl FromStr for TopicArn {
    type Err = NotATopicArn;

    fn from_str(text: &str) -> Result<Self, NotATopicArn> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "sns", region, account, name] = parts.as_slice() else { return Err(NotATopicArn) };
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        let is_account = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
        match partition.starts_with("aws") && is_word(region) && is_account && is_word(name) {
            true => Ok(Self { text: text.to_owned(), region: (*region).to_owned() }),
            false => Err(NotATopicArn),
        }
    }
}

impl fmt::Display for TopicArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The name of a function of this Region and account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName(String);

/// The text is not the name of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAFunctionName;

impl FromStr for FunctionName {
    type Err = NotAFunctionName;

    fn from_str(text: &str) -> Result<Self, NotAFunctionName> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        match (1..=64).contains(&text.len()) && text.bytes().all(is_name) {
            true => Ok(Self(text.to_owned())),
            false => Err(NotAFunctionName),
        }
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AwsClient {
    /// Publishes a message. Subscribers can filter by the attributes, which are pairs of a name and a text.
    pub async fn publish(
        &self,
        topic: &TopicArn,
        subject: &str,
        message: &str,
        attributes: &[(&str, &str)],
    ) -> Result<(), AwsCallError> {
        let call = AwsCall {
            service: CalledService::Sns,
            operation: "Publish",
            method: Method::POST,
            region: &topic.region,
            path: "/".to_owned(),
            headers: vec![(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))],
            body: write_publish_form(topic, subject, message, attributes),
        };
        self.call(&call).await.map(|_| ())
    }

    /// Starts a function, and does not wait for its end. Lambda repeats an event that the function fails at.
    pub async fn invoke_function(&self, function: &FunctionName, event: &str) -> Result<(), AwsCallError> {
        let call = AwsCall {
            service: CalledService::Lambda,
            operation: "Invoke",
            method: Method::POST,
            region: &self.region,
            path: format!("/2015-03-31/functions/{function}/invocations"),
            headers: vec![
                (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (HeaderName::from_static("x-amz-invocation-type"), HeaderValue::from_static("Event")),
            ],
            body: event.as_bytes().to_vec(),
        };
        self.call(&call).await.map(|_| ())
    }
}

fn write_publish_form(topic: &TopicArn, subject: &str, message: &str, attributes: &[(&str, &str)]) -> Vec<u8> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", "Publish").append_pair("Version", API_VERSION);
    form.append_pair("TopicArn", &topic.text).append_pair("Message", message);
    let is_legal = |part: &char| part.is_ascii_graphic() || *part == ' ';
    form.append_pair("Subject", &subject.chars().filter(is_legal).take(MAX_SUBJECT).collect::<String>());
    for (index, (name, value)) in attributes.iter().enumerate() {
        let entry = format!("MessageAttributes.entry.{}", index + 1);
        form.append_pair(&format!("{entry}.Name"), name);
        form.append_pair(&format!("{entry}.Value.DataType"), "String");
        form.append_pair(&format!("{entry}.Value.StringValue"), value);
    }
    form.finish().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_topics_and_functions_are_accepted() {
        let topic: TopicArn = "arn:aws:sns:eu-west-1:123456789012:limits".parse().unwrap();
        assert_eq!((topic.region.as_str(), topic.to_string().len()), ("eu-west-1", 41));
        for illegal in ["", "limits", "arn:aws:sqs:eu-west-1:123456789012:x", "arn:aws:sns:eu-west-1:1:x"] {
            assert_eq!(illegal.parse::<TopicArn>(), Err(NotATopicArn), "{illegal}");
        }
        assert_eq!("limits-enforce".parse::<FunctionName>().unwrap().to_string(), "limits-enforce");
        for illegal in ["", "a/b", "a b", "../x", "arn:aws:lambda:eu-west-1:123456789012:function:x"] {
            assert_eq!(illegal.parse::<FunctionName>(), Err(NotAFunctionName), "{illegal}");
        }
    }
}
