//! Problem documents ([RFC 9457]): a stable code for machines and a sentence for people. Internals never appear in them.
//!
//! [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457

use std::borrow::Cow;

use bytes::Bytes;
use domain::{credential::CannotHash, permissions::Denied, text::Invalid, throttle::Wait};
use http::{HeaderValue, Response, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident $name:literal $status:literal;)*) => {
        /// A problem's stable name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
        #[schemars(inline)]
        pub enum Code {$(
            $(#[$doc])*
            #[serde(rename = $name)]
            $code,
        )*}

        impl Code {
            /// The name as it stands in the document.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            /// The HTTP status that goes with it.
            pub fn status(self) -> u16 {
                match self { $(Self::$code => $status,)* }
            }
        }
    };
}

codes! {
    /// The request can't be read.
    BadRequest "BAD_REQUEST" 400;
    /// The request can be read, but some of its fields are missing, unknown or not what they should be.
    ValidationError "VALIDATION_ERROR" 400;
    /// No credentials, or none that are good here.
    Unauthorized "UNAUTHORIZED" 401;
    /// The address or the password is wrong.
    InvalidCredentials "INVALID_CREDENTIALS" 401;
    /// The workspace has less credit than this needs.
    InsufficientCredit "INSUFFICIENT_CREDIT" 402;
    /// The API key's budget leaves less than this needs for this month.
    KeyBudgetExceeded "KEY_BUDGET_EXCEEDED" 402;
    /// The bank declined the payment.
    PaymentDeclined "PAYMENT_DECLINED" 402;
    /// The caller is known and may not do this.
    Forbidden "FORBIDDEN" 403;
    /// The sign-in is too old for this.
    StepUpRequired "STEP_UP_REQUIRED" 403;
    /// The plan has no room for it.
    PlanLimitReached "PLAN_LIMIT_REACHED" 403;
    /// The team has no paid plan.
    TeamInactive "TEAM_INACTIVE" 403;
    /// The user owns too many teams.
    TeamLimitReached "TEAM_LIMIT_REACHED" 403;
    /// Onboarding comes first.
    OnboardingRequired "ONBOARDING_REQUIRED" 403;
    /// A browser's session needs the CSRF token in a header.
    CsrfTokenRequired "CSRF_TOKEN_REQUIRED" 403;
    /// There is no such thing, or the caller may not know of it.
    NotFound "NOT_FOUND" 404;
    /// Nobody can redeem this promo code: it does not exist, has ended, or is used up.
    PromoUnavailable "PROMO_UNAVAILABLE" 409;
    /// The job was settled or released already.
    JobEnded "JOB_ENDED" 409;
    /// The job costs more than is held for it.
    HoldExceeded "HOLD_EXCEEDED" 409;
    /// It clashes with how things stand.
    Conflict "CONFLICT" 409;
    /// The handle belongs to another.
    UsernameTaken "USERNAME_TAKEN" 409;
    /// The address belongs to an account already.
    EmailTaken "EMAIL_TAKEN" 409;
    /// The account has no password.
    NoPassword "NO_PASSWORD" 409;
    /// The address is one of the account's own already.
    EmailAlreadyAdded "EMAIL_ALREADY_ADDED" 409;
    /// The account has too many addresses.
    EmailLimitReached "EMAIL_LIMIT_REACHED" 409;
    /// The user follows too many accounts.
    FollowLimitReached "FOLLOW_LIMIT_REACHED" 409;
    /// The address is not verified.
    EmailUnverified "EMAIL_UNVERIFIED" 409;
    /// The address is the primary one.
    EmailIsPrimary "EMAIL_IS_PRIMARY" 409;
    /// The slug belongs to another.
    SlugTaken "SLUG_TAKEN" 409;
    /// The file was not sent yet.
    UploadIncomplete "UPLOAD_INCOMPLETE" 409;
    /// The user owns a team, which has to go first.
    OwnsTeams "OWNS_TEAMS" 409;
    /// The team has other members, who have to go first.
    TeamHasMembers "TEAM_HAS_MEMBERS" 409;
    /// Members and pending invitations take all seats of the team.
    SeatLimitReached "SEAT_LIMIT_REACHED" 409;
    /// The address is invited already.
    AlreadyInvited "ALREADY_INVITED" 409;
    /// The person is a member already.
    AlreadyMember "ALREADY_MEMBER" 409;
    /// The owner cannot leave.
    OwnerCannotLeave "OWNER_CANNOT_LEAVE" 409;
    /// A provider's identity belongs to another account.
    IdentityTaken "IDENTITY_TAKEN" 409;
    /// The account is connected with another account of the provider.
    ProviderConnected "PROVIDER_CONNECTED" 409;
    /// The user disconnected the provider from the account.
    ProviderDisconnected "PROVIDER_DISCONNECTED" 409;
    /// Nothing else remains to sign in with.
    LastSignInMethod "LAST_SIGN_IN_METHOD" 409;
    /// The body is too large.
    PayloadTooLarge "PAYLOAD_TOO_LARGE" 413;
    /// The body is no JSON, or compressed.
    UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" 415;
    /// The code is wrong, expired, or was tried too often.
    CodeInvalid "CODE_INVALID" 422;
    /// The authorization at a provider is unknown, expired, or of another browser.
    AuthorizationInvalid "AUTHORIZATION_INVALID" 422;
    /// The provider has not verified the address.
    ProviderEmailUnverified "PROVIDER_EMAIL_UNVERIFIED" 422;
    /// A new account needs a data region.
    RegionRequired "REGION_REQUIRED" 422;
    /// The address gets no mail at the moment.
    EmailUndeliverable "EMAIL_UNDELIVERABLE" 422;
    /// The invitation is of another address than those of the account.
    InvitationAddressMismatch "INVITATION_ADDRESS_MISMATCH" 403;
    /// The mailed token is wrong, expired, or was used.
    TokenInvalid "TOKEN_INVALID" 422;
    /// The code alone is not enough; the password must come with it.
    PasswordRequired "PASSWORD_REQUIRED" 422;
    /// The promo or referral code is unknown.
    PromoInvalid "PROMO_INVALID" 422;
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused "IDEMPOTENCY_KEY_REUSED" 422;
    /// Too many requests.
    RateLimited "RATE_LIMITED" 429;
    /// A defect of ours.
    InternalError "INTERNAL_ERROR" 500;
    /// The deployment takes no payments.
    PaymentsNotSetUp "PAYMENTS_NOT_SET_UP" 503;
    /// Something that this needs does not answer; nothing is known to have changed.
    Unavailable "UNAVAILABLE" 503;
}

impl Code {
    /// The problem's short title.
    pub fn title(self) -> &'static str {
        StatusCode::from_u16(self.status())
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Error")
    }
}

/// The most fields that a problem lists.
pub const MOST_ERRORS: usize = 20;
/// The most characters of a name from outside that an answer repeats.
const LONGEST_NAME: usize = 64;

/// A name from outside as an answer repeats it: bounded, so that the answer is.
pub(crate) fn shortened(name: &str) -> String {
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => [name.get(..end).unwrap_or_default(), "…"].concat(),
        None => name.to_owned(),
    }
}

/// The error of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// Which field.
    pub field: String,
    /// `REQUIRED`, `UNKNOWN` or `INVALID`.
    pub code: &'static str,
    /// One sentence: what is wrong, or what to do.
    pub message: String,
}

/// A problem document (`application/problem+json`).
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Problem")]
#[expect(missing_docs, reason = "RFC 9457 names them")]
pub struct Document<'a> {
    pub r#type: Cow<'a, str>,
    pub title: &'a str,
    pub status: u16,
    pub detail: &'a str,
    pub code: Code,
    /// The same sentence as `detail`, where the reference's clients look for it.
    pub error: &'a str,
    pub request_id: &'a str,
    /// By field: the first 20.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schemars(length(max = 20))]
    pub errors: &'a [FieldError],
}

/// A refusal on its way to the client.
#[derive(Debug, thiserror::Error)]
#[error("{}: {sentence}", code.as_str())]
pub struct Problem {
    /// The stable name.
    pub code: Code,
    /// A sentence that a person can act on.
    pub sentence: Cow<'static, str>,
    /// By field.
    pub errors: Vec<FieldError>,
    /// When to try again, in seconds.
    pub retry_after: Option<u64>,
    /// For the log only.
    pub inside: Option<String>,
}

impl Problem {
    /// A problem with a sentence.
    pub fn new(code: Code, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self { code, sentence: sentence.into(), errors: Vec::new(), retry_after: None, inside: None }
    }

    /// There is no such thing, or the caller may not know of it: the same bytes for both.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "Not found.")
    }

    /// Onboarding comes first.
    pub fn onboarding_required() -> Self {
        Self::new(Code::OnboardingRequired, "Finish setting up your account first.")
    }

    /// The team has no paid plan, so that only its owner has access.
    pub fn team_inactive() -> Self {
        let sentence =
            "This team has no active plan. Its owner can renew the plan, and then you have access again.";
        Self::new(Code::TeamInactive, sentence)
    }

    /// The slug is in use.
    pub fn slug_taken() -> Self {
        Self::new(Code::SlugTaken, "This slug is in use. Choose another.")
    }

    /// The plan's limit is reached.
    pub fn plan_limit_reached() -> Self {
        Self::new(
            Code::PlanLimitReached,
            "This exceeds the limit of your plan. Delete something permanently, or upgrade your plan.",
        )
    }

    /// The time was over.
    pub fn too_late() -> Self {
        let sentence = "This took too long. Please try again in a moment.";
        Self { retry_after: Some(1), ..Self::new(Code::Unavailable, sentence) }
    }

    /// The API key is wrong, was revoked, or its workspace was deleted.
    pub fn invalid_key() -> Self {
        Self::unauthorized("This API key is not valid.")
    }

    /// The request has no valid credential.
    pub fn unauthorized(sentence: &'static str) -> Self {
        Self::new(Code::Unauthorized, sentence)
    }

    /// The API key of a team can't act as a person.
    pub fn key_of_team() -> Self {
        let sentence = "This API key belongs to a team. Sign in, or use an API key of a personal account.";
        Self::new(Code::Forbidden, sentence)
    }

    /// One field is wrong.
    pub fn field(field: &str, invalid: &Invalid) -> Self {
        Self::fields(vec![FieldError { field: field.into(), code: "INVALID", message: invalid.to_string() }])
    }

    /// One field is missing.
    pub fn required(field: &str) -> Self {
        Self::fields(vec![FieldError {
            field: field.into(),
            code: "REQUIRED",
            message: "This field is required.".into(),
        }])
    }

    /// Fields are wrong; the sentence is that of the first. The first 20 are named.
    pub fn fields(mut errors: Vec<FieldError>) -> Self {
        let mut sentence = match errors.first() {
            Some(FieldError { field, message, .. }) if field.is_empty() => message.clone(),
            Some(FieldError { field, message, .. }) => format!("{field}: {message}"),
            None => String::new(),
        };
        if errors.len() > MOST_ERRORS {
            errors.truncate(MOST_ERRORS);
            sentence.push_str(" Only the first 20 problems are listed.");
        }
        Self { errors, ..Self::new(Code::ValidationError, sentence) }
    }

    /// A defect of ours; `inside` goes to the log.
    pub fn internal(inside: impl Into<String>) -> Self {
        Self {
            inside: Some(inside.into()),
            ..Self::new(
                Code::InternalError,
                "Something went wrong on our side. Please tell us the request id.",
            )
        }
    }

    /// The document as a response.
    pub fn response(&self, request_id: &str) -> Response<Bytes> {
        let document = Document {
            r#type: "about:blank".into(),
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.sentence,
            code: self.code,
            error: &self.sentence,
            request_id,
            errors: &self.errors,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code.status() == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let code = match denied {
            Denied::OwnerOnly | Denied::RoleTooLow(_) | Denied::RoleNotBelow => Code::Forbidden,
            Denied::StepUpNeeded => Code::StepUpRequired,
        };
        Self::new(code, denied.to_string())
    }
}

impl From<Wait> for Problem {
    fn from(wait: Wait) -> Self {
        Self {
            retry_after: Some(wait.seconds),
            ..Self::new(
                Code::RateLimited,
                format!("Too many attempts. Try again in {} seconds.", wait.seconds),
            )
        }
    }
}

impl From<CannotHash> for Problem {
    fn from(error: CannotHash) -> Self {
        Self::internal(error.to_string())
    }
}
