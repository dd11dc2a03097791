//! What a node's past teaches: where the networks err in the same way again and again, they are put right.

use proptest::prelude::*;

use super::*;
use crate::network::OUTPUTS;

/// Scale and load of the node, in points.
const SCALE: f32 = 2.0;
const LOAD: f32 = 30.0;

/// A note of what networks say that hold the median for LOAD and p90 for one scale above it.
fn note(at: impl Fn(usize) -> i8) -> Note {
    let mut note = Note { median: LOAD, spread: 1.0, scale: SCALE, ..Note::default() };
    for (index, at_index) in note.at.iter_mut().enumerate() {
        *at_index = at(index);
    }
    note.at[COORDINATES - 1] = 16;
    note
}

/// One minute after the other, each with a note and a load; gives what was added in each, in units of the scale.
fn run(from: i64, minutes: &[(Note, f32)]) -> (Adaptation, Vec<Correction>) {
    let mut history = History::begin(from, minutes[0].1);
    let mut adaptation = Adaptation::begin(from);
    let mut said = vec![adaptation.correct(minutes[0].0)];
    for (minute, (note, load)) in (from + 1..).zip(&minutes[1..]) {
        adaptation.advance(&history, minute);
        history.advance(minute);
        history.measure(*load);
        said.push(adaptation.correct(*note));
    }
    (adaptation, said)
}

#[test]
fn a_median_that_is_always_too_low_is_put_right() {
    let minutes = vec![(note(|_| 0), LOAD + 3.0 * SCALE); 2 * DAY as usize];
    let (_, said) = run(0, &minutes);
    assert_eq!(said[5], Correction::default(), "nothing is known yet");
    assert!(said[DAY as usize].median < said[2 * DAY as usize - 1].median);
    let last = said[2 * DAY as usize - 1];
    // 2,880 steps of half a thousandth.
    assert!(last.median > 1.3, "{last:?}");
}

#[test]
fn an_error_that_depends_on_what_is_seen_is_learned_with_it() {
    // Half of the time one coordinate is up and the peak that follows is low, then the other way round.
    let phase = |minute: usize| if (minute / 30).is_multiple_of(2) { 1 } else { -1 };
    let minutes: Vec<_> = (0..2 * DAY as usize)
        .map(|minute| {
            (
                note(|index| if index == 0 { 16 * phase(minute) } else { 0 }),
                LOAD - SCALE * f32::from(phase(minute.saturating_sub(1))),
            )
        })
        .collect();
    let (_, said) = run(0, &minutes);
    let last = |wanted: i8| {
        let at = (0..minutes.len()).rev().find(|minute| phase(*minute) == wanted && phase(minute - 10) == wanted);
        said[at.unwrap()].median
    };
    assert!(last(1) < -0.5 && last(-1) > 0.5, "{} {}", last(1), last(-1));
}

#[test]
fn the_spread_comes_to_hold_nine_in_ten() {
    // Every twentieth minute is high, so that of the peaks of 5 minutes a quarter are.
    let load = |minute: usize| if minute.is_multiple_of(20) { LOAD + 1.5 * SCALE } else { LOAD };
    let minutes: Vec<_> = (0..4 * DAY as usize).map(|minute| (note(|_| 8), load(minute))).collect();
    let (_, said) = run(0, &minutes);
    let held = |said: &Correction| said.median + said.spread + 1.0 >= 1.45;
    assert!(!held(&said[10]), "the networks hold one scale above");
    assert!(held(said.last().unwrap()), "{:?}", said.last());
}

#[test]
fn at_a_new_day_the_younger_takes_over() {
    let minutes = vec![(note(|_| 0), LOAD + 3.0 * SCALE); 3 * DAY as usize];
    let (mut adaptation, said) = run(-DAY / 2, &minutes);
    let at = |minute: i64| said[usize::try_from(minute + DAY / 2).unwrap()].median;
    // On the first whole day the one speaks that began with the node: half a day earlier the other began too, and it is gone.
    assert!(at(DAY - 1) > at(DAY / 2) && at(DAY) <= at(DAY - 1));
    // A day later one that began with that day: it is half a day younger.
    assert!(at(DAY + 10) < at(DAY - 1), "{} {}", at(DAY + 10), at(DAY - 1));
    let [_, younger] = adaptation.learners.clone();
    adaptation.enter(3 * DAY);
    assert_eq!(adaptation.learners, [younger, Learner::default()]);
}

fn any_minute() -> impl Strategy<Value = (Note, f32)> {
    (
        prop::collection::vec(any::<i8>(), COORDINATES),
        0f32..200.0,
        0f32..50.0,
        0.5f32..60.0,
        prop_oneof![0f32..100.0, Just(1e5)],
    )
        .prop_map(|(at, median, spread, scale, load)| {
            (Note { at: at.try_into().unwrap(), median, spread, scale }, load)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever was seen before two days and the day in progress.
    #[test]
    fn two_days_determine_what_it_says(
        some in prop::collection::vec(any_minute(), 50),
        from in 0..DAY,
        longer in 1..DAY,
    ) {
        let minutes: Vec<_> = some.iter().cycle().take((3 * DAY + longer) as usize).copied().collect();
        let (full, said) = run(from, &minutes);
        // What was said a few minutes before the older began is learned by it.
        let begun = (from + minutes.len() as i64 - 1).div_euclid(DAY) * DAY - DAY - 7;
        let kept = usize::try_from(begun - from).unwrap();
        let (short, again) = run(begun, &minutes[kept..]);
        prop_assert_eq!(&full.learners, &short.learners);
        prop_assert_eq!(said.last(), again.last());
        prop_assert!(said.iter().all(|said| said.median.is_finite() && said.spread.is_finite()));
    }

    #[test]
    fn it_comes_back_from_its_bytes(some in prop::collection::vec(any_minute(), 1..40), from in any::<i16>()) {
        let (adaptation, _) = run(from.into(), &some);
        let mut writer = Writer::default();
        adaptation.write(&mut writer);
        let minute = i64::from(from) + some.len() as i64 - 1;
        let again = Adaptation::read(&mut Reader::new(&writer.bytes), minute).unwrap();
        let bytes_of = |adaptation: &Adaptation| {
            let mut writer = Writer::default();
            adaptation.write(&mut writer);
            writer.bytes
        };
        prop_assert_eq!(bytes_of(&again), bytes_of(&adaptation));
        prop_assert_eq!(&again.learners, &adaptation.learners);
        prop_assert_eq!(again.day, adaptation.day);
    }
}

#[test]
fn coordinates_are_bounded_and_end_with_the_constant() {
    let mut tensors = crate::tensors::Tensors::default();
    for name in ["input_mean", "input_rate"] {
        tensors.insert(&format!("cpu.{name}"), [1, crate::INPUTS], vec![1.0; crate::INPUTS]);
    }
    let directions: [[f32; SEEN]; SEEN] = std::array::from_fn(|index| [index as f32 - 11.0; SEEN]);
    Basis::store(crate::Resource::Cpu, &directions, &mut tensors);
    let basis = Basis::from_tensors(&tensors, crate::Resource::Cpu, "cpu").unwrap().unwrap();
    let at = basis.coordinates(&[f32::MAX; crate::INPUTS], &[f32::MIN; OUTPUTS]);
    assert_eq!((at[0], at[11], at[22], at[SEEN]), (-128, 0, 127, 16));
    // Nothing but the outputs is off its mean.
    let at = basis.coordinates(&[1.0; crate::INPUTS], &[0.25; OUTPUTS]);
    assert_eq!((at[12], at[10]), (28, -28), "7 × 0.25 in sixteenths");
    assert!(Basis::from_tensors(&tensors, crate::Resource::Memory, "memory").unwrap().is_none());
}
