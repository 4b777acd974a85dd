//! Text of all emails but those about teams ([`team_mails`](crate::team_mails)).

use domain::{
    Timestamp,
    deletion::{DeletionScope, Receipt},
    email::EmailAddress,
    feedback::UserFeedback,
    id::{JobId, SessionId},
    mail_content::MailContent,
    password_reset::ResetToken,
    ports::Mail,
    provider::Provider,
    region::Region,
    secret::Secret,
    session_client::SessionClient,
    sign_up::{Attempt, VerificationCode},
    user_addresses::PendingAddress,
};

/// Sends the code that verifies an email address, and names the sign-up.
pub fn sign_up_code(attempt: &Attempt, code: &VerificationCode) -> Mail {
    let code = code.expose();
    let lines = [
        format!("Your code is {code}"),
        format!(
            "Enter this code to verify your email address and finish signing up. The code expires at {}, 10 minutes after the sign-up.",
            attempt.expires_at().strftime("%H:%M UTC")
        ),
        format!(
            "This code is for the sign-up of {} from {}. The code works only in the browser or app that started the sign-up, or together with the password of that sign-up.",
            attempt.at.strftime("%Y-%m-%d %H:%M UTC"),
            attempt.device.as_str()
        ),
        "Don't share this code. If you didn't sign up, ignore this email.".to_owned(),
    ];
    mail(attempt.email.clone(), "sign-up-code", "Your verification code", &lines)
}

/// Sends a code that expired before it could be sent.
pub fn late_sign_up_code(attempt: &Attempt, code: &VerificationCode) -> Mail {
    let lines = [
        format!("Your code {} has expired, because this email was delayed.", code.expose()),
        format!(
            "Sign up again to get a new code. This code was for the sign-up of {} from {}.",
            attempt.at.strftime("%Y-%m-%d %H:%M UTC"),
            attempt.device.as_str()
        ),
        "If you didn't sign up, ignore this email.".to_owned(),
    ];
    mail(attempt.email.clone(), "sign-up-code", "Your verification code was delayed", &lines)
}

/// Tells the owner of an account that someone signed up with its email address.
pub fn account_exists(to: EmailAddress) -> Mail {
    let lines = [
        "Someone tried to sign up with your email address.".to_owned(),
        "Your email address already has an account. Sign in instead.".to_owned(),
        "If you didn't try to sign up, ignore this email.".to_owned(),
    ];
    mail(to, "account-exists", "You already have an account", &lines)
}

/// Sends the code that verifies another email address of an account.
pub fn address_code(address: &PendingAddress, code: &VerificationCode) -> Mail {
    let lines = [
        format!("Your code is {}", code.expose()),
        format!(
            "Enter this code in your settings to verify this email address. The code expires at {}, 10 minutes after you requested it.",
            address.code_expires_at().strftime("%H:%M UTC")
        ),
        "Don't share this code. If you didn't add this email address to your account, ignore this email."
            .to_owned(),
    ];
    mail(address.email.clone(), "address-code", "Verify your email address", &lines)
}

/// Sends such a code that expired before it could be sent.
pub fn late_address_code(address: &PendingAddress, code: &VerificationCode) -> Mail {
    let lines = [
        format!("Your code {} has expired, because this email was delayed.", code.expose()),
        "Request another code in your settings. If you didn't add this email address to your account, ignore this email.".to_owned(),
    ];
    mail(address.email.clone(), "address-code", "Your verification code was delayed", &lines)
}

/// Tells the owner of an account that someone added its email address to another account.
pub fn address_in_use(to: EmailAddress) -> Mail {
    let lines = [
        "Someone tried to add your email address to another account.".to_owned(),
        "Your email address already belongs to an account, so it can't be added to another one. To move it, first remove it from that account.".to_owned(),
        "If you didn't try to add it, ignore this email.".to_owned(),
    ];
    mail(to, "address-in-use", "Your email address belongs to an account", &lines)
}

/// Reports another verified email address.
pub fn address_added(to: EmailAddress, added: Option<&EmailAddress>) -> Mail {
    let lines = [
        match added {
            Some(added) => format!("An email address was added to your account: {added}"),
            None => "An email address was added to your account.".to_owned(),
        },
        "You can sign in with it. If you didn't add it, remove it in your settings and change your password."
            .to_owned(),
    ];
    mail(to, "address-added", "An email address was added to your account", &lines)
}

/// Reports a removed email address.
pub fn address_removed(to: EmailAddress) -> Mail {
    let lines = [
        "An email address was removed from your account. Nobody can sign in with it any more.".to_owned(),
        "If you didn't remove it, end your other sessions and change your password.".to_owned(),
    ];
    mail(to, "address-removed", "An email address was removed from your account", &lines)
}

/// Tells the former primary email address of an account that another one is primary now.
pub fn primary_address_changed(to: EmailAddress) -> Mail {
    let lines = [
        "Another email address is now the primary one of your account. Notifications and recovery emails go there from now on.".to_owned(),
        "If you didn't change it, sign in, change it back and change your password.".to_owned(),
    ];
    mail(to, "primary-address-changed", "Your primary email address was changed", &lines)
}

/// Reports a new API key of the account.
pub fn api_key_created(to: EmailAddress, name: &str) -> Mail {
    let lines = [
        format!("A new API key was created for your account: {name}"),
        "If you didn't create this API key, revoke the key in your settings and change your password."
            .to_owned(),
    ];
    mail(to, "api-key-created", "A new API key was created", &lines)
}

/// Reports a session that ended because its refresh token was used twice.
pub fn session_ended(to: EmailAddress) -> Mail {
    let lines = [
        "We ended one of your sessions because its token was used from two places.".to_owned(),
        "Sign in again to continue. If you didn't expect this email, change your password.".to_owned(),
    ];
    mail(to, "session-ended", "We ended one of your sessions", &lines)
}

/// Reports a provider's account that may sign in from now on.
pub fn provider_connected(to: EmailAddress, provider: Provider) -> Mail {
    let name = provider.display_name();
    let lines = [
        format!("A {name} account was connected to your account. It can be used to sign in."),
        format!("If you didn't do this, disconnect {name} in your settings and end all other sessions."),
    ];
    mail(to, "provider-connected", &format!("{name} was connected to your account"), &lines)
}

/// Reports a provider's account that may no longer sign in.
pub fn provider_disconnected(to: EmailAddress, provider: Provider) -> Mail {
    let name = provider.display_name();
    let lines = [
        format!(
            "Your {name} account was disconnected. Signing in with it connects it again, if {name} has verified an email address of \
             your account."
        ),
        "If you didn't do this, reset your password and end all other sessions.".to_owned(),
    ];
    mail(to, "provider-disconnected", &format!("{name} was disconnected from your account"), &lines)
}

/// Reports a sign-in on a device without a device token. `client` is absent if the session ended before this mail.
pub fn new_device(to: EmailAddress, session: SessionId, client: Option<&SessionClient>) -> Mail {
    let device = client.map_or("a device that has signed out since", |client| client.device.as_str());
    let address = client.and_then(|client| client.address);
    let lines = [
        format!(
            "Your account was signed in to at {} from {device}{}.",
            session.made_at().strftime("%Y-%m-%d %H:%M UTC"),
            address.map(|address| format!(", network address {address}")).unwrap_or_default()
        ),
        "If this was you, ignore this email.".to_owned(),
        "If it wasn't you, reset your password now: this ends all your sessions. To end only this session, open the list of your \
         sessions, or call the API while you are signed in:"
            .to_owned(),
        format!("DELETE /api/auth/sessions/{session}"),
    ];
    mail(to, "new-device", "New sign-in to your account", &lines)
}

/// Sends a password reset token.
pub fn password_reset(to: EmailAddress, token: &ResetToken) -> Mail {
    let lines = [
        "A password reset was requested for your account. To set a new password, enter this token within 30 minutes:"
            .to_owned(),
        token.text().expose().to_owned(),
        "This token works once and replaces the tokens of earlier emails. Setting a new password signs you out everywhere.".to_owned(),
        "Don't share this token. If you didn't request it, ignore this email.".to_owned(),
    ];
    mail(to, "password-reset", "Reset your password", &lines)
}

/// Tells that a reset token expired before it could be sent.
pub fn late_password_reset(to: EmailAddress) -> Mail {
    let lines = [
        "A password reset was requested for your account. Its token has expired, because this email was delayed.".to_owned(),
        "Request another password reset. If you didn't request one, ignore this email.".to_owned(),
    ];
    mail(to, "password-reset", "Your password reset was delayed", &lines)
}

/// Reports a changed password.
pub fn password_changed(to: EmailAddress) -> Mail {
    let lines = [
        "Your password was changed, and all other sessions were ended.".to_owned(),
        "Accounts of Google and GitHub that are connected to yours can still sign in: check them in your settings.".to_owned(),
        "If you didn't change your password, request a password reset now and make sure that nobody else can read your email."
            .to_owned(),
    ];
    mail(to, "password-changed", "Your password was changed", &lines)
}

/// Reports a finished data export. The email has no download link: downloading requires a session.
pub fn export_ready(to: EmailAddress, export: JobId) -> Mail {
    let lines = [
        "Your data export is ready.".to_owned(),
        "Sign in and open the page where you requested the export, or call the API while you are signed in:".to_owned(),
        format!("GET /api/gdpr?jobId={export}"),
        "The response contains a download link that works for one hour. Repeat the request to get a new link. We delete the export after 7 days."
            .to_owned(),
        "If you didn't request an export, reset your password.".to_owned(),
    ];
    mail(to, "export-ready", "Your data export is ready", &lines)
}

/// Reports a deleted account or team: erased data, kept data with reasons, and the signed receipt.
pub fn deleted(receipt: &Receipt, signed: &str) -> MailContent {
    let (kind, subject) = match receipt.scope {
        DeletionScope::Account => ("account-deleted", "Your account was deleted"),
        DeletionScope::Team => ("team-deleted", "Your team was deleted"),
    };
    let counted: Vec<String> =
        receipt.erased.iter().map(|(what, count)| format!("{what}: {count}")).collect();
    let opening = format!(
        "{subject} on {}, as requested on {}, together with all its data.",
        day(receipt.completed_at),
        day(receipt.requested_at)
    );
    let erased = (!counted.is_empty()).then(|| format!("Erased data includes {}.", counted.join(", ")));
    let kept = receipt.kept.iter().map(|kept| match kept.until {
        Some(until) => format!("{}, until {}. {}", kept.what, day(until), kept.why),
        None => format!("{}. {}", kept.what, kept.why),
    });
    let closing = [
        "This is the signed receipt, a JSON Web Token (RFC 7519). The token's header names the key that verifies the receipt. \
         Our public keys are at /.well-known/jwks.json, and our retired keys at /.well-known/jwks.json?retired=true."
            .to_owned(),
        signed.to_owned(),
    ];
    let kept_begins = "Data that is still kept, and why:".to_owned();
    let lines: Vec<String> =
        [opening].into_iter().chain(erased).chain([kept_begins]).chain(kept).chain(closing).collect();
    content(kind, subject, &lines)
}

/// Hands feedback to the operators. Text of the sender is in the body alone: headers have nothing but the kind.
pub fn feedback(to: EmailAddress, feedback: &UserFeedback, region: Region) -> Mail {
    let kind = feedback.kind.as_str();
    let contact = feedback.contact.as_ref().map(EmailAddress::to_ascii);
    let head = [
        format!("Kind: {kind}"),
        format!("Time: {}", feedback.at.strftime("%Y-%m-%d %H:%M UTC")),
        format!("Region: {region}"),
        format!("Contact: {}", contact.as_deref().unwrap_or("no contact given")),
    ];
    let lines = [head.join("\n"), feedback.text.expose().to_owned()];
    mail(to, "feedback", &format!("Feedback: {kind}"), &lines)
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// A mail. Its text may be secret.
pub(crate) fn mail(to: EmailAddress, kind: &'static str, subject: &str, lines: &[String]) -> Mail {
    let (text, html) = bodies(lines);
    let (kind, subject) = (kind.into(), subject.to_owned());
    Mail { to, kind, subject, text: Secret::new(text), html: Secret::new(html) }
}

/// A mail without secrets, whose recipient may have another home region.
pub(crate) fn content(kind: &'static str, subject: &str, lines: &[String]) -> MailContent {
    let (text, html) = bodies(lines);
    MailContent { kind: kind.into(), subject: subject.to_owned(), text, html }
}

/// Lines as plain text and as HTML.
fn bodies(lines: &[String]) -> (String, String) {
    let text = lines.join("\n\n") + "\n";
    let paragraph = |line: &String| format!("<p>{}</p>", escape(line).replace('\n', "<br>"));
    let paragraphs: String = lines.iter().map(paragraph).collect();
    (text, format!("<!doctype html><html><body>{paragraphs}</body></html>"))
}

fn escape(text: &str) -> String {
    let entity = |character: char| match character {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(entity).collect()
}

#[cfg(test)]
mod tests {
    use domain::{
        credential::PasswordHash,
        deletion::Kept,
        feedback::{FeedbackKind, FeedbackText},
        user_agent::Device,
    };

    use super::*;

    #[test]
    fn code_mail_names_its_sign_up() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let attempt: Attempt = Attempt {
            id: "att_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
            email: EmailAddress::parse("a@example.com").unwrap(),
            password: PasswordHash::nobody(),
            region: Region::Eu,
            at,
            tries: 0,
            source: None,
            device: Device::of_user_agent(Some("<b>Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0</b>")),
        };
        let mail = sign_up_code(&attempt, &VerificationCode::from_bytes(&[7; 32], Region::Eu));
        let text = mail.text.expose();
        assert!(
            text.contains("the sign-up of 2027-01-15 08:00 UTC from Firefox on Linux. The code works only"),
            "{text}"
        );
        assert!(!mail.html.expose().contains("<b>"));
    }

    #[test]
    fn new_device_mail_names_device_time_address_and_session() {
        let to = || EmailAddress::parse("a@example.com").unwrap();
        let session: SessionId = "ses_01m858qy4a1ar9by88nhafn40x".parse().unwrap();
        let client = SessionClient {
            device: Device::of_user_agent(Some("<b>Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0</b>")),
            address: Some("192.0.2.7".parse().unwrap()),
        };
        let mail = new_device(to(), session, Some(&client));
        let day = session.made_at().strftime("%Y-%m-%d %H:%M UTC");
        let text = mail.text.expose();
        assert!(
            text.contains(&format!("at {day} from Firefox on Linux, network address 192.0.2.7.")),
            "{text}"
        );
        assert!(text.contains("DELETE /api/auth/sessions/ses_01m858qy4a1ar9by88nhafn40x"));
        let gone = new_device(to(), session, None);
        assert!(gone.text.expose().contains(&format!("at {day} from a device that has signed out since.")));
    }

    #[test]
    fn markup_in_a_key_name_is_escaped() {
        let to = EmailAddress::parse("a@example.com").unwrap();
        let mail = api_key_created(to, "<img src=x onerror=\"alert(1)\">");
        assert!(!mail.html.expose().contains("<img"));
    }

    #[test]
    fn feedback_mail_has_the_text_of_the_sender_in_its_body_alone() {
        let feedback = |contact: Option<&str>| UserFeedback {
            id: "fbk_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
            kind: FeedbackKind::Idea,
            text: FeedbackText::parse("Bcc: b@example.com\r\n<b>A darker lamp</b>").unwrap(),
            contact: contact.map(|contact| EmailAddress::parse(contact).unwrap()),
            at: Timestamp::from_second(1_800_000_000).unwrap(),
        };
        let to = || EmailAddress::parse("feedback@example.com").unwrap();
        let mail = super::feedback(to(), &feedback(Some("Ada@bücher.example")), Region::Eu);
        assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("feedback@example.com", "Feedback: idea"));
        assert_eq!(
            mail.text.expose(),
            "Kind: idea\nTime: 2027-01-15 08:00 UTC\nRegion: eu\nContact: Ada@xn--bcher-kva.example\n\nBcc: b@example.com\n\
             <b>A darker lamp</b>\n"
        );
        assert!(mail.html.expose().contains("<p>Bcc: b@example.com<br>&lt;b&gt;A darker lamp&lt;/b&gt;</p>"));
        let unsigned = super::feedback(to(), &feedback(None), Region::Us);
        assert!(unsigned.text.expose().contains("\nContact: no contact given\n\n"));
    }

    #[test]
    fn deletion_mail_lists_erased_and_kept_data() {
        let at = |day: i64| Timestamp::from_second(day * 86_400).unwrap();
        let kept = Kept { what: "A thing", why: "For a reason.", until: Some(at(30)) };
        let receipt = Receipt {
            iss: Region::Eu,
            iat: 0,
            jti: JobId::floor(at(0)),
            scope: DeletionScope::Team,
            region: Region::Eu,
            requested_at: at(0),
            completed_at: at(1),
            erased: [("files".to_owned(), 3), ("projects".to_owned(), 1)].into(),
            kept: vec![kept, Kept { what: "No invoices", why: "There are none.", until: None }],
        };
        let content = deleted(&receipt, "e30.e30.AAAA");
        assert_eq!(content.subject, "Your team was deleted");
        let said = [
            "Your team was deleted on 1970-01-02, as requested on 1970-01-01, together with all its data.",
            "Erased data includes files: 3, projects: 1.",
            "A thing, until 1970-01-31. For a reason.",
            "No invoices. There are none.",
            "e30.e30.AAAA",
        ];
        for line in said {
            assert!(content.text.lines().any(|other| other == line), "{}", content.text);
        }
    }
}
