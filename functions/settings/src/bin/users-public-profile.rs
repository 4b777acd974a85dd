//! Lambda entry point of `users-public-profile`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::users_public_profile::PublicProfile>()
}
