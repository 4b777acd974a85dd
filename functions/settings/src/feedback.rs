//! `POST /api/feedback`: sends text to the operators, with or without an account. The region that receives it stores it until
//! it is mailed. Nothing verifies the contact address, so no mail goes there.

use std::sync::Arc;

use domain::{
    domain_events::DomainEvent,
    email::EmailAddress,
    feedback::{FeedbackKind, FeedbackText, UserFeedback},
    id::{FeedbackId, OfFeedback},
    ports::{Failure, FeedbackRecords, RateWindows},
    throttle::{NetworkLimit, Wait},
};
use kit::{
    Anyone, Body, Code, Endpoint, Output, Ports, Problem, RequestContext, Spec,
    grants::{extras, feedback_records, rate_windows},
    mail_allowance, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sends feedback.
pub struct SendFeedback;

/// Dependencies.
pub struct Deps {
    feedback: Arc<dyn FeedbackRecords>,
    windows: Arc<dyn RateWindows>,
    is_accepted: bool,
}

/// The feedback.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendFeedbackBody {
    /// The topic.
    kind: FeedbackKind,
    /// The text.
    text: FeedbackText,
    /// An email address for an answer.
    #[serde(default, deserialize_with = "domain::text::blank_as_none")]
    contact: Option<EmailAddress>,
}

/// The feedback was received and will be mailed to the operators.
#[derive(Serialize, JsonSchema)]
pub struct ReceivedFeedback {
    /// Always `true`.
    received: bool,
}
impl Output for ReceivedFeedback {}

kit::errors! {
    pub enum Error from Failure {
        /// The deployment has no address for feedback.
        NotAccepted => Problem::new(Code::NotFound, "Feedback is not accepted here."),
        /// The region sends no more mails for strangers in this hour.
        TooMany(wait: Wait) => wait,
    }
}

impl Endpoint for SendFeedback {
    const SPEC: Spec = spec("feedback", Post, "/api/feedback")
        .summary("Send feedback to the operators")
        .answers(202)
        .limits_network(NetworkLimit::Feedback)
        .once()
        .problems(&[Code::NotFound])
        .uses(&[feedback_records::SAVE, rate_windows::TAKE, extras::MESSAGE]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Body<SendFeedbackBody>;
    type Output = ReceivedFeedback;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            feedback: ports.feedback_records(),
            windows: ports.rate_windows(),
            is_accepted: ports.feedback_address().is_some(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        Body(form): Self::Input,
    ) -> Result<ReceivedFeedback, Error> {
        if !deps.is_accepted {
            return Err(Error::NotAccepted);
        }
        let answer = ReceivedFeedback { received: true };
        if call.made_before::<FeedbackId>().is_some() {
            return Ok(answer);
        }
        mail_allowance::take(&*deps.windows, call.now).await?.map_err(Error::TooMany)?;
        let SendFeedbackBody { kind, text, contact } = form;
        let id = call.id::<OfFeedback>();
        let feedback = UserFeedback { id, kind, text, contact, at: call.now };
        let notice = DomainEvent::FeedbackReceived { feedback: id };
        deps.feedback.save(&feedback, call.extras(None, Some(notice), id)).await?;
        Ok(answer)
    }
}
