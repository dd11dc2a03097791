//! The schedule at work: a thread for each lane, whose faults come one after the other; the lanes go on at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::inject::{self, Effect};
use super::kinds::Lane;
use super::schedule::Planned;
use super::site::Site;

/// A fault that was done.
#[derive(Debug, Clone)]
pub struct Done {
    /// The plan.
    pub fault: Planned,
    /// What came of it.
    pub effect: Effect,
    /// Since the first lane began.
    pub at: Duration,
}

/// Does all faults, as long as they begin within `time`.
///
/// # Errors
/// Where the suite itself can not go on; what was begun is ended first.
pub fn run(
    site: &Site,
    planned: &[Planned],
    time: Option<Duration>,
    say: &(dyn Fn(&str) + Sync),
) -> anyhow::Result<Vec<Done>> {
    let mut lanes: BTreeMap<Lane, Vec<Planned>> = BTreeMap::new();
    planned.iter().for_each(|fault| lanes.entry(fault.lane()).or_default().push(*fault));
    let state = State {
        site,
        say,
        started: Instant::now(),
        time,
        all: planned.len(),
        count: AtomicUsize::new(0),
        broken: AtomicBool::new(false),
    };
    let mut done = std::thread::scope(|scope| {
        let threads: Vec<_> = lanes.values().map(|lane| scope.spawn(|| state.one_lane(lane))).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|lane| lane.unwrap_or_else(|_| Err(anyhow::anyhow!("a lane panicked"))))
            .collect::<Result<Vec<_>, _>>()
    })?
    .concat();
    done.sort_by_key(|done| done.fault.number);
    Ok(done)
}

struct State<'a> {
    site: &'a Site,
    say: &'a (dyn Fn(&str) + Sync),
    started: Instant,
    time: Option<Duration>,
    all: usize,
    count: AtomicUsize,
    broken: AtomicBool,
}

impl State<'_> {
    fn one_lane(&self, faults: &[Planned]) -> anyhow::Result<Vec<Done>> {
        let mut done = Vec::new();
        for fault in faults {
            std::thread::sleep(fault.pause);
            if self.broken.load(Ordering::SeqCst) || self.time.is_some_and(|time| self.started.elapsed() > time) {
                break;
            }
            let at = self.started.elapsed();
            let effect = inject::inject(self.site, fault).inspect_err(|_| self.broken.store(true, Ordering::SeqCst))?;
            self.site.watch.is_over(fault.number);
            self.tell(fault, at, &effect);
            done.push(Done { fault: *fault, effect, at });
        }
        Ok(done)
    }

    fn tell(&self, fault: &Planned, at: Duration, effect: &Effect) {
        let nth = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let what = match effect {
            Effect::Seen(what) => what.clone(),
            Effect::NotSeen(why) => format!("not counted: {why}"),
        };
        let (number, kind, lasted) = (fault.number, fault.kind, (self.started.elapsed() - at).as_secs_f64());
        // Without an end by number, their number is not known.
        let of = if self.time.is_some() { String::new() } else { format!("/{}", self.all) };
        (self.say)(&format!(
            "{nth:>3}{of}  #{number:<3} {kind:<16} at {:>5.1} s, {lasted:>4.1} s: {what}",
            at.as_secs_f64()
        ));
    }
}
