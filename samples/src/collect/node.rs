//! One node: its series, the scrape that is being gathered, the reports that Kafka has not acknowledged.

use std::collections::{HashMap, VecDeque};

use tidegate_schemas::records::LoadReport;

use super::counts::Counts;
use super::kept::{Kept, LOOKBACK_MS};
use super::request::Point;
use super::values::{Frame, Values};
use super::waiting::Waiting;
use crate::mapping::{Kind, Measure};

/// Distances between reports by which the interval is known.
const DISTANCES: usize = 9;
/// A node.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Node {
    pool: String,
    series: HashMap<u64, Kept>,
    /// Moving series that the scrape which is gathered still lacks.
    lacking: usize,
    /// The newest sample of that scrape; `None`: nothing was gathered.
    gathered_ms: Option<i64>,
    /// The last scrape that was closed; `None`: the first one is being gathered, which only lays the ground.
    closed_ms: Option<i64>,
    distances: VecDeque<i64>,
    totals: [Option<f64>; 2],
    waiting: Waiting,
    heard_ms: i64,
    is_touched: bool,
    /// The oldest sample of this request that was known already: its sender may not have been answered.
    repeated_ms: Option<i64>,
}

impl Node {
    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    pub(super) fn heard_ms(&self) -> i64 {
        self.heard_ms
    }

    /// Somebody speaks of it; gives whether it is the first time in this request.
    pub(super) fn touch(&mut self, now_ms: i64) -> bool {
        self.heard_ms = now_ms;
        !std::mem::replace(&mut self.is_touched, true)
    }

    pub(super) fn untouch(&mut self) {
        self.is_touched = false;
    }

    /// Takes one point.
    pub(super) fn take(&mut self, kind: &Kind, point: &Point, most: usize, failover_ms: i64, counts: &mut Counts) {
        let Some(rule) = kind.rules.get(point.rule) else { return };
        let (sample, is_moving, is_total) = (point.sample, rule.is.is_moving(), rule.is.is_total());
        if let Some(kept) = self.series.get(&point.series) {
            let apart = sample.at_ms.saturating_sub(kept.last.at_ms);
            if kept.replica != point.replica && apart < failover_ms {
                counts.other_replica += 1;
                return;
            }
            if apart <= 0 {
                *(if apart == 0 { &mut counts.duplicate } else { &mut counts.out_of_order }) += 1;
                self.repeated_ms = Some(self.repeated_ms.map_or(sample.at_ms, |at| at.min(sample.at_ms)));
                return;
            }
            if is_moving && kept.is_renewed {
                self.close(kind, &point.key.1, counts);
            }
        }
        if sample.is_stale() {
            counts.stale += 1;
            if self.series.remove(&point.series).is_some_and(|kept| is_moving && !kept.is_renewed) {
                self.lacking = self.lacking.saturating_sub(1);
            }
        } else if sample.value.is_finite() && sample.value >= 0.0 {
            if !self.series.contains_key(&point.series) && self.series.len() >= most {
                counts.beyond_bounds += 1;
                return;
            }
            counts.taken += 1;
            self.pool.clone_from(&point.pool);
            self.keep(point, rule.reading, (is_moving, is_total), rule.is);
        } else {
            counts.not_a_number += 1;
            return;
        }
        if self.lacking == 0 && self.closed_ms.is_some() {
            self.close(kind, &point.key.1, counts);
        }
    }

    /// The sample is the newest of its series.
    fn keep(
        &mut self,
        point: &Point,
        reading: crate::mapping::Reading,
        (is_moving, is_total): (bool, bool),
        measure: Measure,
    ) {
        let mut grown = 0.0;
        let lacking = &mut self.lacking;
        let kept = self
            .series
            .entry(point.series)
            .and_modify(|kept| {
                grown = kept.next(point.sample, reading, is_total);
                kept.replica = point.replica;
            })
            .or_insert_with(|| {
                *lacking += usize::from(is_moving);
                Kept::new(point.rule, point.replica, point.sample, reading, is_total)
            });
        if is_total {
            let total = &mut self.totals[usize::from(measure == Measure::RequestsFailed)];
            *total = Some(total.unwrap_or(0.0) + grown);
        }
        // A straggler of a scrape that was closed is no part of the next.
        if is_moving && !kept.is_renewed && self.closed_ms.is_none_or(|closed| point.sample.at_ms > closed) {
            kept.is_renewed = true;
            self.lacking = self.lacking.saturating_sub(1);
            self.gathered_ms = self.gathered_ms.max(Some(point.sample.at_ms));
        }
    }

    /// Makes the report of what was gathered, where that was not the first scrape.
    fn close(&mut self, kind: &Kind, node_id: &str, counts: &mut Counts) {
        let Some(at_ms) = self.gathered_ms.take() else { return };
        let mut values = Values::default();
        self.lacking = 0;
        let lacking = &mut self.lacking;
        self.series.retain(|_, kept| {
            let Some(rule) = kind.rules.get(kept.rule) else { return false };
            if at_ms.saturating_sub(kept.last.at_ms) > LOOKBACK_MS {
                return false;
            }
            if let Some(current) = kept.current.filter(|_| !rule.is.is_total()) {
                values.add(rule.is, current * rule.scale);
            }
            kept.is_renewed = false;
            *lacking += usize::from(rule.is.is_moving());
            true
        });
        let Some(before) = self.closed_ms.replace(at_ms) else { return };
        if self.distances.len() == DISTANCES {
            self.distances.pop_front();
        }
        self.distances.push_back(at_ms.saturating_sub(before));
        let interval_ms = kind.interval_ms.unwrap_or_else(|| self.interval_ms());
        let (pool, totals) = (&self.pool[..], self.totals);
        let frame = Frame { node_id, pool, timestamp: at_ms, interval_ms, totals };
        match values.report(kind, frame) {
            Some(report) => counts.reports_lost += u64::from(self.waiting.push(report)),
            None => counts.incomplete += 1,
        }
    }

    /// The middle one of the last distances, in whole seconds.
    fn interval_ms(&self) -> i64 {
        let mut distances: Vec<i64> = self.distances.iter().copied().collect();
        distances.sort_unstable();
        let middle = distances.get(distances.len() / 2).copied().unwrap_or_default();
        ((middle + 500) / 1000 * 1000).max(1000)
    }

    /// Reports that this request is to publish.
    pub(super) fn due(&mut self) -> Vec<LoadReport> {
        self.waiting.due(self.repeated_ms.take())
    }

    pub(super) fn settle(&mut self, timestamp: i64, is_acknowledged: bool) {
        self.waiting.settle(timestamp, is_acknowledged);
    }
}
