//! Lambda entry point of `region-referrer`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<regions::referrer::FindReferrer>()
}
