//! The generated files: their expected contents, and how the files on disk differ.

use std::{fs, io, path::Path};

use domain::region::Region;
use store::tables::Table;

use crate::{Functions, areas, data_model, endpoints, grants, mains, openapi, template};

/// An error while generating the files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read or written.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// A function has no main.
    #[error("{0} has no main: add functions/<area>/src/bin/{0}.rs")]
    NoMain(&'static str),
    /// The template can't be filled in.
    #[error(transparent)]
    Template(#[from] template::Error),
    /// A module doc of the store is invalid.
    #[error(transparent)]
    DataModel(#[from] data_model::Error),
    /// The OpenAPI document can't be serialized as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// A generated file and its expected contents.
pub struct File {
    /// The path, relative to the repository's root.
    pub path: String,
    /// The expected contents.
    pub contents: String,
}

/// The first difference between a file and its expected contents.
pub struct FileDifference {
    /// The number of the line, starting at 1.
    pub line: usize,
    /// The line in the file; `None` if the file ends earlier.
    pub found: Option<String>,
    /// The expected line; `None` if the file should end earlier.
    pub wanted: Option<String>,
}

/// Generates every file for the repository at `root`.
///
/// # Errors
///
/// When a source file can't be read or parsed.
pub fn files(root: &Path) -> Result<Vec<File>, Error> {
    let functions = Functions::all();
    let openapi = serde_json::to_string_pretty(&openapi::document(&functions))? + "\n";
    let areas = areas();
    let parent = template::parent(&read(root, "template.yaml")?, &areas)?;
    let data = template::data(&read(root, "infra/stacks/data.yaml")?)?;
    let documents = [
        ("template.yaml", parent),
        ("infra/stacks/data.yaml", data),
        ("infra/regions", regions()),
        ("infra/tables", tables()),
        ("docs/openapi.json", openapi),
        ("docs/data-model.md", data_model::document(&entities(root)?)),
        ("docs/endpoints.md", endpoints::document(&functions)),
    ];
    let documents = documents.into_iter().map(|(path, contents)| File { path: path.to_owned(), contents });
    let stacks = areas.iter().map(|(area, functions)| File {
        path: format!("infra/stacks/{area}.yaml"),
        contents: template::area(area, functions),
    });
    Ok(documents.chain(stacks).chain(mains(root)?).collect())
}

/// The mains of all functions, with comments that list their grants.
fn mains(root: &Path) -> Result<Vec<File>, Error> {
    let areas = names(root, "functions")?;
    let mut files = Vec::new();
    for (id, grants) in grants() {
        let mut paths = areas.iter().map(|area| format!("functions/{area}/src/bin/{id}.rs"));
        let path = paths.find(|path| root.join(path).is_file()).ok_or(Error::NoMain(id))?;
        files.push(File { contents: mains::commented(&read(root, &path)?, id, &grants), path });
    }
    Ok(files)
}

/// The list of regions that the deployment scripts read.
fn regions() -> String {
    let others = Region::ALL.into_iter().filter(|region| *region != Region::AUTHORITY);
    let lines = std::iter::once(Region::AUTHORITY).chain(others).map(|it| format!("{it} {}\n", it.aws()));
    let header = "# Written by `cargo generate`: data region and AWS region, in the order in which they are deployed.\n";
    header.to_owned() + &lines.collect::<String>()
}

/// The list of tables that `infra/restore-region` reads: those that are restored, with settings that a backup does not hold.
fn tables() -> String {
    let line = |table: Table| {
        let expires = if table.expires() { " expires" } else { "" };
        let streamed = if table.is_streamed() { " streamed" } else { "" };
        format!("{}{expires}{streamed}\n", table.as_str())
    };
    let header = "# Written by `cargo generate`: tables that are restored together, and settings that a backup does not hold.\n";
    header.to_owned() + &Table::RESTORED.map(line).concat()
}

/// The entities of the store, sorted by file name.
fn entities(root: &Path) -> Result<Vec<data_model::Entity>, Error> {
    let folder = "shared/store/src";
    let mut entities = Vec::new();
    for name in names(root, folder)?.into_iter().filter(|name| name.ends_with(".rs")) {
        entities.extend(data_model::Entity::of(&name, &read(root, &format!("{folder}/{name}"))?)?);
    }
    Ok(entities)
}

/// The names in a folder, sorted.
fn names(root: &Path, folder: &str) -> Result<Vec<String>, Error> {
    let failed = |error| Error::Io(folder.to_owned(), error);
    let entries: io::Result<Vec<_>> = fs::read_dir(root.join(folder)).map_err(failed)?.collect();
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> = entries.map_err(failed)?.into_iter().map(name).collect();
    names.sort();
    Ok(names)
}

fn read(root: &Path, path: &str) -> Result<String, Error> {
    fs::read_to_string(root.join(path)).map_err(|error| Error::Io(path.to_owned(), error))
}

impl File {
    /// Writes the file.
    ///
    /// # Errors
    ///
    /// When the file can't be written.
    pub fn write(&self, root: &Path) -> Result<(), Error> {
        let failed = |error| Error::Io(self.path.clone(), error);
        let path = root.join(&self.path);
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        fs::write(path, &self.contents).map_err(failed)
    }

    /// Compares the file on disk with its expected contents. A missing file counts as empty.
    ///
    /// # Errors
    ///
    /// When the file exists and can't be read.
    pub fn difference(&self, root: &Path) -> Result<Option<FileDifference>, Error> {
        match fs::read_to_string(root.join(&self.path)) {
            Ok(found) => Ok(difference(&found, &self.contents)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(difference("", &self.contents)),
            Err(error) => Err(Error::Io(self.path.clone(), error)),
        }
    }
}

fn difference(found: &str, wanted: &str) -> Option<FileDifference> {
    let (mut has, mut wants) = (found.split('\n'), wanted.split('\n'));
    let mut line = 0;
    loop {
        line += 1;
        match (has.next(), wants.next()) {
            (None, None) => return None,
            (found, wanted) if found == wanted => {}
            (found, wanted) => {
                let owned = |text: Option<&str>| text.map(str::to_owned);
                return Some(FileDifference { line, found: owned(found), wanted: owned(wanted) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_authority_is_deployed_first() {
        let text = regions();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.first(), Some(&"us us-east-1"));
        assert_eq!(lines.len(), Region::ALL.len());
    }

    #[test]
    fn restored_tables_are_listed_with_their_settings() {
        let text = tables();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), Table::RESTORED.len());
        assert_eq!(lines.first(), Some(&"identity expires"));
        assert_eq!(lines.last(), Some(&"operations expires streamed"));
    }

    #[test]
    fn difference_reports_the_first_differing_line() {
        assert!(difference("a\nb\n", "a\nb\n").is_none());
        let changed = difference("a\nb\nc\n", "a\nx\nc\n").unwrap();
        assert_eq!(
            (changed.line, changed.found.as_deref(), changed.wanted.as_deref()),
            (2, Some("b"), Some("x"))
        );
        let longer = difference("a\nb", "a").unwrap();
        assert_eq!((longer.line, longer.found.as_deref(), longer.wanted), (2, Some("b"), None));
        assert_eq!(difference("a", "a\n").unwrap().line, 2);
    }
}
