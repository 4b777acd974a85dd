//! Why an address of an account can't be changed, for the endpoints that remove one or make it primary.

use domain::{ports::Failure, user_addresses::ChangeRefused};
use kit::{Code, Problem};

use crate::account::AccountError;

kit::errors! {
    pub enum ChangeError from AccountError, Failure {
        /// The account has no such address, or it can't be changed like this.
        Refused(refused: ChangeRefused) => problem(refused),
    }
}

impl From<ChangeRefused> for ChangeError {
    fn from(refused: ChangeRefused) -> Self {
        Self::Refused(refused)
    }
}

fn problem(refused: ChangeRefused) -> Problem {
    match refused {
        ChangeRefused::Missing => Problem::not_found(),
        ChangeRefused::Unverified => {
            Problem::new(Code::EmailUnverified, "Verify this email address before you make it primary.")
        }
        ChangeRefused::IsPrimary => Problem::new(
            Code::EmailIsPrimary,
            "The primary email address can't be removed. Make another address primary first.",
        ),
    }
}
