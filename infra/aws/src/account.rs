//! The AWS account, and the key of its callers.

/// The secret access key of all callers.
pub const SECRET_ACCESS_KEY: &str = "local-secret";

/// The AWS account id in ARNs.
pub const ACCOUNT: &str = "000000000000";
