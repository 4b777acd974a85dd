//! Lambda entry point of `auth-sign-up`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::sign_up::SignUp>()
}
