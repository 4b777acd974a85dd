//! Data protection: export and deletion of a user's data.

mod elsewhere;

kit::functions! {
    endpoint request::RequestPrivacyJob;
    endpoint status::ReadStatus;
    worker run_deletion::RunDeletion;
    worker run_export::RunExport;
}
