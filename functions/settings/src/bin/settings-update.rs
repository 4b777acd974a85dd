//! Lambda entry point of `settings-update`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::settings_update::UpdateSettings>()
}
