//! The live page in a real browser: a demo on free ports, driven by `page/drive_page.py`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::process::wait_until;
use crate::{binary, places};

const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Long enough for the script; it ends earlier.
const DEMO_FOR: &str = "10m";

/// A node that an operator has put under a control.
const CONTROLLED: &str = "node-0007";

/// Puts a node under a control once the fleet lives, as an operator would: the control begins by the fleet's own time.
fn under_control(demo: &binary::Running, url: &str) -> anyhow::Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let node = format!("{url}api/nodes/{CONTROLLED}");
    wait_until(START_TIMEOUT, || {
        let known = agent.get(&node).call().and_then(|mut answer| answer.body_mut().read_json::<serde_json::Value>());
        known.is_ok_and(|view| view["decision"].is_object())
    })?;
    let said = demo.stdout();
    let broker = said.lines().find_map(|line| line.strip_prefix("embedded broker")).context("no broker is named")?;
    let brokers = broker.split_whitespace().next().context("the broker has no address")?;
    let words = ["--override", "1500", "--by", "alice", "--why", "a test in the browser", "--brokers", brokers];
    let set = binary::run(&[&["control", "set", CONTROLLED], &words[..]].concat(), START_TIMEOUT);
    ensure!(set.code == Some(0), "the control was not set:\n{}", set.stderr);
    Ok(())
}

/// Starts `tidegate demo`, runs the script with `python` and gives what it said.
///
/// # Errors
/// Where the demo does not come up or the script finds a fault.
pub fn drive(python: &Path, screenshot: Option<&Path>) -> anyhow::Result<String> {
    let port = crate::receiver::Receiver::reserve_port()?;
    let listen = format!("127.0.0.1:{port}");
    let mut demo = binary::spawn(&["demo", "--nodes", "200", "--speed", "60", "--for", DEMO_FOR, "--listen", &listen]);
    let url = format!("http://{listen}/");
    demo.wait_for("Ctrl-C", START_TIMEOUT)?;
    under_control(&demo, &url)?;
    let mut command = Command::new(python);
    command.arg(places::repository().join("tests/page/drive_page.py")).args([&url, "--controlled", CONTROLLED]);
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
