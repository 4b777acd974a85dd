//! The mails' words.

use domain::{
    Timestamp,
    deletion::{Receipt, Scope},
    email::EmailAddress,
    id::JobId,
    password_reset::ResetToken,
    ports::Mail,
    secret::Secret,
    sign_up::Code,
};

/// The code that verifies an address.
pub fn sign_up_code(to: EmailAddress, code: &Code) -> Mail {
    let code = code.expose();
    let lines = [
        format!("Your code is {code}"),
        "Enter it within 10 minutes to verify your address and finish signing up.".to_owned(),
        "If you did not sign up, ignore this mail: without the code nothing happens.".to_owned(),
    ];
    mail(to, "sign-up-code", "Your verification code", &lines)
}

/// Somebody signed up with an address that has an account.
pub fn account_exists(to: EmailAddress) -> Mail {
    let lines = [
        "Somebody, perhaps you, tried to sign up with this address.".to_owned(),
        "It has an account already: sign in instead.".to_owned(),
        "If it was not you, there is nothing to do.".to_owned(),
    ];
    mail(to, "account-exists", "You already have an account", &lines)
}

/// A key was made.
pub fn api_key_created(to: EmailAddress, name: &str) -> Mail {
    let lines = [
        format!("A new API key was made for your account: {name}"),
        "If it was not you, revoke it in your settings and change your password.".to_owned(),
    ];
    mail(to, "api-key-created", "A new API key was made", &lines)
}

/// A refresh token was used twice.
pub fn session_ended(to: EmailAddress) -> Mail {
    let lines = [
        "We ended one of your sessions because its token was used from two places.".to_owned(),
        "Sign in again to continue. If you did not expect this, change your password.".to_owned(),
    ];
    mail(to, "session-ended", "We ended one of your sessions", &lines)
}

/// Somebody forgot the password.
pub fn password_reset(to: EmailAddress, token: &ResetToken) -> Mail {
    let lines = [
        "Somebody, perhaps you, asked to set a new password for your account. Enter this within 30 minutes to do so:"
            .to_owned(),
        token.text().expose().to_owned(),
        "It works once, and signs you out everywhere.".to_owned(),
        "If it was not you, ignore this mail and show it to nobody: without it nothing happens.".to_owned(),
    ];
    mail(to, "password-reset", "Set a new password", &lines)
}

/// A password was changed.
pub fn password_changed(to: EmailAddress) -> Mail {
    let lines = [
        "The password of your account was changed, and all its sessions were ended.".to_owned(),
        "If it was not you, set a new one at once, as if you had forgotten it, and see that nobody else reads your mail."
            .to_owned(),
    ];
    mail(to, "password-changed", "Your password was changed", &lines)
}

/// A bundle can be had. There is no link in the mail: whoever reads it must still sign in.
pub fn export_ready(to: EmailAddress, export: JobId) -> Mail {
    let lines = [
        "The copy of your data that you asked for is ready.".to_owned(),
        "Sign in and open the page where you asked for it, or call the API while you are signed in:".to_owned(),
        format!("GET /api/gdpr?jobId={export}"),
        "The answer has a link to download it, which works for an hour; ask again for another. After 7 days the copy is removed."
            .to_owned(),
        "If you did not ask for it, set a new password, as if you had forgotten it.".to_owned(),
    ];
    mail(to, "export-ready", "Your data is ready", &lines)
}

/// An account or a team was deleted: what is gone, what is kept and why, and the receipt as it was signed.
pub fn deleted(to: EmailAddress, receipt: &Receipt, signed: &str) -> Mail {
    let (kind, subject) = match receipt.scope {
        Scope::Account => ("account-deleted", "Your account was deleted"),
        Scope::Team => ("team-deleted", "Your team was deleted"),
    };
    let counted: Vec<String> =
        receipt.erased.iter().map(|(what, count)| format!("{what}: {count}")).collect();
    let opening = format!(
        "{subject} on {}, as was asked for on {}, with all that belonged to it.",
        day(receipt.completed_at),
        day(receipt.requested_at)
    );
    let erased =
        (!counted.is_empty()).then(|| format!("Erased, among other things: {}.", counted.join(", ")));
    let kept = receipt.kept.iter().map(|kept| match kept.until {
        Some(until) => format!("{}, until {}. {}", kept.what, day(until), kept.why),
        None => format!("{}. {}", kept.what, kept.why),
    });
    let closing = [
        "This is the receipt, signed: a JSON Web Token (RFC 7519). Its header names the key that verifies it; our public \
         keys are at /.well-known/jwks.json, and at /.well-known/jwks.json?retired=true when they are not used any more."
            .to_owned(),
        signed.to_owned(),
    ];
    let kept_begins = "What is still kept, and why:".to_owned();
    let lines: Vec<String> =
        [opening].into_iter().chain(erased).chain([kept_begins]).chain(kept).chain(closing).collect();
    mail(to, kind, subject, &lines)
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn mail(to: EmailAddress, kind: &'static str, subject: &str, lines: &[String]) -> Mail {
    let text = lines.join("\n\n") + "\n";
    let paragraphs: String = lines.iter().map(|line| format!("<p>{}</p>", escape(line))).collect();
    let html = format!("<!doctype html><html><body>{paragraphs}</body></html>");
    Mail { to, kind, subject: subject.to_owned(), text: Secret::new(text), html: Secret::new(html) }
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
    use domain::{deletion::Kept, region::Region};

    use super::*;

    #[test]
    fn a_name_can_bring_no_markup_into_a_mail() {
        let to = EmailAddress::parse("a@example.com").unwrap();
        let mail = api_key_created(to, "<img src=x onerror=\"alert(1)\">");
        assert!(!mail.html.expose().contains("<img"));
    }

    #[test]
    fn whoever_was_deleted_reads_what_is_gone_and_what_is_kept_until_when() {
        let at = |day: i64| Timestamp::from_second(day * 86_400).unwrap();
        let kept = Kept { what: "A thing", why: "For a reason.", until: Some(at(30)) };
        let receipt = Receipt {
            iss: Region::Eu,
            iat: 0,
            jti: JobId::floor(at(0)),
            scope: Scope::Team,
            region: Region::Eu,
            requested_at: at(0),
            completed_at: at(1),
            erased: [("files".to_owned(), 3), ("projects".to_owned(), 1)].into(),
            kept: vec![kept, Kept { what: "No invoices", why: "There are none.", until: None }],
        };
        let mail = deleted(EmailAddress::parse("a@example.com").unwrap(), &receipt, "e30.e30.AAAA");
        let said = [
            "Your team was deleted on 1970-01-02, as was asked for on 1970-01-01, with all that belonged to it.",
            "Erased, among other things: files: 3, projects: 1.",
            "A thing, until 1970-01-31. For a reason.",
            "No invoices. There are none.",
            "e30.e30.AAAA",
        ];
        for line in said {
            assert!(mail.text.expose().lines().any(|other| other == line), "{}", mail.text.expose());
        }
    }
}
