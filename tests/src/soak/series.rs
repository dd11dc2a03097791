//! A measured course, and whether it is flat. Pure.

use std::time::Duration;

/// Levels of a drawn line.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns of a drawn line.
const COLUMNS: usize = 60;
/// A course may rise by this share of itself and still be flat.
const RISE: f64 = 0.1;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Resident memory, KiB.
    MemoryKib,
    /// Open files.
    Files,
    /// Threads.
    Threads,
    /// Records that wait.
    Lag,
}

impl Measure {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MemoryKib => "memory_kib",
            Self::Files => "open_files",
            Self::Threads => "threads",
            Self::Lag => "lag_records",
        }
    }

    /// A rise of so much is no matter, whatever the share.
    fn slack(self, rate: u64) -> f64 {
        match self {
            Self::MemoryKib => 8.0 * 1024.0,
            Self::Files => 4.0,
            Self::Threads => 1.0,
            // Commits come every half second, and looks of ours in between.
            Self::Lag => rate as f64 * 2.0,
        }
    }
}

/// A course of one measure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// When, and how much.
    pub points: Vec<(Duration, f64)>,
}

impl Series {
    fn between(&self, begin: Duration, end: Duration) -> impl Iterator<Item = f64> {
        self.points.iter().filter(move |(at, _)| (begin..end).contains(at)).map(|(_, value)| *value)
    }

    /// The largest within a time; 0 where nothing was measured.
    #[must_use]
    pub fn peak(&self, begin: Duration, end: Duration) -> f64 {
        self.between(begin, end).fold(0.0, f64::max)
    }

    /// The median within a time; 0 where nothing was measured.
    #[must_use]
    pub fn median(&self, begin: Duration, end: Duration) -> f64 {
        let mut values: Vec<f64> = self.between(begin, end).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    }

    /// Whether the median of the second half of a time is at most a tenth, or what does not matter, above that of the first;
    /// and both medians.
    #[must_use]
    pub fn halves(&self, measure: Measure, rate: u64, begin: Duration, end: Duration) -> (f64, f64, bool) {
        let middle = begin + (end.saturating_sub(begin)) / 2;
        let (first, second) = (self.median(begin, middle), self.median(middle, end));
        (first, second, second <= first + (first * RISE).max(measure.slack(rate)))
    }

    /// Drawn in one line from 0 to its largest: the largest of each stretch.
    #[must_use]
    pub fn drawn(&self) -> String {
        let top = self.points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        let width = self.points.len().div_ceil(COLUMNS).max(1);
        let level = |points: &[(Duration, f64)]| {
            let value = points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
            let level = if top > 0.0 { (value / top * 7.0).round() as usize } else { 0 };
            LEVELS[level.min(LEVELS.len() - 1)]
        };
        self.points.chunks(width).map(level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Duration = Duration::from_secs(100);

    fn series(value: impl Fn(u64) -> f64) -> Series {
        Series { points: (0..100).map(|second| (Duration::from_secs(second), value(second))).collect() }
    }

    #[test]
    fn a_leak_is_not_flat_and_a_constant_with_noise_is() {
        let flat = |series: &Series, measure| series.halves(measure, 1000, Duration::ZERO, END).2;
        assert!(flat(&series(|second| 200_000.0 + (second % 7) as f64 * 1000.0), Measure::MemoryKib));
        assert!(!flat(&series(|second| 200_000.0 + second as f64 * 600.0), Measure::MemoryKib));
        assert!(
            flat(&series(|_| 30.0), Measure::Files) && !flat(&series(|second| 30.0 + second as f64), Measure::Files)
        );
        assert!(!flat(&series(|second| second as f64 * 1000.0), Measure::Lag));
        assert!(flat(&series(|second| if second == 90 { 9e9 } else { 500.0 }), Measure::Lag), "one spike is no trend");
    }

    #[test]
    fn it_is_drawn_from_nothing_to_its_peak() {
        assert_eq!(series(|second| second as f64).drawn(), "▁▁▁▁▂▂▂▂▂▂▂▃▃▃▃▃▃▃▄▄▄▄▄▄▄▅▅▅▅▅▅▅▆▆▆▆▆▆▆▇▇▇▇▇▇▇████");
        assert_eq!(series(|_| 0.0).drawn().chars().next(), Some('▁'));
        assert_eq!(Series::default().drawn(), "");
    }

    #[test]
    fn a_peak_is_of_its_time_alone() {
        let rising = series(|second| second as f64);
        assert!((rising.peak(Duration::from_secs(10), Duration::from_secs(20)) - 19.0).abs() < 1e-9);
        assert!((rising.median(Duration::ZERO, Duration::from_secs(11)) - 5.0).abs() < 1e-9);
    }
}
