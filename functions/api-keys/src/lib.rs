//! API keys: the owner of a workspace creates, lists, reveals and revokes them.

kit::functions! {
    endpoint list::ListKeys;
    endpoint create::CreateKey;
    endpoint revoke::RevokeKey;
}
