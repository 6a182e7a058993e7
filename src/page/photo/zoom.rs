//! Zoom and pan of a picture in its stage. Positions are shares of the stage: (0, 0) is its top left corner, (1, 1)
//! its bottom right.

/// The largest scale.
pub const CLOSEST: f64 = 12.0;

/// The position of the picture: from (x, y) to (x + scale, y + scale). The picture always covers the whole stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zoom {
    pub scale: f64,
    pub x: f64,
    pub y: f64,
}

impl Default for Zoom {
    fn default() -> Self {
        Self { scale: 1.0, x: 0.0, y: 0.0 }
    }
}

impl Zoom {
    pub fn is_whole(self) -> bool {
        self.scale <= 1.0
    }

    /// Zooms in by `factor`. The part of the picture at the point (x, y) stays there, as far as the edges of the
    /// picture allow.
    #[must_use]
    pub fn about(self, factor: f64, (x, y): (f64, f64)) -> Self {
        let scale = (self.scale * factor).clamp(1.0, CLOSEST);
        let grown = scale / self.scale;
        Self { scale, x: x - (x - self.x) * grown, y: y - (y - self.y) * grown }.held()
    }

    /// Moves the picture, as far as the edges of the picture allow.
    #[must_use]
    pub fn moved(self, (dx, dy): (f64, f64)) -> Self {
        Self { x: self.x + dx, y: self.y + dy, ..self }.held()
    }

    fn held(self) -> Self {
        let hold = |at: f64| at.clamp(1.0 - self.scale, 0.0);
        Self { x: hold(self.x), y: hold(self.y), ..self }
    }

    /// Returns the CSS transform of an element as large as the stage, with its origin in the top left corner.
    pub fn transform(self) -> String {
        format!("translate({:.4}%, {:.4}%) scale({:.4})", self.x * 100.0, self.y * 100.0, self.scale)
    }

    /// Returns the zoom after a key; `None` for keys that do not zoom.
    pub fn after_key(self, key: &str) -> Option<Self> {
        const MIDDLE: (f64, f64) = (0.5, 0.5);
        const STEP: f64 = 0.1;
        Some(match key {
            "+" | "=" => self.about(1.5, MIDDLE),
            "-" | "−" | "_" => self.about(1.0 / 1.5, MIDDLE),
            "0" => Self::default(),
            // Without zoom, arrow keys scroll the page as usual.
            _ if self.is_whole() => return None,
            "ArrowLeft" => self.moved((STEP, 0.0)),
            "ArrowRight" => self.moved((-STEP, 0.0)),
            "ArrowUp" => self.moved((0.0, STEP)),
            "ArrowDown" => self.moved((0.0, -STEP)),
            _ => return None,
        })
    }
}

/// The pointers on the picture. One pointer drags the picture, and two pointers zoom.
#[derive(Clone, Debug, Default)]
pub struct Pointers {
    /// (pointer, position)
    pointers: Vec<(i32, (f64, f64))>,
}

impl Pointers {
    /// Adds a pointer. A third pointer is ignored.
    pub fn down(&mut self, pointer: i32, at: (f64, f64)) {
        self.up(pointer);
        if self.pointers.len() < 2 {
            self.pointers.push((pointer, at));
        }
    }

    pub fn up(&mut self, pointer: i32) {
        self.pointers.retain(|(known, _)| *known != pointer);
    }

    /// Returns the zoom after a pointer has moved.
    pub fn moved(&mut self, zoom: Zoom, pointer: i32, to: (f64, f64)) -> Zoom {
        let before = self.clone();
        let Some(held) = self.pointers.iter_mut().find(|(known, _)| *known == pointer) else { return zoom };
        held.1 = to;
        let ((from, to), (apart_before, apart)) =
            ((before.middle(), self.middle()), (before.apart(), self.apart()));
        let moved = zoom.moved((to.0 - from.0, to.1 - from.1));
        match (apart_before, apart) {
            (Some(before), Some(now)) if before > 0.0 => moved.about(now / before, to),
            _ => moved,
        }
    }

    fn middle(&self) -> (f64, f64) {
        let count = self.pointers.len().max(1) as f64;
        let sum = self.pointers.iter().fold((0.0, 0.0), |(x, y), (_, at)| (x + at.0, y + at.1));
        (sum.0 / count, sum.1 / count)
    }

    fn apart(&self) -> Option<f64> {
        match self.pointers.as_slice() {
            [(_, a), (_, b)] => Some((a.0 - b.0).hypot(a.1 - b.1)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the position on the stage of a place of the picture, in shares of the picture.
    fn on_stage(zoom: Zoom, (x, y): (f64, f64)) -> (f64, f64) {
        (zoom.x + x * zoom.scale, zoom.y + y * zoom.scale)
    }

    fn near(a: (f64, f64), b: (f64, f64)) -> bool {
        (a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-9
    }

    #[test]
    fn the_point_under_the_pointer_stays_there() {
        let zoom = Zoom::default().about(2.0, (0.3, 0.7));
        assert!(near(on_stage(zoom, (0.3, 0.7)), (0.3, 0.7)));
        let closer = zoom.about(1.7, (0.4, 0.5));
        let place = ((0.4 - zoom.x) / zoom.scale, (0.5 - zoom.y) / zoom.scale);
        assert!(near(on_stage(closer, place), (0.4, 0.5)));
    }

    #[test]
    fn the_stage_is_always_covered() {
        let mut zoom = Zoom::default();
        for (index, factor) in [3.0, 0.5, 9.0, 0.2, 40.0, 0.01].into_iter().enumerate() {
            zoom = zoom.about(factor, (0.1 * index as f64, 1.0)).moved((5.0, -7.0 * index as f64));
            assert!((1.0..=CLOSEST).contains(&zoom.scale), "{zoom:?}");
            let (left, top) = on_stage(zoom, (0.0, 0.0));
            let (right, bottom) = on_stage(zoom, (1.0, 1.0));
            assert!(left <= 0.0 && top <= 0.0 && right >= 1.0 - 1e-9 && bottom >= 1.0 - 1e-9, "{zoom:?}");
        }
        assert_eq!(zoom, Zoom::default(), "all the way out is the whole picture");
    }

    #[test]
    fn one_finger_drags_and_two_pinch() {
        let (mut hold, start) = (Pointers::default(), Zoom::default().about(4.0, (0.5, 0.5)));
        hold.down(1, (0.5, 0.5));
        let dragged = hold.moved(start, 1, (0.6, 0.4));
        assert!(near((dragged.x - start.x, dragged.y - start.y), (0.1, -0.1)));
        hold.down(2, (0.4, 0.4));
        hold.moved(dragged, 1, (0.6, 0.4));
        let pinched = hold.moved(dragged, 2, (0.2, 0.4));
        assert!((pinched.scale - 8.0).abs() < 1e-9, "twice as far apart is twice as close: {pinched:?}");
        hold.up(2);
        hold.up(1);
        assert_eq!(hold.moved(pinched, 1, (0.0, 0.0)), pinched, "nothing holds it any more");
    }

    #[test]
    fn arrows_scroll_the_page_until_zoomed() {
        assert_eq!(Zoom::default().after_key("ArrowDown"), None);
        let zoom = Zoom::default().after_key("+").unwrap();
        assert!(zoom.after_key("ArrowDown").unwrap().y < zoom.y, "down shows what is below");
        assert_eq!(zoom.after_key("0"), Some(Zoom::default()));
        assert_eq!(zoom.after_key("q"), None);
    }
}
