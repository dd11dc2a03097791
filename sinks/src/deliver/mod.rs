//! Delivery of quota commands: to a webhook, to a folder of files, or both.
//!
//! ```text
//! quotas ─> QuotaDelivery ─> each target in turn; the first that fails is where the next try begins
//! ```
//!
//! At least once: a batch may come again after a crash, so receivers drop what is at or below the node's last sequence.

mod folder;
mod webhook;

pub use folder::Folder;
pub use webhook::Webhook;

use tidegate_broker::{DeliveryError, Received, Sink};
use tidegate_schemas::Topic;
use tidegate_schemas::records::QuotaCommand;

/// Somewhere that quota commands go.
pub trait Target: Send {
    /// Delivers commands in order.
    ///
    /// # Errors
    /// Why they are not delivered; the call is repeated.
    fn deliver(&mut self, commands: &[QuotaCommand]) -> Result<(), DeliveryError>;
}

/// The sink that carries the quotas topic to its targets.
pub struct QuotaDelivery {
    targets: Vec<Box<dyn Target>>,
    /// The current batch.
    commands: Vec<QuotaCommand>,
    /// Targets that have it already.
    done: usize,
}

impl std::fmt::Debug for QuotaDelivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuotaDelivery").field("targets", &self.targets.len()).finish_non_exhaustive()
    }
}

impl QuotaDelivery {
    /// A sink with `targets`.
    #[must_use]
    pub fn new(targets: Vec<Box<dyn Target>>) -> Self {
        Self { targets, commands: Vec::new(), done: 0 }
    }
}

impl Sink for QuotaDelivery {
    type Input = QuotaCommand;

    fn name(&self) -> &'static str {
        "deliver"
    }

    fn input(&self) -> Topic {
        Topic::Quotas
    }

    fn take(&mut self, batch: Vec<Received<QuotaCommand>>) {
        self.commands = batch.into_iter().map(|received| received.record).collect();
        self.done = 0;
    }

    fn deliver(&mut self) -> Result<(), DeliveryError> {
        for target in self.targets.iter_mut().skip(self.done) {
            target.deliver(&self.commands)?;
            self.done += 1;
        }
        Ok(())
    }
}
