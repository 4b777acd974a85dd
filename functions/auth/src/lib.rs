//! Signing up, signing in, sessions, claims on handles and addresses, and the authorizer that other services ask.

mod attempts;
mod home;
mod mail_allowance;
mod new_password;
mod sign_up_secret;
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
    endpoint jwks::Jwks;
    worker authorizer::Authorizer;
    worker confirm_claims::ConfirmClaims;
    worker reap_claims::ReapClaims;
}
