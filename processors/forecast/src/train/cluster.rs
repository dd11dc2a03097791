//! Simulated nodes of a batch cluster: idle most of the time, then a job whose stages each hold a level of their own.
//!
//! The load jumps from stage to stage within one report of 10 s, as the executors of a Spark cluster do.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::simulate::{bell, exponential};

/// The habits of one node, and where they stand; times in ticks of 10 s.
#[derive(Debug)]
pub(crate) struct Cluster {
    idle: f32,
    noise: f32,
    gap: f32,
    job: f32,
    stage: f32,
    height: f32,
    /// Ticks left until a job begins (below zero: none runs), of the running job, and of its stage.
    until_job: f32,
    job_left: f32,
    stage_left: f32,
    level: f32,
}

impl Cluster {
    /// Habits at random; `calm` scales how high the stages reach.
    pub(crate) fn draw(calm: f32, rng: &mut ChaCha8Rng) -> Self {
        let gap = rng.random_range(30.0f32..600.0);
        Self {
            idle: exponential(rng, 1.5).min(10.0),
            noise: rng.random_range(0.01f32..0.12),
            gap,
            job: rng.random_range(20.0f32..360.0),
            stage: rng.random_range(2.0f32..30.0),
            height: calm * rng.random_range(20.0f32..100.0),
            until_job: rng.random_range(0.0..gap),
            job_left: 0.0,
            stage_left: 0.0,
            level: 0.0,
        }
    }

    /// The load of the next tick, in points.
    pub(crate) fn tick(&mut self, rng: &mut ChaCha8Rng) -> f32 {
        if self.job_left <= 0.0 {
            self.until_job -= 1.0;
            if self.until_job <= 0.0 {
                self.job_left = exponential(rng, self.job) + 1.0;
                self.until_job = exponential(rng, self.gap) + 1.0;
                self.stage_left = 0.0;
            }
            return (self.idle * (1.0 + 0.3 * bell(rng))).max(0.0);
        }
        self.job_left -= 1.0;
        self.stage_left -= 1.0;
        if self.stage_left <= 0.0 {
            self.stage_left = exponential(rng, self.stage) + 1.0;
            self.level = self.height * rng.random_range(0.0f32..1.0);
        }
        (self.idle + self.level * (1.0 + self.noise * bell(rng))).clamp(0.0, 105.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn it_rests_and_it_works() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for _ in 0..20 {
            let mut cluster = Cluster::draw(1.0, &mut rng);
            let loads: Vec<f32> = (0..20_000).map(|_| cluster.tick(&mut rng)).collect();
            assert!(loads.iter().all(|load| (0.0..=105.0).contains(load)));
            let busy = loads.iter().filter(|load| **load > 3.0 * cluster.idle + 5.0).count();
            assert!(busy > 100 && busy < 19_900, "{busy} of 20,000 ticks are busy");
        }
    }
}
