//! Data that every region may have.

use std::sync::Arc;

use domain::ports::Directory;
use kit::ports::DirectoryPorts;

use super::FunctionRuntime;

impl DirectoryPorts for FunctionRuntime {
    fn directory(&self) -> Arc<dyn Directory> {
        self.names()
    }
}
