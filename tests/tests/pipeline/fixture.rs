//! What the tests share, of the test support: one body for both brokers, and pipelines.

pub(crate) use tidegate_tests::on_both_brokers;
pub(crate) use tidegate_tests::pipeline::{
    INTERVAL_MS, PATIENCE, Pipeline, encoded, names, on_all_partitions, quota_command, record, records, reports,
};
