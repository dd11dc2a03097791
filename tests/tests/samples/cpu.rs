//! What node_exporter says of this host's CPU, asked every second beside Prometheus: the reference.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidegate_tests::prometheus::Served;

/// Busy seconds of all cores, by the time (ms) at which they were read.
type Readings = Vec<(i64, f64)>;

/// Reads on its own thread until it is asked.
pub(crate) struct Reference {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Readings, usize)>,
}

impl Reference {
    pub(crate) fn start(exporter: Arc<Served>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut readings = Readings::new();
            let mut cores = 0;
            while !told.load(Ordering::Relaxed) {
                let before = now_ms();
                let (busy, of) = busy(&exporter.metrics());
                readings.push(((before + now_ms()) / 2, busy));
                cores = of;
                std::thread::sleep(Duration::from_secs(1));
            }
            (readings, cores)
        });
        Self { stop, thread }
    }

    /// The share of all cores that was busy between two times.
    pub(crate) fn share(self, from_ms: i64, to_ms: i64) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        let (readings, cores) = self.thread.join().unwrap();
        let grown = at(&readings, to_ms) - at(&readings, from_ms);
        grown * 1000.0 / ((to_ms - from_ms) as f64 * cores as f64)
    }
}

/// On the line between the two readings around a time.
fn at(readings: &Readings, ms: i64) -> f64 {
    let after = readings.iter().position(|(at, _)| *at >= ms).expect("it was read until after that time");
    let [(t0, v0), (t1, v1)] = [readings[after - 1], readings[after]];
    v0 + (v1 - v0) * (ms - t0) as f64 / (t1 - t0) as f64
}

/// Seconds of all cores outside `idle` and `iowait`, and how many cores there are.
fn busy(metrics: &str) -> (f64, usize) {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix("node_cpu_seconds_total{")?.split_once("} "));
    let (idle, busy): (Vec<_>, Vec<_>) =
        lines.filter(|(labels, _)| !labels.contains("\"iowait\"")).partition(|(labels, _)| labels.contains("\"idle\""));
    (busy.iter().map(|(_, value)| value.parse::<f64>().unwrap()).sum(), idle.len())
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}
