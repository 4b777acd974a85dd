//! The mails' words.

use domain::{email::EmailAddress, password_reset::ResetToken, ports::Mail, secret::Secret, sign_up::Code};

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
    use super::*;

    #[test]
    fn a_name_can_bring_no_markup_into_a_mail() {
        let to = EmailAddress::parse("a@example.com").unwrap();
        let mail = api_key_created(to, "<img src=x onerror=\"alert(1)\">");
        assert!(!mail.html.expose().contains("<img"));
    }
}
