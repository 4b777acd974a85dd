//! Programs that people unpack bundles with: those that read an archive's directory, and those that read it as a stream.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tests::App;

use super::{bundle::Bundle, exported::live_long};

/// Reads a ZIP from its standard input as a stream, into the folder that is its argument.
const STREAM: &str = r#"
import java.io.*;
import java.nio.file.*;
import java.util.zip.*;

class Stream {
    public static void main(String[] arguments) throws IOException {
        try (ZipInputStream zip = new ZipInputStream(new BufferedInputStream(System.in))) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                Path file = Path.of(arguments[0], entry.getName());
                Files.createDirectories(file.getParent());
                Files.copy(zip, file);
                zip.closeEntry();
            }
        }
    }
}
"#;

/// A program, the Debian package that has it, its arguments (`ZIP` is the bundle and `TO` an empty folder, where it runs), and
/// whether the bundle is its standard input.
type Reader = (&'static str, &'static str, &'static [&'static str], bool);

const READERS: [Reader; 7] = [
    ("jar", "openjdk-17-jdk-headless", &["xf", "ZIP"], false),
    ("jar", "openjdk-17-jdk-headless", &["x"], true),
    ("java", "openjdk-17-jdk-headless", &["JAVA", "TO"], true),
    ("unzip", "unzip", &["-q", "ZIP"], false),
    ("bsdtar", "libarchive-tools", &["-xf", "ZIP"], false),
    ("bsdtar", "libarchive-tools", &["-xf", "-"], true),
    ("7zz", "7zip", &["x", "-bd", "-y", "ZIP"], false),
];

/// A bundle on disk, and the program in Java.
struct EntryPosition {
    folder: tempfile::TempDir,
}

impl EntryPosition {
    fn with(bundle: &[u8]) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(place.path("bundle.zip"), bundle).unwrap();
        std::fs::write(place.path("Stream.java"), STREAM).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a program in a folder; what it wrote, unless it is not installed.
    fn run(&self, (program, package, arguments, streams): Reader, to: &Path) -> Option<Vec<u8>> {
        let argument = |argument: &&str| match *argument {
            "ZIP" => self.path("bundle.zip"),
            "JAVA" => self.path("Stream.java"),
            "TO" => to.to_owned(),
            other => other.into(),
        };
        let input = if streams { File::open(self.path("bundle.zip")).unwrap().into() } else { Stdio::null() };
        let mut command = Command::new(program);
        command.args(arguments.iter().map(argument)).current_dir(to).stdin(input);
        match command.output() {
            Ok(output) => {
                let told = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{program} {arguments:?}: {told}");
                Some(output.stdout)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // Past the capture of the test's output, so that it is seen.
                let mut told = std::io::stderr();
                writeln!(told, "skipped: {program} is not installed (Debian: apt-get install {package})")
                    .unwrap();
                None
            }
            Err(error) => panic!("{program}: {error}"),
        }
    }
}

/// All files of a folder, by their names in it.
fn files(folder: &Path, within: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{within}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path(), &format!("{name}/")));
        } else {
            found.insert(name, std::fs::read_to_string(entry.path()).unwrap());
        }
    }
    found
}

/// Every program that is installed reads the same as Python does.
async fn check(bundle: &[u8]) {
    let (place, wanted) = (EntryPosition::with(bundle), Bundle::of(bundle).await.0);
    for (n, reader) in READERS.into_iter().enumerate() {
        let to = place.path(&n.to_string());
        std::fs::create_dir(&to).unwrap();
        if place.run(reader, &to).is_some() {
            let read = files(&to, "");
            assert!(read.keys().eq(wanted.keys()), "{reader:?} reads {:?}", read.keys());
            assert!(read == wanted, "{reader:?} reads something else");
        }
    }
    // It reads the first file of a stream.
    if let Some(first) = place.run(("funzip", "unzip", &[], true), place.folder.path()) {
        assert_eq!(String::from_utf8(first).unwrap(), wanted["README.txt"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_reads_a_bundle_of_one_part() {
    let app = App::start().await;
    let ada = app.user("ada-unzips").await;
    live_long(&ada, 3, 50).await;
    let bundle = ada.export("zip").await;
    assert!(bundle.len() < 1024 * 1024, "it has more than one part");
    check(&bundle).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_reads_a_bundle_of_several_parts() {
    let app = App::start().await;
    let ada = app.user("ada-unzips-much").await;
    live_long(&ada, 3_000, 5_000).await;
    let bundle = ada.export("zip").await;
    assert!(bundle.len() > 5 * 1024 * 1024, "it has one part only");
    check(&bundle).await;
}
