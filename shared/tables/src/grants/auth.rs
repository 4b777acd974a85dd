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
        BEGIN = "begin":
            [query(Sessions), put(Sessions), delete(Sessions), put(Passwords), check(Passwords)];
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
        ASK = "ask": [put(ResetsAsked)];
        FIND = "find": [batch_get(Users), batch_get(LastResets), batch_get(Workspaces)];
        SET = "set": [put(Passwords), put(LastResets), put(Throttles), delete(Sessions)];
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
