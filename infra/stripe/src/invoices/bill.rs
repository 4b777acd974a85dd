//! The life of one invoice: drafted, finalised, paid or left open, and then stored at once with all that it
//! changes (<https://docs.stripe.com/invoicing/integration/workflow-transitions>).

use serde_json::{Value, json};

use super::{
    hide_payments,
    line::{link_credits, of_invoice_item},
    object,
    payment::{self, Attempt, Collection},
};
use crate::{
    api_error::ApiError,
    customers,
    subscriptions::{
        member::{integer, is_true, merged, set, set_at, text},
        period::Period,
    },
    work::Work,
};

/// The smallest amount that a card can be charged, in cents
/// (<https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>).
pub(crate) const MINIMUM_CHARGE: i64 = 50;

/// The days from a failed attempt to the next one.
const RETRY_DAYS: [i64; 3] = [3, 5, 7];

/// What an invoice is for.
pub(crate) struct Draft<'a> {
    /// The subscription as it is when the invoice is paid.
    pub subscription: &'a Value,
    /// `subscription_create`, `subscription_cycle` or `subscription_update`.
    pub reason: &'static str,
    /// The invoice items that the invoice takes.
    pub invoice_items: Vec<Value>,
    /// The lines of periods, without ids.
    pub lines: Vec<Value>,
    /// The time in which the invoice items were added: the period before the one that the lines are for.
    pub period: Period,
    /// The time of the prorations.
    pub proration_date: Option<i64>,
}

/// An invoice with the changes that storing it makes. Nothing but payments is stored before [`Bill::store`].
pub(crate) struct Bill {
    /// The invoice.
    pub invoice: Value,
    /// All lines of a new invoice.
    pub lines: Vec<Value>,
    invoice_items: Vec<Value>,
    /// The customer's balance after the invoice.
    balance: Option<i64>,
    events: Vec<(&'static str, Value)>,
}

impl Bill {
    /// A draft of a new invoice. `prefix` is the prefix of its id.
    ///
    /// # Errors
    ///
    /// 404, if the customer does not exist.
    pub(crate) fn draft(work: &mut Work<'_>, draft: Draft<'_>, prefix: &str) -> Result<Self, ApiError> {
        let customer = customers::live(work, text(draft.subscription, "/customer"))?.clone();
        let id = work.new_id(prefix);
        let items = draft.invoice_items.iter().map(of_invoice_item);
        let mut lines: Vec<Value> = items.chain(draft.lines.iter().cloned()).collect();
        for line in &mut lines {
            let line_id = work.new_id("il_");
            set(line, "id", line_id);
            set(line, "invoice", id.as_str());
        }
        link_credits(work, &mut lines);
        let total = lines.iter().map(|line| integer(line, "/amount")).fold(0, i64::saturating_add);
        let invoice = merged([
            object::origin(work, &id, &draft),
            object::customer(work, &customer),
            object::amounts(total, integer(&customer, "/balance")),
            object::defaults(),
            json!({ "lines": object::lines(&id, &lines), "payments": object::payments(&id) }),
        ]);
        let invoice_items = draft.invoice_items;
        let mut bill = Self { invoice, lines, invoice_items, balance: None, events: Vec::new() };
        bill.event("invoice.created");
        Ok(bill)
    }

    /// An invoice that is stored already.
    pub(crate) fn of(invoice: Value) -> Self {
        Self { invoice, lines: Vec::new(), invoice_items: Vec::new(), balance: None, events: Vec::new() }
    }

    /// Applies the customer's balance to the amount due. An amount below the smallest charge goes to the
    /// balance (<https://docs.stripe.com/invoicing/customer/balance>).
    pub(crate) fn apply_balance(&mut self, work: &Work<'_>) {
        let customer = work.find("customer", text(&self.invoice, "/customer"));
        let starting = customer.map(|customer| integer(customer, "/balance")).unwrap_or_default();
        let owed = integer(&self.invoice, "/total").saturating_add(starting);
        let (due, ending) = if owed < MINIMUM_CHARGE { (0, owed) } else { (owed, 0) };
        for (name, amount) in [
            ("starting_balance", starting),
            ("ending_balance", ending),
            ("amount_due", due),
            ("amount_remaining", due),
        ] {
            set(&mut self.invoice, name, amount);
        }
        self.balance = Some(ending).filter(|ending| *ending != starting);
    }

    /// Finalises a draft: it gets its number and its pages, and is paid if nothing is due.
    pub(crate) fn finalize(&mut self, work: &Work<'_>) {
        self.apply_balance(work);
        let page = format!("{}/invoices/{}", work.base, text(&self.invoice, "/id"));
        let number = object::number(work, text(&self.invoice, "/customer"));
        set(&mut self.invoice, "status", "open");
        set(&mut self.invoice, "number", number);
        set(&mut self.invoice, "effective_at", work.now);
        set(&mut self.invoice, "invoice_pdf", format!("{page}/pdf"));
        set(&mut self.invoice, "hosted_invoice_url", page);
        set_at(&mut self.invoice, "/status_transitions/finalized_at", work.now);
        self.event("invoice.finalized");
        if self.amount_due() == 0 {
            set(&mut self.invoice, "attempted", true);
            self.paid(work, 0);
        }
    }

    /// The amount that is still due, in cents.
    pub(crate) fn amount_due(&self) -> i64 {
        integer(&self.invoice, "/amount_remaining")
    }

    /// Whether the invoice is paid.
    pub(crate) fn is_paid(&self) -> bool {
        text(&self.invoice, "/status") == "paid"
    }

    /// Tries to get the amount due.
    pub(crate) fn collect(&mut self, work: &mut Work<'_>, collection: &Collection<'_>) -> Attempt {
        if self.is_paid() {
            return Attempt::Paid;
        }
        let attempt = payment::attempt(work, &mut self.invoice, collection);
        let count = integer(&self.invoice, "/attempt_count").saturating_add(1);
        // Attempts that a request asks for do not count for the schedule of retries, except the first.
        if collection.is_automatic || count == 1 {
            set(&mut self.invoice, "attempt_count", count);
        }
        if collection.is_automatic {
            self.schedule_retry(work.now, count);
        }
        set(&mut self.invoice, "attempted", true);
        match &attempt {
            Attempt::Paid => self.paid(work, self.amount_due()),
            Attempt::Processing => self.without_retries(),
            Attempt::Failed(error) => {
                self.event("invoice.payment_failed");
                if error.code == Some("authentication_required") {
                    self.event("invoice.payment_action_required");
                }
            }
            Attempt::NeedsAction(_) => {
                self.event("invoice.payment_failed");
                self.event("invoice.payment_action_required");
            }
        }
        attempt
    }

    /// Marks the invoice as paid with an amount in cents.
    pub(crate) fn paid(&mut self, work: &Work<'_>, amount: i64) {
        for (name, value) in [
            ("status", json!("paid")),
            ("amount_paid", json!(amount)),
            ("amount_remaining", json!(0)),
            ("auto_advance", json!(false)),
            ("next_payment_attempt", Value::Null),
            ("confirmation_secret", Value::Null),
        ] {
            set(&mut self.invoice, name, value);
        }
        set_at(&mut self.invoice, "/status_transitions/paid_at", work.now);
        self.event("invoice.paid");
        self.event("invoice.payment_succeeded");
    }

    /// Voids the invoice. The balance that it used or made returns to the customer.
    pub(crate) fn void(&mut self, work: &mut Work<'_>) {
        payment::cancel(work, &mut self.invoice);
        let customer = work.find("customer", text(&self.invoice, "/customer"));
        let balance = customer.map(|customer| integer(customer, "/balance")).unwrap_or_default();
        let applied = integer(&self.invoice, "/starting_balance")
            .saturating_sub(integer(&self.invoice, "/ending_balance"));
        self.balance = Some(balance.saturating_add(applied)).filter(|_| applied != 0);
        set(&mut self.invoice, "status", "void");
        set(&mut self.invoice, "auto_advance", false);
        set(&mut self.invoice, "next_payment_attempt", Value::Null);
        set(&mut self.invoice, "confirmation_secret", Value::Null);
        set_at(&mut self.invoice, "/status_transitions/voided_at", work.now);
        self.event("invoice.voided");
    }

    /// A delayed payment failed after it was under way. The retries follow.
    pub(crate) fn returned(&mut self, now: i64) {
        self.schedule_retry(now, integer(&self.invoice, "/attempt_count"));
        self.event("invoice.payment_failed");
    }

    /// Sets the time of the next attempt after attempt `count` failed. The customer repeats the first payment
    /// of a subscription, the schedule does not.
    fn schedule_retry(&mut self, now: i64, count: i64) {
        let is_first = text(&self.invoice, "/billing_reason") == "subscription_create";
        let next = if is_first { None } else { next_attempt(now, count) };
        set(&mut self.invoice, "next_payment_attempt", next);
    }

    /// Leaves the invoice without a next automatic attempt.
    pub(crate) fn without_retries(&mut self) {
        set(&mut self.invoice, "next_payment_attempt", Value::Null);
    }

    /// Ends the automatic attempts.
    pub(crate) fn stop_collection(&mut self) {
        if is_true(&self.invoice, "/auto_advance") {
            set(&mut self.invoice, "auto_advance", false);
            set(&mut self.invoice, "next_payment_attempt", Value::Null);
            self.event("invoice.updated");
        }
    }

    /// Notes an event with the invoice as it is now. Events do not show the payments of invoices.
    fn event(&mut self, event_type: &'static str) {
        let mut snapshot = self.invoice.clone();
        hide_payments(&mut snapshot);
        self.events.push((event_type, snapshot));
    }

    /// Stores the invoice, its lines and the customer's balance, and emits the events.
    pub(crate) fn store(self, work: &mut Work<'_>) -> Value {
        let id = text(&self.invoice, "/id").to_owned();
        for line in self.lines {
            work.put(line);
        }
        for mut item in self.invoice_items {
            set(&mut item, "invoice", id.as_str());
            work.put(item);
        }
        if let Some(balance) = self.balance {
            set_balance(work, text(&self.invoice, "/customer"), balance);
        }
        work.put(self.invoice.clone());
        for (event_type, invoice) in self.events {
            work.emit(event_type, invoice, None);
        }
        self.invoice
    }
}

/// The time of the next attempt after attempt `count` failed; none after the last.
fn next_attempt(now: i64, count: i64) -> Option<i64> {
    let index = usize::try_from(count.saturating_sub(1)).ok()?;
    let days = RETRY_DAYS.get(index)?;
    Some(now.saturating_add(days.saturating_mul(24 * 60 * 60)))
}

fn set_balance(work: &mut Work<'_>, customer: &str, balance: i64) {
    let Ok(before) = customers::live(work, customer).cloned() else { return };
    let mut customer = before.clone();
    set(&mut customer, "balance", balance);
    customers::store_changes(work, &before, &customer);
}

/// The open invoices of a subscription, newest first.
pub(crate) fn open_invoices(work: &Work<'_>, subscription: &str) -> Vec<Value> {
    let invoices = work.all("invoice").into_iter();
    let open = invoices.filter(|invoice| {
        text(invoice, "/status") == "open"
            && text(invoice, "/parent/subscription_details/subscription") == subscription
    });
    open.cloned().collect()
}
