//! Functions without a route that events set off.

mod letters;

kit::functions! {
    worker publish_events::PublishEvents;
    worker send_mail::SendMail;
}
