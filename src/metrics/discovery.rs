//! Object discovery: boxes that were found without labels, compared with labelled boxes.

use serde::{Deserialize, Serialize};

use crate::geometry::Size;

/// A found box is correct when its intersection over union with a labelled box is at least this.
pub const RIGHT_FROM: f64 = 0.5;

/// A rectangle in pixels that covers `left..right` and `top..bottom`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelBox {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl PixelBox {
    /// Returns the box around a mask, given row by row. None when the mask is empty.
    pub fn around(mask: &[bool], size: Size) -> Option<Self> {
        let mut found: Option<Self> = None;
        for place in (0..mask.len()).filter(|place| mask[*place]) {
            let (x, y) = ((place % size.width) as f64, (place / size.width) as f64);
            let grown = found.unwrap_or(Self { left: x, top: y, right: x, bottom: y });
            found = Some(Self {
                left: grown.left.min(x),
                top: grown.top.min(y),
                right: grown.right.max(x + 1.0),
                bottom: grown.bottom.max(y + 1.0),
            });
        }
        found
    }

    /// Returns the intersection over union. 0 when both boxes have no area.
    pub fn iou(&self, other: &Self) -> f64 {
        let overlap = |from: f64, to: f64| (to - from).max(0.0);
        let area = |of: &Self| overlap(of.left, of.right) * overlap(of.top, of.bottom);
        let both = overlap(self.left.max(other.left), self.right.min(other.right))
            * overlap(self.top.max(other.top), self.bottom.min(other.bottom));
        let either = area(self) + area(other) - both;
        if either > 0.0 { both / either } else { 0.0 }
    }
}

/// Returns whether any found box is correct for any labelled box. CorLoc is the share of pictures for which this
/// is true.
pub fn localised(found: &[PixelBox], labelled: &[PixelBox]) -> bool {
    found.iter().any(|found| labelled.iter().any(|labelled| found.iou(labelled) >= RIGHT_FROM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(left: f64, top: f64, side: f64) -> PixelBox {
        PixelBox { left, top, right: left + side, bottom: top + side }
    }

    #[test]
    fn a_box_lies_around_its_mask() {
        let size = Size { width: 4, height: 3 };
        let mask = [false, true, false, false, false, false, true, false, false, false, false, false];
        let expected = PixelBox { left: 1.0, top: 0.0, right: 3.0, bottom: 2.0 };
        assert_eq!(PixelBox::around(&mask, size), Some(expected));
        assert_eq!(PixelBox::around(&[false; 12], size), None);
    }

    #[test]
    fn an_iou_of_one_half_is_correct() {
        let labelled = [square(0.0, 0.0, 10.0)];
        assert_eq!(square(0.0, 0.0, 10.0).iou(&labelled[0]), 1.0);
        assert_eq!(square(20.0, 0.0, 10.0).iou(&labelled[0]), 0.0);
        let half = PixelBox { left: 0.0, top: 0.0, right: 10.0, bottom: 5.0 };
        assert!(localised(&[square(20.0, 0.0, 5.0), half], &labelled));
        let less = PixelBox { bottom: 4.9, ..half };
        assert!(!localised(&[less], &labelled) && !localised(&[], &labelled));
        assert_eq!(square(0.0, 0.0, 0.0).iou(&square(0.0, 0.0, 0.0)), 0.0);
    }
}
