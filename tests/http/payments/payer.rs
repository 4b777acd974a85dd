//! A workspace that pays at Stripe, and what becomes of each payment there: refunds, some of which fail, and
//! a dispute. Each payment knows what is left of it.

use domain::{payment::PaymentIntentId, ports::PaymentRecords};
use store::Store;
use tests::{Person, Stripe, json};

use super::{CENT, random::Random, store_of, webhook, worth};

/// The largest part of a payment that a refund gives back, in cents.
const LARGEST_PART: u64 = 300;

/// Somebody who has a customer at Stripe.
pub struct Payer {
    /// The person.
    pub who: Person,
    customer: String,
    store: Store,
}

impl Payer {
    /// Makes the customer, as the platform does: with a page that nobody pays.
    pub async fn new(who: &Person) -> Self {
        let (customer, store) = (webhook::customer(who).await, store_of(&who.app));
        Self { who: who.clone(), customer, store }
    }

    /// Pays so many cents, as with a page of the platform.
    pub async fn pays(&self, cents: i64) -> Paid {
        let amount = cents.to_string();
        let id = webhook::pays(&self.who, &self.customer, (amount.as_str(), "usd"), &amount).await;
        Paid { id, received: cents, refunds: Vec::new(), dispute: None }
    }

    /// What the wallet has of a payment, in micro-USD, as the record of the payment says.
    pub async fn counted(&self, paid: &Paid) -> i64 {
        let (workspace, intent) = (self.who.workspace(), PaymentIntentId::parse(&paid.id).unwrap());
        let stored = PaymentRecords::payment(&self.store, workspace, &intent).await.unwrap();
        stored.map_or(0, |payment| payment.counted.micros().micros())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DisputeStatus {
    Open,
    Won,
    Lost,
}

struct Dispute {
    id: String,
    cents: i64,
    status: DisputeStatus,
}

/// A payment, and what was done with it at Stripe.
pub struct Paid {
    /// The id of the payment intent.
    pub id: String,
    /// The cents that were paid.
    received: i64,
    /// The refunds that did not fail, with their cents.
    refunds: Vec<(String, i64)>,
    dispute: Option<Dispute>,
}

impl Paid {
    fn refunded(&self) -> i64 {
        self.refunds.iter().map(|(_, cents)| *cents).sum()
    }

    /// The rest of it, in micro-USD: what was paid, without refunds and without what a dispute holds or
    /// took.
    pub fn micros(&self) -> i64 {
        let holding = self.dispute.as_ref().filter(|dispute| dispute.status != DisputeStatus::Won);
        let disputed = holding.map_or(0, |dispute| dispute.cents);
        (self.received - self.refunded() - disputed).max(0) * CENT
    }

    /// The same by Stripe's objects.
    pub async fn at_stripe(&self, stripe: &Stripe) -> i64 {
        worth(stripe, &self.id).await
    }

    /// Something happens to it at Stripe: a refund or the failure of one, or a dispute begins or ends. Not
    /// always: little may be left.
    pub async fn changes(&mut self, stripe: &Stripe, random: &mut Random) {
        let (chance, part) = (random.below(16), random.amount(LARGEST_PART));
        let left = self.received - self.refunded();
        let status = self.dispute.as_ref().map(|dispute| dispute.status);
        match status {
            Some(DisputeStatus::Open) if chance < 5 => self.dispute_ends(stripe, DisputeStatus::Won).await,
            Some(DisputeStatus::Open) if chance < 8 => self.dispute_ends(stripe, DisputeStatus::Lost).await,
            None if chance == 0 && left > 0 => self.is_disputed(stripe).await,
            _ if chance == 1 || chance == 2 => self.refund_fails(stripe).await,
            // Stripe refunds nothing that a dispute holds or took.
            None | Some(DisputeStatus::Won) if left > 0 => self.is_refunded(stripe, part.min(left)).await,
            _ => {}
        }
    }

    async fn is_refunded(&mut self, stripe: &Stripe, cents: i64) {
        let amount = cents.to_string();
        let form = [("payment_intent", self.id.as_str()), ("amount", amount.as_str())];
        let (status, refund) = stripe.post("/v1/refunds", &form).await;
        assert_eq!(status, 200, "{refund}");
        self.refunds.push((refund["id"].as_str().unwrap().to_owned(), cents));
    }

    /// The bank sends the newest refund back.
    async fn refund_fails(&mut self, stripe: &Stripe) {
        if let Some((refund, _)) = self.refunds.pop() {
            stripe.control(&format!("refunds/{refund}"), json!({ "status": "failed" })).await;
        }
    }

    /// The bank disputes all that is left.
    async fn is_disputed(&mut self, stripe: &Stripe) {
        let dispute = stripe.control("disputes", json!({ "payment_intent": self.id })).await;
        let (id, cents) = (dispute["id"].as_str().unwrap().to_owned(), dispute["amount"].as_i64().unwrap());
        self.dispute = Some(Dispute { id, cents, status: DisputeStatus::Open });
    }

    async fn dispute_ends(&mut self, stripe: &Stripe, status: DisputeStatus) {
        let Some(dispute) = &mut self.dispute else { return };
        let outcome = if status == DisputeStatus::Won { "won" } else { "lost" };
        stripe.control(&format!("disputes/{}", dispute.id), json!({ "status": outcome })).await;
        dispute.status = status;
    }
}
