//! The data folder, and its version.

use std::path::Path;

use crate::start_error::StartError;

/// The version of the data folder. Folders of other versions are refused.
const DATA_VERSION: &str = "5";

/// Creates the data folder, or checks the version of an existing one.
pub fn open(folder: &Path) -> Result<(), StartError> {
    let refuse = |reason: String| StartError::Data { folder: folder.to_owned(), reason };
    std::fs::create_dir_all(folder).map_err(|error| refuse(error.to_string()))?;
    let marker = folder.join("version");
    match std::fs::read_to_string(&marker) {
        Ok(version) if version.trim() == DATA_VERSION => Ok(()),
        Ok(version) => Err(refuse(format!(
            "its version is {}, and this platform needs version {DATA_VERSION}. Move it or choose another folder with --data",
            version.trim()
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut entries = std::fs::read_dir(folder).map_err(|error| refuse(error.to_string()))?;
            if entries.next().is_some() {
                return Err(refuse(
                    "it contains files of something else. Choose an empty folder with --data".to_owned(),
                ));
            }
            std::fs::write(marker, DATA_VERSION).map_err(|error| refuse(error.to_string()))
        }
        Err(error) => Err(refuse(error.to_string())),
    }
}
