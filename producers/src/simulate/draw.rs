//! Random draws of the simulator: one seeded ChaCha8 stream for each node and pool.
//!
//! Only additions, multiplications, divisions and square roots are used, which IEEE 754 fixes to the last bit, so the
//! same seed gives the same bytes on every host (the `ln` and `cos` of usual samplers differ between C libraries).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Deviation of [`Draws::heavy`] before it is scaled to 1: 1/√u with u ≥ 0.02 has the mean square 1 + ln 50.
const HEAVY_DEVIATION: f64 = 2.216_377_8;

/// One stream of draws.
#[derive(Debug, Clone)]
pub(crate) struct Draws {
    rng: ChaCha8Rng,
}

impl Draws {
    /// The stream `stream` of `seed`; streams do not overlap.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream);
        Self { rng }
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in [`low`, `high`).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the choices, all equally likely.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[(self.unit() * choices.len() as f64) as usize]
    }

    /// Close to the normal distribution (mean 0, deviation 1, |x| < 3.47): the sum of four uniform draws of 16 bits.
    pub(crate) fn normal(&mut self) -> f64 {
        let bits = self.rng.next_u64();
        let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
        (sum as f64 / 65_535.0 - 2.0) * 1.732_050_807_568_877_2
    }

    /// Heavy tails: a normal draw over the root of a uniform one, bounded at 7 times the normal, deviation 1.
    pub(crate) fn heavy(&mut self) -> f64 {
        let spread = self.unit().max(0.02).sqrt();
        self.normal() / spread / HEAVY_DEVIATION
    }
}

/// A value that wanders round 0 with deviation 1 and forgets with a time constant (AR(1)).
#[derive(Debug, Clone)]
pub(crate) struct Wander {
    value: f64,
    keep: f64,
    push: f64,
}

impl Wander {
    /// Steps of `step_s` seconds, forgetting over `memory_s` seconds; begins in its long-run distribution.
    pub(crate) fn new(step_s: f64, memory_s: f64, draws: &mut Draws) -> Self {
        let keep = 1.0 / (1.0 + step_s / memory_s);
        Self { value: draws.normal(), keep, push: (1.0 - keep * keep).sqrt() }
    }

    /// Goes one step and gives the new value.
    pub(crate) fn step(&mut self, draws: &mut Draws) -> f64 {
        self.value = self.keep * self.value + self.push * draws.normal();
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn draws_have_the_promised_moments() {
        let mut draws = Draws::new(7, 1);
        let units: Vec<_> = (0..100_000).map(|_| draws.unit()).collect();
        let normals: Vec<_> = (0..100_000).map(|_| draws.normal()).collect();
        let heavies: Vec<_> = (0..100_000).map(|_| draws.heavy()).collect();
        let mut wander = Wander::new(10.0, 60.0, &mut draws);
        let wanders: Vec<_> = (0..100_000).map(|_| wander.step(&mut draws)).collect();
        let (mean, deviation) = moments(&units);
        assert!((mean - 0.5).abs() < 0.01 && (deviation - 0.2887).abs() < 0.01, "{mean} {deviation}");
        for (name, values) in [("normal", &normals), ("heavy", &heavies), ("wander", &wanders)] {
            let (mean, deviation) = moments(values);
            assert!(mean.abs() < 0.05 && (deviation - 1.0).abs() < 0.05, "{name}: {mean} {deviation}");
        }
        let tail = |values: &[f64]| values.iter().filter(|v| v.abs() > 4.0).count();
        assert_eq!(tail(&normals), 0);
        assert!(tail(&heavies) > 50, "{}", tail(&heavies));
    }

    #[test]
    fn streams_differ_and_repeat() {
        let first = |seed, stream| Draws::new(seed, stream).unit();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(1, 3));
        assert_ne!(first(1, 2), first(2, 2));
    }
}
