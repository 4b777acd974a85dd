//! The options of the platform.

use std::path::PathBuf;

use aws::LeadingKeys;
use lambda::RangeUrl;
use url::Url;

/// The options of the platform.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port of the entry point; the regions use the following ports. 0 selects free ports.
    pub port: u16,
    /// The data folder.
    pub data: PathBuf,
    /// An external emulator for DynamoDB and S3 instead of the embedded stand-ins.
    pub aws: Option<Url>,
    /// A folder with the built binaries of functions, to run instead of their library code.
    pub binaries: Option<PathBuf>,
    /// The keys that a permission for a batch or a transaction is judged with.
    pub leading_keys: LeadingKeys,
    /// The origins of web pages that may use the APIs and the buckets, beside the pages of the platform itself: the template's
    /// parameter `AllowedOrigins`.
    pub origins: Vec<String>,
    /// Whether there is an address for feedback: the template's parameter `FeedbackTo` may be empty.
    pub accepts_feedback: bool,
    /// The service that looks up new passwords among breached ones: the template's parameter `BreachedPasswordsUrl`.
    pub breached_passwords: Option<RangeUrl>,
}
