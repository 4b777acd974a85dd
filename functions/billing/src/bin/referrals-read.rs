//! Lambda entry point of `referrals-read`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::referrals_read::ReadReferrals>()
}
