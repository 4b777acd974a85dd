//! Data protection: export and deletion of a user's data.

mod elsewhere;
mod kept_referral;
mod stripe_customer;

kit::functions! {
    endpoint request::RequestPrivacyJob;
    endpoint status::ReadStatus;
    worker run_deletion::RunDeletion;
    worker run_export::RunExport;
}
