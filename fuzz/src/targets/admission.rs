//! Bodies of requests to be admitted, over HTTP.

use tidegate_producers::admission::{Ask, MOST_COST};

use crate::Target;

pub(super) const ADMISSION_BODIES: Target =
    Target { name: "admission_bodies", usual: 50_000, corpus: bodies, decoder: || Box::new(is_ask) };

fn bodies() -> Vec<Vec<u8>> {
    let texts = ["", r#"{"service": "shop", "cost": 30}"#, r#" { "hits":1, "service":"caf\u00e9" } "#];
    texts.map(|text| text.as_bytes().to_vec()).into()
}

fn is_ask(bytes: &[u8]) -> bool {
    let query = Ask { service: "stock".into(), cost: Some(2) };
    let Ok(ask) = query.with_body(bytes) else { return false };
    assert!((1..=MOST_COST).contains(&ask.cost()), "{ask:?}");
    true
}

#[cfg(test)]
mod tests {
    #[test]
    fn fuzz_admission_bodies() {
        super::ADMISSION_BODIES.run();
    }
}
