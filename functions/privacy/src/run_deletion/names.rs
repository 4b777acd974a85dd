//! The names of an account in the directory, which are released after everything that uses them.

use domain::{
    deletion::DeletionScope,
    directory::{Holder, Name},
    ports::Failure,
};

use super::Run;

impl Run<'_> {
    /// Gives up the claims on the person's identities. The connections lead to them, and are erased afterwards.
    pub(super) async fn free_identities(&self) -> Result<(), Failure> {
        let deletion = &self.deletion.next;
        if deletion.scope == DeletionScope::Team {
            return Ok(());
        }
        let connections = self.deps.connections.list(deletion.user).await?;
        for connection in connections {
            let (name, id) = (Name::Identity(connection.identity), deletion.user.to_string());
            let holder = Holder { region: deletion.region, id, confirmed: true };
            self.deps.directory.give_up(&name, &holder, deletion.reserved_until()).await?;
        }
        Ok(())
    }

    /// An onboarding that ran during the deletion may have opened a workspace with a handle that the job does not know. The job
    /// records the handle before the workspace is erased, so that it is released with the other names.
    pub(super) async fn learn_handle(&mut self) -> Result<(), Failure> {
        let Some(late) = self.deps.workspaces.find(self.deletion.next.workspace).await? else {
            return Ok(());
        };
        if self.deletion.next.handle.as_ref() == Some(&late.handle) {
            return Ok(());
        }
        let known =
            self.deletion.next.names().into_iter().filter(|(name, _)| matches!(name, Name::Handle(_)));
        for (name, holder) in known {
            self.deps.directory.give_up(&name, &holder, self.deletion.next.reserved_until()).await?;
        }
        self.deletion.next.handle = Some(late.handle);
        self.save(false).await
    }

    /// The job records the hashes of the account's other addresses before their record is erased, so that they are released with
    /// the other names.
    pub(super) async fn learn_addresses(&mut self) -> Result<(), Failure> {
        let found = self.deps.deletions.verified_addresses(self.deletion.next.user).await?;
        if self.deletion.next.learn_addresses(found) { self.save(false).await } else { Ok(()) }
    }
}
