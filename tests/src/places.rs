//! Where things are: the checkout, the build's output, the recorded data.

use std::path::{Path, PathBuf};

/// Root of the checkout.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new(".")).to_path_buf()
}

/// Folder of the running executable's profile, e.g. `target/release`, where the other executables are.
#[must_use]
pub fn executables() -> PathBuf {
    let fallback = || repository().join("target/release");
    let Ok(own) = std::env::current_exe() else { return fallback() };
    match own.parent() {
        Some(deps) if deps.ends_with("deps") => deps.parent().map_or_else(fallback, Path::to_path_buf),
        Some(profile) => profile.to_path_buf(),
        None => fallback(),
    }
}

/// Folder in which fetched parts are kept between runs.
#[must_use]
pub fn real_parts() -> PathBuf {
    executables().parent().map_or_else(|| repository().join("target"), Path::to_path_buf).join("real-parts")
}

/// A file of the recorded data: under `TIDEGATE_DATA`, or `../shared/data` beside the checkout; `None` where it is absent.
#[must_use]
pub fn recorded(file: &str) -> Option<PathBuf> {
    let beside = || repository().parent().unwrap_or_else(|| Path::new("..")).join("shared/data");
    let path = std::env::var_os("TIDEGATE_DATA").map_or_else(beside, PathBuf::from).join(file);
    path.is_file().then_some(path)
}
