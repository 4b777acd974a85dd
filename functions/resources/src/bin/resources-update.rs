//! Lambda entry point of `resources-update`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::update::Update>()
}
