//! `cargo xtask screenshot`: the picture in the README, taken by the script that also tests the page.

use std::path::PathBuf;

use clap::Args;

use crate::programs;

/// Where the picture goes.
#[derive(Debug, Args)]
pub(crate) struct ScreenshotArguments {
    /// File to write.
    #[arg(long, default_value = "docs/page.png")]
    to: PathBuf,
}

pub(crate) fn run(arguments: &ScreenshotArguments) -> anyhow::Result<()> {
    programs::build()?;
    let to = programs::repository().join(&arguments.to);
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    programs::run(programs::built("drive-page")?.arg("--screenshot").arg(to))
}
