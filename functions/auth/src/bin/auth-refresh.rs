//! Lambda entry point of `auth-refresh`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::refresh::Refresh>()
}
