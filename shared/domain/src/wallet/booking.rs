//! A change of a wallet in the making.

mod payment;
mod referral;

use jiff::Timestamp;

use super::{
    AutoTopUp, Booked, Cause, Hold, JobCategory, JobRecord, KeyBudget, LATEST_EXPIRY, Lot, LotId, LotKind,
    Lots, MOST_BUDGETS, MOST_HOLDS, MOST_LOTS, Posting, PostingType, Schedule, TooManyBudgets, Wallet,
    WalletTask, whole_millis,
};
use crate::{id::KeyId, money::MicroUsd, plan::CreditPeriod, reference::Reference, throttle::end_of_day};

/// Why a wallet does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The amount is not positive, or larger than any wallet can have.
    Amount,
    /// Less than the amount is available.
    Insufficient {
        /// The available amount.
        available: MicroUsd,
    },
    /// The budget of the API key leaves less than the amount for this month.
    OverBudget {
        /// What it leaves.
        left: MicroUsd,
    },
    /// The job holds another amount, or has another category or key.
    HeldDifferently,
    /// The most jobs of the category run already.
    NoSlot {
        /// The limit of the plan.
        limit: u64,
    },
    /// The most jobs hold money of the wallet.
    TooManyHolds,
    /// The wallet has the most lots already.
    TooManyLots,
    /// The job costs more than is held for it, and more than the overage that the service states.
    AboveHold {
        /// The held amount.
        held: MicroUsd,
    },
    /// The time is over already, or the credit would expire after [`LATEST_EXPIRY`].
    Expired,
    /// More would be given back than the job cost.
    AboveCost,
    /// The change has too many postings already for one transaction. Another change can take the job.
    TooMuchAtOnce,
}

/// A job before its start.
#[derive(Debug, Clone, Copy)]
pub struct JobStart {
    /// The category.
    pub category: JobCategory,
    /// The most that the job may cost.
    pub amount: MicroUsd,
    /// The API key that starts it.
    pub key: Option<KeyId>,
    /// The most jobs of the category that may run at the same time.
    pub slots: Option<u64>,
}

/// The end of a job.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The job.
    pub job: Reference,
    /// What it cost.
    pub cost: MicroUsd,
    /// The most by which the cost may exceed what is held.
    pub overage: MicroUsd,
    /// What it did.
    pub record: JobRecord,
}

/// The records that a change may have. DynamoDB takes 100 in a transaction; other writes of the request need some.
const MOST_RECORDS: usize = 88;

/// A change of a wallet.
#[derive(Debug, Clone)]
pub struct WalletChange {
    /// The wallet after it, with its next version.
    pub wallet: Wallet,
    /// The postings that lead there.
    pub postings: Vec<Posting>,
    /// What the wallet remembers of their causes.
    pub causes: Vec<(Cause, Booked)>,
    /// The schedule before the change.
    pub due_before: Schedule,
}

impl WalletChange {
    /// Whether only holds and budgets change, of a wallet that is stored already.
    pub fn is_of_holds(&self) -> bool {
        let is_stored = self.wallet.version > 1 && self.wallet.due == self.due_before;
        self.postings.is_empty() && self.causes.is_empty() && is_stored
    }
}

/// A change of a wallet in the making.
#[derive(Debug, Clone)]
pub struct Booking {
    before: Wallet,
    wallet: Wallet,
    postings: Vec<Posting>,
    causes: Vec<(Cause, Booked)>,
    now: Timestamp,
}

impl Booking {
    /// Begins a change of a wallet, and posts what has expired. `opening` is the posting of a wallet that is not stored yet.
    pub fn begin(wallet: Wallet, opening: Option<Posting>, now: Timestamp) -> Self {
        // Clocks differ: a posting is never earlier than the one before it.
        let now = now.max(wallet.changed_at);
        let (before, postings) = (wallet.clone(), opening.into_iter().collect());
        let mut booking = Self { before, wallet, postings, causes: Vec::new(), now };
        booking.post_expired();
        booking
    }

    /// The wallet.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// The change; `None` if nothing changes.
    pub fn finish(self) -> Option<WalletChange> {
        let Self { before, mut wallet, postings, causes, now } = self;
        if wallet == before && causes.is_empty() {
            return None;
        }
        wallet.version = wallet.version.saturating_add(1);
        wallet.changed_at = now;
        wallet.due.set_by(WalletTask::Expire, wallet.next_expiry());
        wallet.due.set_by(WalletTask::TopUp, wallet.top_up_due(now));
        if !postings.is_empty() && wallet.due.of(WalletTask::Verify).is_none() {
            wallet.due.set(WalletTask::Verify, Some(end_of_day(now)));
        }
        Some(WalletChange { wallet, postings, causes, due_before: before.due })
    }

    /// Sets automatic top-ups.
    pub fn set_auto_top_up(&mut self, settings: AutoTopUp) {
        self.wallet.auto_top_up = Some(settings);
    }

    /// The automatic top-ups, to change how they go.
    pub fn top_ups(&mut self) -> Option<&mut AutoTopUp> {
        self.wallet.auto_top_up.as_mut()
    }

    /// Lets automatic top-ups go on after a pause.
    pub fn resume_top_ups(&mut self) {
        if let Some(settings) = &mut self.wallet.auto_top_up {
            settings.resume();
        }
    }

    /// Sets when a task is due next, after it was done.
    pub fn schedule(&mut self, task: WalletTask, next: Option<Timestamp>) {
        self.wallet.due.set(task, next);
    }

    /// Adds the credit of a month, which expires at its end.
    ///
    /// # Errors
    ///
    /// A refusal; nothing changed.
    pub fn grant(&mut self, period: &CreditPeriod) -> Result<Posting, Refusal> {
        let lot = Lot { id: LotId::new(LotKind::Monthly, Some(period.ends)), amount: period.amount };
        self.credit(PostingType::MonthlyGrant, lot, Cause::Monthly(period.starts), None)
    }

    /// Reserves money for a job, and one of the slots of its category. Once a job holds money, the same again changes nothing.
    ///
    /// # Errors
    ///
    /// A refusal; nothing changed.
    pub fn hold(&mut self, job: &Reference, start: JobStart, expires: Timestamp) -> Result<(), Refusal> {
        let JobStart { category, amount, key, slots: _ } = start;
        if let Some(held) = self.wallet.holds.iter().find(|hold| hold.job == *job) {
            let same = held.amount == amount && held.category == category && held.key == key;
            return if same { Ok(()) } else { Err(Refusal::HeldDifferently) };
        }
        self.may_start(start)?;
        let expires = whole_millis(expires);
        if expires <= self.now {
            return Err(Refusal::Expired);
        }
        let lots = self.wallet.lots.take(amount);
        self.wallet.holds.push(Hold { job: job.clone(), category, amount, lots, expires, key });
        Ok(())
    }

    /// Whether a job may start.
    ///
    /// # Errors
    ///
    /// The reason why not.
    pub fn may_start(&self, start: JobStart) -> Result<(), Refusal> {
        let JobStart { category, amount, key, slots } = start;
        if !(MicroUsd::ZERO..=MicroUsd::MOST).contains(&amount) {
            return Err(Refusal::Amount);
        }
        let available = self.wallet.lots.total();
        if available <= MicroUsd::ZERO || available < amount {
            return Err(Refusal::Insufficient { available });
        }
        self.is_within_budget(key, amount)?;
        let running = self.wallet.running(category);
        if let Some(limit) =
            slots.filter(|limit| u64::try_from(running).is_ok_and(|running| running >= *limit))
        {
            return Err(Refusal::NoSlot { limit });
        }
        if self.wallet.holds.len() >= MOST_HOLDS {
            return Err(Refusal::TooManyHolds);
        }
        Ok(())
    }

    /// Whether the budget of a key, if it has one, is enough for one more job.
    fn is_within_budget(&self, key: Option<KeyId>, amount: MicroUsd) -> Result<(), Refusal> {
        let Some(budget) = key.and_then(|key| self.wallet.budget_of(key)) else { return Ok(()) };
        let left = self.wallet.left_of(budget, self.now);
        if left <= MicroUsd::ZERO || left < amount { Err(Refusal::OverBudget { left }) } else { Ok(()) }
    }

    /// Sets what the jobs of a key may spend in a month, or removes the budget. The same key's budget keeps what was spent. The budgets
    /// of keys that are `gone` are removed.
    ///
    /// # Errors
    ///
    /// The wallet would have too many budgets; nothing changed.
    pub fn set_budget(
        &mut self,
        key: KeyId,
        monthly: Option<MicroUsd>,
        gone: &[KeyId],
    ) -> Result<(), TooManyBudgets> {
        let mut budgets = self.wallet.budgets.clone();
        budgets.retain(|budget| !gone.contains(&budget.key) && (budget.key != key || monthly.is_some()));
        if let Some(monthly) = monthly {
            match budgets.iter_mut().find(|budget| budget.key == key) {
                Some(budget) => budget.monthly = monthly,
                None => budgets.push(KeyBudget::new(key, monthly, self.wallet.postings, self.now)),
            }
        }
        if budgets.len() > MOST_BUDGETS {
            return Err(TooManyBudgets);
        }
        self.wallet.budgets = budgets;
        Ok(())
    }

    /// Ends a job that did not run, and gives back the amount that is held for it. A hold that arrives later holds nothing.
    ///
    /// # Errors
    ///
    /// A refusal; nothing changed.
    pub fn release(&mut self, job: &Reference) -> Result<(), Refusal> {
        self.has_room()?;
        let over = Booked { posting: None, amount: MicroUsd::ZERO, released: true };
        self.causes.push((Cause::Job(job.clone()), over));
        if let Some(at) = self.wallet.holds.iter().position(|hold| hold.job == *job) {
            let hold = self.wallet.holds.remove(at);
            self.wallet.lots.add_all(&hold.lots);
            self.post_expired();
        }
        Ok(())
    }

    /// Charges a job, and gives back what remains of its hold. The charge takes what is held for the job, then what is held for none,
    /// then what is held for other jobs, and then makes a debt. Returns the posting, unless the job cost nothing. The budget of the key
    /// counts the cost, even beyond what it leaves. A record without a key gets that of the hold.
    ///
    /// # Errors
    ///
    /// A refusal; nothing changed.
    pub fn settle(&mut self, settlement: Settlement) -> Result<Option<Posting>, Refusal> {
        let Settlement { job, cost, overage, record } = settlement;
        self.has_room()?;
        let valid = MicroUsd::ZERO..=MicroUsd::MOST;
        if !valid.contains(&cost) || !valid.contains(&overage) {
            return Err(Refusal::Amount);
        }
        let at = self.wallet.holds.iter().position(|hold| hold.job == job);
        let hold = at.and_then(|at| self.wallet.holds.get(at));
        let held = hold.map_or(MicroUsd::ZERO, |hold| hold.amount);
        let api_key = record.api_key.or_else(|| hold.and_then(|hold| hold.key));
        let most = held.plus(overage).unwrap_or(MicroUsd::MOST);
        if cost > most {
            return Err(Refusal::AboveHold { held });
        }
        // The sums below stay within the limits if this one does.
        self.wallet.balance().minus(cost).ok_or(Refusal::Amount)?;
        let mut own = at.map_or_else(Lots::default, |at| self.wallet.holds.remove(at).lots);
        let mut taken = own.take(cost);
        self.wallet.lots.add_all(&own);
        self.draw(cost, &mut taken);
        let (cause, now) = (Cause::Job(job), self.now);
        let posting = if cost > MicroUsd::ZERO {
            if let Some(budget) = self.budget_mut(api_key) {
                budget.count(cost, now);
            }
            let (amount, lots) = (cost.negated(), taken.negated());
            let record = JobRecord { api_key, ..record };
            Some(self.post(PostingType::Training, amount, lots, cause, Some(record), None))
        } else {
            self.causes.push((cause, Booked { posting: None, amount: MicroUsd::ZERO, released: false }));
            None
        };
        self.post_expired();
        Ok(posting)
    }

    /// Gives back a part of what a job cost, to the lots that paid for it. What they did not pay reduces the debt, so that no other credit
    /// pays it; beyond that, it is credit that does not expire. The posting has the record of the job, so that views of usage find its groups. The budget of the key gets back what it counted in the
    /// same month.
    ///
    /// # Errors
    ///
    /// A refusal; nothing changed.
    pub fn refund(&mut self, charged: &Posting, amount: MicroUsd) -> Result<Posting, Refusal> {
        let Cause::Job(job) = &charged.cause else { return Err(Refusal::AboveCost) };
        self.has_room()?;
        if amount <= MicroUsd::ZERO {
            return Err(Refusal::Amount);
        }
        if amount > charged.amount.negated() {
            return Err(Refusal::AboveCost);
        }
        let unpaid: MicroUsd = [charged.amount.negated(), charged.lots.total()].into_iter().sum();
        let kept: MicroUsd = [charged.amount.negated(), amount.negated()].into_iter().sum();
        let mut returned = charged.lots.negated();
        // The lots that were spent first stay spent.
        returned.take(kept);
        let owed = amount.min(unpaid);
        let cancelled = owed.min(self.wallet.debt);
        let credit: MicroUsd = [owed, cancelled.negated()].into_iter().sum();
        if credit > MicroUsd::ZERO {
            returned.add(Lot { id: LotId { kind: LotKind::Adjustment, expires: None }, amount: credit });
        }
        // The sums of the refund stay within the limits if this one does.
        self.wallet.balance().plus(amount).ok_or(Refusal::Amount)?;
        self.wallet.debt = [self.wallet.debt, cancelled.negated()].into_iter().sum();
        let (cause, record) = (Cause::Refund(job.clone()), charged.record.clone());
        let api_key = record.as_ref().and_then(|record| record.api_key);
        let (posting, now) =
            (self.add(PostingType::Refund, &returned, amount, cause, record, None)?, self.now);
        if let Some(budget) = self.budget_mut(api_key) {
            budget.give_back(charged, amount, now);
        }
        Ok(posting)
    }

    /// Adds credit.
    ///
    /// # Errors
    ///
    /// A refusal; nothing changed.
    pub fn credit(
        &mut self,
        r#type: PostingType,
        lot: Lot,
        cause: Cause,
        reason: Option<String>,
    ) -> Result<Posting, Refusal> {
        if lot.amount <= MicroUsd::ZERO {
            return Err(Refusal::Amount);
        }
        let latest = self.now.saturating_add(LATEST_EXPIRY).unwrap_or(Timestamp::MAX);
        if lot.id.has_expired(self.now) || lot.id.expires.is_some_and(|end| end > latest) {
            return Err(Refusal::Expired);
        }
        let before = self.clone();
        let posting = self.add(r#type, &Lots::from(lot), lot.amount, cause, None, reason)?;
        // Paid credit and rewards must be added; each is one lot.
        let is_reward = lot.id == LotId::new(LotKind::Referral, None);
        if lot.id.kind != LotKind::Paid && !is_reward && self.wallet.lot_count() > MOST_LOTS {
            *self = before;
            return Err(Refusal::TooManyLots);
        }
        Ok(posting)
    }

    /// Takes credit away, as far as there is any that is held for no job.
    ///
    /// # Errors
    ///
    /// A refusal; nothing changed.
    pub fn debit(
        &mut self,
        amount: MicroUsd,
        cause: Cause,
        reason: Option<String>,
    ) -> Result<Posting, Refusal> {
        if amount <= MicroUsd::ZERO {
            return Err(Refusal::Amount);
        }
        let available = self.wallet.lots.total();
        if available < amount {
            return Err(Refusal::Insufficient { available });
        }
        let taken = self.wallet.lots.take(amount);
        Ok(self.post(PostingType::Adjustment, amount.negated(), taken.negated(), cause, None, reason))
    }

    /// Adds credit of several lots. A debt is paid first, with what would be spent first.
    fn add(
        &mut self,
        r#type: PostingType,
        lots: &Lots,
        amount: MicroUsd,
        cause: Cause,
        record: Option<JobRecord>,
        reason: Option<String>,
    ) -> Result<Posting, Refusal> {
        self.wallet.balance().plus(amount).ok_or(Refusal::Amount)?;
        let mut added = lots.clone();
        let paid = added.take(self.wallet.debt).total();
        self.wallet.debt = [self.wallet.debt, paid.negated()].into_iter().sum();
        self.wallet.lots.add_all(&added);
        let posting = self.post(r#type, amount, added, cause, record, reason);
        self.post_expired();
        Ok(posting)
    }

    /// The budget of a key, if it has one.
    fn budget_mut(&mut self, key: Option<KeyId>) -> Option<&mut KeyBudget> {
        self.wallet.budgets.iter_mut().find(|budget| Some(budget.key) == key)
    }

    /// Takes what is missing in `taken` for a cost.
    fn draw(&mut self, cost: MicroUsd, taken: &mut Lots) {
        let missing = |taken: &Lots| [cost, taken.total().negated()].into_iter().sum::<MicroUsd>();
        taken.add_all(&self.wallet.lots.take(missing(taken)));
        for hold in self.wallet.holds.iter_mut().rev() {
            taken.add_all(&hold.lots.take(missing(taken)));
        }
        self.wallet.debt = [self.wallet.debt, missing(taken)].into_iter().sum();
    }

    /// Whether one more job fits into the transaction.
    fn has_room(&self) -> Result<(), Refusal> {
        // The job adds a posting and a cause; then each lot may expire.
        let records = [self.postings.len(), self.causes.len(), self.wallet.lot_count(), 2];
        let records = records.into_iter().fold(0_usize, usize::saturating_add);
        if records > MOST_RECORDS { Err(Refusal::TooMuchAtOnce) } else { Ok(()) }
    }

    /// Posts what has expired and is held for no job.
    fn post_expired(&mut self) {
        self.wallet.end_holds(self.now);
        // One after the other: each posting has the balance after it.
        while let Some(lot) = self.wallet.lots.take_first_expired(self.now) {
            let gone = Lot { amount: lot.amount.negated(), ..lot };
            self.post(PostingType::ProCreditExpiry, gone.amount, gone.into(), Cause::Expiry, None, None);
        }
    }

    /// Numbers a change that is made already.
    fn post(
        &mut self,
        r#type: PostingType,
        amount: MicroUsd,
        lots: Lots,
        cause: Cause,
        record: Option<JobRecord>,
        reason: Option<String>,
    ) -> Posting {
        self.wallet.postings = self.wallet.postings.saturating_add(1);
        let posting = Posting {
            number: self.wallet.postings,
            r#type,
            amount,
            balance: self.wallet.balance(),
            lots,
            cause,
            at: self.now,
            record,
            reason,
        };
        if posting.cause.is_unique() {
            let booked = Booked { posting: Some(posting.number), amount, released: false };
            self.causes.push((posting.cause.clone(), booked));
        }
        self.postings.push(posting.clone());
        posting
    }
}
