//! Plans, wallets, and what services charge for jobs.

mod csv;
mod job_end;
mod listed_transaction;
mod lot_amount;
mod micros;
mod refusals;
mod stored_wallet;
mod whole;

kit::functions! {
    endpoint plans_list::ListPlans;
    endpoint balance::ReadBalance;
    endpoint usage_summary::ReadUsageSummary;
    endpoint transactions::ListTransactions;
    endpoint usage_check::CheckUsage;
    endpoint usage_hold::HoldUsage;
    endpoint usage_settle::SettleUsage;
    endpoint wallet_adjust::AdjustWallet;
    endpoint promo_create::CreatePromotion;
    endpoint promo_redeem::RedeemPromo;
}
