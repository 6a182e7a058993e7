//! A folder for the files of one test.

use std::path::{Path, PathBuf};

/// A new folder of this test process in the system's folder for temporary files, removed when dropped.
pub struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("headlamp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}
