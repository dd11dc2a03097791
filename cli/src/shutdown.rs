//! Ctrl-C and SIGTERM: the first asks everybody to finish, a second ends at once.

use tidegate_broker::Stop;

/// Exit code after a second signal.
const ENDED_BY_SIGNAL: i32 = 130;

/// Watches for signals; the returned [`Stop`] is set by the first.
pub(crate) fn on_signals() -> anyhow::Result<Stop> {
    let stop = Stop::default();
    let watched = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            for nth in 1.. {
                if wait_for_one().await.is_err() {
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
