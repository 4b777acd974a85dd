//! API keys: the owner of a workspace creates, lists, reveals and revokes them, and sets their budgets.

kit::functions! {
    endpoint list::ListKeys;
    endpoint create::CreateKey;
    endpoint revoke::RevokeKey;
    endpoint budget::SetKeyBudget;
}
