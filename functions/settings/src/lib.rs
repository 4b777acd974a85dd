//! Onboarding, profile, public profile, following and feedback.

mod elsewhere;
mod followers;
mod icon_form;
mod icons;
mod multipart;
mod opening_codes;
mod opening_credit;

kit::functions! {
    endpoint onboarding::Onboard;
    endpoint username_check::CheckUsername;
    endpoint settings_read::ReadSettings;
    endpoint settings_update::UpdateSettings;
    endpoint icon_upload::UploadIcon;
    endpoint icon_remove::RemoveIcon;
    endpoint icon_read::ReadIcon;
    endpoint users_public_profile::PublicProfile;
    endpoint users_follow::FollowUser;
    endpoint account_summary::Summarize;
    endpoint feedback::SendFeedback;
    worker publish_followers::PublishFollowers;
}
