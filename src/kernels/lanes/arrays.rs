//! The registers as plain arrays, for machines without a file of their own in this folder.

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

    /// Rounds these four numbers and the four of `other` to the nearest 16-bit integers, ties to even. Packs two
    /// neighbours into each 32-bit integer, the first in the low half. A number that is not finite gives an
    /// arbitrary integer.
    #[inline(always)]
    pub fn round_to_pairs(self, other: Self) -> [i32; 4] {
        let [a, b, c, d] = self.round().0;
        let [e, f, g, h] = other.round().0;
        [[a, b], [c, d], [e, f], [g, h]].map(|[low, high]| low & 0xffff | high << 16)
    }

    /// Rounds to the nearest integers, ties to even.
    #[inline(always)]
    pub fn round(self) -> I32x4 {
        I32x4(self.0.map(|value| value.round_ties_even() as i32))
    }
}

impl I32x4 {
    #[inline(always)]
    pub fn zero() -> Self {
        Self([0; 4])
    }

    #[inline(always)]
    pub fn to_array(self) -> [i32; 4] {
        self.0
    }

    #[inline(always)]
    pub fn to_f32(self) -> F32x4 {
        F32x4(self.0.map(|value| value as f32))
    }

    /// Returns two to the power of each lane, for powers from -126 to 127.
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
    /// Repeats a pair of numbers four times. The first number is in the low half of `pair`.
    #[inline(always)]
    pub fn splat(pair: i32) -> Self {
        let (low, high) = (pair as i16, (pair >> 16) as i16);
        Self(from_fn(|place| if place % 2 == 0 { low } else { high }))
    }

    #[inline(always)]
    pub fn load(values: &[i16; 8]) -> Self {
        Self(*values)
    }

    /// Multiplies equal places and adds neighbouring products.
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
