//! The AWS actions that a function may perform. The statements in the template, the rules of the local platform, and the tests
//! of both derive from them.

use crate::items::ItemKind;

/// An AWS action that a function may perform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The resource.
    pub on: On,
    /// The action, without its service.
    pub action: &'static str,
}

/// A resource that actions are granted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    /// A kind of items in the region's own tables, or in its replica of the directory.
    ItemKind(ItemKind),
    /// A kind of items of the directory, where it is written.
    Authority(ItemKind),
    /// The workspaces' data keys, which the region's key wraps.
    DataKeys,
    /// A secret.
    Secret(&'static str),
    /// The region's event bus.
    Bus,
    /// Mail from the platform's address.
    Mail,
    /// Files in the region's bucket.
    Files,
    /// Export bundles in it.
    Bundles,
    /// Pictures of users and teams in it.
    Icons,
}

impl On {
    /// The prefix of the service's actions in IAM.
    pub const fn service(self) -> &'static str {
        match self {
            Self::ItemKind(_) | Self::Authority(_) => "dynamodb",
            Self::DataKeys => "kms",
            Self::Secret(_) => "secretsmanager",
            Self::Bus => "events",
            Self::Mail => "ses",
            Self::Files | Self::Bundles | Self::Icons => "s3",
        }
    }
}

impl Grant {
    /// A DynamoDB action on items of a kind; of the directory's, in the region's own replica.
    pub const fn items(action: &'static str, items: ItemKind) -> Self {
        Self { on: On::ItemKind(items), action }
    }

    /// A DynamoDB action on items of the directory where it is written.
    pub const fn authority(action: &'static str, items: ItemKind) -> Self {
        Self { on: On::Authority(items), action }
    }

    /// A KMS action on workspaces' data keys.
    pub const fn data_keys(action: &'static str) -> Self {
        Self { on: On::DataKeys, action }
    }

    /// Reading a secret.
    pub const fn secret(name: &'static str) -> Self {
        Self::on_secret("GetSecretValue", name)
    }

    /// A Secrets Manager action on a secret.
    pub const fn on_secret(action: &'static str, name: &'static str) -> Self {
        Self { on: On::Secret(name), action }
    }

    /// Publishing events.
    pub const fn bus() -> Self {
        Self { on: On::Bus, action: "PutEvents" }
    }

    /// Sending mail.
    pub const fn mail() -> Self {
        Self { on: On::Mail, action: "SendEmail" }
    }

    /// An S3 action on files. Signing an upload needs `PutObject`, reading a file's length `ListBucket`, deleting
    /// `DeleteObject`.
    pub const fn files(action: &'static str) -> Self {
        Self { on: On::Files, action }
    }

    /// An S3 action on export bundles. Each step of writing one needs `PutObject`, giving one up `AbortMultipartUpload`, its
    /// length and a list of them `ListBucket`, signing a download `GetObject`, deleting `DeleteObject`.
    pub const fn bundles(action: &'static str) -> Self {
        Self { on: On::Bundles, action }
    }

    /// An S3 action on pictures. Storing one needs `PutObject`, signing its address `GetObject`, a list of them `ListBucket`,
    /// deleting `DeleteObject`.
    pub const fn icons(action: &'static str) -> Self {
        Self { on: On::Icons, action }
    }

    /// The action as IAM names it.
    pub fn iam_action(self) -> String {
        format!("{}:{}", self.on.service(), self.action)
    }
}
