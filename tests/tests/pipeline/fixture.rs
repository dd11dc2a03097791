//! What the tests share: one body for both brokers, and pipelines of the test support.

pub(crate) use tidegate_tests::pipeline::{
    INTERVAL_MS, PATIENCE, Pipeline, encoded, names, on_all_partitions, quota_command, record, records, reports,
};

/// Makes a test for each broker out of one body, `fn body(broker: &TestBroker)`.
macro_rules! on_both_brokers {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            use tidegate_tests::brokers::TestBroker;

            #[test]
            fn on_kafka() {
                let Some(broker) = TestBroker::kafka() else { return };
                super::$body(&broker);
            }

            #[test]
            fn on_the_embedded_broker() {
                super::$body(&TestBroker::embedded());
            }
        }
    )+};
}
pub(crate) use on_both_brokers;
