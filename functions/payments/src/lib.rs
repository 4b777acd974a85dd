//! Payments by Stripe: buying credit, payment methods, billing details, and what Stripe tells of them.

mod allowance;
mod applied_payment;
mod applied_subscription;
mod billing_details;
mod changes;
mod customer;
mod method;
mod refusals;
mod shown_subscription;
mod stripe_deps;
mod subscription_deps;
mod top_up_pause;

kit::functions! {
    endpoint checkout::OpenCheckout;
    endpoint receipt::ReadReceipt;
    endpoint methods_list::ListPaymentMethods;
    endpoint methods_setup::SetUpPaymentMethod;
    endpoint methods_default::SetDefaultPaymentMethod;
    endpoint methods_remove::RemovePaymentMethod;
    endpoint info_update::UpdateBillingInfo;
    endpoint auto_topup_read::ReadAutoTopUp;
    endpoint auto_topup_update::UpdateAutoTopUp;
    endpoint subscribe::Subscribe;
    endpoint seats::ChangeSeats;
    endpoint cancel::CancelSubscription;
    endpoint invoices::ListInvoices;
    endpoint webhook::ReceiveStripeEvent;
    worker apply_payments::ApplyPayments;
    worker top_up_wallets::TopUpWallets;
    worker reconcile_payments::ReconcilePayments;
}
