//! How steady the names of heads are while pictures arrive: the share of heads whose name stayed the same when the
//! number of pictures doubled.

/// The number of pictures of the first names. Further names follow at each doubling.
const FIRST: usize = 50;

/// Returns whether names are computed at this number of pictures: 50, 100, 200, 400 and so on.
pub fn is_checkpoint(pictures: usize) -> bool {
    pictures.is_multiple_of(FIRST) && (pictures / FIRST).is_power_of_two()
}

/// Returns the next number of pictures at which names are computed.
pub fn next_checkpoint(pictures: usize) -> usize {
    let mut next = FIRST;
    while next <= pictures {
        next *= 2;
    }
    next
}

/// The names of all heads, `[layer][head]`; `None` is a mixed head.
pub type Names = Vec<Vec<Option<String>>>;

/// The names at the last doubling, and how many of them stayed the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settling {
    /// The number of pictures of the names below.
    pictures: u64,
    names: Names,
    /// The number of pictures before the last doubling, and the share of unchanged names.
    unchanged: Option<(u64, f32)>,
}

impl Settling {
    /// Takes new names from `pictures` pictures. Fewer pictures than before are other pictures: the comparison starts
    /// again. More pictures count when their number has doubled.
    pub fn take(&mut self, pictures: u64, names: Names) {
        if pictures < self.pictures || self.names.is_empty() {
            *self = Self { pictures, names, unchanged: None };
        } else if pictures >= 2 * self.pictures {
            let unchanged = unchanged_share(&self.names, &names).map(|share| (self.pictures, share));
            *self = Self { pictures, names, unchanged };
        }
    }

    /// Returns the number of pictures before and after the last doubling, and the share of heads whose name did not
    /// change. `None` before the first doubling.
    pub fn last_doubling(&self) -> Option<(u64, u64, f32)> {
        self.unchanged.map(|(before, share)| (before, self.pictures, share))
    }
}

/// Returns the share of heads with the same name in both; `None` if the numbers of heads differ.
fn unchanged_share(before: &Names, after: &Names) -> Option<f32> {
    let heads = |names: &Names| names.iter().map(Vec::len).collect::<Vec<_>>();
    let count = before.iter().flatten().count();
    if heads(before) != heads(after) || count == 0 {
        return None;
    }
    let same = before.iter().flatten().zip(after.iter().flatten()).filter(|(before, after)| before == after);
    Some(same.count() as f32 / count as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(heads: [Option<&str>; 4]) -> Names {
        heads.chunks(2).map(|layer| layer.iter().map(|name| name.map(str::to_owned)).collect()).collect()
    }

    #[test]
    fn names_are_computed_at_each_doubling() {
        let checkpoints: Vec<usize> = (0..=900).filter(|pictures| is_checkpoint(*pictures)).collect();
        assert_eq!(checkpoints, [50, 100, 200, 400, 800]);
        assert_eq!([0, 49, 50, 130].map(next_checkpoint), [50, 50, 100, 200]);
    }

    #[test]
    fn the_share_counts_heads_that_kept_their_name() {
        let mut settling = Settling::default();
        settling.take(50, names([Some("colour"), None, Some("dog"), Some("tone")]));
        assert_eq!(settling.last_doubling(), None);
        settling.take(100, names([Some("colour"), None, Some("bird"), None]));
        assert_eq!(settling.last_doubling(), Some((50, 100, 0.5)));
        settling.take(200, names([Some("colour"), None, Some("bird"), None]));
        assert_eq!(settling.last_doubling(), Some((100, 200, 1.0)));
    }

    #[test]
    fn less_than_a_doubling_changes_nothing() {
        let mut settling = Settling::default();
        settling.take(50, names([Some("colour"), None, None, None]));
        settling.take(60, names([None; 4]));
        settling.take(100, names([Some("colour"), None, None, Some("dog")]));
        assert_eq!(settling.last_doubling(), Some((50, 100, 0.75)), "compared with the names of 50 pictures");
    }

    #[test]
    fn other_pictures_or_another_model_start_again() {
        let mut settling = Settling::default();
        settling.take(100, names([None; 4]));
        settling.take(40, names([None; 4]));
        assert_eq!(settling.last_doubling(), None);
        settling.take(80, vec![vec![None; 3]]);
        assert_eq!(settling.last_doubling(), None, "another number of heads");
    }
}
