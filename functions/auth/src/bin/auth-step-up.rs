//! Lambda entry point of `auth-step-up`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::step_up::StepUp>()
}
