//! The operations of DynamoDB.

/// Whether an operation modifies items.
pub(crate) fn writes(operation: &str) -> bool {
    matches!(operation, "TransactWriteItems" | "BatchWriteItem" | "PutItem" | "UpdateItem" | "DeleteItem")
}
