//! Email addresses of an account.

mod account;
mod change_error;
mod code_allowance;
mod send_code;
mod view;

kit::functions! {
    endpoint list::ListAddresses;
    endpoint add::AddAddress;
    endpoint verify::VerifyAddress;
    endpoint resend::ResendCode;
    endpoint set_primary::SetPrimaryAddress;
    endpoint remove::RemoveAddress;
}
