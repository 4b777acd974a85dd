//! Signing up, signing in, and staying signed in.

use super::{actions::*, method::PortMethod};
use crate::items::ItemKind::*;

port! {
    /// Pending sign-ups.
    sign_ups = "SignUps" {
        FIND = "find": [get(SignUps)];
        SAVE = "save": [put(SignUps)];
        DISCARD = "discard": [delete(SignUps)];
        OPEN_ACCOUNT = "open_account":
            [put(Addresses), put(Users), put(Passwords), put(Sessions), delete(SignUps)];
    }
}

port! {
    /// Users and credentials.
    accounts = "Accounts" {
        BY_ADDRESS = "by_address": [get(Addresses)];
        CREDENTIALS = "credentials": [batch_get(Users), batch_get(Passwords), batch_get(Workspaces)];
        PASSWORD = "password": [get(Passwords)];
        USER = "user": [get(Users)];
        PEOPLE = "people": [batch_get(Users), batch_get(Workspaces)];
    }
}

port! {
    /// Sessions.
    sessions = "Sessions" {
        CONTEXT = "context": [batch_get(Sessions), batch_get(Workspaces)];
        CONTEXT_IN_TEAM = "context": [batch_get(Sessions), batch_get(Workspaces), batch_get(Members)];
        FIND = "find": [get(Sessions)];
        BEGIN = "begin":
            [query(Sessions), put(Sessions), delete(Sessions), put(Passwords), check(Passwords)];
        BEGIN_CONNECTED = "begin":
            [query(Sessions), put(Sessions), delete(Sessions), check(Identities), check(Users)];
        REPLACE = "replace": [put(Sessions)];
        DELETION_BY = "deletion_by": [get(Jobs)];
        END = "end": [delete(Sessions)];
        LIVE = "live": [query(Sessions)];
        BEGUN_UNTIL = "begun_until": [query(Sessions)];
        END_SEVERAL = "end_several": [delete(Sessions)];
    }
}

port! {
    /// Password resets.
    password_resets = "PasswordResets" {
        ASKED = "asked": [get(ResetsAsked)];
        ASKED_ALL = "asked_all": [batch_get(ResetsAsked)];
        ASK = "ask": [put(ResetsAsked)];
        FIND = "find":
            [batch_get(Users), batch_get(LastResets), batch_get(Workspaces), batch_get(UserAddresses)];
        CHANGE = "set": [put(Passwords), put(LastResets), delete(Sessions), check(Users)];
        SET = "set":
            [put(Passwords), put(LastResets), put(Throttles), delete(Sessions), check(Users)];
    }
}

port! {
    /// Passwords that leaked elsewhere. The service is no part of AWS.
    breached_passwords = "BreachedPasswords" {
        CONTAINS = "contains": [];
    }
}

port! {
    /// Email addresses of accounts.
    user_addresses = "UserAddresses" {
        FIND = "find": [batch_get(Users), batch_get(UserAddresses)];
        SAVE_PENDING = "save_pending": [check(Users), check(UserAddresses), put(UserAddresses)];
        VERIFY = "verify": [check(Users), put(UserAddresses), put(Addresses)];
        SET_PRIMARY = "set_primary": [put(Users), put(UserAddresses), put(LastResets)];
        REMOVE = "remove": [check(Users), put(UserAddresses), delete(Addresses), put(LastResets)];
    }
}

port! {
    /// Counters of failed attempts.
    throttles = "Throttles" {
        LOAD = "load": [batch_get(Throttles)];
        RESERVE = "reserve": [update(Throttles)];
        SETTLE = "settle": [update(Throttles)];
    }
}

port! {
    /// Authorizations at providers.
    authorization_requests = "AuthorizationRequests" {
        SAVE = "save": [put(AuthorizationRequests)];
        TAKE = "take": [delete(AuthorizationRequests)];
    }
}

port! {
    /// Providers' identities of users.
    connections = "Connections" {
        BY_IDENTITY = "by_identity": [get(Identities)];
        LIST = "list": [query(Connections)];
        SIGN_IN_METHODS = "sign_in_methods": [query(Connections), get(Passwords)];
        OPEN_CONNECTED = "open_connected":
            [put(Addresses), put(Users), put(Sessions), put(Connections), put(Identities)];
        CONNECT = "connect":
            [check(Users), put(Connections), put(Identities), delete(Disconnections)];
        CONNECT_BY_ADDRESS = "connect":
            [check(Users), put(Connections), put(Identities), check(Disconnections)];
        DISCONNECT = "disconnect": [
            delete(Connections), delete(Identities), check(Passwords), check(Connections),
            put(Disconnections),
        ];
    }
}
