//! Signing up, signing in, sessions, and the authorizer that other services ask.

mod attempts;
mod home;
mod tokens;

kit::functions! {
    endpoint sign_up::SignUp;
    endpoint verify::Verify;
    endpoint sign_in::SignIn;
    endpoint refresh::Refresh;
    endpoint sign_out::SignOut;
    endpoint step_up::StepUp;
    endpoint password_forgot::PasswordForgot;
    endpoint password_reset::PasswordReset;
    endpoint jwks::Jwks;
    worker authorizer::Authorizer;
}
