//! Reading a record's headers, whose names may be any bytes: the client library panics at one that is not UTF-8.
//!
//! ```text
//! header ─> name is UTF-8 ─> handed on
//!             └─ is not ──> counted; the panic is caught here, and says nothing
//! ```
//!
//! Copying headers as they are ([`rdkafka::message::BorrowedHeaders::detach`]) reads no name and is safe.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use rdkafka::message::{BorrowedMessage, Headers, Message};
use tidegate_schemas::dead_letters::Header;

thread_local! {
    /// Whether this thread reads a header: then a panic is no news.
    static READS: Cell<bool> = const { Cell::new(false) };
}

/// Hands each header with a readable name to `each`, in order; gives how many have another.
pub(crate) fn read<'m>(message: &'m BorrowedMessage<'_>, mut each: impl FnMut(&'m str, Option<&'m [u8]>)) -> usize {
    let Some(headers) = message.headers() else { return 0 };
    silence();
    let mut unreadable = 0;
    for at in 0..headers.count() {
        READS.set(true);
        let header = catch_unwind(AssertUnwindSafe(|| headers.try_get(at)));
        READS.set(false);
        match header {
            Ok(Some(header)) => each(header.key, header.value),
            Ok(None) | Err(_) => unreadable += 1,
        }
    }
    unreadable
}

/// The headers with readable names, in order.
pub(crate) fn readable(message: &BorrowedMessage<'_>) -> Vec<Header> {
    let mut headers = Vec::new();
    read(message, |name, value| headers.push((name.to_owned(), value.map(<[u8]>::to_vec))));
    headers
}

/// Lets the panic of an unreadable name pass unsaid; all others are said as before.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !READS.get() {
                before(panic);
            }
        }));
    });
}
