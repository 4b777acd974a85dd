//! Lambda entry point of `feedback`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::feedback::SendFeedback>()
}
