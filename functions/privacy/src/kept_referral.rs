//! The record of a referral whose friend deleted the account.

use domain::{
    Timestamp,
    id::WorkspaceId,
    ports::{Outcome, PaymentRecords, TransactionExtras, Wallets},
    referral::{FormerReferral, keep_newest},
};

/// How many payments are read at a time.
const BATCH: usize = 100;

/// Stores the record of a friend's referral, with the payments that count, before wallet and payments are erased. Returns when the record
/// expires, which is derived from the time of the request, so that every run returns the same. `None`: the wallet has no referral, or is
/// erased already.
///
/// # Errors
///
/// If AWS fails.
pub async fn keep(
    (records, wallets): (&dyn PaymentRecords, &dyn Wallets),
    friend: WorkspaceId,
    requested_at: Timestamp,
) -> Outcome<Option<Timestamp>> {
    let wallet = wallets.find(friend).await?;
    let Some(referral) = wallet.and_then(|wallet| wallet.referral) else { return Ok(None) };
    let (mut payments, mut after) = (Vec::new(), None);
    loop {
        let page = records.payments_after(friend, after.as_ref(), BATCH).await?;
        after = page.items.last().map(|payment| payment.intent.clone());
        let more = page.more && after.is_some();
        payments.extend(page.items);
        keep_newest(&mut payments);
        if !more {
            break;
        }
    }
    let record = FormerReferral::new(friend, referral, payments, requested_at);
    // If a run that was interrupted stored it, that record is complete: no payment was erased before.
    records.save_former_referral(&record, TransactionExtras::default()).await?;
    Ok(Some(record.kept_until))
}
