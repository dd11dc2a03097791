//! Waiting for room in the producer's queue without losing the membership of the group.

use std::time::Duration;

use tidegate_schemas::records::Record;

use crate::intake::Intake;

/// Waits of a millisecond before the input is paused.
const SHORT_WAITS: u32 = 500;

/// Waits for room in the producer's queue, keeping the group membership alive.
pub(crate) struct Backpressure<'i, T: Record> {
    intake: &'i Intake<T>,
    waits: u32,
}

impl<'i, T: Record> Backpressure<'i, T> {
    pub(crate) fn new(intake: &'i Intake<T>) -> Self {
        Self { intake, waits: 0 }
    }

    pub(crate) fn wait(&mut self) {
        self.waits += 1;
        // Short waits are normal; a long one means that the output is away.
        if self.waits < SHORT_WAITS {
            std::thread::sleep(Duration::from_millis(1));
        } else {
            self.intake.idle();
        }
    }
}

impl<T: Record> Drop for Backpressure<'_, T> {
    fn drop(&mut self) {
        if self.waits >= SHORT_WAITS {
            self.intake.resume();
        }
    }
}
