//! Lambda entry point of `activity-mark-seen`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<activity::mark_seen::MarkSeen>()
}
