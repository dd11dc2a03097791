//! What is refused, in which words, and where.

use crate::{DEFAULT_FILE, Rules};

fn refused(text: &str) -> Vec<String> {
    let Err(crate::AlertsError::File { problems, .. }) = Rules::parse([("r.yml", text)]) else {
        panic!("taken: {text}");
    };
    problems.iter().map(ToString::to_string).collect()
}

fn with_expr(expr: &str) -> String {
    format!("groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: {expr}\n")
}

#[test]
fn the_shipped_rules_are_taken() {
    let rules = Rules::parse([("default.yml", DEFAULT_FILE)]).unwrap();
    assert_eq!(rules.names().count(), 6);
    assert!(rules.reach_ms() <= 2 * 3_600_000, "{}", rules.reach_ms());
}

#[test]
fn expressions_are_refused_at_the_words_that_are_wrong() {
    for (expr, wanted) in [
        ("sum(rate(requests_total[1m])) > 5", "5:15: sum is taken within one pool"),
        (
            "node_load > 1 and predict_linear(node_load[5m], 60) > 2",
            "5:33: the function predict_linear is not supported",
        ),
        ("node_lod > 1", "5:15: there is no series node_lod; there are node_cpu_usage"),
        ("node_load{service=\"x\"} > 1", "5:25: there is no label service"),
        ("quantile by (pool) (0.9, node_load) > 1", "5:15: the aggregation quantile"),
        ("node_load > on (node) node_quota", "5:25: on, ignoring, group_left"),
        ("node_load[5m]", "5:15: a range stands inside"),
        ("max_over_time(node_load[5m:1m]) > 1", "max_over_time wants a series with a range"),
        ("time() > 5", "comparisons between scalars must use BOOL"),
        ("time() - 5", "yields a number without labels"),
        ("node_load offset -5m > 1", "an offset looks back"),
        ("max_over_time(node_load[18446744073709551616]) > 1", "5:39: a duration wants a unit"),
        ("node_load @ 0 > 1", "@ is not supported"),
        ("node_load >", "5:15: this is not PromQL"),
        ("avg_over_time(node_last_report_timestamp_seconds[5m])", "has no range"),
    ] {
        let said = refused(&with_expr(expr));
        assert!(said.len() == 1 && said[0].contains(wanted), "{expr}: {said:?}");
    }
}

#[test]
fn files_are_refused_at_the_place_that_is_wrong() {
    for (text, wanted) in [
        ("", "1:1: the file is empty"),
        ("group: []\n", "1:1: \"group\" is not known here"),
        ("groups:\n  - name: g\n    rules:\n      - record: x\n        expr: node_load\n", "4:9: recording rules"),
        ("groups:\n  - name: g\n    intervall: 5s\n", "3:5: \"intervall\" is not known"),
        ("groups:\n  - name: g\n    interval: 5 s\n", "3:15: this must be a duration"),
        ("groups:\n  - rules: []\n", "2:5: the group has no name"),
        ("groups:\n  - name: g\n    rules:\n      - alert: A\n", "4:9: the alert A has no expr"),
    ] {
        assert!(refused(text).iter().any(|said| said.contains(wanted)), "{text}: {:?}", refused(text));
    }
    let file = with_expr("node_load > 1");
    for (more, wanted) in [
        ("        labels: {pool: x}\n", "6:18: the label pool comes from the series"),
        ("        labels: {v: '{{ $value }}'}\n", "6:21: a label that holds the value"),
        ("        annotations: {text: 'at {{ $valu }}'}\n", "6:36: templates know no $valu"),
        ("      - alert: A\n        expr: node_load > 2\n", "6:9: the alert A stands twice"),
    ] {
        let said = refused(&format!("{file}{more}"));
        assert!(said[0].contains(wanted), "{more}: {said:?}");
    }
}

#[test]
fn expressions_over_several_lines_keep_their_places() {
    let file = "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: |\n          node_load > 1\n            and stddev by (pool) (node_load) > 2\n";
    assert!(refused(file)[0].starts_with("7:17: the aggregation stddev"), "{:?}", refused(file));
}

#[test]
fn what_would_take_long_to_read_is_refused() {
    assert!(refused(&with_expr(&"(".repeat(2000)))[0].contains("32 deep"));
    assert!(refused(&with_expr(&format!("node_load{}", "+1".repeat(1000))))[0].contains("400 operators"));
    assert!(refused(&with_expr(&"a".repeat(5000)))[0].contains("4096"));
}
