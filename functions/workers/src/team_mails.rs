//! Text of the emails about teams and other workspaces. A recipient may have another home region than the team: those mails are
//! [`MailContent`]s.

use domain::{
    handle::Handle,
    invitation::{Invitation, InvitationToken},
    mail_content::MailContent,
    ports::Mail,
    profile::DisplayName,
    role::Role,
    wallet::TopUpPause,
};

use crate::mail_templates::{content, mail};

/// The name of a user or a team in a mail: `Ada Lovelace (ada-lovelace)`.
///
/// Its owner chose it, and the mail may go to a stranger. So a name in which mail programs may find a link is left out, and the
/// username stands alone. A [`DisplayName`] is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayedName(String);

impl DisplayedName {
    /// The name of the account with this handle.
    pub fn new(handle: &Handle, name: Option<&DisplayName>) -> Self {
        match name.map(DisplayName::as_str).filter(|name| !has_link(name)) {
            Some(name) => Self(format!("{name} ({handle})")),
            None => Self(handle.to_string()),
        }
    }
}

impl std::fmt::Display for DisplayedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether mail programs may find a domain name, an address or a URL in a text: a dot, colon or at sign of any script before a
/// character that is no space.
fn has_link(text: &str) -> bool {
    let joins =
        |c: char| ".:@\u{2024}\u{3002}\u{ff0e}\u{ff61}\u{fe52}\u{ff1a}\u{fe55}\u{ff20}\u{fe6b}".contains(c);
    let next = text.chars().skip(1);
    text.chars().zip(next).any(|(one, next)| joins(one) && !next.is_whitespace())
}

/// Sends the token of an invitation to a team.
pub fn invitation(
    invitation: &Invitation,
    team: &DisplayedName,
    inviter: &DisplayedName,
    token: &InvitationToken,
) -> Mail {
    let role = with_article(invitation.role);
    let lines = [
        format!("{inviter} invites you to join the team {team} as {role}."),
        format!(
            "To join, sign in to an account that has verified this email address, or sign up with this address, and enter this token \
             before {}:",
            invitation.expires_at().strftime("%Y-%m-%d %H:%M UTC")
        ),
        token.text().expose().to_owned(),
        "This token works once and replaces the tokens of earlier emails about this invitation.".to_owned(),
        "Don't share this token. If you don't want to join, ignore this email: nothing happens then."
            .to_owned(),
    ];
    mail(invitation.email.clone(), "team-invitation", &format!("Join the team {team}"), &lines)
}

/// Tells a member about another role.
pub fn role_changed(team: &DisplayedName, role: Role) -> MailContent {
    let lines = [
        format!("Your role in the team {team} was changed. You are {} now.", with_article(role)),
        "If you have questions, ask the owner of the team.".to_owned(),
    ];
    content("team-role-changed", &format!("Your role in the team {team} was changed"), &lines)
}

/// Tells a former member that they were removed.
pub fn removed(team: &DisplayedName) -> MailContent {
    let lines = [
        format!("You were removed from the team {team}. You have no access to it any more."),
        "What you made there stays with the team. If you have questions, ask the owner of the team."
            .to_owned(),
    ];
    content("team-member-removed", &format!("You were removed from the team {team}"), &lines)
}

/// Tells a member that the team is theirs.
pub fn ownership(team: &DisplayedName) -> MailContent {
    let lines = [
        format!("The ownership of the team {team} was transferred to you. The former owner is an admin now."),
        "Only you can transfer it to another member, create API keys of the team and delete the team."
            .to_owned(),
        "API keys that were created before still work. Review them, and revoke those that you do not need."
            .to_owned(),
    ];
    content("team-ownership", &format!("You own the team {team} now"), &lines)
}

/// Reports a new API key of a team to its owner.
pub fn api_key_created(team: &DisplayedName, name: &str) -> MailContent {
    let lines = [
        format!("A new API key was created for the team {team}: {name}"),
        "If you didn't create this API key, revoke the key in the settings of the team and change your password."
            .to_owned(),
    ];
    content("api-key-created", "A new API key was created", &lines)
}

/// Tells the owner of a workspace why no credit is bought automatically any more.
pub fn top_ups_paused(workspace: &DisplayedName, reason: TopUpPause) -> MailContent {
    let why = match reason {
        TopUpPause::Declined => "the card was declined three times",
        TopUpPause::AuthenticationRequired => "the bank asks the owner of the card to confirm each payment",
        TopUpPause::NoPaymentMethod => "there is no payment method that can be charged",
        TopUpPause::PaymentTakenBack => "a payment was refunded or disputed",
        TopUpPause::Unknown => {
            "the payment provider did not say for most of a day whether a payment was made"
        }
    };
    let lines = [
        format!("Credit for {workspace} is not bought automatically any more: {why}."),
        "To go on, add a payment method or choose another default in the billing settings, or buy credit there."
            .to_owned(),
        "Jobs that run go on. New jobs start as long as there is credit.".to_owned(),
    ];
    content("top-ups-paused", &format!("Automatic top-ups for {workspace} are paused"), &lines)
}

fn with_article(role: Role) -> &'static str {
    match role {
        Role::Viewer => "a viewer",
        Role::Editor => "an editor",
        Role::Admin => "an admin",
        Role::Owner => "the owner",
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        Timestamp,
        email::EmailAddress,
        region::Region,
        secret::{Digest256, MacKey},
        user::EmailHash,
    };

    use super::*;

    fn pending() -> Invitation {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let unsent = Invitation {
            id: "inv_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
            team: "ws_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
            email: EmailAddress::parse("grace@example.com").unwrap(),
            address: EmailHash(Digest256::of("a")),
            role: Role::Editor,
            invited_by: "user_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
            created_at: at,
            sent_at: at,
            secret: Digest256::of(""),
            version: 0,
        };
        unsent.sent_again(at, Region::Eu, &MacKey::new([3; 32]))
    }

    fn displayed(handle: &str, name: &str) -> DisplayedName {
        let name = DisplayName::parse(name).unwrap();
        DisplayedName::new(&Handle::parse_existing(handle).unwrap(), Some(&name))
    }

    #[test]
    fn invitation_mail_names_inviter_team_role_token_and_end() {
        let pending = pending();
        let token = InvitationToken::new(Region::Eu, &pending, &MacKey::new([3; 32]));
        let (team, inviter) = (displayed("the-lab", "The Lab"), displayed("ada-lovelace", "Ada Lovelace"));
        let mail = invitation(&pending, &team, &inviter, &token);
        assert_eq!(
            (mail.to.as_str(), mail.subject.as_str()),
            ("grace@example.com", "Join the team The Lab (the-lab)")
        );
        let text = mail.text.expose();
        let first =
            "Ada Lovelace (ada-lovelace) invites you to join the team The Lab (the-lab) as an editor.";
        assert_eq!(text.lines().next(), Some(first));
        assert!(text.contains(" before 2027-01-29 08:00 UTC:"), "{text}");
        assert!(text.lines().any(|line| line == token.text().expose()), "{text}");
    }

    #[test]
    fn inviter_from_another_region_is_named_by_handle() {
        let pending = pending();
        let token = InvitationToken::new(Region::Eu, &pending, &MacKey::new([3; 32]));
        let inviter = DisplayedName::new(&Handle::parse_existing("ada-lovelace").unwrap(), None);
        let mail = invitation(&pending, &displayed("the-lab", "The Lab"), &inviter, &token);
        assert!(mail.text.expose().starts_with("ada-lovelace invites you to join the team"));
    }

    #[test]
    fn names_with_links_are_left_out_and_markup_is_escaped() {
        for name in [
            "https://evil.example",
            "Click evil.example now",
            "Prize: http://localhost",
            "mailto:a@evil.example",
            "write to a@evil",
            "evil\u{3002}example",
            "evil\u{ff0e}example",
            "evil\u{2024}example",
        ] {
            assert_eq!(displayed("the-lab", name).to_string(), "the-lab", "{name}");
        }
        for name in
            ["The Lab Inc.", "Dr. Ada", "AC/DC", "研究室", "\"The\" <script>alert(1)</script> & 'Lab'"]
        {
            assert_eq!(displayed("the-lab", name).to_string(), format!("{name} (the-lab)"));
        }
        let team = displayed("the-lab", "\"The\" <script>alert(1)</script> & Lab");
        let content = role_changed(&team, Role::Admin);
        assert!(!content.html.contains("<script"));
        let escaped = "&quot;The&quot; &lt;script&gt;alert(1)&lt;/script&gt; &amp; Lab (the-lab)";
        assert!(content.html.contains(escaped), "{}", content.html);
    }

    #[test]
    fn mail_about_the_key_of_a_team_names_team_and_key() {
        let content = api_key_created(&displayed("the-lab", "The Lab"), "<img src=x>");
        let first = "A new API key was created for the team The Lab (the-lab): <img src=x>";
        assert_eq!(content.text.lines().next(), Some(first));
        assert!(!content.html.contains("<img"));
    }

    #[test]
    fn content_becomes_a_mail_with_the_same_text() {
        let content = removed(&displayed("the-lab", "The Lab"));
        let mail = Mail::new(EmailAddress::parse("grace@example.com").unwrap(), content.clone());
        assert_eq!(
            (&*mail.kind, mail.subject.as_str()),
            ("team-member-removed", "You were removed from the team The Lab (the-lab)")
        );
        assert_eq!((mail.text.expose(), mail.html.expose()), (content.text.as_str(), content.html.as_str()));
    }
}
