//! Mail and the event bus.

use std::sync::Arc;

use domain::ports::{Bus, Consumed, Mailer};
use kit::ports::MessagePorts;

use super::FunctionRuntime;
use crate::client::client;

impl MessagePorts for FunctionRuntime {
    fn mailer(&self) -> Arc<dyn Mailer> {
        self.is_certain("email");
        let client = client!(aws_sdk_sesv2, "email", &*self.sdk);
        Arc::new(mail::SesMailer::new(client, self.config.mail_from.clone()))
    }

    fn bus(&self) -> Arc<dyn Bus> {
        self.is_certain("events");
        let client = client!(aws_sdk_eventbridge, "events", &*self.sdk);
        Arc::new(events::EventBridge::new(client, self.config.event_bus.clone()))
    }

    fn consumed(&self) -> Arc<dyn Consumed> {
        self.store()
    }
}
