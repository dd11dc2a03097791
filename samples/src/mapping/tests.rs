use super::*;

fn found(mapping: &Mapping, labels: &[(&str, &str)]) -> Vec<(Measure, String, String)> {
    let labels = Labels::new(labels.iter().copied()).unwrap();
    let of = |m: Match| (mapping.kinds[m.kind].rules[m.rule].is, m.node_id, m.pool);
    mapping.matches(&labels).unwrap().into_iter().map(of).collect()
}

#[test]
fn presets_find_what_their_exporters_write() {
    let mapping = Mapping::preset("node_exporter").unwrap();
    let cpu = |mode| {
        [("__name__", "node_cpu_seconds_total"), ("cpu", "0"), ("instance", "a:9100"), ("job", "node"), ("mode", mode)]
    };
    let named = |measure| (measure, "a".to_owned(), "node".to_owned());
    assert_eq!(found(&mapping, &cpu("user")), [named(Measure::CpuUsed)]);
    assert_eq!(found(&mapping, &cpu("idle")), [named(Measure::CpuCapacity)]);
    assert_eq!(found(&mapping, &cpu("iowait")), []);
    assert_eq!(found(&mapping, &[("__name__", "node_load1"), ("instance", "a:9100")]), []);

    let mapping = mapping.and(Mapping::preset("kubernetes").unwrap());
    let pod = |container| {
        let name = ("__name__", "container_cpu_usage_seconds_total");
        [name, ("namespace", "shop"), ("pod", "web-1"), ("container", container)]
    };
    assert_eq!(found(&mapping, &pod("app")), [(Measure::CpuUsed, "shop/web-1".into(), "shop".into())]);
    assert_eq!((found(&mapping, &pod("POD")), found(&mapping, &pod(""))), (vec![], vec![]));
    assert_eq!(found(&mapping, &cpu("user")).len(), 1, "the first mapping still holds");
    for name in PRESETS {
        assert!(Mapping::preset(name).is_ok(), "{name}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let node = |rest: &str| format!("[[node]]\nid = \"{{a}}\"\nbase_quota = 1.0\n{rest}");
    let rule = "[[node.series]]\nis = \"cpu\"\nmetric = \"m\"\n";
    assert!(Mapping::parse("f", &node(rule)).is_ok());
    for (text, why) in [
        (String::new(), "the mapping f: it has no [[node]] and no [[bucket]]"),
        (node(&format!("{rule}was = 1\n")), "line 7: unknown field `was`"),
        (node(&rule.replace("cpu", "gpu")), "unknown variant `gpu`"),
        (node(&rule.replace("cpu", "net_in")), "no cpu and no memory"),
        (node(&rule.replace("cpu", "cpu_used")), "no cpu and no memory"),
        (node(rule).replace("base_quota = 1.0\n", ""), "has no base quota"),
        (node(rule).replace("1.0", "0.0"), "finite numbers above 0"),
        (node(&format!("{rule}scale = nan\n")), "finite numbers above 0"),
        (node(rule).replace("{a}", "{a"), "without its }"),
        (node(rule).replace("base_quota", "interval_s = 0\nbase_quota"), "interval_s wants"),
    ] {
        let said = Mapping::parse("f", &text).unwrap_err().to_string();
        assert!(said.contains(why), "{text}: {said}");
    }
    let said = Mapping::preset("node").unwrap_err().to_string();
    assert!(said.contains("node_exporter, kubernetes"), "{said}");
}

#[test]
fn a_name_that_no_report_may_have_is_refused() {
    let mapping = Mapping::preset("node_exporter").unwrap();
    let long = "x".repeat(256);
    let labels = Labels::new([("__name__", "node_memory_MemTotal_bytes"), ("instance", &long)]).unwrap();
    assert!(mapping.matches(&labels).unwrap_err().contains("255 bytes"));
}
