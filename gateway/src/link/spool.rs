//! Records on disk while the centre is away. On `redb`: one file, pure Rust, commits that are whole or not there, repaired at the
//! next start by itself, and no thread of its own.
//!
//! ```text
//! append ─> reports[number] = made at, report ─ after(number) ─> batches ─ acknowledged ─> remove
//!               └ too many bytes, or too old: the oldest go first, and are counted
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use tidegate_producers::edge::Parcel;

use crate::error::GatewayError;

/// When it was made (Unix ms); node id, trace, framed record.
type Row<'a> = (i64, &'a [u8], &'a str, &'a [u8]);

const REPORTS: TableDefinition<'_, u64, Row<'static>> = TableDefinition::new("reports");
/// Pages kept in memory.
const CACHE: usize = 1 << 20;

/// Where reports are kept, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolSettings {
    /// Folder, created where it is not there. One for each agent.
    pub folder: PathBuf,
    /// Bytes of the reports at most.
    pub bytes: u64,
    /// Age of the oldest at most.
    pub age: Duration,
}

/// The reports on disk.
#[derive(Debug)]
pub(super) struct Spool {
    database: Database,
    path: PathBuf,
    settings: SpoolSettings,
    /// Number of the next report.
    next: u64,
    count: u64,
    bytes: u64,
}

impl Spool {
    /// Opens the folder's file, and finds there what another process of this agent left.
    ///
    /// Each kind of records, `reports` and `spans`, has a file of its own.
    pub(super) fn open(settings: SpoolSettings, what: &str) -> Result<Self, GatewayError> {
        let path = settings.folder.join(format!("{what}.redb"));
        let wrong = |e: &dyn std::fmt::Display| {
            GatewayError::Setting(format!("the spool {} cannot be opened: {e}", path.display()))
        };
        std::fs::create_dir_all(&settings.folder).map_err(|e| wrong(&e))?;
        let opened = Database::builder().set_cache_size(CACHE).create(&path);
        let database = opened.map_err(|e| wrong(&e))?;
        let mut spool = Self { database, path: path.clone(), settings, next: 1, count: 0, bytes: 0 };
        spool.measure().map_err(|e| wrong(&e))?;
        Ok(spool)
    }

    fn measure(&mut self) -> Result<(), redb::Error> {
        let transaction = self.database.begin_read()?;
        let table = match transaction.open_table(REPORTS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            table => table?,
        };
        for row in table.iter()? {
            let (number, row) = row?;
            self.next = number.value() + 1;
            self.count += 1;
            self.bytes += size(&row.value());
        }
        Ok(())
    }

    /// Adds reports behind all others, made at `now_ms` (Unix ms), in one commit that is on the disk when this returns. Gives
    /// how many of the oldest were dropped for want of room.
    pub(super) fn append<'p>(
        &mut self,
        parcels: impl Iterator<Item = &'p Parcel>,
        now_ms: i64,
    ) -> Result<usize, String> {
        let rows = parcels.map(|parcel| (now_ms, &parcel.key[..], parcel.traceparent.as_str(), &parcel.value[..]));
        self.change(rows.collect(), &[], now_ms).map_err(|e| self.told(&e))
    }

    /// Removes reports that the centre has.
    pub(super) fn remove(&mut self, numbers: &[u64]) -> Result<(), String> {
        self.change(Vec::new(), numbers, i64::MIN).map(drop).map_err(|e| self.told(&e))
    }

    /// Drops what is too old at `now_ms`; gives how many.
    pub(super) fn expire(&mut self, now_ms: i64) -> Result<usize, String> {
        self.change(Vec::new(), &[], now_ms).map_err(|e| self.told(&e))
    }

    /// One commit: removes, adds, and drops what is over the bounds.
    fn change(&mut self, rows: Vec<Row<'_>>, remove: &[u64], now_ms: i64) -> Result<usize, redb::Error> {
        let age = i64::try_from(self.settings.age.as_millis()).unwrap_or(i64::MAX);
        let (mut next, mut count, mut bytes, mut dropped) = (self.next, self.count, self.bytes, 0);
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(REPORTS)?;
            for number in remove {
                if let Some(row) = table.remove(number)? {
                    count -= 1;
                    bytes -= size(&row.value());
                }
            }
            for row in rows {
                bytes += size(&row);
                count += 1;
                table.insert(next, row)?;
                next += 1;
            }
            loop {
                let oldest = table.first()?.map(|(_, row)| row.value().0);
                let Some(made) = oldest else { break };
                if bytes <= self.settings.bytes && made >= now_ms.saturating_sub(age) {
                    break;
                }
                if let Some((_, row)) = table.pop_first()? {
                    count -= 1;
                    bytes -= size(&row.value());
                    dropped += 1;
                }
            }
        }
        transaction.commit()?;
        (self.next, self.count, self.bytes) = (next, count, bytes);
        Ok(dropped)
    }

    /// The oldest reports behind a number, at most so many.
    pub(super) fn after(&self, number: u64, most: usize) -> Result<Vec<Parcel>, String> {
        self.read(number, most).map_err(|e| self.told(&e))
    }

    fn read(&self, number: u64, most: usize) -> Result<Vec<Parcel>, redb::Error> {
        let transaction = self.database.begin_read()?;
        let table = match transaction.open_table(REPORTS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            table => table?,
        };
        let mut found = Vec::new();
        for row in table.range(number + 1..)?.take(most) {
            let (number, row) = row?;
            let (_, key, trace, value) = row.value();
            let parcel = Parcel {
                key: key.to_vec(),
                value: value.to_vec(),
                traceparent: trace.to_owned(),
                spooled: Some(number.value()),
            };
            found.push(parcel);
        }
        Ok(found)
    }

    /// Number of the newest report ever added.
    pub(super) fn newest(&self) -> u64 {
        self.next - 1
    }

    /// Reports held.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Bytes of them.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn told(&self, error: &redb::Error) -> String {
        format!("the spool {}: {error}", Path::new(&self.path).display())
    }
}

fn size((_, key, trace, value): &Row<'_>) -> u64 {
    (size_of::<i64>() + key.len() + trace.len() + value.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(number: u8) -> Parcel {
        Parcel { key: b"a".to_vec(), value: vec![number; 91], traceparent: String::new(), spooled: None }
    }

    fn settings(folder: &Path) -> SpoolSettings {
        SpoolSettings { folder: folder.to_owned(), bytes: 1_000, age: Duration::from_secs(60) }
    }

    fn open(folder: &Path) -> Result<Spool, GatewayError> {
        Spool::open(settings(folder), "reports")
    }

    fn held(spool: &Spool) -> Vec<u8> {
        spool.after(0, usize::MAX).unwrap().iter().map(|parcel| parcel.value[0]).collect()
    }

    #[test]
    fn reports_come_back_in_order_after_a_restart_and_go_when_they_are_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path()).unwrap();
        assert_eq!(held(&spool), [0; 0]);
        assert_eq!(spool.append([parcel(1), parcel(2)].iter(), 1_000), Ok(0));
        assert_eq!(spool.append([parcel(3)].iter(), 2_000), Ok(0));
        assert_eq!((spool.count(), spool.bytes(), spool.newest()), (3, 300, 3));
        drop(spool);
        let mut spool = open(folder.path()).unwrap();
        assert_eq!((spool.count(), spool.bytes(), held(&spool)), (3, 300, vec![1, 2, 3]));
        let first = spool.after(0, 2).unwrap();
        let numbered = |number: u8| Parcel { spooled: Some(number.into()), ..parcel(number) };
        assert_eq!(first, [numbered(1), numbered(2)]);
        spool.remove(&[1, 2, 9]).unwrap();
        assert_eq!(spool.append([parcel(4)].iter(), 3_000), Ok(0));
        assert_eq!(spool.after(3, 9).unwrap(), [numbered(4)]);
        assert_eq!((spool.count(), spool.bytes(), held(&spool)), (2, 200, vec![3, 4]));
    }

    #[test]
    fn the_oldest_are_dropped_first_by_bytes_and_by_age() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path()).unwrap();
        for number in 0..10 {
            assert_eq!(spool.append([parcel(number)].iter(), i64::from(number) * 1_000), Ok(0));
        }
        assert_eq!(spool.append([parcel(10), parcel(11)].iter(), 11_000), Ok(2));
        assert_eq!((spool.bytes(), held(&spool)), (1_000, (2..12).collect()));
        assert_eq!(spool.expire(62_000), Ok(0));
        assert_eq!(spool.expire(64_500), Ok(3));
        assert_eq!(held(&spool), (5..12).collect::<Vec<_>>());
    }

    #[test]
    fn a_torn_end_of_the_file_costs_no_more_than_the_last_commit() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path()).unwrap();
        spool.append([parcel(1)].iter(), 1_000).unwrap();
        // What a kill leaves: the file as it is on the disk, while the database is open.
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(folder.path().join("reports.redb"), copy.path().join("reports.redb")).unwrap();
        let killed = open(copy.path()).unwrap();
        assert_eq!(held(&killed), [1]);
    }

    #[test]
    fn a_file_that_is_something_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("reports.redb"), "no database").unwrap();
        let said = open(folder.path()).unwrap_err().to_string();
        assert!(said.contains("reports.redb cannot be opened"), "{said}");
    }
}
