//! How far a new owner of a partition is to go back, by what the one before it committed beside its offset:
//! `rewind=R`, and under checkpoints `kept=F/A/S` as well, which it wrote when it stood at A.

use tidegate_tests::groups::Position;

/// The load of one partition that is to be read again.
#[derive(Debug)]
pub(crate) struct WayBack {
    partition: i32,
    from: i64,
    committed: i64,
    /// Where the stage stood when it said so; `None`: it counted on no checkpoints.
    stood: Option<i64>,
}

impl WayBack {
    /// `None` for a partition of which nothing was committed.
    pub(crate) fn of(position: &Position) -> Option<Self> {
        let committed = position.committed.filter(|at| *at > 0)?;
        let mut words = position.metadata.split(' ');
        let rewind = words.next().and_then(|word| word.strip_prefix("rewind=")?.parse().ok());
        let rewind = rewind.unwrap_or_else(|| panic!("{position:?} does not say from where its state comes"));
        let kept = words.next().and_then(|word| word.strip_prefix("kept=")).map(|word| {
            let mut numbers = word.split('/').map(|number| number.parse::<i64>());
            (numbers.next().unwrap().unwrap(), numbers.next().unwrap().unwrap())
        });
        let (from, stood) = kept.map_or((rewind, None), |(from, stood)| (from, Some(stood)));
        Some(Self { partition: position.partition, from, committed, stood })
    }

    /// Records to be read again.
    pub(crate) fn records(&self) -> u64 {
        (self.committed - self.from).unsigned_abs()
    }

    /// Whether checkpoints are counted on.
    pub(crate) fn is_by_checkpoints(&self) -> bool {
        self.stood.is_some()
    }

    /// Records that its nodes needed beyond their checkpoints when it said so; what it committed afterwards comes on top.
    pub(crate) fn since_checkpoints(&self) -> u64 {
        self.stood.map_or(0, |stood| (stood - self.from).unsigned_abs())
    }

    /// Whether a process logged that it goes back just so far.
    pub(crate) fn was_gone_by(&self, log: &str) -> bool {
        let Self { partition, from, committed, .. } = self;
        let place = format!("partition={partition} from={from} offset={committed}");
        log.lines().any(|line| line.contains("rebuilding") && line.contains(&place))
    }
}
