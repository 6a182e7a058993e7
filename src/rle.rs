//! COCO's run-length encoding of masks, in the compressed string form that pycocotools reads and writes.

use serde::{Deserialize, Serialize};

use crate::geometry::Size;

/// A mask as COCO stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rle {
    /// Height and width.
    pub size: [usize; 2],
    /// The lengths of the runs, column by column, alternating between background and foreground. Each length is
    /// stored as the difference from the run before the previous one, in groups of five bits.
    pub counts: String,
}

impl Rle {
    /// Encodes a mask that is given row by row.
    pub fn of(mask: &[bool], size: Size) -> Self {
        let Size { width, height } = size;
        let columns_first = (0..width).flat_map(|x| (0..height).map(move |y| mask[y * width + x]));
        let (mut runs, mut length, mut is_in) = (Vec::new(), 0_i64, false);
        for pixel in columns_first {
            if pixel != is_in {
                runs.push(std::mem::take(&mut length));
                is_in = pixel;
            }
            length += 1;
        }
        runs.push(length);
        Self { size: [height, width], counts: compressed(&runs) }
    }
}

fn compressed(runs: &[i64]) -> String {
    let mut text = String::new();
    for (place, run) in runs.iter().enumerate() {
        let mut left = if place > 2 { run - runs[place - 2] } else { *run };
        loop {
            let group = (left & 0x1f) as u8;
            left >>= 5;
            let is_last = left == if group & 0x10 == 0 { 0 } else { -1 };
            text.push(char::from((if is_last { group } else { group | 0x20 }) + b'0'));
            if is_last {
                break;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_go_down_the_columns() {
        // The columns are 0 1, 1 0, 1 1, 0 0. The runs are: 1 background, 2 foreground, 1 background, 2
        // foreground, 2 background.
        let mask = [false, true, true, false, true, false, true, false];
        let rle = Rle::of(&mask, Size { width: 4, height: 2 });
        assert_eq!(rle, Rle { size: [2, 4], counts: "12101".into() });
    }

    #[test]
    fn an_all_foreground_mask_starts_with_an_empty_run() {
        let rle = Rle::of(&[true; 1000], Size { width: 10, height: 100 });
        assert_eq!(rle.counts, "0Xo0");
        assert_eq!(Rle::of(&[], Size { width: 0, height: 0 }).counts, "0");
    }
}
