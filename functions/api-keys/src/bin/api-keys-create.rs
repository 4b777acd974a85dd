//! Lambda entry point of `api-keys-create`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<api_keys::create::Create>()
}
