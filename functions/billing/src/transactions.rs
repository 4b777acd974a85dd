//! `GET /api/billing/transactions`: lists the changes of a workspace's balance, newest first, with type, search, time range and
//! pages, as an answer or as a file.
//!
//! A request reads at most the newest 1,000 transactions, and a request for a later page 1,000 more, from the cursor on.

use std::{borrow::Cow, sync::Arc};

use domain::{
    Timestamp,
    id::WorkspaceId,
    ports::{Failure, Outcome, Page, Wallets, Workspaces},
    reference::Reference,
    role::Role,
    search::SearchTerm,
    wallet::{Posting, PostingType, Wallet},
    workspace::Workspace,
};
use http::{HeaderName, HeaderValue, header};
use kit::{
    Access, CursorError, Endpoint, KeyOrMember, NoWorkspace, Output, Params, Ports, Prefetched,
    RequestContext, Spec, TokenIds,
    cursor::Cursor,
    grants::{wallets, workspaces},
    parameters::{PageSize, Search, TimeOrDate},
    prefetched::Early,
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    csv,
    listed_transaction::{COLUMNS, ListedTransaction, job_of},
    time_range::{ReversedRange, TimeRange},
};

/// Lists transactions.
pub struct ListTransactions;

/// Dependencies.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
}

/// Maximum number of postings that a request reads, and of rows in an answer.
const LOOKED_AT: usize = 1_000;
/// Number of postings per read.
const CHUNK: usize = 100;
/// The name of the list in its cursors.
const LIST: &str = "transactions";

/// Filters, page and form.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransactionsQuery {
    /// Earliest time, or day in UTC, inclusive.
    #[serde(default)]
    from: Option<TimeOrDate>,
    /// Latest time, or day in UTC, inclusive.
    #[serde(default)]
    to: Option<TimeOrDate>,
    /// List only transactions of this type.
    #[serde(default)]
    r#type: Option<PostingType>,
    /// Search term: part of the type, the reason, the type of GPU, the run, the job, or the id of the model or dataset, ignoring
    /// case and accents.
    #[serde(default)]
    search: Option<Search>,
    /// Cursor from the previous page.
    #[serde(default)]
    cursor: Option<Cursor>,
    /// Page size, 1 to 1,000. Absent: up to 1,000 transactions without `nextCursor`, which the reference's client does not know; the
    /// `Link` header names the next page.
    #[serde(default)]
    limit: Option<PageSize<1_000, 1_000>>,
    /// `details`: include the members that the reference's client does not know.
    #[serde(default)]
    expand: Option<TransactionExpansion>,
    /// Respond with a file, with all details. The `Link` header names the next one, if there are more transactions.
    #[serde(default)]
    format: Option<TransactionFormat>,
}

/// Values of `expand`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum TransactionExpansion {
    /// Include all details.
    Details,
}

/// The form of a file.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum TransactionFormat {
    /// Comma-separated values, with the names of the columns in the first line.
    Csv,
    /// The same as the answer without `format`.
    Json,
}

/// A page of transactions.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransactionPage {
    transactions: Vec<ListedTransaction>,
    /// Cursor of the next page. Absent on the last page, and without `limit`, `cursor`, `expand` and `format`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
    #[serde(skip)]
    next_page: Option<Cursor>,
    #[serde(skip)]
    format: Option<TransactionFormat>,
    #[serde(skip)]
    csv: Option<String>,
}

impl Output for TransactionPage {
    const TEXT_TYPE: Option<&'static str> = Some("text/csv; charset=utf-8; header=present");

    fn text(&self) -> Option<&str> {
        self.csv.as_deref()
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let disposition = self.format.map(|format| match format {
            TransactionFormat::Csv => "attachment; filename=\"transactions.csv\"",
            TransactionFormat::Json => "attachment; filename=\"transactions.json\"",
        });
        let value = disposition.map(HeaderValue::from_static);
        value.into_iter().map(|value| (header::CONTENT_DISPOSITION, value)).collect()
    }

    fn next_page(&self) -> Option<&Cursor> {
        self.next_page.as_ref()
    }
}

kit::errors! {
    pub enum Error from NoWorkspace, CursorError, ReversedRange, Failure {}
}

impl Endpoint for ListTransactions {
    const SPEC: Spec = spec("billing-transactions", Get, "/api/billing/transactions")
        .summary("List the changes of a workspace's balance")
        .access(Access::key_or_member(Role::Admin))
        .uses(&[workspaces::FIND, wallets::POSTINGS]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Prefetched<Params<TransactionsQuery>, Page<Posting>>;
    type Output = TransactionPage;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets(), workspaces: ports.workspaces() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched(Params(query), early): &mut Self::Input) {
        if query.cursor.is_none() {
            early.read(deps.wallets.postings(ids.workspace, None, CHUNK)).await;
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<KeyOrMember>,
        Prefetched(Params(query), early): Self::Input,
    ) -> Result<TransactionPage, Error> {
        let range = query.range()?;
        let (workspace, first) = first_page(deps, call, &query, early).await?;
        let found = find(deps, workspace.id, &query, range, first).await?;
        let next_page = found.goes_on_after.map(|last| call.cursors(&workspace, LIST).at(&last.to_string()));
        let in_detail = query.in_detail();
        let transactions: Vec<ListedTransaction> =
            found.postings.into_iter().map(|posting| ListedTransaction::new(posting, in_detail)).collect();
        let csv = match query.format {
            Some(TransactionFormat::Csv) => Some(table(&transactions)?),
            Some(TransactionFormat::Json) | None => None,
        };
        let next_cursor = next_page.clone().filter(|_| query.asks_for_cursor());
        Ok(TransactionPage { transactions, next_cursor, next_page, format: query.format, csv })
    }
}

impl TransactionsQuery {
    fn range(&self) -> Result<TimeRange, ReversedRange> {
        let from = self.from.map_or(Timestamp::MIN, TimeOrDate::begins);
        let to = self.to.map_or(Timestamp::MAX, TimeOrDate::ends);
        TimeRange::new(from, to)
    }

    fn limit(&self) -> usize {
        self.limit.map_or(LOOKED_AT, PageSize::get)
    }

    fn in_detail(&self) -> bool {
        self.expand.is_some() || self.format.is_some()
    }

    /// Whether the caller knows `nextCursor`.
    fn asks_for_cursor(&self) -> bool {
        self.limit.is_some() || self.cursor.is_some() || self.in_detail()
    }

    fn matches(&self, posting: &Posting, range: TimeRange) -> bool {
        let term = self.search.as_ref().map(Search::term);
        range.contains(posting.at)
            && self.r#type.is_none_or(|r#type| r#type == posting.r#type)
            && term.is_none_or(|term| is_found_by(posting, term))
    }
}

fn is_found_by(posting: &Posting, term: &SearchTerm) -> bool {
    let record = posting.record.as_ref();
    let texts = [
        Some(posting.r#type.as_str()),
        posting.reason.as_deref(),
        job_of(&posting.cause).map(Reference::as_str),
        record.and_then(|record| record.gpu_type.as_ref()).map(Reference::as_str),
        record.and_then(|record| record.run.as_ref()).map(Reference::as_str),
    ];
    let model = record.and_then(|record| record.model).map(|id| id.to_string());
    let dataset = record.and_then(|record| record.dataset).map(|id| id.to_string());
    let ids = [model.as_deref(), dataset.as_deref()];
    texts.into_iter().chain(ids).flatten().any(|text| term.is_in(text))
}

/// The workspace, and the first postings to look at.
async fn first_page<'a>(
    deps: &Deps,
    call: &'a RequestContext<KeyOrMember>,
    query: &TransactionsQuery,
    early: Early<Page<Posting>>,
) -> Result<(Cow<'a, Workspace>, Page<Posting>), Error> {
    let workspace = call.caller.workspace_record(&*deps.workspaces);
    if let Some(cursor) = &query.cursor {
        let workspace = workspace.await?;
        let last: u64 = call.cursors(&workspace, LIST).position(cursor)?;
        let page = deps.wallets.postings(workspace.id, Some(last.saturating_sub(1)), CHUNK).await?;
        return Ok((workspace, page));
    }
    let first = early.or_read(deps.wallets.postings(call.caller.workspace(), None, CHUNK));
    let first = async { Ok::<_, NoWorkspace>(first.await?) };
    let (workspace, mut first) = futures::try_join!(workspace, first)?;
    if first.items.is_empty() {
        // No wallet is stored yet.
        first.items.extend(Wallet::unopened(&workspace).1);
    }
    Ok((workspace, first))
}

/// The rows of a page.
struct Found {
    postings: Vec<Posting>,
    /// The number of the last posting before the next page, if the range may have more postings.
    goes_on_after: Option<u64>,
}

/// Looks at postings from `page` on until there is one more that matches than the answer has rows, or 1,000 were looked at.
async fn find(
    deps: &Deps,
    workspace: WorkspaceId,
    query: &TransactionsQuery,
    range: TimeRange,
    mut page: Page<Posting>,
) -> Outcome<Found> {
    let (limit, mut postings, mut stopped_at) = (query.limit(), Vec::new(), None);
    for looked_at in (CHUNK..=LOOKED_AT).step_by(CHUNK) {
        // Numbers have no gaps, and times never go back.
        let last = page.items.last().filter(|last| last.number > 1 && last.at >= range.from);
        stopped_at = last.map(|last| last.number);
        postings.extend(page.items.into_iter().filter(|posting| query.matches(posting, range)));
        let Some(last) = stopped_at.filter(|_| postings.len() <= limit && looked_at < LOOKED_AT) else {
            break;
        };
        page = deps.wallets.postings(workspace, Some(last.saturating_sub(1)), CHUNK).await?;
    }
    let is_full = postings.len() > limit;
    postings.truncate(limit);
    let goes_on_after = if is_full { postings.last().map(|last| last.number) } else { stopped_at };
    Ok(Found { postings, goes_on_after })
}

fn table(rows: &[ListedTransaction]) -> Outcome<String> {
    let cells: Result<Vec<_>, serde_json::Error> = rows.iter().map(ListedTransaction::cells).collect();
    csv::table(COLUMNS, cells.map_err(|error| Failure::Broken(error.to_string()))?)
}
