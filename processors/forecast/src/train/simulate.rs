//! Simulated nodes, so that a network meets more kinds of load than the recordings hold.
//!
//! A node is a sum of habits drawn at random: a level, a daily shape, autoregressive noise with heavy tails, jobs that
//! return every 5 to 120 minutes or once a day, bursts at random times that rise and decay, and shifts of level. Every fourth node
//! is one of a batch [`Cluster`] instead. A node is sampled every 10 s and
//! kept at 10 s, 1 minute or 5 minutes.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::cluster::Cluster;
use super::segment::Segment;
use crate::load::Resource;
use crate::state::MINUTE_MS;

const TICK_MS: i64 = 10_000;
const TICKS_PER_DAY: usize = 8_640;

/// A job that returns: every `period` ticks (with some jitter) for `length` ticks.
struct Job {
    period: f32,
    length: f32,
    height: f32,
    jitter: f32,
    next: f32,
    until: f32,
}

/// The habits of one node, and where they stand.
struct Habits {
    level: f32,
    daily: f32,
    phase: f32,
    sharpness: f32,
    keeps: f32,
    noise: f32,
    slow: f32,
    white: f32,
    heavy: f32,
    jobs: Vec<Job>,
    bursts_per_tick: f32,
    burst_height: f32,
    burst_keeps: f32,
    shifts_per_tick: f32,
    burst: f32,
}

/// Report interval of the simulated node with this index, milliseconds: every second one reports each 10 s.
pub(crate) fn interval_ms(series: usize) -> i64 {
    match series % 4 {
        0 | 1 => TICK_MS,
        2 => MINUTE_MS,
        _ => 5 * MINUTE_MS,
    }
}

/// Simulates one node for some days; `series` is the index that its segment carries.
pub(crate) fn node(series: usize, resource: Resource, rng: &mut ChaCha8Rng) -> Segment {
    let interval_ms = interval_ms(series);
    let days = match series % 4 {
        0 | 1 => 2,
        2 => 6,
        _ => 12,
    };
    let mut cluster = (series % 4 == 1).then(|| Cluster::draw(calm(resource), rng));
    let mut habits = Habits::draw(resource, rng);
    let every = usize::try_from(interval_ms / TICK_MS).unwrap_or(1);
    let mut segment = Segment { series, interval_ms, ..Segment::default() };
    let mut held = 0.0_f32;
    // Reports rarer than a tick carry the mean since the one before: what most agents measure.
    for tick in 0..days * TICKS_PER_DAY {
        held += match &mut cluster {
            Some(cluster) => cluster.tick(rng),
            None => habits.tick(tick, rng),
        };
        if (tick + 1) % every == 0 {
            segment.times.push(tick as i64 * TICK_MS);
            segment.points.push(held / every as f32);
            held = 0.0;
        }
    }
    segment
}

/// How far a resource moves beside CPU.
fn calm(resource: Resource) -> f32 {
    match resource {
        Resource::Cpu => 1.0,
        Resource::Memory => 0.15,
    }
}

impl Habits {
    fn draw(resource: Resource, rng: &mut ChaCha8Rng) -> Self {
        let calm = calm(resource);
        let mut jobs: Vec<Job> = (0..rng.random_range(0..4)).map(|_| Job::draw(calm, rng)).collect();
        jobs.extend((0..rng.random_range(0..4)).map(|_| Job::draw_daily(calm, rng)).collect::<Vec<_>>());
        let bursty = rng.random_bool(0.6);
        Self {
            level: exponential(rng, if calm < 1.0 { 40.0 } else { 14.0 }).min(80.0) + 0.2,
            daily: if rng.random_bool(0.7) { rng.random_range(0.0..25.0) } else { 0.0 },
            phase: rng.random_range(0.0..1.0),
            sharpness: rng.random_range(0.5..3.0),
            keeps: rng.random_range(0.5f32..0.98),
            noise: calm * exponential(rng, 1.0).min(4.0),
            slow: 0.0,
            white: calm * exponential(rng, 0.8).min(3.0),
            heavy: rng.random_range(0.0..0.05),
            jobs,
            bursts_per_tick: if bursty { exponential(rng, 0.8).min(6.0) / 360.0 } else { 0.0 },
            burst_height: calm * exponential(rng, 18.0).min(70.0),
            burst_keeps: 1.0 - 1.0 / rng.random_range(6.0f32..90.0),
            shifts_per_tick: rng.random_range(0.0..1.5) / TICKS_PER_DAY as f32,
            burst: 0.0,
        }
    }

    fn tick(&mut self, tick: usize, rng: &mut ChaCha8Rng) -> f32 {
        if rng.random_bool(f64::from(self.shifts_per_tick)) {
            self.level = (self.level * rng.random_range(0.5f32..1.8)).clamp(0.2, 85.0);
        }
        let turn = (tick as f32 / TICKS_PER_DAY as f32 + self.phase).fract();
        let shape = (0.5 - 0.5 * (turn * std::f32::consts::TAU).cos()).powf(self.sharpness);
        let tail = if rng.random_bool(f64::from(self.heavy)) { rng.random_range(2.0..8.0) } else { 1.0 };
        self.slow = self.keeps * self.slow + self.noise * tail * bell(rng) * (1.0 - self.keeps * self.keeps).sqrt();
        if rng.random_bool(f64::from(self.bursts_per_tick)) {
            self.burst += self.burst_height * rng.random_range(0.3..1.5);
        }
        self.burst *= self.burst_keeps;
        let mut jobs = 0.0;
        for job in &mut self.jobs {
            jobs += job.at(tick as f32, rng);
        }
        let load = self.level + self.daily * shape + self.slow + jobs + self.burst + self.white * bell(rng);
        load.clamp(0.0, 110.0)
    }
}

impl Job {
    fn draw(calm: f32, rng: &mut ChaCha8Rng) -> Self {
        const USUAL: [f32; 8] = [5.0, 10.0, 15.0, 15.0, 30.0, 60.0, 60.0, 120.0];
        let minutes =
            if rng.random_bool(0.7) { USUAL[rng.random_range(0..USUAL.len())] } else { rng.random_range(5.0..120.0) };
        let period = 6.0 * minutes;
        Self {
            period,
            length: rng.random_range(2.0..(0.5 * period).min(90.0)),
            height: calm * exponential(rng, 15.0).min(60.0),
            jitter: if rng.random_bool(0.5) { 0.0 } else { rng.random_range(0.0..0.1) * period },
            next: rng.random_range(0.0..period),
            until: 0.0,
        }
    }

    /// A job that runs at the same time each day, give or take some minutes.
    fn draw_daily(calm: f32, rng: &mut ChaCha8Rng) -> Self {
        let period = TICKS_PER_DAY as f32;
        Self {
            period,
            length: rng.random_range(2.0..360.0),
            height: calm * exponential(rng, 15.0).min(60.0),
            jitter: if rng.random_bool(0.5) { 0.0 } else { rng.random_range(0.0..30.0) },
            next: rng.random_range(0.0..period),
            until: 0.0,
        }
    }

    fn at(&mut self, tick: f32, rng: &mut ChaCha8Rng) -> f32 {
        if tick >= self.next {
            self.until = self.next + self.length * rng.random_range(0.8..1.2);
            self.next += self.period;
            if self.jitter > 0.0 {
                self.next += rng.random_range(-self.jitter..self.jitter);
            }
        }
        if tick < self.until { self.height * rng.random_range(0.85..1.15) } else { 0.0 }
    }
}

pub(crate) fn exponential(rng: &mut ChaCha8Rng, mean: f32) -> f32 {
    -mean * rng.random_range(1e-6f32..1.0).ln()
}

/// About normal with deviation 1: the sum of four uniform numbers.
pub(crate) fn bell(rng: &mut ChaCha8Rng) -> f32 {
    let sum: f32 = (0..4).map(|_| rng.random_range(-1.0f32..1.0)).sum();
    sum * 0.866
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn nodes_differ_and_stay_in_range() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let nodes: Vec<Segment> = (0..8).map(|index| node(index, Resource::Cpu, &mut rng)).collect();
        for segment in &nodes {
            assert!(segment.points.iter().all(|load| (0.0..=110.0).contains(load)));
            assert!(segment.times.windows(2).all(|pair| pair[1] - pair[0] == segment.interval_ms));
        }
        assert_ne!(nodes[0].points, nodes[4].points);
        let mut again = ChaCha8Rng::seed_from_u64(7);
        assert_eq!(node(0, Resource::Cpu, &mut again), nodes[0]);
    }
}
