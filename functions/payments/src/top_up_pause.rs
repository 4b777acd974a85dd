//! Ends a pause of automatic top-ups: a person chose another payment method.

use domain::{
    Timestamp,
    id::WorkspaceId,
    permissions::worker_may_book_payments,
    ports::{Outcome, Rounds, Saved, TransactionExtras, Wallets},
    wallet::Booking,
};

/// Lets automatic top-ups of a workspace go on, if they are paused.
pub async fn end(wallets: &dyn Wallets, workspace: WorkspaceId, now: Timestamp) -> Outcome<()> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let Some(wallet) = wallets.find(workspace).await? else { return Ok(()) };
        if !wallet.auto_top_up.as_ref().is_some_and(|it| it.is_hampered()) {
            return Ok(());
        }
        let mut booking = Booking::begin(wallet, None, now);
        booking.resume_top_ups();
        let Some(change) = booking.finish() else { return Ok(()) };
        let proof = worker_may_book_payments();
        if wallets.book(&proof, &change, TransactionExtras::default()).await? == Saved::Yes {
            return Ok(());
        }
    }
}
