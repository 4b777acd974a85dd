//! The directory: written in the authority's region, read in the region's own replica.

use super::{actions::*, method::PortMethod};
use crate::items::ItemKind::*;

port! {
    /// Names, numbers of followers and public keys.
    directory = "Directory" {
        FIND_HANDLE = "find": [get(HandleClaims)];
        FIND_ADDRESS = "find": [get(AddressClaims)];
        CLAIM_HANDLE = "claim": [
            far(put(HandleClaims)), far(put(PendingClaims)), far(check(ReservedHandles)), far(get(HandleClaims)),
        ];
        FIND_IDENTITY = "find": [get(IdentityClaims)];
        CLAIM_IDENTITY = "claim":
            [far(put(IdentityClaims)), far(put(PendingClaims)), far(get(IdentityClaims))];
        CONFIRM_IDENTITY =
            "confirm": [far(put(IdentityClaims)), far(delete(PendingClaims)), far(get(IdentityClaims))];
        RELEASE_IDENTITY = "release": [far(delete(IdentityClaims)), far(delete(PendingClaims))];
        GIVE_UP_IDENTITY = "give_up": [far(delete(IdentityClaims)), far(delete(PendingClaims))];
        CLAIM_ADDRESS = "claim":
            [far(put(AddressClaims)), far(put(PendingClaims)), far(get(AddressClaims))];
        CONFIRM_HANDLE = "confirm": [far(put(HandleClaims)), far(delete(PendingClaims))];
        CONFIRM_ADDRESS =
            "confirm": [far(put(AddressClaims)), far(delete(PendingClaims)), far(get(AddressClaims))];
        UNCONFIRM_ADDRESS = "unconfirm": [far(put(AddressClaims)), far(put(PendingClaims))];
        UNCONFIRM_IDENTITY = "unconfirm": [far(put(IdentityClaims)), far(put(PendingClaims))];
        RELEASE_HANDLE = "release": [far(delete(HandleClaims)), far(delete(PendingClaims))];
        RELEASE_ADDRESS = "release": [far(delete(AddressClaims)), far(delete(PendingClaims))];
        GIVE_UP_HANDLE = "give_up":
            [far(delete(HandleClaims)), far(delete(PendingClaims)), far(put(ReservedHandles))];
        GIVE_UP_ADDRESS = "give_up": [far(delete(AddressClaims)), far(delete(PendingClaims))];
        IS_FREE = "is_free":
            [get(HandleClaims), far(batch_get(HandleClaims)), far(batch_get(ReservedHandles))];
        OVERDUE = "overdue": [far(query(PendingClaims))];
        FOLLOWER_TOTALS = "follower_totals": [query(FollowerTotals)];
        PUBLISH_FOLLOWERS = "publish_followers": [far(put(FollowerTotals))];
        GRANT_CREDIT = "grant_credit": [far(put(FreeCredits)), far(get(FreeCredits)), far(update(CreditDays))];
        GRANT_PROMO = "grant_credit": [far(put(FreeCredits)), far(get(FreeCredits))];
        SIGNING_KEYS = "signing_keys": [query(SigningKeys)];
        PUBLISH_SIGNING_KEY = "publish_signing_key": [far(put(SigningKeys))];
        RETIRED_KEYS = "retired_keys": [query(RetiredKeys)];
        WITHDRAW_SIGNING_KEY = "withdraw_signing_key":
            [far(get(SigningKeys)), far(delete(SigningKeys)), far(put(RetiredKeys))];
    }
}
