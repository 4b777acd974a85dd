//! Reads wallets, payments and promotions.

use domain::{
    Timestamp,
    payment::{PaymentIntentId, StripeEvent},
    ports::{PaymentRecords, Promotions, WalletWork, Wallets},
    promotion::PromoCode,
    reference::Reference,
    referral::{FriendHash, ReferralKey},
    wallet::{Cause, WalletDue, WalletTask},
};
use kit::ItemKind;
use tests::{Value, json};

use super::{Item, MANY, Tables, at, end, hash, last_id, part};

pub async fn item(tables: &Tables, kind: ItemKind, of: &str, sk: &str, item: &Item) -> Value {
    let store = &tables.store;
    match kind {
        ItemKind::Wallets => json!(Wallets::find(store, part(of)).await.unwrap()),
        ItemKind::Postings => json!(store.posting(part(of), part(sk)).await.unwrap()),
        ItemKind::Causes => {
            let (_, booked) = store.with_causes(part(of), &[cause(sk)]).await.unwrap();
            json!(booked[0])
        }
        ItemKind::WalletsDue => {
            let (task, number) = of.split_once('#').unwrap();
            let task = WalletTask::ALL.into_iter().find(|known| known.as_str() == task).unwrap();
            let page = WalletWork::due(store, task, part(number), end(), None, MANY).await.unwrap();
            let ends = format!("#{}", last_id(sk));
            let of_it = |due: &&WalletDue| ends == format!("#{}", due.workspace);
            json!(page.items.iter().find(of_it))
        }
        ItemKind::Verifications => json!(store.verified(part(of)).await.unwrap()),
        ItemKind::Customers => json!(PaymentRecords::account(store, part(of)).await.unwrap()),
        ItemKind::Payments => {
            let intent = PaymentIntentId::parse(sk).unwrap();
            json!(PaymentRecords::payment(store, part(of), &intent).await.unwrap())
        }
        ItemKind::FormerReferrals => json!(store.former_referral(FriendHash(hash(of)), at(0)).await.unwrap()),
        // Functions only ask whether an event is stored.
        ItemKind::StripeEvents => {
            let event: StripeEvent = serde_dynamo::from_item(item.clone()).unwrap();
            assert!(store.knows_event(&event.id).await.unwrap() && event.id.as_str() == of);
            json!(event)
        }
        ItemKind::Reconciliations => json!(store.reconciled().await.unwrap()),
        ItemKind::Promotions => {
            json!(Promotions::find(store, &PromoCode::parse(of).unwrap()).await.unwrap())
        }
        // No function reads what is kept of a deleted wallet.
        ItemKind::ClosedPostings => serde_dynamo::from_item(item.clone()).unwrap(),
        other => panic!("{other:?} has no reader here"),
    }
}

/// The cause that a wallet remembers at a sort key.
fn cause(sk: &str) -> Cause {
    let (kind, reference) = sk.split_once('#').unwrap_or((sk, ""));
    let named = || Reference::parse(reference).unwrap();
    match kind {
        "job" => Cause::Job(named()),
        "refund" => Cause::Refund(named()),
        "adjustment" => Cause::Adjustment(named()),
        "company" => Cause::Company,
        "monthly" => Cause::Monthly(Timestamp::from_millisecond(part(reference)).unwrap()),
        "promo" => Cause::Promo(PromoCode::parse(reference).unwrap()),
        "payment" => {
            let (intent, change) = reference.split_once('#').unwrap();
            Cause::Payment { intent: PaymentIntentId::parse(intent).unwrap(), change: part(change) }
        }
        "referred" => Cause::Referred,
        "reward" => {
            let (key, change) = reference.split_once('#').unwrap();
            Cause::Reward { referral: ReferralKey(hash(key)), change: part(change) }
        }
        other => panic!("{other} is no cause that a wallet remembers"),
    }
}
