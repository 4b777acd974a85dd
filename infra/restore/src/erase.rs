//! Goes through the restored copies.

use kit::ItemKind;
use store::tables::{PARTITION_KEY, Table};

use crate::{
    error::RestoreError,
    followers::Relations,
    judge::{Treatment, is_of_erased, mentions_erased, treatment},
    ledger::{ErasureLedger, names_somebody},
    report::{RestoreAction, RestoreReport},
    table_group::{StoredItem, TableGroup, delete, put, text},
};

/// The restored copies of a region's tables, and the tables that served last.
#[derive(Debug, Clone)]
pub struct Restoration {
    /// The copies, all restored to the same second. They serve nobody yet.
    pub copies: TableGroup,
    /// The tables that served last, with the ledger of erasures.
    pub live: TableGroup,
    /// Whether API keys stay that no table holds any more. For a restore because API keys were lost.
    pub keeps_api_keys: bool,
}

/// Whether a pass changes the copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Look,
    Change,
}

/// What becomes of an item.
enum Judgement {
    Keep,
    Mention,
    Delete(RestoreAction),
    Replace(RestoreAction, StoredItem),
}

impl Restoration {
    /// Finds what [`Restoration::erase`] would change.
    ///
    /// # Errors
    ///
    /// As for [`Restoration::erase`].
    pub async fn look(&self) -> Result<RestoreReport, RestoreError> {
        if self.copies.prefix() == self.live.prefix() {
            return Err(RestoreError::SameTables(self.live.prefix().to_owned()));
        }
        let ledger = ErasureLedger::read(&self.live).await?;
        self.pass(&ledger, Pass::Look).await
    }

    /// Deletes from the copies what belongs to erased accounts and teams, and what must not become valid again. Looks through all
    /// copies before and afterwards.
    ///
    /// # Errors
    ///
    /// If an item is of no known kind or names no owner: then nothing is changed. If a call fails, or an account was erased
    /// meanwhile: then the command must be repeated.
    pub async fn erase(&self) -> Result<RestoreReport, RestoreError> {
        self.look().await?;
        let ledger = ErasureLedger::read(&self.live).await?;
        let done = self.pass(&ledger, Pass::Change).await?;
        let left = self.look().await?;
        if left.changes() > 0 {
            return Err(RestoreError::Left(left.to_string()));
        }
        Ok(done)
    }

    async fn pass(&self, ledger: &ErasureLedger, pass: Pass) -> Result<RestoreReport, RestoreError> {
        let mut report = RestoreReport::default();
        let relations = Relations::count(&self.copies, ledger).await?;
        for table in Table::RESTORED {
            let mut after = None;
            loop {
                let (items, next) = self.copies.page(table, after).await?;
                let mut writes = Vec::new();
                for item in items {
                    let kind = kind_of(table, &item)?;
                    note_owner(&mut report, ledger, kind, &item);
                    match self.judge(ledger, &relations, kind, &item).await? {
                        Judgement::Keep => {}
                        Judgement::Mention => report.count(RestoreAction::Mentioned, kind),
                        Judgement::Delete(action) => {
                            report.count(action, kind);
                            writes.push(delete(&item)?);
                        }
                        Judgement::Replace(action, newer) => {
                            report.count(action, kind);
                            writes.push(put(newer)?);
                        }
                    }
                }
                if pass == Pass::Change {
                    self.copies.write(table, writes).await?;
                }
                match next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok(report)
    }

    async fn judge(
        &self,
        ledger: &ErasureLedger,
        relations: &Relations,
        kind: ItemKind,
        item: &StoredItem,
    ) -> Result<Judgement, RestoreError> {
        let treatment = treatment(kind);
        let is_erased = match treatment {
            Treatment::Kept => return Ok(Judgement::Keep),
            Treatment::Momentary => return Ok(Judgement::Delete(RestoreAction::Ended)),
            Treatment::Counted => {
                let corrected = relations.corrected(item)?;
                let recounted = |item| Judgement::Replace(RestoreAction::Recounted, item);
                return Ok(corrected.map_or(Judgement::Keep, recounted));
            }
            Treatment::Bookkeeping => mentions_erased(ledger, item),
            Treatment::Apart => {
                return Err(RestoreError::UnknownKind(kind.table(), kind.prefix().to_owned()));
            }
            Treatment::Owned | Treatment::Newest | Treatment::Revocable => is_of_erased(ledger, kind, item)?,
        };
        if is_erased {
            return Ok(Judgement::Delete(RestoreAction::Erased));
        }
        match treatment {
            Treatment::Newest => {
                let serving = self.live.same_key(kind.table(), item).await?;
                let newer = serving.filter(|serving| serving != item);
                let replaced = |item| Judgement::Replace(RestoreAction::Replaced, item);
                Ok(newer.map_or(Judgement::Keep, replaced))
            }
            Treatment::Revocable if !self.keeps_api_keys => {
                let serving = self.live.same_key(kind.table(), item).await?;
                Ok(if serving.is_some() {
                    Judgement::Keep
                } else {
                    Judgement::Delete(RestoreAction::Revoked)
                })
            }
            _ if mentions_erased(ledger, item) => Ok(Judgement::Mention),
            _ => Ok(Judgement::Keep),
        }
    }
}

fn kind_of(table: Table, item: &StoredItem) -> Result<ItemKind, RestoreError> {
    let partition = text(item, PARTITION_KEY);
    let prefix = || partition.split('#').next().unwrap_or_default().to_owned();
    ItemKind::of(table, partition).ok_or_else(|| RestoreError::UnknownKind(table, prefix()))
}

/// Notes a team whose owner is erased: its owner changed before the account was erased, and after the time of the copy.
fn note_owner(report: &mut RestoreReport, ledger: &ErasureLedger, kind: ItemKind, item: &StoredItem) {
    let (partition, owner) = (text(item, PARTITION_KEY), text(item, "owner"));
    let is_team = kind == ItemKind::Workspaces && names_somebody(owner) && !ledger.is_named_in(partition);
    if is_team && ledger.is_named_in(owner) {
        let team = partition.strip_prefix(kind.prefix()).unwrap_or_default();
        report.teams_without_owner.push(team.to_owned());
    }
}
