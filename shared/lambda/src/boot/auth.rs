//! Signing up, signing in, and staying signed in.

use std::sync::Arc;

use domain::ports::{
    Accounts, AuthorizationRequests, BreachedPasswords, Connections, PasswordResets, RateWindows, Sessions,
    SignUps, Throttles, UserAddresses,
};
use kit::ports::AuthPorts;

use super::FunctionRuntime;
use crate::partner_client::PartnerClient;

impl AuthPorts for FunctionRuntime {
    fn sign_ups(&self) -> Arc<dyn SignUps> {
        self.store()
    }

    fn accounts(&self) -> Arc<dyn Accounts> {
        self.store()
    }

    fn sessions(&self) -> Arc<dyn Sessions> {
        self.store()
    }

    fn authorization_requests(&self) -> Arc<dyn AuthorizationRequests> {
        self.store()
    }

    fn connections(&self) -> Arc<dyn Connections> {
        self.store()
    }

    fn password_resets(&self) -> Arc<dyn PasswordResets> {
        self.store()
    }

    fn rate_windows(&self) -> Arc<dyn RateWindows> {
        self.store()
    }

    fn breached_passwords(&self) -> Arc<dyn BreachedPasswords> {
        match self.config.breached_passwords.clone() {
            Some(url) => Arc::new(providers::PasswordRanges::new(url, PartnerClient::for_password_ranges())),
            None => Arc::new(providers::NoLookup),
        }
    }

    fn user_addresses(&self) -> Arc<dyn UserAddresses> {
        self.store()
    }

    fn throttles(&self) -> Arc<dyn Throttles> {
        self.store()
    }
}
