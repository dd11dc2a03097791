//! Ctrl-C and SIGTERM: the first asks everybody to finish, a second ends at once.

use std::time::Duration;

use tidegate_broker::Stop;

/// Exit code after a second signal.
const ENDED_BY_SIGNAL: i32 = 130;

/// What a service takes to stop at most, a second less than those who stop services often wait.
const SERVICE: Duration = Duration::from_secs(9);

/// Watches for signals; the returned [`Stop`] is set by the first.
pub(crate) fn on_signals() -> anyhow::Result<Stop> {
    watch(None)
}

/// As [`on_signals`], for what runs until it is stopped: with a broker away it ends in time all the same, and the group
/// gives its partitions to others as after a kill.
pub(crate) fn on_signals_of_service() -> anyhow::Result<Stop> {
    watch(Some(SERVICE))
}

fn watch(patience: Option<Duration>) -> anyhow::Result<Stop> {
    let stop = Stop::default();
    let watched = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            for nth in 1.. {
                let waited = match patience.filter(|_| nth > 1) {
                    None => wait_for_one().await,
                    Some(patience) => match tokio::time::timeout(patience, wait_for_one()).await {
                        Ok(waited) => waited,
                        Err(_) => give_up(patience),
                    },
                };
                if waited.is_err() {
                    return;
                }
                if nth > 1 {
                    std::process::exit(ENDED_BY_SIGNAL);
                }
                tracing::info!("stopping; a second signal ends at once");
                watched.stop();
            }
        });
    })?;
    Ok(stop)
}

/// Nothing is lost: what is not committed is processed again.
fn give_up(patience: Duration) -> ! {
    let seconds = patience.as_secs();
    tracing::warn!(
        "the brokers did not answer for {seconds} s: ended without leaving the group, its members find out by themselves"
    );
    std::process::exit(0);
}

async fn wait_for_one() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
