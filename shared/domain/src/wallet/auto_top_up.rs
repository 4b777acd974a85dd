//! Automatic top-ups: credit that is bought when the balance is low, with the consent of a person who manages billing.

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{Date, Time},
    tz::Offset,
};
use serde::{Deserialize, Serialize};

use super::{Wallet, budget::first_of_month};
use crate::{
    id::UserId,
    payment::{Cents, PaymentMethodId},
};

/// After so many declined payments in a row, top-ups pause.
pub const MOST_DECLINES: u8 = 3;
/// How long a declined payment is not tried again: after the first, and after the second.
const WAITS: [SignedDuration; 2] = [SignedDuration::from_hours(1), SignedDuration::from_hours(24)];

/// How long a run waits for Stripe's answer before another asks again.
const ANSWERED: SignedDuration = SignedDuration::from_mins(2);
/// How long a payment is not asked for again after Stripe did not answer.
const OUTAGE: SignedDuration = SignedDuration::from_mins(5);
/// How long a payment without an answer can be asked for: Stripe forgets idempotency keys after 24 hours.
const ANSWERABLE: SignedDuration = SignedDuration::from_hours(20);

/// Why top-ups are paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TopUpPause {
    /// The card was declined too often.
    Declined,
    /// The bank wants the owner of the card to confirm each payment.
    AuthenticationRequired,
    /// There is no payment method, or it can't be used any more.
    NoPaymentMethod,
    /// A payment was refunded or disputed.
    PaymentTakenBack,
    /// Stripe did not say within a day whether a payment was made.
    Unknown,
}

/// A payment that was begun. It is stored before Stripe is called, so that each attempt to make it is the same payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopUpAttempt {
    /// The number: 1, 2, 3 and so on.
    pub number: u32,
    /// The amount.
    pub amount: Cents,
    /// The payment method.
    pub method: PaymentMethodId,
    /// When it was begun.
    pub begun_at: Timestamp,
}

/// The settings of automatic top-ups, and how they go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutoTopUp {
    /// Whether credit is bought. Settings that were ended keep their counters, so that a later payment is never taken for an earlier one.
    pub enabled: bool,
    /// Credit is bought when less than this can be spent.
    pub threshold: Cents,
    /// The amount of a payment.
    pub amount: Cents,
    /// The most that is paid in a calendar month, in UTC.
    pub monthly_cap: Cents,
    /// The user who agreed that the card is charged without being asked.
    pub agreed_by: UserId,
    /// When.
    pub agreed_at: Timestamp,
    /// The first day of the month of `spent`.
    pub month: Date,
    /// The amount that was paid in that month.
    pub spent: Cents,
    /// The payment that was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<TopUpAttempt>,
    /// How many payments were begun.
    #[serde(default)]
    pub attempts: u32,
    /// How many were declined in a row.
    #[serde(default)]
    pub declines: u8,
    /// Until when no payment is tried after one was declined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<Timestamp>,
    /// Why no more are tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<TopUpPause>,
}

impl AutoTopUp {
    /// New settings of a user who agrees now, without amounts.
    pub fn agreed(by: UserId, at: Timestamp) -> Self {
        Self {
            enabled: true,
            threshold: Cents::ZERO,
            amount: Cents::ZERO,
            monthly_cap: Cents::ZERO,
            agreed_by: by,
            agreed_at: at,
            month: first_of_month(at),
            spent: Cents::ZERO,
            attempt: None,
            attempts: 0,
            declines: 0,
            waits_until: None,
            paused: None,
        }
    }

    /// Takes over what was paid, and the payment that was begun, from the settings before.
    pub fn goes_on_from(&mut self, before: &Self) {
        (self.month, self.spent) = (before.month, before.spent);
        (self.attempt, self.attempts) = (before.attempt.clone(), before.attempts);
    }

    /// The amount that was paid in the month of this time.
    pub fn spent_at(&self, now: Timestamp) -> Cents {
        if first_of_month(now) > self.month { Cents::ZERO } else { self.spent }
    }

    /// Whether one more payment stays within the cap of the month.
    pub fn is_within_cap(&self, now: Timestamp) -> bool {
        self.spent_at(now).plus(self.amount) <= self.monthly_cap
    }

    /// Whether top-ups are paused, wait, or were declined.
    pub const fn is_hampered(&self) -> bool {
        self.paused.is_some() || self.waits_until.is_some() || self.declines > 0
    }

    /// Begins a payment.
    pub fn begin(&mut self, method: PaymentMethodId, now: Timestamp) -> TopUpAttempt {
        self.attempts = self.attempts.saturating_add(1);
        let attempt = TopUpAttempt { number: self.attempts, amount: self.amount, method, begun_at: now };
        (self.attempt, self.waits_until) = (Some(attempt.clone()), None);
        attempt
    }

    /// Waits, because Stripe does not answer. That is no decline; after most of a day, nobody can say what became of the payment, and
    /// top-ups pause.
    pub fn unanswered(&mut self, now: Timestamp) {
        let begun = self.attempt.as_ref().map(|attempt| attempt.begun_at);
        if begun.is_some_and(|begun| now.duration_since(begun) >= ANSWERABLE) {
            self.pause(TopUpPause::Unknown);
        } else {
            self.waits_until = now.checked_add(OUTAGE).ok();
        }
    }

    /// Counts a payment that was made.
    pub fn succeeded(&mut self, amount: Cents, now: Timestamp) {
        self.spent = self.spent_at(now).plus(amount);
        self.month = first_of_month(now).max(self.month);
        (self.attempt, self.declines, self.waits_until) = (None, 0, None);
    }

    /// Counts a payment that was declined. The third in a row pauses.
    pub fn declined(&mut self, now: Timestamp) {
        self.attempt = None;
        let wait = WAITS.get(usize::from(self.declines)).copied();
        self.declines = self.declines.saturating_add(1);
        self.waits_until = wait.and_then(|wait| now.checked_add(wait).ok());
        if self.declines >= MOST_DECLINES {
            self.pause(TopUpPause::Declined);
        }
    }

    /// Pauses.
    pub fn pause(&mut self, reason: TopUpPause) {
        (self.attempt, self.waits_until, self.paused) = (None, None, Some(reason));
    }

    /// Goes on after a pause, with another payment method or by another consent.
    pub fn resume(&mut self) {
        (self.paused, self.declines, self.waits_until) = (None, 0, None);
    }
}

impl Wallet {
    /// When a top-up is due, as the wallet is at this time. `None`: not unless something changes.
    pub fn top_up_due(&self, now: Timestamp) -> Option<Timestamp> {
        let settings = self.auto_top_up.as_ref()?;
        if let Some(attempt) = &settings.attempt {
            let begun = attempt.begun_at.checked_add(ANSWERED).ok();
            return settings.waits_until.or(begun).map(|again| again.max(now));
        }
        if !settings.enabled
            || settings.paused.is_some()
            || self.available_at(now) >= settings.threshold.micros()
        {
            return None;
        }
        if !settings.is_within_cap(now) {
            return next_month(now);
        }
        Some(settings.waits_until.map_or(now, |end| end.max(now)))
    }
}

/// The first instant of the next month, in UTC.
fn next_month(now: Timestamp) -> Option<Timestamp> {
    let next = first_of_month(now).checked_add(Span::new().try_months(1).ok()?).ok()?;
    Offset::UTC.to_timestamp(next.to_datetime(Time::midnight())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::{Booking, Cause, Lot, LotId, LotKind, PostingType, WalletTask, machine::opened};
    use crate::{money::MicroUsd, reference::Reference};

    fn at(second: i64) -> Timestamp {
        opened().0.changed_at.checked_add(SignedDuration::from_secs(second)).unwrap()
    }

    fn settings() -> AutoTopUp {
        AutoTopUp {
            threshold: Cents::new(20),
            amount: Cents::new(100),
            monthly_cap: Cents::new(250),
            ..AutoTopUp::agreed("user_01m858qy4a1ar9by88nhafn40x".parse().unwrap(), at(0))
        }
    }

    fn method() -> PaymentMethodId {
        PaymentMethodId::parse("pm_1").unwrap()
    }

    /// A wallet with so many cents of credit.
    fn wallet(cents: u32) -> Wallet {
        let mut booking = Booking::begin(opened().0, None, at(0));
        let amount = Cents::new(cents).micros();
        let cause = Cause::Adjustment(Reference::parse("gift").unwrap());
        let lot = Lot { id: LotId::new(LotKind::Paid, None), amount };
        drop(booking.credit(PostingType::Adjustment, lot, cause, None).unwrap());
        booking.set_auto_top_up(settings());
        booking.finish().unwrap().wallet
    }

    #[test]
    fn top_up_is_due_once_less_than_the_threshold_can_be_spent() {
        assert_eq!(wallet(20).due.of(WalletTask::TopUp), None);
        assert!(wallet(19).due.of(WalletTask::TopUp).is_some());
        // A charge that takes the balance below it.
        let mut booking = Booking::begin(wallet(30), None, at(9));
        let cause = Cause::Adjustment(Reference::parse("less").unwrap());
        drop(booking.debit(MicroUsd::new(150_000), cause, None).unwrap());
        let change = booking.finish().unwrap();
        assert_eq!(change.wallet.due.of(WalletTask::TopUp), Some(crate::wallet::whole_millis(at(9))));
    }

    #[test]
    fn declines_wait_longer_and_the_third_pauses_until_somebody_acts() {
        let mut wallet = wallet(1);
        let mut times = vec![];
        let mut now = at(0);
        for number in 1..=3 {
            let settings = wallet.auto_top_up.as_mut().unwrap();
            assert_eq!(settings.begin(method(), now).number, number);
            settings.declined(now);
            times.push(wallet.top_up_due(now));
            now = wallet.top_up_due(now).unwrap_or(now);
        }
        let hours = |hours: i64| Some(at(hours * 3_600));
        assert_eq!(times, [hours(1), hours(25), None]);
        let settings = wallet.auto_top_up.as_mut().unwrap();
        assert_eq!(settings.paused, Some(TopUpPause::Declined));
        settings.resume();
        assert_eq!(wallet.top_up_due(now), Some(now));
    }

    #[test]
    fn cap_of_a_month_ends_with_the_month() {
        let mut wallet = wallet(1);
        let settings = wallet.auto_top_up.as_mut().unwrap();
        for _ in 0..2 {
            drop(settings.begin(method(), at(0)));
            settings.succeeded(Cents::new(100), at(0));
        }
        assert_eq!((settings.spent, settings.attempt.is_none()), (Cents::new(200), true));
        let next = wallet.top_up_due(at(0)).unwrap();
        assert_eq!(next, next_month(at(0)).unwrap());
        assert_eq!(wallet.top_up_due(next), Some(next));
        // A clock that is behind does not reset what was paid.
        let settings = wallet.auto_top_up.as_mut().unwrap();
        settings.succeeded(Cents::new(100), next);
        assert_eq!(settings.spent_at(at(0)), Cents::new(100));
    }

    #[test]
    fn ended_settings_keep_their_counters_and_buy_nothing() {
        let mut wallet = wallet(1);
        let settings = wallet.auto_top_up.as_mut().unwrap();
        drop(settings.begin(method(), at(0)));
        settings.succeeded(Cents::new(100), at(0));
        settings.enabled = false;
        assert_eq!(wallet.top_up_due(at(9)), None);
        let mut again = AutoTopUp::agreed(wallet.auto_top_up.as_ref().unwrap().agreed_by, at(9));
        again.goes_on_from(wallet.auto_top_up.as_ref().unwrap());
        assert_eq!((again.begin(method(), at(9)).number, again.spent_at(at(9))), (2, Cents::new(100)));
    }

    #[test]
    fn payment_that_was_begun_stays_due() {
        let mut wallet = wallet(500);
        let settings = wallet.auto_top_up.as_mut().unwrap();
        drop(settings.begin(method(), at(0)));
        assert_eq!(wallet.top_up_due(at(5)), Some(at(120)));
        assert_eq!(wallet.top_up_due(at(300)), Some(at(300)));
        wallet.auto_top_up.as_mut().unwrap().unanswered(at(300));
        assert_eq!(wallet.top_up_due(at(300)), Some(at(600)));
        let settings = wallet.auto_top_up.as_mut().unwrap();
        assert_eq!((settings.declines, settings.attempts), (0, 1));
        settings.unanswered(at(20 * 3_600));
        assert_eq!(settings.paused, Some(TopUpPause::Unknown));
        settings.resume();
        drop(settings.begin(method(), at(0)));
        wallet.auto_top_up.as_mut().unwrap().pause(TopUpPause::AuthenticationRequired);
        assert_eq!(wallet.top_up_due(at(5)), None);
    }
}
