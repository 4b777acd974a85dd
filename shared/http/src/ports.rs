//! What functions are built from, by area: one method a port. Lambda's boot code implements the traits over the SDK clients.

use std::sync::Arc;

use domain::{
    blob::{Blobs, Bundles, Icons, Presigner},
    email::EmailAddress,
    ports::{
        Accounts, AddressHashes, ApiKeys, AuthorizationRequests, BreachedPasswords, Bus, Codes, Connections,
        Consumed, Deletions, Directory, Exports, FeedbackRecords, Follows, History, IdentityKeys,
        IdentityProviders, Inventory, Invitations, MailBlocks, Mailer, PasswordResets, PaymentRecords,
        Payments, Promotions, Purges, RateWindows, Resources, Rotations, Sessions, SignUps, Teams,
        TeamsElsewhere, Throttles, TokenKeys, Trash, Uploads, UserAddresses, Vault, WalletWork, Wallets,
        Workspaces,
    },
};

use crate::{region_client::RegionClient, services::Services};

/// The ports of every area.
pub trait Ports:
    AuthPorts
    + WorkspacePorts
    + ResourcePorts
    + PrivacyPorts
    + MessagePorts
    + DirectoryPorts
    + SecretPorts
    + FilePorts
{
    /// What dispatch itself works with.
    fn services(&self) -> Services;
    /// Requests to the other regions.
    fn region_client(&self) -> RegionClient;
}

/// Signing up, signing in, and staying signed in.
pub trait AuthPorts {
    /// Pending sign-ups.
    fn sign_ups(&self) -> Arc<dyn SignUps>;
    /// Users and credentials.
    fn accounts(&self) -> Arc<dyn Accounts>;
    /// Sessions.
    fn sessions(&self) -> Arc<dyn Sessions>;
    /// Authorizations at providers.
    fn authorization_requests(&self) -> Arc<dyn AuthorizationRequests>;
    /// Providers' identities of users.
    fn connections(&self) -> Arc<dyn Connections>;
    /// Password resets.
    fn password_resets(&self) -> Arc<dyn PasswordResets>;
    /// Passwords that leaked elsewhere.
    fn breached_passwords(&self) -> Arc<dyn BreachedPasswords>;
    /// Email addresses of accounts.
    fn user_addresses(&self) -> Arc<dyn UserAddresses>;
    /// Counters of failed attempts.
    fn throttles(&self) -> Arc<dyn Throttles>;
    /// Counters of requests.
    fn rate_windows(&self) -> Arc<dyn RateWindows>;
}

/// Workspaces, their API keys and their histories.
pub trait WorkspacePorts {
    /// Workspaces and handles.
    fn workspaces(&self) -> Arc<dyn Workspaces>;
    /// API keys.
    fn api_keys(&self) -> Arc<dyn ApiKeys>;
    /// Teams and their members.
    fn teams(&self) -> Arc<dyn Teams>;
    /// What the home of a user keeps of teams in other regions.
    fn teams_elsewhere(&self) -> Arc<dyn TeamsElsewhere>;
    /// Invitations to teams.
    fn invitations(&self) -> Arc<dyn Invitations>;
    /// The accounts that users follow.
    fn follows(&self) -> Arc<dyn Follows>;
    /// Wallets.
    fn wallets(&self) -> Arc<dyn Wallets>;
    /// Work on wallets.
    fn wallet_work(&self) -> Arc<dyn WalletWork>;
    /// Customers, payments and events of Stripe.
    fn payment_records(&self) -> Arc<dyn PaymentRecords>;
    /// Promo codes.
    fn promotions(&self) -> Arc<dyn Promotions>;
    /// Histories and inboxes.
    fn history(&self) -> Arc<dyn History>;
}

/// Projects, datasets and models; the trash; uploads; permanent removal.
pub trait ResourcePorts {
    /// Projects, datasets and models.
    fn resources(&self) -> Arc<dyn Resources>;
    /// The trash.
    fn trash(&self) -> Arc<dyn Trash>;
    /// Uploads and files.
    fn uploads(&self) -> Arc<dyn Uploads>;
    /// Permanent removal.
    fn purges(&self) -> Arc<dyn Purges>;
}

/// A person's data: exports and deletions.
pub trait PrivacyPorts {
    /// Exports.
    fn exports(&self) -> Arc<dyn Exports>;
    /// Everything that an account and its workspace hold.
    fn inventory(&self) -> Arc<dyn Inventory>;
    /// Deletions.
    fn deletions(&self) -> Arc<dyn Deletions>;
}

/// Mail, feedback and the event bus.
pub trait MessagePorts {
    /// Mail.
    fn mailer(&self) -> Arc<dyn Mailer>;
    /// Addresses that get no mail.
    fn mail_blocks(&self) -> Arc<dyn MailBlocks>;
    /// Feedback that waits to be mailed.
    fn feedback_records(&self) -> Arc<dyn FeedbackRecords>;
    /// The address that receives feedback; `None` if the deployment accepts none.
    fn feedback_address(&self) -> Option<EmailAddress>;
    /// The event bus.
    fn bus(&self) -> Arc<dyn Bus>;
    /// Leases on messages.
    fn consumed(&self) -> Arc<dyn Consumed>;
}

/// Data that every region may have.
pub trait DirectoryPorts {
    /// The directory: names and public keys.
    fn directory(&self) -> Arc<dyn Directory>;
}

/// Envelope encryption, and the secrets that tokens, codes and hashes are made with.
pub trait SecretPorts {
    /// Envelope encryption.
    fn vault(&self) -> Arc<dyn Vault>;
    /// Token signing.
    fn token_keys(&self) -> Arc<dyn TokenKeys>;
    /// Hashes of addresses and networks.
    fn address_hashes(&self) -> Arc<dyn AddressHashes>;
    /// Mailed codes.
    fn codes(&self) -> Arc<dyn Codes>;
    /// Keys of providers' identities.
    fn identity_keys(&self) -> Arc<dyn IdentityKeys>;
    /// Providers.
    fn identity_providers(&self) -> Arc<dyn IdentityProviders>;
    /// Stripe.
    fn payments(&self) -> Arc<dyn Payments>;
    /// New versions of secrets.
    fn rotations(&self) -> Arc<dyn Rotations>;
}

/// Files and export bundles in the bucket.
pub trait FilePorts {
    /// Signed requests that clients send to the bucket.
    fn presigner(&self) -> Arc<dyn Presigner>;
    /// Objects in the bucket.
    fn blobs(&self) -> Arc<dyn Blobs>;
    /// Storing pictures.
    fn icons(&self) -> Arc<dyn Icons>;
    /// Writing export bundles.
    fn bundles(&self) -> Arc<dyn Bundles>;
}
