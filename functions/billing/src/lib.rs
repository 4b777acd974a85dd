//! Plans, wallets, and what services charge for jobs.

mod csv;
pub mod due_work;
mod job_end;
mod listed_transaction;
mod lot_amount;
mod micros;
mod refusals;
mod stored_wallet;
mod time_range;
mod usage_sums;

kit::functions! {
    endpoint plans_list::ListPlans;
    endpoint balance::ReadBalance;
    endpoint usage_summary::ReadUsageSummary;
    endpoint usage::ReadUsage;
    endpoint transactions::ListTransactions;
    endpoint usage_check::CheckUsage;
    endpoint usage_hold::HoldUsage;
    endpoint usage_settle::SettleUsage;
    endpoint wallet_adjust::AdjustWallet;
    endpoint promo_create::CreatePromotion;
    endpoint promo_redeem::RedeemPromo;
    endpoint referrals_read::ReadReferrals;
    worker company_bonus::CreditCompanyAddress;
    worker expire_credits::ExpireCredits;
    worker grant_monthly_credits::GrantMonthlyCredits;
    worker verify_wallets::VerifyWallets;
}
