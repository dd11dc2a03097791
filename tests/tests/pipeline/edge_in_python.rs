//! An edge that is not ours: a Python client generated from the protos, with stock Avro and snappy.

use std::process::{Command, Stdio};

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_schemas::records::{LoadReport, QuotaCommand};
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::{places, python};

use crate::fixture::{PATIENCE, Pipeline};

const COUNT: usize = 3;

#[test]
fn a_client_generated_from_the_protos_reports_and_gets_its_quotas() {
    let Some(python) = python::with(&places::repository().join("tests/edge_client/requirements.txt")) else { return };
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "python-edge");
    let stages = pipeline.start(&["run", "forecast", "quota"]);
    let mut gateway = pipeline.start(&["gateway", "--listen", "127.0.0.1:0"]);
    gateway.wait_for("gateway at http://", PATIENCE).unwrap();
    let said = gateway.stderr();
    let url = said.split_once("gateway at ").unwrap().1.split_whitespace().next().unwrap();

    let mut edge = Command::new(python);
    edge.arg(places::repository().join("tests/edge_client/edge.py")).args([url, "python-1", &COUNT.to_string()]);
    let output = edge.stdin(Stdio::null()).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}\n{}\n{}", gateway.stderr(), stages.stderr());

    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let acknowledged = lines.iter().filter(|line| line["accepted"] == 1 && line["set_aside"] == 0).count();
    assert_eq!(acknowledged, COUNT, "{lines:?}");
    let reports = pipeline.decoded::<LoadReport>(Topic::Load);
    assert_eq!(reports.len(), COUNT);
    assert!(reports.iter().all(|report| report.node_id == "python-1" && report.cpu == Some(0.9)));
    let last = pipeline.decoded::<QuotaCommand>(Topic::Quotas).pop().unwrap();
    let told = lines.last().unwrap();
    assert_eq!((told["sequence"].as_i64(), told["quota"].as_f64()), (Some(last.sequence), Some(last.quota)));
    assert_eq!(gateway.terminate().unwrap().code, Some(0));
    assert_eq!(stages.terminate().unwrap().code, Some(0));
}
