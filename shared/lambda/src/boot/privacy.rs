//! A person's data: exports and deletions.

use std::sync::Arc;

use domain::ports::{Deletions, Exports, Inventory};
use kit::ports::PrivacyPorts;

use super::FunctionRuntime;

impl PrivacyPorts for FunctionRuntime {
    fn exports(&self) -> Arc<dyn Exports> {
        self.store()
    }

    fn inventory(&self) -> Arc<dyn Inventory> {
        self.store()
    }

    fn deletions(&self) -> Arc<dyn Deletions> {
        self.store()
    }
}
