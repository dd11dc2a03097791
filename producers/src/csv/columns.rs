//! The header of a CSV file: which column stands where.

/// Columns that are understood, by their names in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the fields of LoadReport")]
pub enum Column {
    NodeId,
    TimestampMs,
    Cpu,
    Memory,
    Pool,
    IntervalMs,
    Sequence,
    NetIn,
    NetOut,
    DiskIo,
    RequestsTotal,
    RequestsFailedTotal,
    BaseQuota,
    QuotaInForce,
    QuotaSequence,
}

const NAMES: [(&str, Column); 15] = [
    ("node_id", Column::NodeId),
    ("timestamp_ms", Column::TimestampMs),
    ("cpu", Column::Cpu),
    ("memory", Column::Memory),
    ("pool", Column::Pool),
    ("interval_ms", Column::IntervalMs),
    ("sequence", Column::Sequence),
    ("net_in", Column::NetIn),
    ("net_out", Column::NetOut),
    ("disk_io", Column::DiskIo),
    ("requests_total", Column::RequestsTotal),
    ("requests_failed_total", Column::RequestsFailedTotal),
    ("base_quota", Column::BaseQuota),
    ("quota_in_force", Column::QuotaInForce),
    ("quota_sequence", Column::QuotaSequence),
];

/// The columns of one file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    in_order: Vec<(String, Option<Column>)>,
}

impl Columns {
    /// Reads the fields of a header; names may have spaces round them.
    ///
    /// # Errors
    /// What is missing or named twice, in words.
    pub fn parse<'a>(header: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut in_order: Vec<(String, Option<Column>)> = Vec::new();
        for name in header {
            let name = name.trim();
            if in_order.iter().any(|(other, _)| other == name) {
                return Err(format!("the column {name:?} is named twice"));
            }
            let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, column)| *column);
            in_order.push((name.to_owned(), known));
        }
        let columns = Self { in_order };
        for (name, column) in &NAMES[..2] {
            if !columns.has(*column) {
                return Err(format!("the header has no column {name}"));
            }
        }
        if !columns.has(Column::Cpu) && !columns.has(Column::Memory) {
            return Err("the header has neither a column cpu nor a column memory".to_owned());
        }
        Ok(columns)
    }

    fn has(&self, column: Column) -> bool {
        self.in_order.iter().any(|(_, c)| *c == Some(column))
    }

    /// Name and meaning of each column, in the file's order; no meaning: it is not used.
    pub(crate) fn in_order(&self) -> &[(String, Option<Column>)] {
        &self.in_order
    }

    /// Names of columns that are not understood and not used; worth a warning.
    #[must_use]
    pub fn unknown(&self) -> Vec<&str> {
        self.in_order.iter().filter(|(_, c)| c.is_none()).map(|(name, _)| name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_in_any_order_and_unknown_ones_are_named() {
        let columns = Columns::parse(["memory", " node_id ", "colour", "timestamp_ms"]).unwrap();
        assert_eq!(columns.unknown(), ["colour"]);
        assert_eq!(columns.in_order()[1], ("node_id".to_owned(), Some(Column::NodeId)));
    }

    #[test]
    fn a_header_without_what_is_needed_is_refused() {
        for (header, why) in [
            ("timestamp_ms,cpu", "the header has no column node_id"),
            ("node_id,cpu", "the header has no column timestamp_ms"),
            ("node_id,timestamp_ms,net_in", "the header has neither a column cpu nor a column memory"),
            ("node_id,cpu,timestamp_ms,cpu", "the column \"cpu\" is named twice"),
        ] {
            assert_eq!(Columns::parse(header.split(',')), Err(why.to_owned()));
        }
    }
}
