//! Ends a process of which a part hangs, so that its supervisor starts another: a thread that never comes back from a call of the
//! client library cannot be waked, and holds its partitions as long as the process lives.
//!
//! ```text
//! each second: who has not moved for a minute? ─┬─ nobody, or we ourselves stood still (SIGSTOP) ─> look again
//!                                               └─ a stage or sink ─> say it, exit 69
//! ```

use std::time::{Duration, Instant};

use tidegate_broker::Stop;

use crate::exit;

/// Who has not moved for so long hangs. Every wait of ours is shorter, or shows that it waits.
const LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks so far apart mean that the whole process stood still.
const STOOD_STILL: Duration = Duration::from_secs(5);

/// Watches the work of a process.
pub(crate) fn start(stop: &Stop) -> anyhow::Result<()> {
    let stop = stop.clone();
    let watch = move || {
        let (mut looked, mut running_since) = (Instant::now(), Instant::now());
        loop {
            std::thread::sleep(LOOK_EVERY);
            if looked.elapsed() > STOOD_STILL {
                running_since = Instant::now();
            }
            looked = Instant::now();
            let silent = stop.silent_for(LIMIT).filter(|_| running_since.elapsed() > LIMIT);
            if let Some((name, silent)) = silent {
                give_up(&name, silent);
            }
        }
    };
    std::thread::Builder::new().name("watchdog".into()).spawn(watch)?;
    Ok(())
}

/// Nothing is lost: what is not committed is processed again.
fn give_up(name: &str, silent: Duration) -> ! {
    let seconds = silent.as_secs();
    tracing::error!("{name} hangs, it has not moved for {seconds} s: ended, so that it is started again");
    std::process::exit(exit::UNAVAILABLE.into())
}
