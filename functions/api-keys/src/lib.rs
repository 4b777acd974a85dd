//! API keys: made, listed, revealed and revoked by a workspace's owner.

kit::functions! {
    endpoint list::List;
    endpoint create::Create;
    endpoint revoke::Revoke;
}
