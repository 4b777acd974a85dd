//! Workers that serve every area: they publish events, send mail and rotate secrets.

pub mod mail_templates;
pub mod team_mails;

kit::functions! {
    worker publish_events::PublishEvents;
    worker record_mail_feedback::RecordMailFeedback;
    worker rotate_secrets::RotateSecrets;
    worker send_mail::SendMail;
}
