//! What a model's training says about margins, as the quota stage wants it.

use tidegate_forecast::{Model, Resource};
use tidegate_quota::{Counted, Prior, Settings};

/// The settings of a quota stage that decides on `model`'s forecasts: the steering begins with what the model's training saw.
#[must_use]
pub fn primed(mut settings: Settings, model: &Model) -> Settings {
    settings.headroom.prior = prior_of(model, settings.resource);
    settings
}

/// Where the steering of policy `headroom` starts with `model`'s forecasts: the residuals of the resource that counts, those
/// of both in equal parts for `max`; the built-in start where the model's artifact has none.
fn prior_of(model: &Model, counted: Counted) -> Prior {
    let of = |resource| {
        let points = &model.residuals(resource)?.points;
        Some(Prior::from_residuals(&points.iter().map(|x| f64::from(*x)).collect::<Vec<_>>()))
    };
    let known = match counted {
        Counted::Cpu => of(Resource::Cpu),
        Counted::Memory => of(Resource::Memory),
        Counted::Max => match (of(Resource::Cpu), of(Resource::Memory)) {
            (Some(cpu), Some(memory)) => Some(cpu.mixed(&memory)),
            (cpu, memory) => cpu.or(memory),
        },
    };
    known.unwrap_or_default()
}
