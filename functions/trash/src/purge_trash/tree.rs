//! Removing everything in a resource: first files, then their records, then models, and last the record of the purge. So
//! every stored file has a record until it is removed.

use domain::{blob::BlobKey, id::WorkspaceId, ports::Failure, resource::ResourceId, trash::Purge};

use super::Run;

/// How many files are removed at a time.
const FILES: usize = 100;
/// How many models are removed at a time.
const MODELS: usize = 25;

impl Run<'_> {
    /// Removes everything in the resource, within the limit of the run.
    pub(super) async fn remove_tree(&mut self, purge: &Purge) -> Result<(), Failure> {
        match purge.root {
            ResourceId::Project(project) => loop {
                let models = self.deps.purges.models(purge.workspace, project, MODELS).await?;
                if models.is_empty() {
                    break;
                }
                for model in &models {
                    self.remove_files(purge.workspace, ResourceId::Model(*model)).await?;
                }
                if self.is_over() {
                    return Ok(());
                }
                self.step();
                self.deps.purges.forget_models(purge.workspace, project, &models).await?;
                self.report.models += models.len();
            },
            asset => self.remove_files(purge.workspace, asset).await?,
        }
        if self.is_over() { Ok(()) } else { self.deps.purges.finish(purge).await }
    }

    async fn remove_files(&mut self, workspace: WorkspaceId, asset: ResourceId) -> Result<(), Failure> {
        while !self.is_over() {
            let files = self.deps.purges.files(asset, FILES).await?;
            if files.is_empty() {
                break;
            }
            self.step();
            let keys: Vec<BlobKey> = files.iter().map(|file| BlobKey::of_upload(workspace, *file)).collect();
            self.deps.blobs.delete(&keys).await?;
            self.deps.purges.forget_files(asset, &files).await?;
            self.report.files += files.len();
        }
        Ok(())
    }
}
