//! Lambda entry point of `auth-sign-out`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::sign_out::SignOut>()
}
