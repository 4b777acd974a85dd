//! What a workspace may have: the defaults of its plan, and the overrides of its contract.

use serde::{Deserialize, Serialize};

use crate::wallet::JobCategory;

/// Stands for no limit where an answer must have a number: the largest integer that every JSON parser represents exactly
/// ([RFC 8259, section 6](https://www.rfc-editor.org/rfc/rfc8259#section-6)).
pub const UNLIMITED: u64 = (1 << 53) - 1;

/// What a workspace may have. `None` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entitlements {
    /// Models outside the trash.
    pub models: Option<u64>,
    /// Bytes in storage, including the trash and the bytes that are reserved for uploads.
    pub storage_bytes: Option<u64>,
    /// Bytes of one file of a dataset.
    pub dataset_upload_bytes: Option<u64>,
    /// Members and pending invitations of a team.
    pub seats: Option<u64>,
    /// Trainings that run at the same time.
    pub trainings: Option<u64>,
    /// Deployed models.
    pub deployments: Option<u64>,
}

impl Entitlements {
    /// How many jobs of a category may run at the same time.
    pub const fn of_jobs(&self, category: JobCategory) -> Option<u64> {
        match category {
            JobCategory::Training => self.trainings,
            JobCategory::Deployment => self.deployments,
            JobCategory::Inference => None,
        }
    }
}

/// The quota that a contract sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quota {
    /// This many.
    AtMost(u64),
    /// Any number.
    Unlimited,
}

/// What the contract of a workspace sets, as it is stored with the workspace. The plan decides the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementOverrides {
    /// Instead of the plan's [`Entitlements::models`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Quota>,
    /// Instead of the plan's [`Entitlements::storage_bytes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_bytes: Option<Quota>,
    /// Instead of the plan's [`Entitlements::dataset_upload_bytes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_upload_bytes: Option<Quota>,
    /// Instead of the plan's [`Entitlements::seats`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<Quota>,
}

impl Quota {
    /// The limit; `None` is unlimited.
    const fn limit(self) -> Option<u64> {
        match self {
            Self::AtMost(most) => Some(most),
            Self::Unlimited => None,
        }
    }
}

impl EntitlementOverrides {
    /// Whether the contract sets nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The entitlements of a workspace whose plan has these.
    pub fn apply_to(&self, plan: Entitlements) -> Entitlements {
        let decide = |contract: Option<Quota>, plan| contract.map_or(plan, Quota::limit);
        Entitlements {
            models: decide(self.models, plan.models),
            storage_bytes: decide(self.storage_bytes, plan.storage_bytes),
            dataset_upload_bytes: decide(self.dataset_upload_bytes, plan.dataset_upload_bytes),
            seats: decide(self.seats, plan.seats),
            ..plan
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;
    use crate::{plan::Plan, workspace::Workspace};

    fn stored() -> serde_json::Value {
        json!({
            "id": "ws_01m858qy4a1ar9by88nhafn40x", "handle": "ada-lovelace", "kind": "personal",
            "owner": "user_01m858qy4a1ar9by88nhafn40x", "region": "eu", "plan": "free", "openingCredit": 0,
            "dataKey": "wrapped", "createdAt": "2026-11-01T00:00:00Z",
        })
    }

    #[test]
    fn workspace_without_overrides_keeps_its_stored_form() {
        let workspace: Workspace = from_value(stored()).unwrap();
        assert_eq!(workspace.entitlements(workspace.created_at), Plan::Free.entitlements());
        assert_eq!(to_value(&workspace).unwrap(), stored());
    }

    #[test]
    fn each_override_replaces_only_its_own_limit_of_the_plan() {
        let plan = Plan::Free.entitlements();
        for (overrides, expected) in [
            (json!({}), plan),
            (json!({ "models": { "at-most": 7 } }), Entitlements { models: Some(7), ..plan }),
            (json!({ "storageBytes": "unlimited" }), Entitlements { storage_bytes: None, ..plan }),
            (json!({ "seats": { "at-most": 70 } }), Entitlements { seats: Some(70), ..plan }),
            (
                json!({ "datasetUploadBytes": { "at-most": 0 } }),
                Entitlements { dataset_upload_bytes: Some(0), ..plan },
            ),
        ] {
            let mut item = stored();
            item["entitlementOverrides"] = overrides.clone();
            let workspace: Workspace = from_value(item.clone()).unwrap();
            assert_eq!(workspace.entitlements(workspace.created_at), expected, "{overrides}");
            let kept = if overrides == json!({}) { stored() } else { item };
            assert_eq!(to_value(&workspace).unwrap(), kept);
        }
    }

    #[test]
    fn plan_limits_trainings_and_deployments_and_no_inference() {
        let limits = |plan: Plan| {
            let of = |category| plan.entitlements().of_jobs(category);
            [of(JobCategory::Training), of(JobCategory::Deployment), of(JobCategory::Inference)]
        };
        assert_eq!(limits(Plan::Free), [Some(3), Some(3), None]);
        assert_eq!(limits(Plan::Pro), [Some(10), Some(10), None]);
        assert_eq!(limits(Plan::Enterprise), [None; 3]);
    }

    #[test]
    fn unreadable_override_is_not_ignored() {
        let mut item = stored();
        item["entitlementOverrides"] = json!({ "models": "many" });
        assert!(from_value::<Workspace>(item).is_err());
    }
}
