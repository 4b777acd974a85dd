//! Lambda entry point of `resources-create`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::create::Create>()
}
