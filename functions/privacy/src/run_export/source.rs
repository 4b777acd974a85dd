//! Reading the rows of a bundle. Each page is written at once, so that only one page is in memory.

use std::{collections::VecDeque, sync::Arc};

use domain::{
    Timestamp,
    activity::{Inbox, Mark},
    export::Export,
    follow,
    id::{EventId, KeyId, SessionId, UploadId, WorkspaceId},
    ports::{
        ApiKeys, Connections, Failure, Follows, History, Inventory, Page, PaymentError, PaymentRecords,
        Payments, Resources, Teams, TokenKeys, UserAddresses, Wallets, Workspaces,
    },
    resource::{Kind, Resource, ResourceId},
    session_client::SessionClient,
    team::MOST_LISTED,
    trash::Trashed,
    user::personal_workspace,
    wallet::Wallet,
    workspace::Workspace,
};
use kit::Ports;
use serde::{Deserialize, Serialize};

use super::{bundle::Bundle, rows, sections::Stage};

/// How many rows are read at a time.
pub const PAGE: usize = 500;

/// The position of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportPosition {
    /// The stage that is being read.
    pub stage: Stage,
    /// The last record that was read in this stage.
    #[serde(default)]
    after: After,
}

/// The last record that was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum After {
    /// Nothing was read yet.
    #[default]
    Nothing,
    Session(SessionId),
    Resource(ResourceId),
    /// A file of a resource; `None` before its first file.
    File(ResourceId, Option<UploadId>),
    Event(EventId),
    /// A posting, by its number.
    Posting(u64),
    Key(KeyId),
    Upload(UploadId),
}

impl ExportPosition {
    /// The start of the export.
    pub const START: Self = Self::at(Stage::Sessions);

    /// The start of a stage.
    const fn at(stage: Stage) -> Self {
        Self { stage, after: After::Nothing }
    }

    /// The estimated progress in percent. The share of the history that was read is estimated from its times.
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

/// The ports that the data is read from.
pub struct SourcePorts {
    inventory: Arc<dyn Inventory>,
    addresses: Arc<dyn UserAddresses>,
    connections: Arc<dyn Connections>,
    follows: Arc<dyn Follows>,
    workspaces: Arc<dyn Workspaces>,
    teams: Arc<dyn Teams>,
    resources: Arc<dyn Resources>,
    history: Arc<dyn History>,
    wallets: Arc<dyn Wallets>,
    payments: Arc<dyn Payments>,
    payment_records: Arc<dyn PaymentRecords>,
    keys: Arc<dyn ApiKeys>,
    tokens: Arc<dyn TokenKeys>,
}

impl SourcePorts {
    /// Of a function's ports.
    pub fn of(ports: &impl Ports) -> Self {
        Self {
            inventory: ports.inventory(),
            addresses: ports.user_addresses(),
            connections: ports.connections(),
            follows: ports.follows(),
            workspaces: ports.workspaces(),
            teams: ports.teams(),
            resources: ports.resources(),
            history: ports.history(),
            wallets: ports.wallets(),
            payments: ports.payments(),
            payment_records: ports.payment_records(),
            keys: ports.api_keys(),
            tokens: ports.token_keys(),
        }
    }
}

/// Reads the data of a user.
pub struct ExportSource<'a> {
    ports: &'a SourcePorts,
    export: &'a Export,
    now: Timestamp,
    workspace: WorkspaceId,
    /// The marks on the whole history, after they were read.
    inbox: Option<Inbox>,
    /// The resources on the page that was read whose files come next.
    assets: VecDeque<ResourceId>,
    /// Whether there are more pages of resources.
    more_assets: bool,
}

impl<'a> ExportSource<'a> {
    /// Reads the data of the user whose export it is.
    pub fn new(ports: &'a SourcePorts, export: &'a Export, now: Timestamp) -> Self {
        let workspace = personal_workspace(export.user);
        Self { ports, export, now, workspace, inbox: None, assets: VecDeque::new(), more_assets: true }
    }

    /// The account without its sessions. `None` if the account was deleted.
    pub async fn account(&self) -> Result<Option<rows::Account>, Failure> {
        let (user, usage) =
            (self.ports.addresses.find(self.export.user), self.ports.resources.usage(self.workspace));
        let connections = self.ports.connections.list(self.export.user);
        let teams = self.ports.teams.of(self.export.user, MOST_LISTED);
        let profile = self.ports.workspaces.profile(self.workspace);
        let follows = self.ports.follows.list(self.export.user, follow::MOST);
        let wallet = self.ports.wallets.find(self.workspace);
        let (user, record, profile, connections, usage, wallet, billing, teams, follows) = futures::try_join!(
            user,
            self.record(),
            profile,
            connections,
            usage,
            wallet,
            self.billing(),
            teams,
            follows
        )?;
        let wallet = wallet.or_else(|| record.as_ref().map(|workspace| Wallet::unopened(workspace).0));
        let wallet = wallet.map(|wallet| rows::WalletRow::new(&wallet, self.now));
        let lists = rows::AccountLists { connections, teams, follows };
        Ok(user.map(|user| rows::Account::new(user, record.zip(profile), usage, (wallet, billing), lists)))
    }

    /// What Stripe stores. Without Stripe, the export waits: it would be incomplete.
    async fn billing(&self) -> Result<Option<rows::BillingRow>, Failure> {
        let Some(account) = self.ports.payment_records.account(self.workspace).await? else {
            return Ok(None);
        };
        let (details, methods) = futures::try_join!(
            self.ports.payments.billing_details(&account.customer),
            self.ports.payments.payment_methods(&account.customer),
        )?;
        match (details, methods) {
            (Ok(details), Ok(methods)) => Ok(Some(rows::BillingRow::new(&account, details, methods))),
            (Err(PaymentError::NotFound), _) | (_, Err(PaymentError::NotFound)) => Ok(None),
            (Err(error), _) | (_, Err(error)) => {
                Err(Failure::Unavailable { service: "stripe", detail: format!("{error:?}") })
            }
        }
    }

    async fn record(&self) -> Result<Option<Workspace>, Failure> {
        self.ports.workspaces.find(self.workspace).await
    }

    /// Writes the next page at most. Returns the position to continue at; `None` after the last page.
    pub async fn page(
        &mut self,
        place: ExportPosition,
        bundle: &mut Bundle,
    ) -> Result<Option<ExportPosition>, Failure> {
        let ExportPosition { stage, after } = place;
        let next = match stage {
            Stage::Sessions => self.sessions(after, bundle).await?,
            Stage::Live(kind) => self.live(kind, after, bundle).await?,
            Stage::Trashed(kind) => self.trashed(kind, after, bundle).await?,
            Stage::FilesOf(_) | Stage::FilesOfTrashed => self.files(place, bundle).await?,
            Stage::Events => self.events(after, bundle).await?,
            Stage::Transactions => self.transactions(after, bundle).await?,
            Stage::Keys => self.keys(after, bundle).await?,
            Stage::Uploads => self.uploads(after, bundle).await?,
        };
        if let Some(after) = next {
            return Ok(Some(ExportPosition { stage, after }));
        }
        (self.assets, self.more_assets) = (VecDeque::new(), true);
        let Some(next) = stage.next() else { return Ok(None) };
        bundle.enter(next.section())?;
        Ok(Some(ExportPosition::at(next)))
    }

    async fn sessions(&self, after: After, bundle: &mut Bundle) -> Result<Option<After>, Failure> {
        let after = match after {
            After::Session(id) => Some(id),
            _ => None,
        };
        let page = self.ports.inventory.sessions(self.export.user, after, PAGE).await?;
        let next = next(&page, |session| After::Session(session.id));
        for session in page.items {
            let key = self.ports.tokens.derivation_key(session.id.made_at()).await?;
            // A client that cannot be read keeps nobody's data back.
            let client = SessionClient::of(&session, &key).ok().flatten();
            bundle.row(&rows::SessionRow::new(&session, client))?;
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
        self.ports.inventory.resources(self.workspace, kind, resource(after), PAGE).await
    }

    async fn trashed_page(&self, after: After) -> Result<Page<Trashed>, Failure> {
        self.ports.inventory.trashed(self.workspace, resource(after), PAGE).await
    }

    /// Writes a page of the files of one resource, or reads a page of resources that have files.
    async fn files(&mut self, place: ExportPosition, bundle: &mut Bundle) -> Result<Option<After>, Failure> {
        if let After::File(asset, after) = place.after {
            let page = self.ports.inventory.files(asset, after, PAGE).await?;
            let next = next(&page, |file| After::File(asset, Some(file.id)));
            for file in page.items {
                bundle.row(&rows::FileRow::from(file))?;
            }
            return Ok(next.or_else(|| self.next_asset(asset)));
        }
        // A resource without bytes has no files. The files of a project belong to its models.
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

    /// The position after the files of `asset`.
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
            None => *self.inbox.insert(self.ports.history.inbox(self.workspace).await?),
        };
        let until = EventId::ceiling(self.export.created_at);
        let page = self.ports.inventory.events(self.workspace, after, until, PAGE).await?;
        let (Some(first), Some(last)) = (page.items.first(), page.items.last()) else { return Ok(None) };
        let marks = self.ports.inventory.marks(self.workspace, first.id, last.id, PAGE).await?;
        let next = next(&page, |event| After::Event(event.id));
        for event in page.items {
            let mark = marks.get(&event.id).copied().unwrap_or(Mark::default());
            let standing = inbox.standing(event.id, mark);
            bundle.row(&rows::Activity::new(event, standing, self.export.user))?;
        }
        Ok(next)
    }

    async fn transactions(&self, after: After, bundle: &mut Bundle) -> Result<Option<After>, Failure> {
        let after = match after {
            After::Posting(number) => number,
            _ => 0,
        };
        let page = self.ports.wallets.postings_after(self.workspace, after, PAGE).await?;
        let next = next(&page, |posting| After::Posting(posting.number));
        let mut postings = page.items;
        if after == 0 && postings.is_empty() {
            // The opening credit is stored with the first change of the wallet.
            let workspace = self.record().await?;
            postings.extend(workspace.and_then(|workspace| Wallet::unopened(&workspace).1));
        }
        // No posting is earlier than the one before it.
        let until = self.export.created_at;
        let is_end = postings.last().is_some_and(|posting| posting.at > until);
        for posting in postings.into_iter().take_while(|posting| posting.at <= until) {
            bundle.row(&rows::TransactionRow::new(posting, self.export.user))?;
        }
        Ok(next.filter(|_| !is_end))
    }

    async fn keys(&self, after: After, bundle: &mut Bundle) -> Result<Option<After>, Failure> {
        let after = match after {
            After::Key(id) => Some(id),
            _ => None,
        };
        let page = self.ports.keys.list(self.workspace, after, PAGE).await?;
        let next = next(&page, |key| After::Key(key.id));
        for key in page.items {
            bundle.row(&rows::KeyRow::from(key))?;
        }
        Ok(next)
    }

    async fn uploads(&self, after: After, bundle: &mut Bundle) -> Result<Option<After>, Failure> {
        let after = match after {
            After::Upload(id) => Some(id),
            _ => None,
        };
        let page = self.ports.inventory.uploads(self.workspace, after, PAGE).await?;
        let next = next(&page, |upload| After::Upload(upload.id));
        let rows = page.items.into_iter().filter_map(|upload| rows::BegunUpload::of(upload, self.now));
        for row in rows {
            bundle.row(&row)?;
        }
        Ok(next)
    }
}

/// The position after a page, if more pages follow.
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
        export::Format,
        id::{JobId, UserId},
    };

    use super::*;

    #[test]
    fn progress_never_goes_back_and_is_never_done_before_the_end() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let export = Export::new(JobId::floor(at(1_000)), UserId::floor(at(0)), Format::Zip, at(1_000));
        let mut places: Vec<ExportPosition> = Vec::new();
        for stage in Stage::ALL {
            places.push(ExportPosition::at(stage));
            if stage == Stage::Events {
                let events = [0, 1, 500, 1_000, 9_000].map(|second| EventId::floor(at(second)));
                places.extend(events.map(|event| ExportPosition { stage, after: After::Event(event) }));
            }
        }
        let progress: Vec<u8> = places.iter().map(|place| place.progress(&export)).collect();
        assert!(progress.is_sorted() && progress.last() < Some(&99), "{progress:?}");
        let middle = ExportPosition { stage: Stage::Events, after: After::Event(EventId::floor(at(500))) };
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
            After::Posting(7),
            After::Key(KeyId::floor(at)),
            After::Upload(UploadId::floor(at)),
        ] {
            for stage in Stage::ALL {
                let place = ExportPosition { stage, after };
                let text = serde_json::to_string(&place).unwrap();
                assert_eq!(serde_json::from_str::<ExportPosition>(&text).unwrap(), place, "{text}");
            }
        }
    }
}
