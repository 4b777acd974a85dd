//! Lambda entry point of `api-keys-list`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<api_keys::list::List>()
}
