//! The emulated services, and how requests select them.

use http::request::Parts;

/// An emulated AWS service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// DynamoDB and DynamoDB Streams, which share the signing name `dynamodb`.
    DynamoDb,
    Kms,
    SecretsManager,
    Ses,
    Events,
    Sqs,
    S3,
}

impl Service {
    const ALL: [Self; 7] =
        [Self::DynamoDb, Self::Kms, Self::SecretsManager, Self::Ses, Self::Events, Self::Sqs, Self::S3];

    /// The name in the credential scope, which is also the prefix of IAM actions.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Kms => "kms",
            Self::SecretsManager => "secretsmanager",
            Self::Ses => "ses",
            Self::Events => "events",
            Self::Sqs => "sqs",
            Self::S3 => "s3",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The probable service of an unsigned request. It determines the format of the error.
    pub(crate) fn guess(parts: &Parts) -> Self {
        let target = header(parts, "x-amz-target").unwrap_or("");
        let prefixes = [
            ("DynamoDB", Self::DynamoDb),
            ("TrentService.", Self::Kms),
            ("secretsmanager.", Self::SecretsManager),
            ("AWSEvents.", Self::Events),
            ("AmazonSQS.", Self::Sqs),
        ];
        let by_target = prefixes.into_iter().find(|(prefix, _)| target.starts_with(prefix));
        match by_target {
            Some((_, service)) => service,
            None if parts.uri.path().starts_with("/v2/email/") => Self::Ses,
            None => Self::S3,
        }
    }
}

/// The value of a header as text.
pub(crate) fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}
