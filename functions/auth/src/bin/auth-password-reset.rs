//! Lambda entry point of `auth-password-reset`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::password_reset::PasswordReset>()
}
