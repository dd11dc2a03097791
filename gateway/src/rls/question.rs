//! What a request asks for. Pure.

use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::service::ratelimit::v3::RateLimitRequest;

/// Keys of descriptor entries whose value names the service, the first one first; the last is what Envoy's action
/// `destination_cluster` makes.
const SERVICE_KEYS: [&str; 3] = ["service", "service_name", "destination_cluster"];

/// A request in our words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question<'a> {
    /// Service that it is counted for.
    pub(super) service: &'a str,
    /// Requests to take from the quota; 0 only asks. `None`: it only gives back.
    pub(super) take: Option<u32>,
    /// Requests to give back to it.
    pub(super) back: u32,
}

impl<'a> Question<'a> {
    /// # Errors
    /// What the protocol demands and the request has not.
    pub(super) fn of(request: &'a RateLimitRequest) -> Result<Self, &'static str> {
        if request.domain.is_empty() {
            return Err("the request names no domain");
        }
        if request.descriptors.is_empty() {
            return Err("the request has no descriptor");
        }
        let usual = if request.hits_addend == 0 { 1 } else { request.hits_addend };
        let hits = |descriptor: &RateLimitDescriptor| {
            let own = descriptor.hits_addend.as_ref().map(|own| u32::try_from(own.value).unwrap_or(u32::MAX));
            own.unwrap_or(usual)
        };
        // They all meet in one bucket: the largest holds for all, as each alone would take from a bucket of its own.
        let most = |negative: bool| {
            let of_kind = request.descriptors.iter().filter(|descriptor| descriptor.is_negative_hits == negative);
            of_kind.map(hits).max()
        };
        Ok(Self { service: service(request), take: most(false), back: most(true).unwrap_or(0) })
    }
}

fn service(request: &RateLimitRequest) -> &str {
    let value_of = |key: &&str| {
        let mut entries = request.descriptors.iter().flat_map(|descriptor| &descriptor.entries);
        entries.find(|entry| entry.key == **key && !entry.value.is_empty()).map(|entry| entry.value.as_str())
    };
    SERVICE_KEYS.iter().find_map(value_of).unwrap_or(&request.domain)
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
    use envoy_types::pb::google::protobuf::UInt64Value;

    use super::*;

    fn descriptor(entries: &[(&str, &str)]) -> RateLimitDescriptor {
        let entry = |(key, value): &(&str, &str)| Entry { key: (*key).to_owned(), value: (*value).to_owned() };
        RateLimitDescriptor { entries: entries.iter().map(entry).collect(), ..RateLimitDescriptor::default() }
    }

    fn request(hits_addend: u32, descriptors: Vec<RateLimitDescriptor>) -> RateLimitRequest {
        RateLimitRequest { domain: "edge".into(), descriptors, hits_addend }
    }

    fn with_hits(value: u64, is_negative_hits: bool) -> RateLimitDescriptor {
        RateLimitDescriptor { hits_addend: Some(UInt64Value { value }), is_negative_hits, ..descriptor(&[("a", "b")]) }
    }

    #[test]
    fn a_request_without_hits_takes_one_and_several_descriptors_take_once() {
        let plain = request(0, vec![descriptor(&[("path", "/a")]), descriptor(&[("remote_address", "10.0.0.1")])]);
        assert_eq!(Question::of(&plain), Ok(Question { service: "edge", take: Some(1), back: 0 }));
        assert_eq!(Question::of(&request(7, vec![descriptor(&[])])).unwrap().take, Some(7));
    }

    #[test]
    fn a_descriptor_of_its_own_hits_goes_over_the_request() {
        let takes = |descriptors| Question::of(&request(7, descriptors)).unwrap().take;
        assert_eq!(takes(vec![with_hits(3, false)]), Some(3));
        assert_eq!(takes(vec![with_hits(3, false), descriptor(&[])]), Some(7));
        assert_eq!(takes(vec![with_hits(0, false)]), Some(0));
        assert_eq!(takes(vec![with_hits(u64::MAX, false)]), Some(u32::MAX));
        let back = request(7, vec![with_hits(3, true)]);
        assert_eq!(Question::of(&back), Ok(Question { service: "edge", take: None, back: 3 }));
    }

    #[test]
    fn the_service_is_what_an_entry_says_else_the_domain() {
        let of = |entries: &[(&str, &str)]| {
            let request = request(0, vec![descriptor(&[("path", "/a")]), descriptor(entries)]);
            Question::of(&request).unwrap().service.to_owned()
        };
        assert_eq!(of(&[("destination_cluster", "stock"), ("service", "shop")]), "shop");
        assert_eq!(of(&[("service", ""), ("destination_cluster", "stock")]), "stock");
        assert_eq!(of(&[("b", "c")]), "edge");
    }

    #[test]
    fn what_the_protocol_demands_is_demanded() {
        assert_eq!(Question::of(&request(1, vec![])), Err("the request has no descriptor"));
        let no_domain = RateLimitRequest { domain: String::new(), ..request(1, vec![descriptor(&[])]) };
        assert_eq!(Question::of(&no_domain), Err("the request names no domain"));
    }
}
