//! Lambda entry point of `auth-password-forgot`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::password_forgot::PasswordForgot>()
}
