//! Functions without a route, which events or schedules set off.

mod event;
mod letters;
mod once;

kit::functions! {
    worker confirm_claims::ConfirmClaims;
    worker publish_events::PublishEvents;
    worker purge_trash::PurgeTrash;
    worker reap_claims::ReapClaims;
    worker rotate_secrets::RotateSecrets;
    worker run_deletion::RunDeletion;
    worker run_export::RunExport;
    worker send_mail::SendMail;
}
