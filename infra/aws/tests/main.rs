//! Tests the stand-ins with the real SDK clients.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests and their shared code fail by panicking"
)]

mod directory;
mod dynamodb;
mod events;
mod external;
mod faults;
mod homes;
mod journal;
mod killed;
mod kms;
mod measure;
mod s3;
mod secrets;
mod ses;
mod signatures;
mod support;
