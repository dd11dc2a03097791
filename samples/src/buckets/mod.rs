//! Quota buckets of Envoy (RLQS): which node a bucket is, and what its usage says. Pure.
//!
//! ```text
//! domain, bucket id ─ [[bucket]] of the mappings ─> Bucket: node, pool, base quota, strategy
//! usage of one data plane ─> Usage ─ summed over all data planes ─> LoadReport
//! ```

mod usage;

use serde::Deserialize;

use crate::Labels;
use crate::labels::METRIC;
use crate::mapping::template::Template;

pub use usage::{Report, Usage};

/// Bytes of a node id or a pool at most, as reports have it.
const MOST_NAME_BYTES: usize = 255;

/// How a data plane is to hold a quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// So many requests in a unit of time, by whatever algorithm.
    #[default]
    RequestsPerTimeUnit,
    /// A token bucket of one second.
    TokenBucket,
}

/// A `[[bucket]]` table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BucketTable {
    domain: Option<String>,
    id: String,
    pool: Option<String>,
    /// Requests a second.
    base_quota: f64,
    #[serde(default)]
    strategy: Strategy,
}

/// A table that was checked.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    domain: Option<String>,
    id: Template,
    pool: Option<Template>,
    base_quota: f64,
    strategy: Strategy,
}

/// What a bucket is.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// The node whose load its usage is.
    pub node_id: String,
    /// Its pool; empty: it stands alone.
    pub pool: String,
    /// Requests a second by contract.
    pub base_quota: f64,
    /// How its quota is to be held.
    pub strategy: Strategy,
}

impl Rule {
    /// Checks a table.
    pub(crate) fn of(table: BucketTable) -> Result<Self, String> {
        if !(table.base_quota.is_finite() && table.base_quota > 0.0) {
            return Err(format!("the bucket {:?}: base_quota wants a finite number above 0", table.id));
        }
        Ok(Self {
            id: Template::parse(&table.id)?,
            pool: table.pool.as_deref().map(Template::parse).transpose()?,
            domain: table.domain,
            base_quota: table.base_quota,
            strategy: table.strategy,
        })
    }
}

/// The first rule that fits a bucket; `None`: none does, or its name is too long for a node.
pub(crate) fn find<'a>(
    rules: &[Rule],
    domain: &'a str,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<Bucket> {
    let all = [(METRIC, "bucket"), ("domain", domain)].into_iter().chain(pairs);
    let labels = Labels::new(all).ok()?;
    rules.iter().filter(|rule| rule.domain.as_deref().is_none_or(|own| own == domain)).find_map(|rule| {
        let node_id = rule.id.render(&labels)?;
        let pool = rule.pool.as_ref().and_then(|pool| pool.render(&labels)).unwrap_or_default();
        let is_short = node_id.len().max(pool.len()) <= MOST_NAME_BYTES;
        is_short.then_some(Bucket { node_id, pool, base_quota: rule.base_quota, strategy: rule.strategy })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mapping;

    #[test]
    fn a_bucket_is_a_node_by_its_domain_and_its_keys() {
        let text = "[[bucket]]\ndomain = \"shop\"\nid = \"{domain}/{name}\"\npool = \"{env}\"\nbase_quota = 100.0\n\
                    [[bucket]]\nid = \"any-{name}\"\nbase_quota = 5.0\nstrategy = \"token_bucket\"\n";
        let mapping = Mapping::parse("m", text).unwrap();
        let of = |domain, pairs: &[(&'static str, &'static str)]| mapping.bucket(domain, pairs.iter().copied());
        let found = of("shop", &[("name", "cart"), ("env", "prod")]).unwrap();
        assert_eq!((&found.node_id[..], &found.pool[..], found.base_quota), ("shop/cart", "prod", 100.0));
        assert_eq!(found.strategy, Strategy::RequestsPerTimeUnit);
        let other = of("blog", &[("name", "cart")]).unwrap();
        assert_eq!((&other.node_id[..], other.strategy), ("any-cart", Strategy::TokenBucket));
        assert_eq!(of("blog", &[("env", "prod")]), None);
        assert_eq!(of("blog", &[("name", "a"), ("domain", "shop")]), None, "its domain is not its own word");
        assert!(Mapping::parse("m", "[[bucket]]\nid = \"a\"\nbase_quota = 0.0\n").is_err());
    }
}
