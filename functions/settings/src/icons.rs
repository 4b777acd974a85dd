//! Which pictures of a workspace are in the store, and which may go.

use domain::{
    Timestamp,
    blob::{BlobKey, Blobs},
    id::{IconId, WorkspaceId},
    ports::{Failure, Outcome},
};
use jiff::SignedDuration;
use kit::RequestContext;

/// The time after which no request can still be about to show a picture that it stored. Requests take seconds.
const SETTLED: SignedDuration = SignedDuration::from_mins(10);
/// The most pictures that one change removes. Interrupted changes leave one each.
const AT_ONCE: usize = 100;

/// Removes the picture that was `replaced`, and those that interrupted requests left. The change itself is made, so a failure is no
/// failure of the request: the next change removes them, or the deletion of the account.
pub async fn remove_others<C>(
    blobs: &dyn Blobs,
    call: &RequestContext<C>,
    workspace: WorkspaceId,
    shown: Option<IconId>,
    replaced: Option<IconId>,
) {
    match remove(blobs, call.now, workspace, shown, replaced).await {
        Ok(()) | Err(Failure::Unavailable { .. }) => {}
        Err(defect) => call.report_defect("pictures not removed", &workspace, &defect.to_string()),
    }
}

async fn remove(
    blobs: &dyn Blobs,
    now: Timestamp,
    workspace: WorkspaceId,
    shown: Option<IconId>,
    replaced: Option<IconId>,
) -> Outcome<()> {
    let mut stored = blobs.under(&BlobKey::icons_of(workspace), AT_ONCE).await?;
    stored.retain(|key| key.icon().is_some_and(|icon| may_go(icon, now, shown, replaced)));
    if stored.is_empty() { Ok(()) } else { blobs.delete(&stored).await }
}

/// A newer picture may be another request's, which is about to show it.
fn may_go(icon: IconId, now: Timestamp, shown: Option<IconId>, replaced: Option<IconId>) -> bool {
    let is_settled = icon.made_at().saturating_add(SETTLED).is_ok_and(|settled| settled <= now);
    Some(icon) != shown && (Some(icon) == replaced || is_settled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_and_new_pictures_stay() {
        let at = |minute: i64| Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap();
        let icon = |minute| IconId::floor(at(minute));
        let may_go = |made, shown: Option<i64>, replaced: Option<i64>| {
            super::may_go(icon(made), at(20), shown.map(icon), replaced.map(icon))
        };
        assert!(may_go(5, Some(20), Some(5)) && may_go(5, None, None) && may_go(10, Some(20), None));
        assert!(may_go(19, Some(20), Some(19)), "a replaced one goes at once");
        assert!(!may_go(5, Some(5), None) && !may_go(5, Some(5), Some(5)) && !may_go(11, Some(20), Some(5)));
    }
}
