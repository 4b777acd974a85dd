//! Has instances follow the local clock. They ask the machine for the time, and must not know of another clock; so
//! [libfaketime] stands between them and the machine, and reads from a file how far the time is off.
//!
//! [libfaketime]: https://github.com/wolfcw/libfaketime

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::{
    clock::{Hands, LocalClock},
    files,
};

/// Where distributions install it: the variant for programs with several threads.
const PLACES: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
];

/// The library, and the file that it reads.
pub struct Faketime {
    library: PathBuf,
    /// Locked while it is written: who writes last must have looked at the clock last.
    file: Mutex<PathBuf>,
}

impl Faketime {
    /// The library if it is installed, and a file of its own in `folder`.
    pub fn find(folder: &Path) -> Option<Self> {
        let library = PLACES.iter().map(PathBuf::from).find(|place| place.is_file())?;
        // Instances run elsewhere.
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Some(Self { library, file: folder.join("faketime").into() })
    }

    /// Has every instance see what the clock shows, from the next time it looks.
    pub fn follow(&self, clock: &LocalClock) -> io::Result<()> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        files::replace_text(&file, &line(clock.hands()))
    }

    /// What an instance needs to be told.
    pub fn variables(&self) -> [(&'static str, String); 5] {
        let text = |path: &Path| path.display().to_string();
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        [
            ("LD_PRELOAD", text(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE", text(&file)),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // Time limits and waits are the machine's.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }
}

/// What the clock shows, as the library reads it.
fn line(hands: Hands) -> String {
    match hands {
        Hands::Running(millis) => {
            let sign = if millis < 0 { '-' } else { '+' };
            let millis = millis.unsigned_abs();
            format!("{sign}{}.{:03}", millis / 1_000, millis % 1_000)
        }
        Hands::Stopped(at) => at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
    }
}

/// What the library leaves behind of a process that is killed, by its number. Dropping it removes that: a later process of
/// the same number would not start.
pub struct Traces(pub Option<u32>);

impl Drop for Traces {
    fn drop(&mut self) {
        let Some(process) = self.0 else { return };
        for name in ["faketime_shm_", "sem.faketime_sem_"] {
            // There is none where the library is not used.
            let _ = std::fs::remove_file(format!("/dev/shm/{name}{process}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    #[test]
    fn every_time_has_a_line_that_the_library_reads() {
        for (millis, expected) in [
            (0, "+0.000"),
            (61_005, "+61.005"),
            (-1, "-0.001"),
            (-3_125, "-3.125"),
            (315_360_000_250, "+315360000.250"),
        ] {
            assert_eq!(line(Hands::Running(millis)), expected);
        }
        let still = Timestamp::from_millisecond(1_893_456_000_750).unwrap();
        assert_eq!(line(Hands::Stopped(still)), "2030-01-01 00:00:00.750");
    }
}
