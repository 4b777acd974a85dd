//! Lambda entry point of `onboarding`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::onboarding::Onboard>()
}
