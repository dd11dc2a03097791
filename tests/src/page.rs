//! The live page in a real browser: a demo on free ports, driven by `page/drive_page.py`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::{binary, places};

const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Long enough for the script; it ends earlier.
const DEMO_FOR: &str = "10m";

/// Starts `tidegate demo`, runs the script with `python` and gives what it said.
///
/// # Errors
/// Where the demo does not come up or the script finds a fault.
pub fn drive(python: &Path, screenshot: Option<&Path>) -> anyhow::Result<String> {
    let port = crate::receiver::Receiver::reserve_port()?;
    let listen = format!("127.0.0.1:{port}");
    let mut demo = binary::spawn(&["demo", "--nodes", "200", "--speed", "60", "--for", DEMO_FOR, "--listen", &listen]);
    let url = format!("http://{listen}/");
    demo.wait_for(&format!("http://{listen}"), START_TIMEOUT)?;
    let mut command = Command::new(python);
    command.arg(places::repository().join("tests/page/drive_page.py")).arg(&url);
    if let Some(file) = screenshot {
        command.arg("--screenshot").arg(file);
    }
    let output = command.stdin(Stdio::null()).output().context("starting python")?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "the page has a fault:\n{said}\nthe demo said:\n{}", demo.stderr());
    let ended = demo.terminate()?;
    ensure!(ended.code == Some(0), "the demo ended with {:?}:\n{}", ended.code, ended.stderr);
    Ok(said)
}
