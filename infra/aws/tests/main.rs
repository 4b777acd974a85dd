//! The stand-ins as the real SDK clients see them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in what several tests share"
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
