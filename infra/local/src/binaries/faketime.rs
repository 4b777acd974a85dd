//! Makes instances use the local clock. Instances ask the operating system for the time; [libfaketime] intercepts these
//! calls and applies the offset in a file.
//!
//! [libfaketime]: https://github.com/wolfcw/libfaketime

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::{
    clock::{ClockState, LocalClock},
    files,
};

/// The paths where distributions install the library for multi-threaded programs.
const LIBRARY_PATHS: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
];

/// The library and its offset file.
pub struct Faketime {
    library: PathBuf,
    /// Locked while the clock is read and the file is written, so that the last write has the latest offset.
    file: Mutex<PathBuf>,
}

impl Faketime {
    /// Finds the installed library, and creates its offset file in `folder`.
    pub fn find(folder: &Path) -> Option<Self> {
        let library = LIBRARY_PATHS.iter().map(PathBuf::from).find(|place| place.is_file())?;
        // Instances have another working directory.
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Some(Self { library, file: folder.join("faketime").into() })
    }

    /// Sets the offset of all instances to the offset of the clock.
    pub fn follow(&self, clock: &LocalClock) -> io::Result<()> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        files::replace_text(&file, &line(clock.state()))
    }

    /// The environment variables of an instance.
    pub fn variables(&self) -> [(&'static str, String); 5] {
        let text = |path: &Path| path.display().to_string();
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        [
            ("LD_PRELOAD", text(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE", text(&file)),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // Timeouts and sleeps use real time.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }
}

/// The time of the clock in the format of the library.
fn line(state: ClockState) -> String {
    match state {
        ClockState::Running(millis) => {
            let sign = if millis < 0 { '-' } else { '+' };
            let millis = millis.unsigned_abs();
            format!("{sign}{}.{:03}", millis / 1_000, millis % 1_000)
        }
        ClockState::Stopped(at) => at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
    }
}

/// The shared memory that the library leaves after a process with this id is killed. Dropping this removes it, because
/// a later process with the same id would not start.
pub struct SharedMemory(pub Option<u32>);

impl Drop for SharedMemory {
    fn drop(&mut self) {
        let Some(process) = self.0 else { return };
        for name in ["faketime_shm_", "sem.faketime_sem_"] {
            // The files are missing if the library is not used.
            let _ = std::fs::remove_file(format!("/dev/shm/{name}{process}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    #[test]
    fn clock_is_written_in_the_format_of_the_library() {
        for (millis, expected) in [
            (0, "+0.000"),
            (61_005, "+61.005"),
            (-1, "-0.001"),
            (-3_125, "-3.125"),
            (315_360_000_250, "+315360000.250"),
        ] {
            assert_eq!(line(ClockState::Running(millis)), expected);
        }
        let still = Timestamp::from_millisecond(1_893_456_000_750).unwrap();
        assert_eq!(line(ClockState::Stopped(still)), "2030-01-01 00:00:00.750");
    }
}
