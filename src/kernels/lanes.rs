//! Four numbers at a time: the vector registers of WebAssembly, or arrays that the compiler makes vectors of.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use simd128 as registers;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
use arrays as registers;

pub(super) use registers::{F32x4, I16x8, I32x4};

impl F32x4 {
    /// The sum of the lanes, in pairs.
    pub fn sum(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        (a + b) + (c + d)
    }

    /// The largest lane.
    pub fn largest(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        a.max(b).max(c.max(d))
    }
}

/// Replaces each value by `map` of it.
#[inline(always)]
pub(super) fn map(values: &mut [f32], map: impl Fn(F32x4) -> F32x4) {
    let (chunks, rest) = values.as_chunks_mut::<4>();
    chunks.iter_mut().for_each(|chunk| *chunk = map(F32x4::load(chunk)).to_array());
    if !rest.is_empty() {
        let mapped = map(F32x4::load(&padded(rest, 0.0))).to_array();
        rest.iter_mut().zip(mapped).for_each(|(value, mapped)| *value = mapped);
    }
}

/// Folds values into four lanes; what is short of a whole four is filled up with `neutral`.
#[inline(always)]
pub(super) fn fold(values: &[f32], neutral: f32, fold: impl Fn(F32x4, F32x4) -> F32x4) -> F32x4 {
    let (chunks, rest) = values.as_chunks::<4>();
    let folded = chunks.iter().fold(F32x4::splat(neutral), |lanes, chunk| fold(lanes, F32x4::load(chunk)));
    if rest.is_empty() { folded } else { fold(folded, F32x4::load(&padded(rest, neutral))) }
}

fn padded(rest: &[f32], filler: f32) -> [f32; 4] {
    let mut padded = [filler; 4];
    padded.iter_mut().zip(rest).for_each(|(lane, value)| *lane = *value);
    padded
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128 {
    use core::arch::wasm32 as wasm;
    use core::ops::{Add, Div, Mul, Sub};

    #[derive(Clone, Copy)]
    pub struct F32x4(wasm::v128);

    #[derive(Clone, Copy)]
    pub struct I32x4(wasm::v128);

    #[derive(Clone, Copy)]
    pub struct I16x8(wasm::v128);

    impl F32x4 {
        #[inline(always)]
        pub fn splat(value: f32) -> Self {
            Self(wasm::f32x4_splat(value))
        }

        #[inline(always)]
        pub fn load(values: &[f32; 4]) -> Self {
            // SAFETY: the reference covers the 16 bytes that are read; v128.load needs no alignment.
            Self(unsafe { wasm::v128_load(values.as_ptr().cast()) })
        }

        #[inline(always)]
        pub fn to_array(self) -> [f32; 4] {
            let mut values = [0.0; 4];
            // SAFETY: the array is the 16 bytes that are written; v128.store needs no alignment.
            unsafe { wasm::v128_store(values.as_mut_ptr().cast(), self.0) };
            values
        }

        #[inline(always)]
        pub fn abs(self) -> Self {
            Self(wasm::f32x4_abs(self.0))
        }

        #[inline(always)]
        pub fn max(self, other: Self) -> Self {
            Self(wasm::f32x4_pmax(self.0, other.0))
        }

        #[inline(always)]
        pub fn min(self, other: Self) -> Self {
            Self(wasm::f32x4_pmin(self.0, other.0))
        }

        /// The nearest integers, ties to even.
        #[inline(always)]
        pub fn round(self) -> I32x4 {
            I32x4(wasm::i32x4_trunc_sat_f32x4(wasm::f32x4_nearest(self.0)))
        }
    }

    impl I32x4 {
        pub const ZERO: Self = Self(wasm::i32x4(0, 0, 0, 0));

        #[inline(always)]
        pub fn to_array(self) -> [i32; 4] {
            let mut values = [0; 4];
            // SAFETY: the array is the 16 bytes that are written; v128.store needs no alignment.
            unsafe { wasm::v128_store(values.as_mut_ptr().cast(), self.0) };
            values
        }

        #[inline(always)]
        pub fn to_f32(self) -> F32x4 {
            F32x4(wasm::f32x4_convert_i32x4(self.0))
        }

        /// Two to the power of each, which lies within -126 and 127.
        #[inline(always)]
        pub fn power_of_two(self) -> F32x4 {
            F32x4(wasm::i32x4_shl(wasm::i32x4_add(self.0, wasm::i32x4_splat(127)), 23))
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            Self(wasm::i32x4_add(self.0, other.0))
        }
    }

    impl I16x8 {
        /// The same two numbers four times; the first is in the low half of `pair`.
        #[inline(always)]
        pub fn splat(pair: i32) -> Self {
            Self(wasm::i32x4_splat(pair))
        }

        #[inline(always)]
        pub fn load(values: &[i16; 8]) -> Self {
            // SAFETY: the reference covers the 16 bytes that are read; v128.load needs no alignment.
            Self(unsafe { wasm::v128_load(values.as_ptr().cast()) })
        }

        /// Products of equal places, neighbours added.
        #[inline(always)]
        pub fn dot(self, other: Self) -> I32x4 {
            I32x4(wasm::i32x4_dot_i16x8(self.0, other.0))
        }
    }

    macro_rules! operator {
        ($trait:ident, $method:ident, $function:ident) => {
            impl $trait for F32x4 {
                type Output = Self;

                #[inline(always)]
                fn $method(self, other: Self) -> Self {
                    Self(wasm::$function(self.0, other.0))
                }
            }
        };
    }
    operator!(Add, add, f32x4_add);
    operator!(Sub, sub, f32x4_sub);
    operator!(Mul, mul, f32x4_mul);
    operator!(Div, div, f32x4_div);
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod arrays {
    use std::array::from_fn;
    use std::ops::{Add, Div, Mul, Sub};

    #[derive(Clone, Copy)]
    pub struct F32x4([f32; 4]);

    #[derive(Clone, Copy)]
    pub struct I32x4([i32; 4]);

    #[derive(Clone, Copy)]
    pub struct I16x8([i16; 8]);

    impl F32x4 {
        #[inline(always)]
        pub fn splat(value: f32) -> Self {
            Self([value; 4])
        }

        #[inline(always)]
        pub fn load(values: &[f32; 4]) -> Self {
            Self(*values)
        }

        #[inline(always)]
        pub fn to_array(self) -> [f32; 4] {
            self.0
        }

        #[inline(always)]
        pub fn abs(self) -> Self {
            Self(self.0.map(f32::abs))
        }

        #[inline(always)]
        pub fn max(self, other: Self) -> Self {
            Self(from_fn(|lane| if self.0[lane] < other.0[lane] { other.0[lane] } else { self.0[lane] }))
        }

        #[inline(always)]
        pub fn min(self, other: Self) -> Self {
            Self(from_fn(|lane| if other.0[lane] < self.0[lane] { other.0[lane] } else { self.0[lane] }))
        }

        /// The nearest integers, ties to even.
        #[inline(always)]
        pub fn round(self) -> I32x4 {
            I32x4(self.0.map(|value| value.round_ties_even() as i32))
        }
    }

    impl I32x4 {
        pub const ZERO: Self = Self([0; 4]);

        #[inline(always)]
        pub fn to_array(self) -> [i32; 4] {
            self.0
        }

        #[inline(always)]
        pub fn to_f32(self) -> F32x4 {
            F32x4(self.0.map(|value| value as f32))
        }

        /// Two to the power of each, which lies within -126 and 127.
        #[inline(always)]
        pub fn power_of_two(self) -> F32x4 {
            F32x4(self.0.map(|power| f32::from_bits((power.wrapping_add(127) << 23).cast_unsigned())))
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            Self(from_fn(|lane| self.0[lane].wrapping_add(other.0[lane])))
        }
    }

    impl I16x8 {
        /// The same two numbers four times; the first is in the low half of `pair`.
        #[inline(always)]
        pub fn splat(pair: i32) -> Self {
            let (low, high) = (pair as i16, (pair >> 16) as i16);
            Self(from_fn(|place| if place % 2 == 0 { low } else { high }))
        }

        #[inline(always)]
        pub fn load(values: &[i16; 8]) -> Self {
            Self(*values)
        }

        /// Products of equal places, neighbours added.
        #[inline(always)]
        pub fn dot(self, other: Self) -> I32x4 {
            let product = |place: usize| i32::from(self.0[place]) * i32::from(other.0[place]);
            I32x4(from_fn(|lane| product(2 * lane) + product(2 * lane + 1)))
        }
    }

    macro_rules! operator {
        ($trait:ident, $method:ident, $operator:tt) => {
            impl $trait for F32x4 {
                type Output = Self;

                #[inline(always)]
                fn $method(self, other: Self) -> Self {
                    Self(from_fn(|lane| self.0[lane] $operator other.0[lane]))
                }
            }
        };
    }
    operator!(Add, add, +);
    operator!(Sub, sub, -);
    operator!(Mul, mul, *);
    operator!(Div, div, /);
}
