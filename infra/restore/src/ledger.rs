//! The ledger of erasures.

use std::collections::HashSet;

use domain::secret::Digest256;
use kit::ItemKind;
use store::tables::{PARTITION_KEY, Table};

use crate::{
    error::RestoreError,
    table_group::{TableGroup, text},
};

/// The length of an id without its prefix, in characters.
const ID: usize = 26;

/// The erased accounts and teams, by the SHA-256 of their ids.
#[derive(Debug, Default)]
pub struct ErasureLedger(HashSet<String>);

impl ErasureLedger {
    /// Reads the ledger of the region.
    pub async fn read(live: &TableGroup) -> Result<Self, RestoreError> {
        let (mut hashes, mut after) = (HashSet::new(), None);
        loop {
            let (items, next) = live.page(Table::Erasures, after).await?;
            for item in &items {
                let partition = text(item, PARTITION_KEY);
                let hash = partition.strip_prefix(ItemKind::Erasures.prefix());
                let unknown = || RestoreError::UnknownKind(Table::Erasures, String::new());
                hashes.insert(hash.ok_or_else(unknown)?.to_owned());
            }
            if next.is_none() {
                return Ok(Self(hashes));
            }
            after = next;
        }
    }

    /// The number of erased ids.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was erased.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a text names an erased account or team, under the prefix of any kind of id.
    pub fn is_named_in(&self, text: &str) -> bool {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        words
            .filter(|word| word.len() == ID)
            .any(|id| self.0.contains(&Digest256::of(id).to_hex().to_string()))
    }
}

/// Whether a text names an account, a team or a personal workspace.
pub fn names_somebody(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.any(|word| {
        let bare = word.strip_prefix("user_").or_else(|| word.strip_prefix("ws_"));
        bare.is_some_and(|bare| bare.len() == ID)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID_ONE: &str = "01q9gd6e010000000000000001";

    #[test]
    fn erased_id_is_found_under_any_prefix_and_nowhere_else() {
        let ledger = ErasureLedger([Digest256::of(ID_ONE).to_hex().to_string()].into());
        for text in [format!("user_{ID_ONE}"), format!("a#ws_{ID_ONE}#b"), format!("files/ws_{ID_ONE}/x")] {
            assert!(ledger.is_named_in(&text), "{text}");
        }
        for text in ["user_01q9gd6e020000000000000002", "", &format!("user_{ID_ONE}0")] {
            assert!(!ledger.is_named_in(text), "{text}");
        }
    }

    #[test]
    fn only_accounts_and_workspaces_are_somebody() {
        assert!(names_somebody(&format!("MEMBER#user_{ID_ONE}")));
        assert!(names_somebody(&format!("190000#expire#ws_{ID_ONE}#dset_{ID_ONE}")));
        assert!(!names_somebody(&format!("dset_{ID_ONE}")) && !names_somebody("user_1"));
    }
}
