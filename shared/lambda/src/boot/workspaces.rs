//! Workspaces, their API keys and their histories.

use std::sync::Arc;

use domain::ports::{
    ApiKeys, Follows, History, Invitations, PaymentRecords, Promotions, Teams, TeamsElsewhere, WalletWork,
    Wallets, Workspaces,
};
use kit::ports::WorkspacePorts;

use super::FunctionRuntime;

impl WorkspacePorts for FunctionRuntime {
    fn workspaces(&self) -> Arc<dyn Workspaces> {
        self.store()
    }

    fn api_keys(&self) -> Arc<dyn ApiKeys> {
        self.store()
    }

    fn teams(&self) -> Arc<dyn Teams> {
        self.store()
    }

    fn teams_elsewhere(&self) -> Arc<dyn TeamsElsewhere> {
        self.store()
    }

    fn invitations(&self) -> Arc<dyn Invitations> {
        self.store()
    }

    fn follows(&self) -> Arc<dyn Follows> {
        self.store()
    }

    fn wallets(&self) -> Arc<dyn Wallets> {
        self.store()
    }

    fn wallet_work(&self) -> Arc<dyn WalletWork> {
        self.store()
    }

    fn payment_records(&self) -> Arc<dyn PaymentRecords> {
        self.store()
    }

    fn promotions(&self) -> Arc<dyn Promotions> {
        self.store()
    }

    fn history(&self) -> Arc<dyn History> {
        self.store()
    }
}
