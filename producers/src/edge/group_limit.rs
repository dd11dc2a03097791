//! Limits a control group (v2) by the quota in force, and puts back what was there before.
//!
//! ```text
//! take: what was there ─ kept beside the cache, first ─> GroupLimit ─ set ─────> cpu.max, memory.high
//!                 (a kept file of before: a process that was killed)  └ put_back ─> the same, as it was; no kept file
//! ```
//!
//! The kept file is on disk before the group is touched, so whatever ends the agent, the next one knows what was there.
//! Formats: kernel documentation, `admin-guide/cgroup-v2`.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::replaced_file::ReplacedFile;
use crate::error::ProducerError;

const CPU_MAX: &str = "cpu.max";
const MEMORY_HIGH: &str = "memory.high";
/// Period of `cpu.max` where the group names none, µs.
const PERIOD_US: u64 = 100_000;
/// Smallest quota that the kernel takes, µs.
const LEAST_US: u64 = 1_000;
const VERSION: u64 = 1;
const WHAT: &str = "what the control group was limited to before";
const LIMIT: &str =
    "the limit of a control group (v2; its controller must be in cgroup.subtree_control of the group above)";

/// What one resource unit of the quota stands for; `None`: that is not limited.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupUnits {
    /// Cores.
    pub cores: Option<f64>,
    /// Bytes of memory.
    pub bytes: Option<f64>,
}

/// What stood in the group's files, word for word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u64,
    group: PathBuf,
    cpu_max: Option<String>,
    memory_high: Option<String>,
}

/// A control group under our limit.
#[derive(Debug)]
pub struct GroupLimit {
    units: GroupUnits,
    before: Kept,
    file: ReplacedFile,
    path: PathBuf,
}

impl GroupLimit {
    /// Takes over the group in folder `group`; what it is limited to now is kept in the file `keep`, unless that says already
    /// what was there before another process of ours. A group that such a process left limited and that is not the same is put
    /// back.
    ///
    /// # Errors
    /// [`ProducerError::File`] names the file that cannot be read or written.
    pub fn take(group: &Path, units: GroupUnits, keep: &Path) -> Result<Self, ProducerError> {
        let file = ReplacedFile::new(keep, WHAT)?;
        let left = file.read(WHAT)?.map(|text| parse(&text)).transpose().map_err(|why| {
            let source = io::Error::new(io::ErrorKind::InvalidData, format!("damaged: {why}; remove it to go on"));
            file.failed(WHAT, source)
        })?;
        let same = left.as_ref().filter(|left| left.group == group);
        if let Some(other) = left.as_ref().filter(|left| left.group != group && left.group.is_dir()) {
            other.put_back()?;
        }
        let before = |wanted: bool, name: &str, left: Option<&String>| match left {
            _ if !wanted => Ok(left.cloned()),
            Some(left) => Ok(Some(left.clone())),
            None => read(group, name).map(Some),
        };
        let before = Kept {
            version: VERSION,
            group: group.to_owned(),
            cpu_max: before(units.cores.is_some(), CPU_MAX, same.and_then(|left| left.cpu_max.as_ref()))?,
            memory_high: before(units.bytes.is_some(), MEMORY_HIGH, same.and_then(|left| left.memory_high.as_ref()))?,
        };
        file.write(&before, WHAT)?;
        Ok(Self { units, before, file, path: keep.to_owned() })
    }

    /// Limits the group to this quota, resource units.
    ///
    /// # Errors
    /// [`ProducerError::File`] where the kernel refuses; what it took before that stays.
    pub fn set(&self, quota: f64) -> Result<(), ProducerError> {
        if let Some(cores) = self.units.cores {
            let period = self.before.cpu_max.as_deref().map_or(PERIOD_US, period);
            write(&self.before.group, CPU_MAX, &cpu_max(quota * cores, period))?;
        }
        if let Some(bytes) = self.units.bytes {
            write(&self.before.group, MEMORY_HIGH, &format!("{}", (quota * bytes).round() as u64))?;
        }
        Ok(())
    }

    /// Puts back what was there before.
    ///
    /// # Errors
    /// [`ProducerError::File`] where the kernel refuses; the next process tries again.
    pub fn put_back(&self) -> Result<(), ProducerError> {
        self.before.put_back()?;
        std::fs::remove_file(&self.path).map_err(|e| self.file.failed(WHAT, e))
    }
}

impl Kept {
    fn put_back(&self) -> Result<(), ProducerError> {
        for (name, before) in [(CPU_MAX, &self.cpu_max), (MEMORY_HIGH, &self.memory_high)] {
            if let Some(before) = before {
                write(&self.group, name, before)?;
            }
        }
        Ok(())
    }
}

fn parse(text: &[u8]) -> Result<Kept, String> {
    let kept: Kept = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    if kept.version == VERSION { Ok(kept) } else { Err(format!("version {} is not known", kept.version)) }
}

fn read(group: &Path, name: &str) -> Result<String, ProducerError> {
    let path = group.join(name);
    let text = std::fs::read_to_string(&path).map_err(|source| ProducerError::File { path, what: LIMIT, source })?;
    Ok(text.trim().to_owned())
}

/// Files of control groups are written in place: they cannot be replaced, and a missing one cannot be made.
fn write(group: &Path, name: &str, value: &str) -> Result<(), ProducerError> {
    let path = group.join(name);
    let opened = std::fs::OpenOptions::new().write(true).truncate(true).open(&path);
    let written = opened.and_then(|mut file| io::Write::write_all(&mut file, format!("{value}\n").as_bytes()));
    written.map_err(|source| ProducerError::File { path, what: LIMIT, source })
}

/// The period that `cpu.max` has, µs.
fn period(cpu_max: &str) -> u64 {
    cpu_max.split_whitespace().nth(1).and_then(|period| period.parse().ok()).filter(|us| *us > 0).unwrap_or(PERIOD_US)
}

/// What grants so many cores. A number that is none grants the least.
fn cpu_max(cores: f64, period_us: u64) -> String {
    let quota_us = (cores * period_us as f64).round() as u64;
    format!("{} {period_us}", quota_us.max(LEAST_US))
}

#[cfg(test)]
#[path = "group_limit_tests.rs"]
mod tests;
