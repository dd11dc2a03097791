//! Alert rule files. What is accepted watches two nodes for a while, so that its expressions and templates are made use of.

use std::sync::Arc;

use tidegate_alerts::{DEFAULT_FILE, Readings, Report, Rules, Watch};

use crate::{Decode, Target};

pub(super) const RULE_FILES: Target = Target { name: "rule_files", usual: 5_000, corpus: files, decoder };

const OTHERS: &str = r#"groups:
  - name: all sorts
    interval: 15s
    rules:
      - alert: A
        expr: sum by (pool) (rate(requests_total{node=~"a.*"}[90s] offset 15s)) / 2 ^ 3 % 4 > bool 0.5 or max by (pool) (node_quota) > 1
        keep_firing_for: 1m
        labels: {severity: page, of: '{{ $labels.pool }}'}
        annotations:
          text: "{{ printf \"%.2f\" $value }} {{ $labels.pool | toUpper }} {{ $value | humanize1024 }}"
      - alert: B
        expr: (max_over_time(node_load[2m]) > -1e-3 unless node_quota < 1) and node_cpu_usage >= 0
        for: 30s
"#;

fn files() -> Vec<Vec<u8>> {
    let simple = "groups: [{name: g, rules: [{alert: C, expr: 'avg_over_time(node_memory_usage[1m]) > 0.1'}]}]\n";
    [simple, DEFAULT_FILE, OTHERS].map(|text| text.as_bytes().to_vec()).into()
}

fn decoder() -> Decode {
    Box::new(|bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return false };
        let Ok(rules) = Rules::parse([("rules.yml", text)]) else { return false };
        watched(rules);
        true
    })
}

/// Five minutes of reports of two nodes, whose load rises and whose counters are reset in between.
fn watched(rules: Rules) {
    let mut watch = Watch::new(Arc::new(rules));
    for minute in 0..5_i64 {
        let readings: Readings = std::array::from_fn(|series| Some((minute % 3) as f64 * (series + 1) as f64));
        for node in ["a", "b"] {
            let at = 1_767_571_200_000 + minute * 60_000;
            let report = Report { node, pool: "p", at, heard: at, readings: &readings };
            let _changes = watch.observe(&report, ());
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn fuzz_rule_files() {
        super::RULE_FILES.run();
    }
}
