//! What a soak came to: one object for programs, charts for people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::Disturbed;
use super::options::SoakOptions;
use super::series::Measure;
use super::watch::Courses;

/// One course in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Course {
    /// Median of the first half.
    pub first_half: f64,
    /// Median of the second half.
    pub second_half: f64,
    /// The largest.
    pub peak: f64,
    /// Whether it is flat.
    pub flat: bool,
    #[serde(skip)]
    drawn: String,
}

/// Largest memory round an outage, KiB.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outage {
    /// Before it.
    pub before: f64,
    /// In it.
    pub during: f64,
    /// After it.
    pub after: f64,
    /// Whether memory was flat within it.
    pub flat: bool,
}

/// What a soak came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Minutes watched.
    pub minutes: u64,
    /// Reports a second.
    pub rate: u64,
    /// Whether every course is flat, in an outage those of the memory within it, and everything was decided in the end.
    pub flat: bool,
    /// By work and measure.
    pub courses: BTreeMap<&'static str, BTreeMap<&'static str, Course>>,
    /// By work, where there was an outage.
    pub outage_memory_kib: BTreeMap<&'static str, Outage>,
    /// Records that waited at the very end.
    pub lag_at_the_end: f64,
    /// With an outage: seconds from the end of the input until nothing waited; `None`: something did for 10 minutes.
    pub worked_off_s: Option<f64>,
}

impl Report {
    pub(super) fn new(options: &SoakOptions, courses: &Courses, outage: Option<Disturbed>) -> Self {
        let end = Duration::MAX;
        let mut by_work: BTreeMap<&'static str, BTreeMap<&'static str, Course>> = BTreeMap::new();
        let mut outages = BTreeMap::new();
        let mut flat = true;
        for ((work, measure), series) in courses {
            let last = series.points.last().map_or(Duration::ZERO, |(at, _)| *at);
            let (first_half, second_half, is_flat) = series.halves(*measure, options.rate, Duration::ZERO, last);
            let course = Course {
                first_half,
                second_half,
                peak: series.peak(Duration::ZERO, end),
                flat: is_flat,
                drawn: series.drawn(),
            };
            if let (Some(Disturbed { begin: from, end: to, .. }), Measure::MemoryKib) = (outage, measure) {
                let (.., within) = series.halves(*measure, options.rate, from, to);
                let peak = |from, to| series.peak(from, to);
                let peaks = Outage {
                    before: peak(Duration::ZERO, from),
                    during: peak(from, to),
                    after: peak(to, end),
                    flat: within,
                };
                outages.insert(*work, peaks);
                flat &= within;
            }
            flat &= is_flat || outage.is_some();
            by_work.entry(work).or_default().insert(measure.name(), course);
        }
        let lags = courses.iter().filter(|((_, measure), _)| *measure == Measure::Lag);
        let lag_at_the_end = lags.filter_map(|(_, series)| series.points.last()).map(|(_, lag)| lag).sum::<f64>();
        let worked_off_s = outage.and_then(|outage| outage.worked_off).map(|time| time.as_secs_f64());
        flat &= outage.is_none() || worked_off_s.is_some();
        let (minutes, rate) = (options.minutes, options.rate);
        Self { minutes, rate, flat, courses: by_work, outage_memory_kib: outages, lag_at_the_end, worked_off_s }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} minutes at {} reports/s; medians of both halves, peak\n", self.minutes, self.rate)?;
        for (work, courses) in &self.courses {
            for (measure, course) in courses {
                let verdict = if course.flat { "flat" } else { "RISING" };
                let Course { first_half, second_half, peak, drawn, .. } = course;
                writeln!(
                    f,
                    "{work:<9}{measure:<12}{first_half:>10.0}{second_half:>10.0}{peak:>10.0}  {verdict:<7}{drawn}"
                )?;
            }
        }
        for (work, Outage { before, during, after, flat }) in &self.outage_memory_kib {
            let mib = |kib: &f64| kib / 1024.0;
            let verdict = if *flat { "flat" } else { "RISING" };
            let (before, during, after) = (mib(before), mib(during), mib(after));
            write!(f, "{work:<9}peak memory before, during and after the outage: ")?;
            writeln!(f, "{before:.0}, {during:.0}, {after:.0} MiB, {verdict} within it")?;
        }
        writeln!(f, "\n{} records waited at the end", self.lag_at_the_end)?;
        if let Some(seconds) = self.worked_off_s {
            writeln!(f, "nothing waited {seconds:.0} s after the input had ended")?;
        }
        writeln!(f, "{}", if self.flat { "flat" } else { "NOT FLAT" })
    }
}
