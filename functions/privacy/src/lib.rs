//! A person's data: exported, and deleted.

kit::functions! {
    endpoint request::Request;
    endpoint status::ReadStatus;
}
