//! A progress report in words.

use crate::protocol::TaskProgress;
use crate::text::units;

/// Returns a progress report as one line: "Fetching the model: 12.0 MB of 51.2 MB".
pub fn progress_line(progress: &TaskProgress) -> String {
    match progress {
        TaskProgress::Bytes { what, done, total: 0 } => format!("{what}: {}", units::bytes(*done)),
        TaskProgress::Bytes { what, done, total } => {
            format!("{what}: {} of {}", units::bytes(*done), units::bytes(*total))
        }
        TaskProgress::Phase { what } => format!("{what}…"),
        TaskProgress::Items { what, done, total } => {
            format!("{what}: {} of {}", units::count(*done as u64), units::count(*total as u64))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_left_out_if_it_is_not_known() {
        let what = || "Fetching".to_owned();
        let bytes = |total| TaskProgress::Bytes { what: what(), done: 12_000_000, total };
        assert_eq!(progress_line(&bytes(51_200_000)), "Fetching: 12.0 MB of 51.2 MB");
        assert_eq!(progress_line(&bytes(0)), "Fetching: 12.0 MB");
        assert_eq!(progress_line(&TaskProgress::Phase { what: what() }), "Fetching…");
        assert_eq!(progress_line(&TaskProgress::Items { what: what(), done: 2, total: 60 }), "Fetching: 2 of 60");
    }
}
