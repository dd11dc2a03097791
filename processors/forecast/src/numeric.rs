//! Elementary functions whose bits are the same on every host.
//!
//! The standard library's `exp` and `ln` come from the platform's libm and differ between hosts. These use
//! only `+ - * /`, the correctly rounded square root and the bits of the number, without fused
//! multiply-add, so IEEE 754 fixes every result. They have no branches, so that loops over them vectorise.
//! Polynomials and range reduction follow Cephes (Moshier, `expf.c` and `logf.c`): about 2 units in the last place.

/// Adding this rounds a small float to an integer, which then stands in the lowest bits.
const ROUNDER: f32 = 12_582_912.0; // 1.5 · 2^23
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// The larger one; the second if the first is not a number.
#[inline(always)]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The smaller one; the second if the first is not a number.
#[inline(always)]
pub(crate) fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// e to the power of `x`, for `x` held within ±87.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = smaller(larger(x, -87.0), 87.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUNDER;
    let whole = rounded - ROUNDER;
    let r = (x - whole * LN_2_HIGH) - whole * LN_2_LOW;
    let mut p = 1.987_569_1e-4_f32;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let series = p * (r * r) + r + 1.0;
    let power = rounded.to_bits().wrapping_add(127) << 23;
    series * f32::from_bits(power)
}

/// The natural logarithm of a positive, normal `x`.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // Split x = m · 2^e with m in [√½, √2).
    let bits = x.to_bits().wrapping_sub(0x3f35_04f3);
    let exponent = (bits as i32 >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3)) - 1.0;
    let z = m * m;
    let mut p = 7.037_683_6e-2_f32;
    p = p * m - 1.151_461e-1;
    p = p * m + 1.167_699_84e-1;
    p = p * m - 1.242_014_1e-1;
    p = p * m + 1.424_932_3e-1;
    p = p * m - 1.666_805_7e-1;
    p = p * m + 2.000_071_5e-1;
    p = p * m - 2.499_999_4e-1;
    p = p * m + 3.333_333e-1;
    let tail = p * m * z + exponent * LN_2_LOW - 0.5 * z;
    m + tail + exponent * LN_2_HIGH
}

/// The inverse hyperbolic sine.
#[inline(always)]
pub(crate) fn asinh(x: f32) -> f32 {
    let magnitude = smaller(x.abs(), 1e18);
    let value = ln(magnitude + (magnitude * magnitude + 1.0).sqrt());
    f32::from_bits(value.to_bits() | (x.to_bits() & 0x8000_0000))
}

/// 1 / (1 + e^−x).
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// ln(1 + e^x).
#[inline(always)]
pub(crate) fn softplus(x: f32) -> f32 {
    larger(x, 0.0) + ln(1.0 + exp(-x.abs()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn near(got: f32, want: f64, relative: f64, absolute: f64) -> Result<(), TestCaseError> {
        let error = (f64::from(got) - want).abs();
        prop_assert!(error <= relative * want.abs() + absolute, "{got} is not {want}");
        Ok(())
    }

    proptest! {
        #[test]
        fn agree_with_double_precision(x in -80f32..80.0) {
            let exact = f64::from(x);
            near(super::exp(x), exact.exp(), 3e-7, 0.0)?;
            near(super::sigmoid(x), 1.0 / (1.0 + (-exact).exp()), 5e-7, 0.0)?;
            near(super::tanh(x), exact.tanh(), 0.0, 3e-7)?;
            near(super::asinh(x), exact.asinh(), 3e-7, 2e-7)?;
            near(super::softplus(x), exact.exp().ln_1p(), 3e-7, 2e-7)?;
        }

        #[test]
        fn logarithm_agrees(x in 1e-6f32..1e9) {
            near(super::ln(x), f64::from(x).ln(), 2e-7, 2e-7)?;
        }

        #[test]
        fn any_bits_stay_finite(bits in any::<u32>()) {
            let x = f32::from_bits(bits);
            prop_assume!(!x.is_nan());
            for value in [super::exp(x), super::sigmoid(x), super::tanh(x), super::asinh(x)] {
                prop_assert!(value.is_finite());
            }
        }
    }

    #[test]
    fn known_bits() {
        // The promise is the same bits on every host: a change of these is a change of every forecast.
        let bits = [super::exp(1.0), super::ln(10.0), super::asinh(-3.0), super::tanh(0.5)].map(f32::to_bits);
        let near = [1.0f32.exp(), 10f32.ln(), (-3f32).asinh(), 0.5f32.tanh()].map(f32::to_bits);
        for (got, want) in bits.iter().zip(near) {
            assert!(got.abs_diff(want) <= 2, "{got:x} {want:x}");
        }
    }
}
