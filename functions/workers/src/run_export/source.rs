//! Where a bundle's rows come from: read page by page, and written at once, so that no more than a page is in memory.

use std::collections::VecDeque;

use domain::{
    activity::{Inbox, Mark},
    export::Export,
    id::{EventId, KeyId, SessionId, UploadId, WorkspaceId},
    plan::MicroUsd,
    ports::{Failure, Page},
    resource::{Kind, Resource, ResourceId},
    trash::Trashed,
    user::personal_workspace,
    workspace::Workspace,
};
use serde::{Deserialize, Serialize};

use super::{Deps, bundle::Bundle, rows, sections::Stage};

/// So many rows are read at a time.
pub const PAGE: usize = 500;
/// So many memberships are told of.
const MEMBERSHIPS: usize = 1_000;

/// How far the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What is being read.
    pub stage: Stage,
    /// The last that was read of it.
    #[serde(default)]
    after: After,
}

/// The last that was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum After {
    /// Nothing.
    #[default]
    Nothing,
    Session(SessionId),
    Resource(ResourceId),
    /// A file of something; none if its files are next.
    File(ResourceId, Option<UploadId>),
    Event(EventId),
    Key(KeyId),
}

impl Place {
    /// Where everything begins.
    pub const START: Self = Self::at(Stage::Sessions);

    /// The beginning of a stage.
    const fn at(stage: Stage) -> Self {
        Self { stage, after: After::Nothing }
    }

    /// Percent that are behind, as far as can be told: how much there is of the history is guessed by its time.
    pub fn progress(&self, export: &Export) -> u8 {
        let begun = self.stage.begins_at();
        let After::Event(event) = self.after else { return begun };
        let since = export.user.made_at().as_millisecond();
        let whole = export.created_at.as_millisecond().saturating_sub(since).max(1);
        let part = event.made_at().as_millisecond().saturating_sub(since).clamp(0, whole);
        let percent = part.saturating_mul(80).checked_div(whole).unwrap_or_default();
        begun.saturating_add(u8::try_from(percent).unwrap_or_default())
    }
}

/// Reads what a user has.
pub struct Source<'a> {
    deps: &'a Deps,
    export: &'a Export,
    workspace: WorkspaceId,
    /// What was said of the whole history, once it was read.
    inbox: Option<Inbox>,
    /// What else has files, of what was read.
    assets: VecDeque<ResourceId>,
    /// Whether more was there to read.
    more_assets: bool,
}

impl<'a> Source<'a> {
    /// What the user has whose export it is.
    pub fn new(deps: &'a Deps, export: &'a Export) -> Self {
        let workspace = personal_workspace(export.user);
        Self { deps, export, workspace, inbox: None, assets: VecDeque::new(), more_assets: true }
    }

    /// The account, without its sessions. `None` if it is gone.
    pub async fn account(&self) -> Result<Option<rows::Account>, Failure> {
        let (user, usage) =
            (self.deps.accounts.user(self.export.user), self.deps.resources.usage(self.workspace));
        let teams = self.deps.inventory.memberships(self.export.user, MEMBERSHIPS);
        let (user, workspace, usage, teams) = futures::try_join!(user, self.record(), usage, teams)?;
        Ok(user.map(|user| rows::Account::new(user, workspace, usage, teams)))
    }

    async fn record(&self) -> Result<Option<Workspace>, Failure> {
        self.deps.workspaces.find(self.workspace).await
    }

    /// Writes what is next, a page of it at the most. Where to go on: `None` after the last.
    pub async fn page(&mut self, place: Place, bundle: &mut Bundle) -> Result<Option<Place>, Failure> {
        let Place { stage, after } = place;
        let next = match stage {
            Stage::Sessions => self.sessions(after, bundle).await?,
            Stage::Live(kind) => self.live(kind, after, bundle).await?,
            Stage::Trashed(kind) => self.trashed(kind, after, bundle).await?,
            Stage::FilesOf(_) | Stage::FilesOfTrashed => self.files(place, bundle).await?,
            Stage::Events => self.events(after, bundle).await?,
            Stage::Transactions => self.transactions(bundle).await?,
            Stage::Keys => self.keys(after, bundle).await?,
        };
        if let Some(after) = next {
            return Ok(Some(Place { stage, after }));
        }
        (self.assets, self.more_assets) = (VecDeque::new(), true);
        let Some(next) = stage.next() else { return Ok(None) };
        bundle.enter(next.section())?;
        Ok(Some(Place::at(next)))
    }

    async fn sessions(&self, after: After, bundle: &mut Bundle) -> Result<Option<After>, Failure> {
        let after = match after {
            After::Session(id) => Some(id),
            _ => None,
        };
        let page = self.deps.inventory.sessions(self.export.user, after, PAGE).await?;
        let next = next(&page, |session| After::Session(session.id));
        for session in page.items {
            bundle.row(&rows::Session::from(session))?;
        }
        Ok(next)
    }

    async fn live(&self, kind: Kind, after: After, bundle: &mut Bundle) -> Result<Option<After>, Failure> {
        let page = self.live_page(kind, after).await?;
        for resource in &page.items {
            write_resource(bundle, resource, None)?;
        }
        Ok(next(&page, |resource| After::Resource(resource.id)))
    }

    async fn trashed(&self, kind: Kind, after: After, bundle: &mut Bundle) -> Result<Option<After>, Failure> {
        let page = self.trashed_page(after).await?;
        for trashed in page.items.iter().filter(|trashed| trashed.resource.id.kind() == kind) {
            write_resource(bundle, &trashed.resource, Some(trashed))?;
        }
        Ok(next(&page, |trashed| After::Resource(trashed.resource.id)))
    }

    async fn live_page(&self, kind: Kind, after: After) -> Result<Page<Resource>, Failure> {
        self.deps.inventory.resources(self.workspace, kind, resource(after), PAGE).await
    }

    async fn trashed_page(&self, after: After) -> Result<Page<Trashed>, Failure> {
        self.deps.inventory.trashed(self.workspace, resource(after), PAGE).await
    }

    /// A page of the files of one thing, or else a page of things that have files.
    async fn files(&mut self, place: Place, bundle: &mut Bundle) -> Result<Option<After>, Failure> {
        if let After::File(asset, after) = place.after {
            let page = self.deps.inventory.files(asset, after, PAGE).await?;
            let next = next(&page, |file| After::File(asset, Some(file.id)));
            for file in page.items {
                bundle.row(&rows::File::from(file))?;
            }
            return Ok(next.or_else(|| self.next_asset(asset)));
        }
        // What has no bytes has no files. A project's files are its models'.
        let has_files = |resource: &Resource| resource.size_bytes > 0 && resource.id.project().is_none();
        let (assets, last, more) = if let Stage::FilesOf(kind) = place.stage {
            let Page { items, more } = self.live_page(kind, place.after).await?;
            let last = items.last().map(|resource| resource.id);
            let assets = items.into_iter().filter(has_files).map(|resource| resource.id).collect();
            (assets, last, more)
        } else {
            let Page { items, more } = self.trashed_page(place.after).await?;
            let last = items.last().map(|trashed| trashed.resource.id);
            let resources = items.into_iter().map(|trashed| trashed.resource);
            (resources.filter(has_files).map(|resource| resource.id).collect(), last, more)
        };
        (self.assets, self.more_assets) = (assets, more);
        let first = self.assets.pop_front().map(|asset| After::File(asset, None));
        Ok(first.or(last.filter(|_| more).map(After::Resource)))
    }

    /// What comes after the files of `asset`.
    fn next_asset(&mut self, asset: ResourceId) -> Option<After> {
        match self.assets.pop_front() {
            Some(next) => Some(After::File(next, None)),
            None => self.more_assets.then_some(After::Resource(asset)),
        }
    }

    async fn events(&mut self, after: After, bundle: &mut Bundle) -> Result<Option<After>, Failure> {
        let after = match after {
            After::Event(id) => Some(id),
            _ => None,
        };
        let inbox = match self.inbox {
            Some(inbox) => inbox,
            None => *self.inbox.insert(self.deps.history.inbox(self.workspace).await?),
        };
        let until = EventId::ceiling(self.export.created_at);
        let page = self.deps.inventory.events(self.workspace, after, until, PAGE).await?;
        let (Some(first), Some(last)) = (page.items.first(), page.items.last()) else { return Ok(None) };
        let marks = self.deps.inventory.marks(self.workspace, first.id, last.id, PAGE).await?;
        let next = next(&page, |event| After::Event(event.id));
        for event in page.items {
            let mark = marks.get(&event.id).copied().unwrap_or(Mark::default());
            let standing = inbox.standing(event.id, mark);
            bundle.row(&rows::Activity::new(event, standing, self.export.user))?;
        }
        Ok(next)
    }

    async fn transactions(&self, bundle: &mut Bundle) -> Result<Option<After>, Failure> {
        let credit = self.record().await?.filter(|workspace| workspace.opening_credit > MicroUsd::ZERO);
        if let Some(workspace) = credit {
            bundle.row(&rows::Transaction {
                r#type: rows::TransactionType::OpeningCredit,
                amount_micro_usd: workspace.opening_credit,
                at: workspace.created_at,
            })?;
        }
        Ok(None)
    }

    async fn keys(&self, after: After, bundle: &mut Bundle) -> Result<Option<After>, Failure> {
        let after = match after {
            After::Key(id) => Some(id),
            _ => None,
        };
        let page = self.deps.keys.list(self.workspace, after, PAGE).await?;
        let next = next(&page, |key| After::Key(key.id));
        for key in page.items {
            bundle.row(&rows::Key::from(key))?;
        }
        Ok(next)
    }
}

/// Where a list goes on after a page, if it does.
fn next<T>(page: &Page<T>, after: impl FnOnce(&T) -> After) -> Option<After> {
    page.items.last().filter(|_| page.more).map(after)
}

fn resource(after: After) -> Option<ResourceId> {
    match after {
        After::Resource(id) | After::File(id, _) => Some(id),
        _ => None,
    }
}

fn write_resource(
    bundle: &mut Bundle,
    resource: &Resource,
    trashed: Option<&Trashed>,
) -> Result<(), Failure> {
    let common = rows::Common::new(resource, trashed.map(|trashed| trashed.at));
    match resource.id.kind() {
        Kind::Project => bundle.row(&rows::Project { common, models: resource.models }),
        Kind::Dataset => bundle.row(&rows::Dataset { common }),
        Kind::Model => bundle.row(&rows::Model { common, project_id: resource.project }),
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        Timestamp,
        export::Format,
        id::{JobId, UserId},
    };

    use super::*;

    #[test]
    fn progress_never_goes_back_and_is_never_done_before_the_end() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let export = Export::new(JobId::floor(at(1_000)), UserId::floor(at(0)), Format::Zip, at(1_000));
        let mut places: Vec<Place> = Vec::new();
        for stage in Stage::ALL {
            places.push(Place::at(stage));
            if stage == Stage::Events {
                let events = [0, 1, 500, 1_000, 9_000].map(|second| EventId::floor(at(second)));
                places.extend(events.map(|event| Place { stage, after: After::Event(event) }));
            }
        }
        let progress: Vec<u8> = places.iter().map(|place| place.progress(&export)).collect();
        assert!(progress.is_sorted() && progress.last() < Some(&99), "{progress:?}");
        let middle = Place { stage: Stage::Events, after: After::Event(EventId::floor(at(500))) };
        assert_eq!(middle.progress(&export), 50);
    }

    #[test]
    fn a_place_reads_back() {
        let (session, at) = (SessionId::floor(Timestamp::UNIX_EPOCH), Timestamp::UNIX_EPOCH);
        let model = ResourceId::Model(domain::id::ModelId::floor(at));
        for after in [
            After::Nothing,
            After::Session(session),
            After::Resource(model),
            After::File(model, None),
            After::File(model, Some(UploadId::floor(at))),
            After::Event(EventId::floor(at)),
            After::Key(KeyId::floor(at)),
        ] {
            for stage in Stage::ALL {
                let place = Place { stage, after };
                let text = serde_json::to_string(&place).unwrap();
                assert_eq!(serde_json::from_str::<Place>(&text).unwrap(), place, "{text}");
            }
        }
    }
}
