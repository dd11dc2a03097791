//! What the nodes of a pool share: a wandering common factor and flash crowds that hit them all.
//!
//! The series lives on a grid of one point an interval; nodes report between the points and read it interpolated, so
//! it depends on the seed and the time alone, not on who reads it.

use super::draw::{Draws, Wander};
use super::shape::{Crowd, MINUTE_MS};

/// Streams of pools are numbered from here, those of nodes from 0.
const FIRST_STREAM: u64 = 1 << 63;
/// A pool meets a crowd once in so many hours.
const CROWD_EVERY_H: f64 = 6.0;

/// The series of one pool.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Its name.
    pub(crate) name: String,
    /// How far its people's clocks are ahead of UTC, ms.
    pub(crate) local_offset: i64,
    draws: Draws,
    slow: Wander,
    quick: Wander,
    crowd: Option<Crowd>,
    interval_ms: i64,
    /// Time of `points[0]`, Unix ms.
    grid_ms: i64,
    points: [Point; 2],
}

/// The common factor at one time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// Wanders round 0 with deviation 1.
    pub(crate) factor: f64,
    /// Load that a crowd adds.
    pub(crate) crowd: f64,
}

impl Pool {
    /// Pool number `index`, its grid begun at `start_ms`.
    pub(crate) fn new(seed: u64, index: usize, start_ms: i64, interval_ms: i64) -> Self {
        let mut draws = Draws::new(seed, FIRST_STREAM + index as u64);
        let step_s = interval_ms as f64 / 1000.0;
        let local_offset = draws.pick(&[-8, -5, 0, 1, 5, 8]) * 3_600_000;
        let slow = Wander::new(step_s, 3600.0, &mut draws);
        let quick = Wander::new(step_s, 420.0, &mut draws);
        let mut pool = Self {
            name: format!("pool-{index:02}"),
            local_offset,
            draws,
            slow,
            quick,
            crowd: None,
            interval_ms,
            grid_ms: start_ms - interval_ms,
            points: [Point { factor: 0.0, crowd: 0.0 }; 2],
        };
        pool.points[1] = pool.next_point(start_ms);
        pool.advance();
        pool
    }

    /// Goes on to the next interval.
    pub(crate) fn advance(&mut self) {
        self.grid_ms += self.interval_ms;
        let next = self.next_point(self.grid_ms + self.interval_ms);
        self.points = [self.points[1], next];
    }

    /// The common factor at a time inside the current interval.
    pub(crate) fn at(&self, now: i64) -> Point {
        let share = (now - self.grid_ms) as f64 / self.interval_ms as f64;
        let between = |from: f64, to: f64| from + (to - from) * share;
        let [from, to] = self.points;
        Point { factor: between(from.factor, to.factor), crowd: between(from.crowd, to.crowd) }
    }

    fn next_point(&mut self, at: i64) -> Point {
        let factor = 0.8 * self.slow.step(&mut self.draws) + 0.6 * self.quick.step(&mut self.draws);
        let comes = self.draws.chance(self.interval_ms as f64 / (CROWD_EVERY_H * 60.0 * MINUTE_MS));
        if comes && self.crowd.is_none() {
            self.crowd = Some(crowd(&mut self.draws, at));
        }
        let added = self.crowd.as_ref().and_then(|c| c.at(at));
        if added.is_none() {
            self.crowd = None;
        }
        Point { factor, crowd: added.unwrap_or(0.0) }
    }
}

/// A crowd that begins at `begins`.
pub(crate) fn crowd(draws: &mut Draws, begins: i64) -> Crowd {
    Crowd {
        begins,
        height: draws.between(0.25, 0.8),
        ramp: draws.between(2.0, 7.0) * MINUTE_MS,
        stay: draws.between(2.0, 15.0) * MINUTE_MS,
        decay: draws.between(3.0, 15.0) * MINUTE_MS,
    }
}
