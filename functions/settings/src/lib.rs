//! Onboarding, profile and public profile.

kit::functions! {
    endpoint onboarding::Onboard;
    endpoint username_check::CheckUsername;
    endpoint settings_read::ReadSettings;
    endpoint settings_update::UpdateSettings;
    endpoint users_public_profile::PublicProfile;
    endpoint account_summary::Summarize;
}
