//! Drives the live page as its test does; `cargo xtask screenshot` takes the README's picture with it.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use tidegate_tests::{page, places, python};

#[derive(Debug, Parser)]
#[command(about = "Drives the live page of a demo in a headless Chromium")]
struct Arguments {
    /// File for a picture of the page.
    #[arg(long)]
    screenshot: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let requirements = places::repository().join("tests/page/requirements.txt");
    let python = python::with(&requirements).context("Python with selenium is needed")?;
    print!("{}", page::drive(&python, arguments.screenshot.as_deref())?);
    Ok(())
}
