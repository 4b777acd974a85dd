//! Lambda entry point of `users-follow`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::users_follow::FollowUser>()
}
