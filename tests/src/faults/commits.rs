//! Were commits ahead? For every committed offset that was seen, the outputs of all earlier inputs must have been on the
//! broker by then. Pure.

use std::collections::HashMap;

use super::watch::{Sample, Stage};

/// Where the first output of an input stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// On the stage's output topic.
    Answer(i32, i64),
    /// Among the dead letters.
    Letter(i32, i64),
    /// Nowhere: such a commit is ahead for ever.
    Nowhere,
    /// There need be none: the input repeats an earlier one.
    None,
}

/// The outputs of a stage's inputs by partition, each with the offset of its input, ascending.
pub type Outputs = HashMap<i32, Vec<(i64, Output)>>;

/// What is wrong with the samples of a stage, which are in the order of time: one line a commit that is ahead.
#[must_use]
pub fn ahead(stage: Stage, samples: &[Sample], outputs: &Outputs) -> Vec<String> {
    let mut found = Vec::new();
    // What was on the broker once is there in all later samples: no input need be looked at twice.
    let mut seen: HashMap<usize, usize> = HashMap::new();
    for sample in samples.iter().filter(|sample| sample.stage == stage) {
        for (partition, committed) in sample.committed.iter().enumerate() {
            let inputs = outputs.get(&(partition as i32)).map_or(&[][..], Vec::as_slice);
            let seen = seen.entry(partition).or_default();
            while let Some((offset, output)) = inputs.get(*seen).filter(|(offset, _)| offset < committed) {
                if !is_there(output, sample) {
                    found.push(format!(
                        "{} had committed {committed} of partition {partition} when the output of offset {offset} was not \
                         on the broker",
                        stage.name()
                    ));
                    break;
                }
                *seen += 1;
            }
        }
    }
    found
}

fn is_there(output: &Output, sample: &Sample) -> bool {
    let before = |ends: &[i64], partition: i32, offset: i64| {
        usize::try_from(partition).ok().and_then(|p| ends.get(p)).is_some_and(|end| offset < *end)
    };
    match output {
        Output::Answer(partition, offset) => before(&sample.output, *partition, *offset),
        Output::Letter(partition, offset) => before(&sample.dead_letters, *partition, *offset),
        Output::Nowhere => false,
        Output::None => true,
    }
}

/// The outputs of the inputs of a topic; `find` tells where the output of each stands.
pub fn outputs(inputs: impl Iterator<Item = ((i32, i64), Output)>) -> Outputs {
    let mut outputs = Outputs::new();
    for ((partition, offset), output) in inputs {
        outputs.entry(partition).or_default().push((offset, output));
    }
    outputs.values_mut().for_each(|of_partition| of_partition.sort_by_key(|(offset, _)| *offset));
    outputs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(committed: i64, output: i64, dead_letters: i64) -> Sample {
        let (committed, output, dead_letters) = (vec![committed], vec![output], vec![dead_letters]);
        Sample { stage: Stage::Forecast, committed, output, dead_letters }
    }

    /// Inputs 0…4: three answers, a dead letter, and one that repeats another.
    fn five() -> Outputs {
        let of = [Output::Answer(0, 0), Output::Answer(0, 2), Output::Letter(0, 0), Output::None, Output::Answer(0, 3)];
        outputs(of.into_iter().enumerate().map(|(offset, output)| ((0, offset as i64), output)))
    }

    #[test]
    fn a_commit_whose_outputs_are_there_is_not_ahead() {
        let samples = [sample(0, 0, 0), sample(1, 1, 0), sample(4, 3, 1), sample(5, 4, 1)];
        assert_eq!(ahead(Stage::Forecast, &samples, &five()), [] as [String; 0]);
    }

    #[test]
    fn a_commit_before_the_acknowledgement_is_named() {
        let found = ahead(Stage::Forecast, &[sample(2, 2, 0)], &five());
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("had committed 2 of partition 0"), "{found:?}");
        assert_eq!(ahead(Stage::Forecast, &[sample(4, 4, 0)], &five()).len(), 1, "the dead letter is not there");
        assert_eq!(ahead(Stage::Quota, &[sample(2, 2, 0)], &five()).len(), 0, "another stage's sample");
    }

    #[test]
    fn an_input_that_led_to_nothing_makes_every_later_commit_one_that_is_ahead() {
        let lost = outputs([((0, 0), Output::Nowhere)].into_iter());
        assert_eq!(ahead(Stage::Forecast, &[sample(1, 9, 9)], &lost).len(), 1);
    }
}
