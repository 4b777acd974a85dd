//! Renders `docs/data-model.md`: the tables and their entities with keys and access patterns, from the module docs of
//! the store's files, and the kinds of items with their rows.

use std::fmt::Write as _;

use domain::deletion::STEPS;
use store::tables::{ExportRule, ItemKind, Owner, Removal, Row, Table};

/// An error in a module doc.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The module doc names an unknown table.
    #[error("{0}: unknown table {1}")]
    UnknownTable(String, String),
    /// The module doc lacks a section.
    #[error("{0}: write the module doc as: Entity.  Table `name`: PK … SK ….  Reads: ….")]
    Unclear(String),
}

/// An entity that one file of the store keeps in a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Entity {
    name: String,
    table: Table,
    keys: String,
    reads: String,
    writes: Option<String>,
    file: String,
}

impl Entity {
    /// Parses the module doc of `file`. Returns `None` if it names no table.
    ///
    /// # Errors
    ///
    /// When the module doc names a table but does not follow the common form.
    pub fn of(file: &str, source: &str) -> Result<Option<Self>, Error> {
        let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
        let header = lines.map(str::trim).collect::<Vec<_>>().join(" ");
        let Some((name, rest)) = header.split_once(".  Table `") else { return Ok(None) };
        let unclear = || Error::Unclear(file.to_owned());
        let (table, rest) = rest.split_once("`: ").ok_or_else(unclear)?;
        let known = Table::ALL.into_iter().find(|known| known.as_str() == table);
        let table = known.ok_or_else(|| Error::UnknownTable(file.to_owned(), table.to_owned()))?;
        let (reads, writes) = (section(rest, "Reads: "), section(rest, "Writes: "));
        let keys = rest.split(" Reads: ").next().and_then(|rest| rest.split(" Writes: ").next());
        Ok(Some(Self {
            name: name.to_owned(),
            table,
            keys: keys.map(without_stop).ok_or_else(unclear)?,
            reads: reads.ok_or_else(unclear)?,
            writes,
            file: file.to_owned(),
        }))
    }
}

/// The text between `title` and the next title.
fn section(text: &str, title: &str) -> Option<String> {
    let (_, after) = text.split_once(title)?;
    let end = [" Reads: ", " Writes: "].iter().filter_map(|other| after.find(other)).min();
    Some(without_stop(end.and_then(|end| after.get(..end)).unwrap_or(after)))
}

fn without_stop(text: &str) -> String {
    text.trim().trim_end_matches('.').to_owned()
}

/// Renders the document.
pub fn document(entities: &[Entity]) -> String {
    let mut text = "# Data model

Written by `cargo generate` from the module docs of `shared/store/src/*.rs` and the rows of `shared/tables/src/items.rs`; change it
there. Every table has the string keys `pk` and `sk` and no index. An entity with several items changes them in one
`TransactWriteItems`; the column *writes* lists exceptions. Step numbers are those of a deletion.
"
    .to_owned();
    for table in Table::ALL {
        let traits = [
            table.expires().then_some("items expire (`ttl` only frees storage; readers compare times)"),
            table.is_streamed().then_some("new items are streamed"),
        ];
        let traits = traits.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let _ = write!(text, "\n## `{}`\n\n", table.as_str());
        if !traits.is_empty() {
            let _ = write!(text, "{}.\n\n", capital(&traits));
        }
        text.push_str("| entity | keys | reads | writes |\n|---|---|---|---|\n");
        for entity in entities.iter().filter(|entity| entity.table == table) {
            let Entity { name, keys, reads, writes, file, .. } = entity;
            let writes = writes.as_deref().unwrap_or_default();
            let _ = writeln!(text, "| [{name}](../shared/store/src/{file}) | {keys} | {reads} | {writes} |");
        }
        text.push_str("\n| kind | partition key | belongs to | removed | exported | sealed |\n|---|---|---|---|---|---|\n");
        for kind in ItemKind::ALL.into_iter().filter(|kind| kind.table() == table) {
            text.push_str(&line(kind));
        }
    }
    text
}

/// A kind's line.
fn line(kind: ItemKind) -> String {
    let Row { prefix, owner, removal, export, sealed, .. } = *kind.row();
    let owner = match owner {
        Owner::User => "user",
        Owner::Workspace => "workspace",
        Owner::Region => "region",
    };
    let export = match export {
        ExportRule::Section(sections) => names(sections),
        ExportRule::Omitted(why) => format!("no: {why}"),
    };
    format!("| {kind:?} | `{prefix}…` | {owner} | {} | {export} | {} |\n", removed(removal), names(sealed))
}

/// How items of a kind go.
fn removed(removal: Removal) -> String {
    let steps = || removal.steps().iter().map(|step| numbered(step)).collect::<Vec<_>>().join(", ");
    match removal {
        Removal::Partition(_) | Removal::Records(_) => format!("in {}", steps()),
        Removal::With(_) => format!("with the records that lead to it, in {}", steps()),
        Removal::InTransaction(_) => format!("in {}, if still the owner's", steps()),
        Removal::Done(when) => when.to_owned(),
        Removal::Expires(when) => format!("expires {when}"),
        Removal::Kept(why) => format!("never: {why}"),
    }
}

/// A step with its place in a deletion.
fn numbered(step: &str) -> String {
    let place = STEPS.iter().position(|known| known.to_string() == step);
    place.map_or_else(|| format!("`{step}`"), |place| format!("step {} (`{step}`)", place + 1))
}

fn names(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kit::On;

    use super::*;

    #[test]
    fn export_reads_the_kinds_that_it_contains() {
        let grants = crate::grants();
        let (_, grants) = grants.iter().find(|(function, _)| *function == "run-export").unwrap();
        let read = grants.iter().filter(|grant| ["GetItem", "BatchGetItem", "Query"].contains(&grant.action));
        let read = read.filter_map(|grant| match grant.on {
            On::ItemKind(kind) => Some(kind),
            _ => None,
        });
        let is_contained = |kind: &ItemKind| matches!(kind.row().export, ExportRule::Section(_));
        let contained = ItemKind::ALL.into_iter().filter(is_contained);
        // The job itself, and the teams' side of memberships, which has the present role.
        let others = [ItemKind::Jobs, ItemKind::ExportsDue, ItemKind::Members];
        let expected: BTreeSet<ItemKind> = contained.chain(others).collect();
        assert_eq!(read.collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn line_of_a_kind_names_its_step() {
        let expected = "| Keys | `KEYS#…` | workspace | in step 1 (`api-keys`) | `apiKeys` | `sealed` |\n";
        assert_eq!(line(ItemKind::Keys), expected);
    }

    #[test]
    fn module_doc_sections_in_any_order_are_parsed() {
        let source = "//! Thing, small.  Table `identity`: PK `A#<b>`  SK `A`;\n//! gone soon.\n\
                      //! Writes: a put. Reads: one (get).\n\nuse x;\n";
        let entity = Entity::of("things.rs", source).unwrap().unwrap();
        assert_eq!(entity.name, "Thing, small");
        assert_eq!(entity.keys, "PK `A#<b>`  SK `A`; gone soon");
        assert_eq!((entity.reads.as_str(), entity.writes.as_deref()), ("one (get)", Some("a put")));
    }

    #[test]
    fn file_without_table_is_skipped_wrong_doc_is_refused() {
        assert_eq!(Entity::of("get.rs", "//! Reading: one item, or several.\n"), Ok(None));
        let unknown = Entity::of("x.rs", "//! X.  Table `nope`: PK `X`  SK `X`. Reads: none.\n");
        assert_eq!(unknown, Err(Error::UnknownTable("x.rs".into(), "nope".into())));
        let unclear = Entity::of("x.rs", "//! X.  Table `identity`: PK `X`  SK `X`.\n");
        assert_eq!(unclear, Err(Error::Unclear("x.rs".into())));
    }
}
