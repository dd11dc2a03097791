//! Addresses that records are sent to over HTTP.

use ureq::http::Uri;

use crate::error::SinkError;

/// The address of `what`, e.g. `the webhook`.
///
/// # Errors
/// [`SinkError::Target`] where it is not one of http or https.
pub(crate) fn parsed(what: &str, url: &str) -> Result<Uri, SinkError> {
    let uri = url.parse::<Uri>().ok();
    uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
        .ok_or_else(|| SinkError::Target(format!("{what} {url:?} is not an http:// or https:// address")))
}
