//! Metadata by which the platform knows its own objects at Stripe: the workspace, its region, the purpose,
//! and for payments the agreed amount. None of it is personal.

use domain::{
    id::WorkspaceId,
    payment::{Cents, PaymentPurpose, PaymentTag, SubscriptionTag},
    region::Region,
};

use crate::answers::Metadata;

/// The workspace.
pub const WORKSPACE: &str = "workspace";
/// The region of the workspace.
pub const REGION: &str = "region";
/// What the object is for.
pub const PURPOSE: &str = "purpose";
/// The agreed amount in cents.
const AMOUNT: &str = "amount_cents";

/// The purpose of a session that saves a payment method.
pub const SAVE_METHOD: &str = "save-method";
/// The purpose of a subscription, and of a session that begins one.
pub const SUBSCRIPTION: &str = "subscription";

/// The metadata of a payment.
pub fn members(tag: &PaymentTag) -> [(&'static str, String); 4] {
    [
        (WORKSPACE, tag.workspace.to_string()),
        (REGION, tag.region.to_string()),
        (PURPOSE, tag.purpose.as_str().to_owned()),
        (AMOUNT, tag.amount.get().to_string()),
    ]
}

/// Reads the metadata of a payment. `None`: a part is missing, so the platform did not make the payment.
pub fn tag(metadata: &Metadata) -> Option<PaymentTag> {
    Some(PaymentTag {
        purpose: PaymentPurpose::parse(metadata.get(PURPOSE)?)?,
        workspace: workspace(metadata)?,
        region: region(metadata)?,
        amount: Cents::new(metadata.get(AMOUNT)?.parse().ok()?),
    })
}

/// Reads the metadata of a subscription. `None`: a part is missing, so the platform did not make the
/// subscription.
pub fn subscription_tag(metadata: &Metadata) -> Option<SubscriptionTag> {
    metadata.get(PURPOSE).filter(|purpose| *purpose == SUBSCRIPTION)?;
    Some(SubscriptionTag { workspace: workspace(metadata)?, region: region(metadata)? })
}

/// The workspace, if the object is the platform's.
pub fn workspace(metadata: &Metadata) -> Option<WorkspaceId> {
    metadata.get(WORKSPACE)?.parse().ok()
}

/// The region, if the object is the platform's.
pub fn region(metadata: &Metadata) -> Option<Region> {
    metadata.get(REGION)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_tag() -> PaymentTag {
        PaymentTag {
            purpose: PaymentPurpose::AutoTopUp,
            workspace: crate::testing::WORKSPACE_ID.parse().unwrap(),
            region: Region::Ap,
            amount: Cents::new(2_000),
        }
    }

    fn metadata() -> Metadata {
        members(&a_tag()).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[test]
    fn metadata_parses_back() {
        assert_eq!(tag(&metadata()), Some(a_tag()));
    }

    #[test]
    fn incomplete_metadata_is_no_tag() {
        for name in [WORKSPACE, REGION, PURPOSE, AMOUNT] {
            let mut metadata = metadata();
            metadata.insert(name.to_owned(), "other".to_owned());
            assert_eq!(tag(&metadata), None, "{name}");
            metadata.remove(name);
            assert_eq!(tag(&metadata), None, "{name}");
        }
    }

    #[test]
    fn subscription_has_workspace_region_and_purpose() {
        let mut of_subscription = metadata();
        of_subscription.insert(PURPOSE.to_owned(), SUBSCRIPTION.to_owned());
        let PaymentTag { workspace, region, .. } = a_tag();
        assert_eq!(subscription_tag(&of_subscription), Some(SubscriptionTag { workspace, region }));
        assert_eq!(subscription_tag(&metadata()), None);
        for name in [WORKSPACE, REGION, PURPOSE] {
            let mut incomplete = of_subscription.clone();
            incomplete.remove(name);
            assert_eq!(subscription_tag(&incomplete), None, "{name}");
        }
    }
}
