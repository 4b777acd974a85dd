//! Lambda entry point of `api-keys-revoke`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<api_keys::revoke::Revoke>()
}
