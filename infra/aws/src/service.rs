//! The services that there are stand-ins for, and how a request names one.

use http::request::Parts;

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// DynamoDB and DynamoDB Streams: both sign as `dynamodb`.
    DynamoDb,
    Kms,
    SecretsManager,
    Ses,
    Events,
    S3,
}

impl Service {
    const ALL: [Self; 6] =
        [Self::DynamoDb, Self::Kms, Self::SecretsManager, Self::Ses, Self::Events, Self::S3];

    /// The name in a signature's scope, which is also the prefix of its IAM actions.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Kms => "kms",
            Self::SecretsManager => "secretsmanager",
            Self::Ses => "ses",
            Self::Events => "events",
            Self::S3 => "s3",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// What an unsigned request is meant for, as far as it can be told: its refusal has that service's
    /// format.
    pub(crate) fn guess(parts: &Parts) -> Self {
        let target = header(parts, "x-amz-target").unwrap_or("");
        let prefixes = [
            ("DynamoDB", Self::DynamoDb),
            ("TrentService.", Self::Kms),
            ("secretsmanager.", Self::SecretsManager),
            ("AWSEvents.", Self::Events),
        ];
        let by_target = prefixes.into_iter().find(|(prefix, _)| target.starts_with(prefix));
        match by_target {
            Some((_, service)) => service,
            None if parts.uri.path().starts_with("/v2/email/") => Self::Ses,
            None => Self::S3,
        }
    }
}

/// A header as text.
pub(crate) fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}
