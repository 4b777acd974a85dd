//! Lambda entry point of `settings-read`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::settings_read::ReadSettings>()
}
