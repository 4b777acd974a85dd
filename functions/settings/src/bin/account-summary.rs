//! Lambda entry point of `account-summary`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::account_summary::Summarize>()
}
