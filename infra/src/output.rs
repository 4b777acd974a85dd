//! The files that are generated: what they should hold, and what they do hold.

use std::{fs, io, path::Path};

use domain::region::Region;

use crate::{Functions, data_model, endpoints, openapi, template};

/// Why the files can't be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read or written.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// The template can't be filled in.
    #[error(transparent)]
    Template(#[from] template::Error),
    /// A header of the store can't be understood.
    #[error(transparent)]
    DataModel(#[from] data_model::Error),
    /// The OpenAPI document can't be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// A file and what it should hold.
pub struct File {
    /// Where it is, from the repository's root.
    pub path: &'static str,
    /// What it should hold.
    pub contents: String,
}

/// A file that holds something else.
pub struct Difference {
    /// Which line is the first to differ, from 1.
    pub line: usize,
    /// That line as it is; none if the file ends before it.
    pub found: Option<String>,
    /// That line as it should be; none if the file should end before it.
    pub wanted: Option<String>,
}

/// Every generated file of the repository at `root`.
///
/// # Errors
///
/// When something that they are made from can't be read or understood.
pub fn files(root: &Path) -> Result<Vec<File>, Error> {
    let functions = Functions::all();
    let openapi = serde_json::to_string_pretty(&openapi::document(&functions))? + "\n";
    let template = template::fill_in(&read(root, "template.yaml")?, &functions)?;
    Ok(vec![
        File { path: "template.yaml", contents: template },
        File { path: "infra/regions", contents: regions() },
        File { path: "docs/openapi.json", contents: openapi },
        File { path: "docs/data-model.md", contents: data_model::document(&entities(root)?) },
        File { path: "docs/endpoints.md", contents: endpoints::document(&functions) },
    ])
}

/// What the scripts that deploy go through.
fn regions() -> String {
    let others = Region::ALL.into_iter().filter(|region| *region != Region::AUTHORITY);
    let lines = std::iter::once(Region::AUTHORITY).chain(others).map(|it| format!("{it} {}\n", it.aws()));
    let header = "# Written by `cargo generate`: data region and AWS region, in the order in which they are deployed.\n";
    header.to_owned() + &lines.collect::<String>()
}

/// The store's entities, by their files' names.
fn entities(root: &Path) -> Result<Vec<data_model::Entity>, Error> {
    let folder = "shared/store/src";
    let failed = |error| Error::Io(folder.to_owned(), error);
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join(folder)).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        names.extend(Some(name).filter(|name| name.ends_with(".rs")));
    }
    names.sort();
    let mut entities = Vec::new();
    for name in names {
        entities.extend(data_model::Entity::of(&name, &read(root, &format!("{folder}/{name}"))?)?);
    }
    Ok(entities)
}

fn read(root: &Path, path: &str) -> Result<String, Error> {
    fs::read_to_string(root.join(path)).map_err(|error| Error::Io(path.to_owned(), error))
}

impl File {
    /// Writes it.
    ///
    /// # Errors
    ///
    /// When it can't be written.
    pub fn write(&self, root: &Path) -> Result<(), Error> {
        let failed = |error| Error::Io(self.path.to_owned(), error);
        let path = root.join(self.path);
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        fs::write(path, &self.contents).map_err(failed)
    }

    /// How the file differs from what it should hold; one that is not there is empty.
    ///
    /// # Errors
    ///
    /// When it is there and can't be read.
    pub fn difference(&self, root: &Path) -> Result<Option<Difference>, Error> {
        match fs::read_to_string(root.join(self.path)) {
            Ok(found) => Ok(difference(&found, &self.contents)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(difference("", &self.contents)),
            Err(error) => Err(Error::Io(self.path.to_owned(), error)),
        }
    }
}

fn difference(found: &str, wanted: &str) -> Option<Difference> {
    let (mut has, mut wants) = (found.split('\n'), wanted.split('\n'));
    let mut line = 0;
    loop {
        line += 1;
        match (has.next(), wants.next()) {
            (None, None) => return None,
            (found, wanted) if found == wanted => {}
            (found, wanted) => {
                let owned = |text: Option<&str>| text.map(str::to_owned);
                return Some(Difference { line, found: owned(found), wanted: owned(wanted) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_made_before_anybody_reads_it() {
        let text = regions();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.first(), Some(&"us us-east-1"));
        assert_eq!(lines.len(), Region::ALL.len());
    }

    #[test]
    fn the_first_line_that_differs_is_named() {
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
