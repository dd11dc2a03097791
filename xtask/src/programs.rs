//! Starting cargo and the programs that it built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// Root of the checkout.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new(".")).to_path_buf()
}

/// `cargo ARGUMENTS…` at the root of the checkout.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(repository());
    command
}

/// Builds all programs. Always the whole workspace: a part of it would want other features of its dependencies, and
/// the C libraries would be built twice.
pub(crate) fn build() -> anyhow::Result<()> {
    run(&mut cargo(&["build", "--release", "--workspace", "--bins"]))
}

/// A built program, which stands beside this one.
pub(crate) fn built(name: &str) -> anyhow::Result<Command> {
    let own = std::env::current_exe().context("finding the folder of the programs")?;
    let path = own.with_file_name(name);
    ensure!(path.is_file(), "{} was not built", path.display());
    Ok(Command::new(path))
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
