//! Ports: what the rules need from AWS and the network. Each method that changes something is one atomic change. Adapters
//! implement the ports; a function links only those that its endpoint picks.

mod accounts;
mod breached_passwords;
mod directory;
mod extras;
mod follows;
mod messages;
pub(crate) mod outcome;
mod payments;
mod privacy;
mod providers;
mod requests;
mod resources;
mod rounds;
mod secrets;
mod teams;
mod user_addresses;
mod wallet_work;
mod wallets;
mod workspaces;

pub use accounts::{
    Accounts, Credentials, NewAccount, NewPassword, Opened, PasswordProof, PasswordResets, Replaces,
    Reserved, Resettable, SessionContext, Sessions, SignInProof, SignUps, Throttles,
};
pub use breached_passwords::BreachedPasswords;
pub use directory::{Claimed, CreditClaimed, Directory, PublicKey};
pub use extras::TransactionExtras;
pub use follows::{Followed, Follows};
pub use messages::{Bus, Consumed, Delivery, FeedbackRecords, Mail, MailBlocks, Mailer, MessageLease};
pub use outcome::{Failure, Outcome, Page, Saved};
pub use payments::{
    Checkout, CheckoutKind, CheckoutRequest, PaymentError, PaymentRecords, PaymentResult, Payments,
    Reconciled, StepKey,
};
pub use privacy::{Closed, Closing, Deletions, Exports, Inventory, Started};
pub use providers::{
    Authorization, AuthorizationRequests, Connected, ConnectedAccount, ConnectedBy, Connections,
    IdentityKeys, IdentityProviders, OtherWay,
};
pub use requests::{IdempotencyRecord, IdempotencyRecords, RateWindows, Taken};
pub use resources::{
    Begun, Changed, Created, DUE_PARTS, Listed, Live, Purges, Resources, Restored, Trash, Uploads, Within,
};
pub use rounds::Rounds;
pub use secrets::{
    AddressHashes, Codes, EncryptionContext, ForwardingKeys, NewVersion, Prepared, Progress, Rotation,
    Rotations, TokenKeys, Vault,
};
pub use teams::{
    Accepted, CopyKept, Invitations, PlaceReserved, TeamOfUser, TeamOpened, Teams, TeamsElsewhere,
    TeamsOfUser, Transferred,
};
pub use user_addresses::{AddressSaved, UserAddresses};
pub use wallet_work::{WalletVerification, WalletWork};
pub use wallets::{Promotions, Redeemed, Wallets};
pub use workspaces::{All, ApiKeys, Founded, History, Marking, Workspaces};
