//! WebAssembly's 128-bit registers.

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

    /// Rounds these four numbers and the four of `other` to the nearest 16-bit integers, ties to even. Packs two
    /// neighbours into each 32-bit integer, the first in the low half. A number that is not finite gives an
    /// arbitrary integer.
    #[inline(always)]
    pub fn round_to_pairs(self, other: Self) -> [i32; 4] {
        // After adding 1.5 * 2^23 a float has no fractional digits, and its lowest 16 bits are those of the
        // integer.
        let beside = wasm::f32x4_splat(12_582_912.0);
        let (first, second) = (wasm::f32x4_add(self.0, beside), wasm::f32x4_add(other.0, beside));
        I32x4(wasm::i16x8_shuffle::<0, 2, 4, 6, 8, 10, 12, 14>(first, second)).to_array()
    }

    /// Rounds to the nearest integers, ties to even.
    #[inline(always)]
    pub fn round(self) -> I32x4 {
        I32x4(wasm::i32x4_trunc_sat_f32x4(wasm::f32x4_nearest(self.0)))
    }
}

impl I32x4 {
    #[inline(always)]
    pub fn zero() -> Self {
        Self(wasm::i32x4_splat(0))
    }

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

    /// Returns two to the power of each lane, for powers from -126 to 127.
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
    /// Repeats a pair of numbers four times. The first number is in the low half of `pair`.
    #[inline(always)]
    pub fn splat(pair: i32) -> Self {
        Self(wasm::i32x4_splat(pair))
    }

    #[inline(always)]
    pub fn load(values: &[i16; 8]) -> Self {
        // SAFETY: the reference covers the 16 bytes that are read; v128.load needs no alignment.
        Self(unsafe { wasm::v128_load(values.as_ptr().cast()) })
    }

    /// Multiplies equal places and adds neighbouring products.
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
