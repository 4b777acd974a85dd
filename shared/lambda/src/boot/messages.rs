//! Mail, feedback and the event bus.

use std::sync::Arc;

use domain::{
    email::EmailAddress,
    ports::{Bus, Consumed, FeedbackRecords, MailBlocks, Mailer},
};
use kit::ports::MessagePorts;

use super::FunctionRuntime;
use crate::{client::client, config::Config};

impl MessagePorts for FunctionRuntime {
    fn mailer(&self) -> Arc<dyn Mailer> {
        self.is_certain("email");
        let client = client!(aws_sdk_sesv2, "email", &*self.sdk, mail::patient);
        let Config { mail_from, mail_configuration_set, .. } = self.config.clone();
        Arc::new(mail::SesMailer::new(client, mail_from, mail_configuration_set))
    }

    fn bus(&self) -> Arc<dyn Bus> {
        self.is_certain("events");
        let client = client!(aws_sdk_eventbridge, "events", &*self.sdk);
        Arc::new(events::EventBridge::new(client, self.config.event_bus.clone()))
    }

    fn mail_blocks(&self) -> Arc<dyn MailBlocks> {
        self.store()
    }

    fn feedback_records(&self) -> Arc<dyn FeedbackRecords> {
        self.store()
    }

    fn feedback_address(&self) -> Option<EmailAddress> {
        self.config.feedback_to.clone()
    }

    fn consumed(&self) -> Arc<dyn Consumed> {
        self.store()
    }
}
