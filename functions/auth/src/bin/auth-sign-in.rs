//! Lambda entry point of `auth-sign-in`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::sign_in::SignIn>()
}
