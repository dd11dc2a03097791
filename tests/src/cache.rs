//! Fetched parts are kept between runs, one folder each, and made by one process at a time.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::places;

const COMPLETE: &str = ".complete";

/// The folder `name` of the cache, made by `make` where it is not there in full. Another process that wants the same
/// folder at the same time waits for the first; what a killed one left behind is made again.
///
/// # Errors
/// Where `make` fails or the cache can not be written.
pub fn ensure(name: &str, make: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
    let cache = places::real_parts();
    std::fs::create_dir_all(&cache).with_context(|| format!("creating {}", cache.display()))?;
    let folder = cache.join(name);
    let lock = File::create(cache.join(format!("{name}.lock"))).context("creating a lock file")?;
    lock.lock().context("waiting for the lock of the cache")?;
    if !folder.join(COMPLETE).is_file() {
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        make(&folder)?;
        File::create(folder.join(COMPLETE)).context("marking the folder as complete")?;
    }
    Ok(folder)
}
