//! Why a wallet does not change, as services are told.

use domain::{money::MicroUsd, wallet::Refusal};
use kit::{Code, Problem};

/// The code of a refusal.
pub const fn code(refusal: Refusal) -> Code {
    match refusal {
        Refusal::Insufficient { .. } => Code::InsufficientCredit,
        Refusal::OverBudget { .. } => Code::KeyBudgetExceeded,
        Refusal::NoSlot { .. } | Refusal::TooManyHolds | Refusal::TooManyLots => Code::PlanLimitReached,
        Refusal::AboveHold { .. } => Code::HoldExceeded,
        Refusal::TooMuchAtOnce => Code::RateLimited,
        Refusal::HeldDifferently | Refusal::AboveCost | Refusal::Amount | Refusal::Expired => Code::Conflict,
    }
}

/// The sentence of a refusal.
pub fn sentence(refusal: Refusal) -> String {
    let dollars = |amount: MicroUsd| {
        let micros = amount.micros();
        format!("${}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
    };
    match refusal {
        Refusal::Insufficient { available } => {
            format!("The workspace can spend {}. Add credit first.", dollars(available))
        }
        Refusal::OverBudget { left } => format!(
            "The API key can spend {} more of its budget this month. Raise the budget, or wait for the next month.",
            dollars(left)
        ),
        Refusal::NoSlot { limit } => format!("The plan allows {limit} jobs of this category at a time."),
        Refusal::TooManyHolds => "Too many jobs hold credit of this workspace.".to_owned(),
        Refusal::TooManyLots => "The workspace has credit with too many different expiry dates.".to_owned(),
        Refusal::AboveHold { held } => format!(
            "The cost exceeds the {} that are held for the job. State the difference as `overageMicroUsd`.",
            dollars(held)
        ),
        Refusal::HeldDifferently => {
            "The job holds another amount, or has another category or API key.".to_owned()
        }
        Refusal::TooMuchAtOnce => "Too many transactions in one request. Send this job again.".to_owned(),
        Refusal::AboveCost => "The job cost less than this.".to_owned(),
        Refusal::Amount => "The amount is 0, or the balance would exceed its limits.".to_owned(),
        Refusal::Expired => "This time is over already, or very late.".to_owned(),
    }
}

/// A refusal as the answer to a request.
pub fn problem(refusal: Refusal) -> Problem {
    Problem::new(code(refusal), sentence(refusal))
}
