//! Lambda entry point of `plans-list`, which has no grants.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::plans_list::ListPlans>()
}
