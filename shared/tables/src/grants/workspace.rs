//! Workspaces, their API keys and their histories.

use super::{actions::*, method::PortMethod};
use crate::items::ItemKind::*;

port! {
    /// Workspaces and handles. `_REDEEMING`: with a promo code or a referral code.
    workspaces = "Workspaces" {
        OPEN = "open": [put(Workspaces), put(Handles)];
        OPEN_REDEEMING = "open": [
            put(Workspaces), put(Handles), put(Wallets), put(Postings), put(Causes), put(WalletsDue), update(Promotions),
        ];
        FIND = "find": [get(Workspaces)];
        PROFILE = "profile": [batch_get(Workspaces)];
        OWNER = "owner": [batch_get(Workspaces)];
        BY_HANDLE = "by_handle": [get(Handles)];
        MEMBERSHIP = "membership": [batch_get(Workspaces), batch_get(Members)];
        SAVE_PROFILE = "save_profile": [batch_get(Workspaces), put(Workspaces), update(Workspaces)];
        SET_PLAN = "set_plan": [update(Workspaces)];
    }
}

port! {
    /// Teams and their members. The acting member is checked: on the team's record for the owner, on the member otherwise.
    teams = "Teams" {
        OPEN = "open": [
            put(Workspaces), put(Handles), put(Members), put(Memberships), update(OwnedTeams), check(Users),
            check(Erasures),
        ];
        OF = "of": [query(Memberships), batch_get(Workspaces), batch_get(Members)];
        AMONG = "among": [batch_get(Workspaces), batch_get(Members)];
        OWNED = "owned": [get(OwnedTeams)];
        MEMBERS = "members": [query(Members)];
        MEMBER = "member": [batch_get(Members)];
        SET_ROLE = "set_role": [check(Workspaces), check(Members), update(Members), update(Memberships)];
        REMOVE = "remove": [update(Workspaces), check(Members), delete(Members), delete(Memberships)];
        LEAVE = "leave": [update(Workspaces), delete(Members), delete(Memberships)];
        END_FOREIGN = "end_foreign": [update(Workspaces), delete(Members)];
        TRANSFER = "transfer": [
            update(Workspaces), update(Members), update(Memberships), update(OwnedTeams), check(Users),
        ];
    }
}

port! {
    /// What the home of a user keeps of teams in other regions.
    teams_elsewhere = "TeamsElsewhere" {
        KEEP_COPY = "keep_copy": [
            batch_get(OwnedTeams), put(Memberships), check(Users), update(OwnedTeams), delete(OwnedTeams), check(OwnedTeams),
        ];
        COPIES = "copies": [query(Memberships)];
        RESERVE = "reserve": [update(OwnedTeams), put(OwnedTeams), check(Users)];
        RESERVATIONS = "reservations": [query(OwnedTeams)];
        SETTLE = "settle": [delete(OwnedTeams), update(OwnedTeams)];
    }
}

port! {
    /// Invitations to teams.
    invitations = "Invitations" {
        OF = "of": [query(Invitations)];
        FIND = "find": [get(Invitations)];
        BY_ADDRESS = "by_address": [get(Invitations)];
        CREATE = "create": [put(Invitations), update(Workspaces), check(Members)];
        REPLACE = "replace": [put(Invitations), check(Workspaces), check(Members)];
        CANCEL = "cancel": [delete(Invitations), update(Workspaces), check(Members)];
        END = "end": [delete(Invitations), update(Workspaces)];
        ACCEPT = "accept": [
            delete(Invitations), update(Workspaces), check(Members), put(Members), put(Memberships), check(Users),
        ];
    }
}

port! {
    /// API keys.
    api_keys = "ApiKeys" {
        HOLDER = "holder": [get(KeyHolders)];
        LIST = "list": [query(Keys)];
        FIND = "find": [get(Keys)];
        CREATE = "create": [check(Workspaces), put(Keys), put(KeyHolders)];
        REVOKE = "revoke": [delete(Keys), delete(KeyHolders)];
    }
}

port! {
    /// The accounts that users follow, and the region's numbers of followers.
    follows = "Follows" {
        IS_FOLLOWED = "is_followed": [get(Follows)];
        FOLLOW = "follow": [put(Follows), update(Follows), update(FollowerCounts)];
        UNFOLLOW = "unfollow": [delete(Follows), update(Follows), update(FollowerCounts)];
        LIST = "list": [query(Follows)];
        FOLLOWERS = "followers": [get(FollowerCounts)];
    }
}

port! {
    /// Wallets and their postings. `_HOLD`: changes without a posting. `_CREDIT`: credit that does not
    /// expire. `_DUE`: what is due for a stored wallet. `_SETTINGS`: settings of automatic top-ups.
    wallets = "Wallets" {
        FIND = "find": [get(Wallets)];
        WITH_CAUSES = "with_causes": [batch_get(Wallets), batch_get(Causes)];
        POSTING = "posting": [get(Postings)];
        POSTINGS = "postings": [query(Postings)];
        POSTINGS_AFTER = "postings_after": [query(Postings)];
        BOOK = "book": [
            put(Wallets), put(Postings), put(Causes), check(Workspaces), put(WalletsDue), delete(WalletsDue),
        ];
        BOOK_HOLD = "book": [put(Wallets), put(Postings), check(Workspaces), put(WalletsDue)];
        BOOK_CREDIT = "book": [put(Wallets), put(Postings), put(Causes), check(Workspaces), put(WalletsDue)];
        BOOK_SETTINGS = "book": [
            put(Wallets), put(Postings), check(Workspaces), put(WalletsDue), delete(WalletsDue),
        ];
        BOOK_DUE = "book": [put(Wallets), put(Postings), put(WalletsDue), delete(WalletsDue)];
        REDEEM = "redeem": [
            put(Wallets), put(Postings), put(Causes), check(Workspaces), update(Promotions), put(WalletsDue),
            delete(WalletsDue),
        ];
    }
}

port! {
    /// Work on wallets by the time at which it is due.
    wallet_work = "WalletWork" {
        DUE = "due": [query(WalletsDue)];
        SETTLE = "settle": [delete(WalletsDue)];
        GRANT = "grant": [
            put(Wallets), put(Postings), put(Causes), check(Workspaces), put(WalletsDue), delete(WalletsDue),
        ];
        VERIFIED = "verified": [get(Verifications)];
        SAVE_VERIFIED = "save_verified": [put(Verifications)];
    }
}

port! {
    /// Customers, payments and events of Stripe, as they are stored. `_STORED`: for a stored wallet.
    payment_records = "PaymentRecords" {
        ACCOUNT = "account": [get(Customers)];
        OPEN_ACCOUNT = "open_account": [put(Customers), check(Workspaces)];
        REPLACE_ACCOUNT = "replace_account": [put(Customers)];
        SUBSCRIBE = "subscribe": [put(Customers), update(Workspaces)];
        PAYMENT = "payment": [get(Payments)];
        BOOK = "book": [
            put(Payments), put(Wallets), put(Postings), put(Causes), check(Workspaces), put(WalletsDue),
            delete(WalletsDue),
        ];
        BOOK_STORED = "book": [
            put(Payments), put(Wallets), put(Postings), put(Causes), put(WalletsDue), delete(WalletsDue),
        ];
        PAYMENTS_AFTER = "payments_after": [query(Payments)];
        FORMER_REFERRAL = "former_referral": [get(FormerReferrals)];
        SAVE_FORMER_REFERRAL = "save_former_referral": [put(FormerReferrals)];
        KNOWS_EVENT = "knows_event": [get(StripeEvents)];
        KEEP_EVENT = "keep_event": [put(StripeEvents)];
        RECONCILED = "reconciled": [get(Reconciliations)];
        SAVE_RECONCILED = "save_reconciled": [put(Reconciliations)];
    }
}

port! {
    /// Promo codes.
    promotions = "Promotions" {
        FIND = "find": [get(Promotions)];
        CREATE = "create": [put(Promotions)];
    }
}

port! {
    /// Histories and inboxes.
    history = "History" {
        PAGE = "page": [query(Events)];
        INBOX = "inbox": [get(Marks)];
        MARKS = "marks": [query(Marks)];
        EXISTING = "existing": [batch_get(Events)];
        MARK = "mark": [update(Marks)];
        MARK_ALL = "mark_all": [update(Marks)];
    }
}
