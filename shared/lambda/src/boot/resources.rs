//! Projects, datasets and models; the trash; uploads; permanent removal.

use std::sync::Arc;

use domain::ports::{Purges, Resources, Trash, Uploads};
use kit::ports::ResourcePorts;

use super::FunctionRuntime;

impl ResourcePorts for FunctionRuntime {
    fn resources(&self) -> Arc<dyn Resources> {
        self.store()
    }

    fn trash(&self) -> Arc<dyn Trash> {
        self.store()
    }

    fn uploads(&self) -> Arc<dyn Uploads> {
        self.store()
    }

    fn purges(&self) -> Arc<dyn Purges> {
        self.store()
    }
}
