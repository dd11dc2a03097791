//! Alerts to Alertmanager: what fires is sent, sent again every minute, and sent once more when it is resolved.
//!
//! ```text
//! alerts topic, whole ─> Alertmanagers::take ─> known.rs (which alerts there are, what is due to whom)
//!                        Alertmanagers::tick ─> each target: payload.rs ─> post.rs ─> POST /api/v2/alerts
//! ```
//!
//! Every process that runs this sends all alerts; Alertmanager knows one alert by its labels, however often it is told. One that is away is
//! tried again, and what it missed waits: the newest state of each alert, no more.

mod known;
mod payload;
mod post;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus::{IntCounterVec, IntGauge, Opts};
use tidegate_broker::https::Authorities;
use tidegate_broker::{Follower, Received, Registry, Stop};
use tidegate_schemas::Topic;
use tidegate_schemas::records::Alert;

use crate::error::SinkError;
use known::Known;
use post::{Answer, Target};

/// An alert that fires is sent again so often.
const AGAIN: Duration = Duration::from_secs(60);
/// Alerts in one request at most.
const PER_REQUEST: usize = 200;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The sink.
#[derive(Debug)]
pub struct Alertmanagers {
    known: Known,
    targets: Vec<Sending>,
    page_url: Option<String>,
    again_at: Option<Instant>,
    counters: Counters,
}

/// A target and how it does.
#[derive(Debug)]
struct Sending {
    target: Target,
    pause: Duration,
    not_before: Instant,
    away_since: Option<Instant>,
    /// After a refusal, alerts go one by one, so that it is known which is refused.
    one_by_one: bool,
}

#[derive(Debug, Clone)]
struct Counters {
    sent: IntCounterVec,
    firing: IntGauge,
}

impl Alertmanagers {
    /// A sink to the Alertmanagers at these addresses, as `http://HOST:9093`; `page_url` is the live page that alerts lead to,
    /// `authorities` are believed where an address is https.
    ///
    /// # Errors
    /// [`SinkError::Target`] for an address that is none, and where there is none.
    pub fn new(
        urls: &[String],
        page_url: Option<String>,
        authorities: &Authorities,
        registry: &Registry,
    ) -> Result<Self, SinkError> {
        let now = Instant::now();
        let sending = |url: &String| {
            let target = Target::new(url, authorities)?;
            Ok(Sending { target, pause: FIRST_PAUSE, not_before: now, away_since: None, one_by_one: false })
        };
        let targets = urls.iter().map(sending).collect::<Result<Vec<_>, SinkError>>()?;
        if targets.is_empty() {
            return Err(SinkError::Target("alertmanager has no address; give --alertmanager URL".to_owned()));
        }
        let counters = Counters::new(registry).map_err(|e| SinkError::Target(e.to_string()))?;
        Ok(Self { known: Known::new(targets.len()), targets, page_url, again_at: None, counters })
    }
}

impl Counters {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let opts = Opts::new(
            "tidegate_alertmanager_alerts_total",
            "Alerts by what became of sending them: sent, refused, or failed, which is tried again.",
        );
        let sent = IntCounterVec::new(opts, &["target", "result"])?;
        let firing = IntGauge::new("tidegate_alertmanager_firing", "Alerts on the alerts topic that fire.")?;
        registry.register(Box::new(sent.clone()))?;
        registry.register(Box::new(firing.clone()))?;
        Ok(Self { sent, firing })
    }
}

impl Follower for Alertmanagers {
    type Input = Alert;

    fn name(&self) -> &'static str {
        "alertmanager"
    }

    fn input(&self) -> Topic {
        Topic::Alerts
    }

    fn take(&mut self, received: Received<Alert>) {
        let trace_id = received.trace.as_ref().map(|trace| trace.trace_id());
        self.known.take(received.record, trace_id, received.kafka_timestamp.unwrap_or_default());
    }

    fn tick(&mut self, caught_up: bool, stop: &Stop) {
        // Until the topic was read to its end, nobody knows what still fires.
        if !caught_up {
            return;
        }
        let now = Instant::now();
        let wall_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        self.known.forget(wall_ms);
        if self.again_at.is_none_or(|at| at <= now) {
            self.known.all_due();
            self.again_at = Some(now + AGAIN);
        }
        self.counters.firing.set(self.known.firing() as i64);
        let (known, page, counters) = (&self.known, self.page_url.as_deref(), &self.counters);
        let mut outcomes = Vec::new();
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for (number, sending) in self.targets.iter_mut().enumerate() {
                let due = known.due(number);
                if due.is_empty() || sending.not_before > now {
                    continue;
                }
                threads.push((number, scope.spawn(move || sending.send(&due, known, page, wall_ms, counters, stop))));
            }
            for (number, thread) in threads {
                outcomes.push((number, thread.join().unwrap_or_default()));
            }
        });
        for (number, done) in outcomes {
            self.known.done(number, &done);
        }
    }
}

impl Sending {
    /// Sends what is due; gives what needs no further try.
    fn send(
        &mut self,
        due: &[String],
        known: &Known,
        page: Option<&str>,
        wall_ms: i64,
        counters: &Counters,
        stop: &Stop,
    ) -> Vec<String> {
        let mut done = Vec::new();
        let at_once = if self.one_by_one { 1 } else { PER_REQUEST };
        for part in due.chunks(at_once) {
            if stop.is_set() {
                break;
            }
            let alerts: Vec<_> = part.iter().filter_map(|fingerprint| known.get(fingerprint)).collect();
            let body = payload::of(&alerts, page, wall_ms);
            let count = |result: &str| {
                counters.sent.with_label_values(&[self.target.url(), result]).inc_by(part.len() as u64);
            };
            match self.target.post(&body) {
                Answer::Taken => {
                    count("sent");
                    done.extend_from_slice(part);
                }
                Answer::Refused(_) if part.len() > 1 => {
                    self.one_by_one = true;
                    return done;
                }
                Answer::Refused(why) => {
                    count("refused");
                    tracing::warn!("{} refuses the alert {}: {why}", self.target.url(), part.concat());
                    done.extend_from_slice(part);
                }
                Answer::Away(why) => {
                    count("failed");
                    self.wait(&why);
                    return done;
                }
            }
        }
        self.is_back();
        done
    }

    fn wait(&mut self, why: &str) {
        if self.away_since.is_none() {
            tracing::warn!("{} does not take alerts: {why}; trying again until it does", self.target.url());
            self.away_since = Some(Instant::now());
        }
        self.not_before = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn is_back(&mut self) {
        (self.pause, self.one_by_one) = (FIRST_PAUSE, false);
        if let Some(since) = self.away_since.take() {
            tracing::info!("{} takes alerts again after {:.1} s", self.target.url(), since.elapsed().as_secs_f64());
        }
    }
}
