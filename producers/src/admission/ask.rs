//! What a request is asked for with, by HTTP: as a query, or as a small JSON body. Pure.

use serde::Deserialize;

/// What one request may count as.
pub const MOST_COST: u32 = 1_000_000;

/// One request to be let through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ask {
    /// Service that it is for; empty: not said.
    pub service: String,
    /// How many requests of the quota it counts as; `None`: one.
    #[serde(alias = "hits")]
    pub cost: Option<u32>,
}

/// Why something is no request. None of it is mended by asking again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The body is no JSON object of these fields.
    #[error("the body is not {{\"service\": \"NAME\", \"cost\": NUMBER}}: {0}")]
    Body(serde_json::Error),
    /// A cost out of bounds.
    #[error("the cost is {0}; it must be 1 to {MOST_COST}")]
    Cost(u32),
}

impl Ask {
    /// What a body says, over what the query said; an empty body says nothing.
    ///
    /// # Errors
    /// [`AskError`] names what is wrong.
    pub fn with_body(self, body: &[u8]) -> Result<Self, AskError> {
        let said = if body.iter().all(u8::is_ascii_whitespace) {
            Self::default()
        } else {
            serde_json::from_slice(body).map_err(AskError::Body)?
        };
        let service = if said.service.is_empty() { self.service } else { said.service };
        let ask = Self { service, cost: said.cost.or(self.cost) };
        match ask.cost {
            Some(cost) if cost == 0 || cost > MOST_COST => Err(AskError::Cost(cost)),
            _ => Ok(ask),
        }
    }

    /// What it counts as.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.cost.unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_goes_over_the_query_and_may_be_empty() {
        let query = Ask { service: "shop".into(), cost: Some(3) };
        assert_eq!(query.clone().with_body(b" \n").unwrap(), query);
        let both = query.with_body(br#"{"hits": 5}"#).unwrap();
        assert_eq!((both.service.as_str(), both.cost()), ("shop", 5));
        let body = Ask::default().with_body(br#"{"service": "stock", "cost": 2}"#).unwrap();
        assert_eq!((body.service.as_str(), body.cost()), ("stock", 2));
        assert_eq!(Ask::default().with_body(b"").unwrap().cost(), 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |body: &str| Ask::default().with_body(body.as_bytes()).unwrap_err().to_string();
        assert_eq!(said(r#"{"cost": 0}"#), "the cost is 0; it must be 1 to 1000000");
        assert!(said(r#"{"cost": -1}"#).contains("invalid value: integer `-1`"));
        assert!(said(r#"{"costs": 1}"#).contains("unknown field `costs`"));
        assert!(said("shop").starts_with("the body is not {\"service\": \"NAME\", \"cost\": NUMBER}: expected value"));
    }
}
