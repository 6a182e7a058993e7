//! The 128-bit registers that every 64-bit x86 has.

use core::arch::x86_64 as x86;
use core::ops::{Add, Div, Mul, Sub};

/// Calls an SSE2 instruction.
macro_rules! sse2 {
    ($($call:tt)*) => {
        // SAFETY: every 64-bit x86 has SSE2, and the instructions that are called in this way access no memory.
        unsafe { x86::$($call)* }
    };
}

#[derive(Clone, Copy)]
pub struct F32x4(x86::__m128);

#[derive(Clone, Copy)]
pub struct I32x4(x86::__m128i);

#[derive(Clone, Copy)]
pub struct I16x8(x86::__m128i);

impl F32x4 {
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self(sse2!(_mm_set1_ps(value)))
    }

    #[inline(always)]
    pub fn load(values: &[f32; 4]) -> Self {
        // SAFETY: the reference covers the 16 bytes that are read, at any alignment.
        Self(unsafe { x86::_mm_loadu_ps(values.as_ptr().cast()) })
    }

    #[inline(always)]
    pub fn to_array(self) -> [f32; 4] {
        let mut values = [0.0; 4];
        // SAFETY: the array is the 16 bytes that are written, at any alignment.
        unsafe { x86::_mm_storeu_ps(values.as_mut_ptr().cast(), self.0) };
        values
    }

    #[inline(always)]
    pub fn abs(self) -> Self {
        Self(sse2!(_mm_andnot_ps(x86::_mm_set1_ps(-0.0), self.0)))
    }

    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        Self(sse2!(_mm_max_ps(self.0, other.0)))
    }

    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        Self(sse2!(_mm_min_ps(self.0, other.0)))
    }

    /// Rounds these four numbers and the four of `other` to the nearest 16-bit integers, ties to even. Packs two
    /// neighbours into each 32-bit integer, the first in the low half. A number that is not finite gives an
    /// arbitrary integer.
    #[inline(always)]
    pub fn round_to_pairs(self, other: Self) -> [i32; 4] {
        I32x4(sse2!(_mm_packs_epi32(x86::_mm_cvtps_epi32(self.0), x86::_mm_cvtps_epi32(other.0)))).to_array()
    }

    /// Rounds to the nearest integers, ties to even.
    #[inline(always)]
    pub fn round(self) -> I32x4 {
        I32x4(sse2!(_mm_cvtps_epi32(self.0)))
    }
}

impl I32x4 {
    #[inline(always)]
    pub fn zero() -> Self {
        Self(sse2!(_mm_setzero_si128()))
    }

    #[inline(always)]
    pub fn to_array(self) -> [i32; 4] {
        let mut values = [0; 4];
        // SAFETY: the array is the 16 bytes that are written, at any alignment.
        unsafe { x86::_mm_storeu_si128(values.as_mut_ptr().cast(), self.0) };
        values
    }

    #[inline(always)]
    pub fn to_f32(self) -> F32x4 {
        F32x4(sse2!(_mm_cvtepi32_ps(self.0)))
    }

    /// Returns two to the power of each lane, for powers from -126 to 127.
    #[inline(always)]
    pub fn power_of_two(self) -> F32x4 {
        let bits = sse2!(_mm_slli_epi32(x86::_mm_add_epi32(self.0, x86::_mm_set1_epi32(127)), 23));
        F32x4(sse2!(_mm_castsi128_ps(bits)))
    }

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        Self(sse2!(_mm_add_epi32(self.0, other.0)))
    }
}

impl I16x8 {
    /// Repeats a pair of numbers four times. The first number is in the low half of `pair`.
    #[inline(always)]
    pub fn splat(pair: i32) -> Self {
        Self(sse2!(_mm_set1_epi32(pair)))
    }

    #[inline(always)]
    pub fn load(values: &[i16; 8]) -> Self {
        // SAFETY: the reference covers the 16 bytes that are read, at any alignment.
        Self(unsafe { x86::_mm_loadu_si128(values.as_ptr().cast()) })
    }

    /// Multiplies equal places and adds neighbouring products.
    #[inline(always)]
    pub fn dot(self, other: Self) -> I32x4 {
        I32x4(sse2!(_mm_madd_epi16(self.0, other.0)))
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $function:ident) => {
        impl $trait for F32x4 {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(sse2!($function(self.0, other.0)))
            }
        }
    };
}
operator!(Add, add, _mm_add_ps);
operator!(Sub, sub, _mm_sub_ps);
operator!(Mul, mul, _mm_mul_ps);
operator!(Div, div, _mm_div_ps);
