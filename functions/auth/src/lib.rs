//! Signing up, signing in, sessions, claims on handles and addresses, and the authorizer that other services ask.

mod attempts;
mod home;
mod known_device;
mod new_password;
mod new_session;
mod other_sessions;
mod own_password;
mod redirect;
mod sign_up_secret;
mod ticket;
mod tokens;

kit::functions! {
    endpoint sign_up::StartSignUp;
    endpoint verify::Verify;
    endpoint sign_in::SignIn;
    endpoint refresh::RefreshSession;
    endpoint sign_out::SignOut;
    endpoint session_read::SessionRead;
    endpoint sessions_list::SessionsList;
    endpoint sessions_revoke::SessionsRevoke;
    endpoint step_up::StepUp;
    endpoint password_forgot::PasswordForgot;
    endpoint password_reset::PasswordReset;
    endpoint password_change::PasswordChange;
    endpoint oauth_start::OauthStart;
    endpoint oauth_callback::OauthCallback;
    endpoint oauth_complete::OauthComplete;
    endpoint connections_list::ConnectionsList;
    endpoint connections_add::ConnectionsAdd;
    endpoint connections_remove::ConnectionsRemove;
    endpoint jwks::Jwks;
    worker authorizer::Authorizer;
    worker confirm_claims::ConfirmClaims;
    worker reap_claims::ReapClaims;
}
