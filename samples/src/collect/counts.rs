//! What became of samples.

/// Samples by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Of use.
    pub taken: u64,
    /// Of series that the mapping has no use for.
    pub passed_over: u64,
    /// Known already.
    pub duplicate: u64,
    /// Older than the newest of their series.
    pub out_of_order: u64,
    /// Of a replica that is not the one believed.
    pub other_replica: u64,
    /// Ends of series.
    pub stale: u64,
    /// No finite number of at least 0.
    pub not_a_number: u64,
    /// Of nodes that were not granted.
    pub not_granted: u64,
    /// Before the Unix epoch, or too far ahead of the clock here.
    pub ill_timed: u64,
    /// Of a node or series for which there is no place.
    pub beyond_bounds: u64,
    /// Scrapes that gave no report: neither CPU nor memory, or no base quota.
    pub incomplete: u64,
    /// Reports that too many others waited behind.
    pub reports_lost: u64,
}

impl Counts {
    /// All of samples, with their names.
    #[must_use]
    pub fn samples(&self) -> [(&'static str, u64); 10] {
        [
            ("taken", self.taken),
            ("passed_over", self.passed_over),
            ("duplicate", self.duplicate),
            ("out_of_order", self.out_of_order),
            ("other_replica", self.other_replica),
            ("stale", self.stale),
            ("not_a_number", self.not_a_number),
            ("not_granted", self.not_granted),
            ("ill_timed", self.ill_timed),
            ("beyond_bounds", self.beyond_bounds),
        ]
    }

    /// Samples that will never be taken, as their sender is to be told.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.not_granted + self.ill_timed + self.beyond_bounds
    }
}
