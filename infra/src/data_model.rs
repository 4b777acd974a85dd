//! `docs/data-model.md`: the tables, and the entities in them with their keys and access patterns, from the headers of the
//! store's files.

use std::fmt::Write as _;

use store::table::Table;

/// Why a header can't be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It names a table that there is not.
    #[error("{0}: there is no table {1}")]
    UnknownTable(String, String),
    /// It does not say what it should.
    #[error("{0}: the header should be: Entity.  Table `name`: PK … SK ….  Reads: ….")]
    Unclear(String),
}

/// One file of the store that keeps something in a table.
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
    /// The entity whose file this is; none if its header names no table.
    ///
    /// # Errors
    ///
    /// When the header names a table but is not in the form of the others.
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

/// What follows `title`, up to the next one.
fn section(text: &str, title: &str) -> Option<String> {
    let (_, after) = text.split_once(title)?;
    let end = [" Reads: ", " Writes: "].iter().filter_map(|other| after.find(other)).min();
    Some(without_stop(end.and_then(|end| after.get(..end)).unwrap_or(after)))
}

fn without_stop(text: &str) -> String {
    text.trim().trim_end_matches('.').to_owned()
}

/// The document.
pub fn document(entities: &[Entity]) -> String {
    let mut text = "# Data model

Written by `cargo generate` from the headers of `shared/store/src/*.rs`; change it there. Every table has the string keys
`pk` and `sk` and no index. What has several items changes them in one `TransactWriteItems`; *writes* is said where it is
something else.
"
    .to_owned();
    for table in Table::ALL {
        let traits = [
            table
                .expires()
                .then_some("items expire (`ttl`; housekeeping only, readers compare times themselves)"),
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
    }
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_understood_in_any_order() {
        let source = "//! Thing, small.  Table `identity`: PK `A#<b>`  SK `A`;\n//! gone soon.\n\
                      //! Writes: a put. Reads: one (get).\n\nuse x;\n";
        let entity = Entity::of("things.rs", source).unwrap().unwrap();
        assert_eq!(entity.name, "Thing, small");
        assert_eq!(entity.keys, "PK `A#<b>`  SK `A`; gone soon");
        assert_eq!((entity.reads.as_str(), entity.writes.as_deref()), ("one (get)", Some("a put")));
    }

    #[test]
    fn other_files_are_passed_over_and_wrong_headers_are_not() {
        assert_eq!(Entity::of("get.rs", "//! Reading: one item, or several.\n"), Ok(None));
        let unknown = Entity::of("x.rs", "//! X.  Table `nope`: PK `X`  SK `X`. Reads: none.\n");
        assert_eq!(unknown, Err(Error::UnknownTable("x.rs".into(), "nope".into())));
        let unclear = Entity::of("x.rs", "//! X.  Table `identity`: PK `X`  SK `X`.\n");
        assert_eq!(unclear, Err(Error::Unclear("x.rs".into())));
    }
}
