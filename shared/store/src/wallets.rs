//! Wallet, posting and cause.  Table `billing`: PK `WALLET#<workspace>`  SK `WALLET`, since its first change; PK
//! `POSTINGS#<workspace>`  SK `<12 digits of the number>` (never changed); PK `CAUSES#<workspace>`  SK `<cause>` (uniqueness: the
//! posting about it); PK `CLOSED#<sha256 of a deletion>`  SK `<12 digits of the number>#<milliseconds>` (the amounts of a wallet
//! that was deleted, of nobody).
//! Reads: the wallet (get), the wallet with causes (batch get), postings (query, newest or oldest first), one posting (get), all
//! strongly consistent.
//! Writes: one transaction puts the wallet, if it has the version that was read, with new postings and their causes. A change
//! of holds alone is a conditional put.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use domain::{
    Timestamp,
    deletion::Deletion,
    id::WorkspaceId,
    money::MicroUsd,
    permissions::ChangesWallets,
    ports::{Outcome, Page, Redeemed, Saved, TransactionExtras, Wallets},
    promotion::Promotion,
    secret::Digest256,
    wallet::{Booked, Cause, Posting, PostingType, Wallet, WalletChange},
};
use serde::Serialize;
use tables::ItemKind;

use crate::{
    client::Store,
    condition::Expressions,
    failure::failure,
    item::{Item, Key, from_item, to_item},
    retry::spread,
    transaction::{Condition, Transaction},
    workspaces,
};

fn wallet_key(workspace: WorkspaceId) -> Key {
    Key::new(ItemKind::Wallets, workspace, "WALLET")
}

fn digits(posting: u64) -> String {
    format!("{posting:012}")
}

fn posting_key(workspace: WorkspaceId, posting: u64) -> Key {
    Key::new(ItemKind::Postings, workspace, digits(posting))
}

fn cause_key(workspace: WorkspaceId, cause: &Cause) -> Key {
    Key::new(ItemKind::Causes, workspace, cause.to_string())
}

#[async_trait]
impl Wallets for Store {
    async fn find(&self, workspace: WorkspaceId) -> Outcome<Option<Wallet>> {
        self.get(wallet_key(workspace)).await?.map(from_item).transpose()
    }

    async fn with_causes(
        &self,
        workspace: WorkspaceId,
        causes: &[Cause],
    ) -> Outcome<(Option<Wallet>, Vec<Option<Booked>>)> {
        let causes = causes.iter().map(|cause| cause_key(workspace, cause));
        let keys: Vec<Key> = std::iter::once(wallet_key(workspace)).chain(causes).collect();
        let mut found = self.get_all(&keys).await?.into_iter();
        let wallet = found.next().flatten().map(from_item).transpose()?;
        let booked = found.map(|item| item.map(from_item).transpose()).collect::<Outcome<_>>()?;
        Ok((wallet, booked))
    }

    async fn posting(&self, workspace: WorkspaceId, number: u64) -> Outcome<Option<Posting>> {
        self.get(posting_key(workspace, number)).await?.map(from_item).transpose()
    }

    async fn postings(
        &self,
        workspace: WorkspaceId,
        newest: Option<u64>,
        limit: usize,
    ) -> Outcome<Page<Posting>> {
        let range = (digits(0), newest.map_or_else(|| "~".to_owned(), digits));
        let page = self.range_now(ItemKind::Postings, workspace, range, limit).await?;
        read(page)
    }

    async fn postings_after(
        &self,
        workspace: WorkspaceId,
        after: u64,
        limit: usize,
    ) -> Outcome<Page<Posting>> {
        let range = (digits(after.saturating_add(1)), "~".to_owned());
        let page = self.range_ascending(ItemKind::Postings, workspace, range, limit).await?;
        read(page)
    }

    async fn redeem(
        &self,
        _proof: &ChangesWallets,
        change: &WalletChange,
        promotion: &Promotion,
        extras: TransactionExtras,
    ) -> Outcome<Redeemed> {
        let transaction = self.transaction().book(change)?.count_redemption(promotion).extras(extras)?;
        Ok(match transaction.commit().await? {
            None => Redeemed::Yes,
            Some("promotion") => Redeemed::UsedUp,
            Some(_) => {
                spread().await;
                Redeemed::Stale
            }
        })
    }

    async fn book(
        &self,
        _proof: &ChangesWallets,
        change: &WalletChange,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let saved = if change.is_of_holds() && extras.is_empty() {
            let (key, item) = wallet_item(&change.wallet)?;
            self.put_if(&key, item, before(&change.wallet)).await?
        } else {
            let transaction = self.transaction().book(change)?.extras(extras)?;
            transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale)
        };
        if saved == Saved::Stale {
            spread().await;
        }
        Ok(saved)
    }
}

fn wallet_item(wallet: &Wallet) -> Outcome<(Key, Item)> {
    let key = wallet_key(wallet.workspace);
    Ok((key.clone(), to_item(&key, wallet)?))
}

/// The wallet did not change since this change was made.
fn before(wallet: &Wallet) -> Condition {
    Condition::version(wallet.version.saturating_sub(1))
}

impl Transaction<'_> {
    /// Adds a change of a wallet. The first one requires that the workspace exists.
    pub fn book(self, change: &WalletChange) -> Outcome<Self> {
        let transaction = self.book_in_workspace(change)?;
        if change.wallet.version > 1 {
            return Ok(transaction);
        }
        let workspace = workspaces::key_of(change.wallet.workspace);
        Ok(transaction.check("workspace", &workspace, Condition::present()))
    }

    /// Adds a change of a wallet, in a transaction that itself makes sure that the workspace exists.
    pub fn book_in_workspace(self, change: &WalletChange) -> Outcome<Self> {
        let WalletChange { wallet, postings, causes, due_before: _ } = change;
        let (key, item) = wallet_item(wallet)?;
        let mut transaction = self.put("wallet", &key, item, before(wallet)).reschedule(change)?;
        for posting in postings {
            let key = posting_key(wallet.workspace, posting.number);
            transaction = transaction.put("posting", &key, to_item(&key, posting)?, Condition::absent());
        }
        for (cause, booked) in causes {
            let key = cause_key(wallet.workspace, cause);
            transaction = transaction.put("cause", &key, to_item(&key, booked)?, Condition::absent());
        }
        Ok(transaction)
    }
}

fn read(page: Page<Item>) -> Outcome<Page<Posting>> {
    Ok(Page { items: page.items.into_iter().map(from_item).collect::<Outcome<_>>()?, more: page.more })
}

/// What remains of a posting when its workspace was deleted: amounts of nobody.
#[derive(Serialize)]
struct ClosedPosting {
    r#type: PostingType,
    amount: MicroUsd,
    balance: MicroUsd,
    at: Timestamp,
}

impl From<Posting> for ClosedPosting {
    fn from(Posting { r#type, amount, balance, at, .. }: Posting) -> Self {
        Self { r#type, amount, balance, at }
    }
}

impl Store {
    /// Puts an item if the condition holds.
    pub(crate) async fn put_if(&self, key: &Key, item: Item, condition: Condition) -> Outcome<Saved> {
        let mut expressions = Expressions::default();
        let condition = expressions.condition(condition)?;
        let request = self.client.put_item().table_name(self.name(key.table)).set_item(Some(item));
        let request = request
            .set_condition_expression(condition)
            .set_expression_attribute_names(expressions.names())
            .set_expression_attribute_values(expressions.values());
        match request.send().await {
            Ok(_) => Ok(Saved::Yes),
            Err(error) => match error.as_service_error() {
                // A transaction that changes the item at the same time wins.
                Some(
                    PutItemError::ConditionalCheckFailedException(_)
                    | PutItemError::TransactionConflictException(_),
                ) => Ok(Saved::Stale),
                _ => Err(failure(error)),
            },
        }
    }

    /// Keeps the amounts of these postings, without the workspace that they were of.
    pub(crate) async fn close_postings(&self, deletion: &Deletion, keys: &[Key]) -> Outcome<()> {
        let subject = Digest256::of(deletion.id.bare()).to_hex();
        let found = self.get_all(keys).await?.into_iter().flatten();
        let closed = found.map(|item| {
            let posting: Posting = from_item(item)?;
            // A wallet that a late request opened again counts from 1, too.
            let name = format!("{}#{}", digits(posting.number), posting.at.as_millisecond());
            let key = Key::new(ItemKind::ClosedPostings, subject, name);
            Ok((key.clone(), to_item(&key, &ClosedPosting::from(posting))?))
        });
        self.put_all(closed.collect::<Outcome<Vec<_>>>()?).await
    }
}
