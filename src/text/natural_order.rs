//! The order in which people count: "frame 2" before "frame 10".
//!
//! The crate alphanumeric-sort is not used: it puts every capital before every small letter, and "1" before "01".

use std::cmp::Ordering;
use std::iter::Peekable;
use std::str::Chars;

/// Compares names letter by letter, without regard to capitals. Where both names have digits, their numbers are
/// compared, without leading zeros. Names that are equal in this way are compared by their characters. Numbers may have
/// any number of digits.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.chars().peekable(), b.chars().peekable());
    loop {
        let order = match (left.peek().copied(), right.peek().copied()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (x, y) = (number(&mut left), number(&mut right));
                x.len().cmp(&y.len()).then_with(|| x.cmp(&y))
            }
            (Some(x), Some(y)) => {
                left.next();
                right.next();
                x.to_lowercase().cmp(y.to_lowercase())
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Takes the digits that come next, and returns them without leading zeros.
fn number(letters: &mut Peekable<Chars<'_>>) -> String {
    let mut digits = String::new();
    while let Some(digit) = letters.next_if(char::is_ascii_digit) {
        if digit != '0' || !digits.is_empty() {
            digits.push(digit);
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_count_two_before_ten() {
        let sorted = [
            "00001.jpg",
            "1.jpg",
            "2.jpg",
            "10.jpg",
            "frame 2b.png",
            "Frame 10.png",
            "frame 10.png",
            "frame 010a.png",
            "frame 99999999999999999999999998.png",
            "frame 99999999999999999999999999.png",
            "schön 3",
            "schön 20",
        ];
        let mut names = sorted;
        names.reverse();
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, sorted);
    }

    #[test]
    fn it_is_an_order() {
        let names = ["a", "A", "a0", "a00", "a1", "a01", "", "0", "00", "b", "ä", "a1b", "a1B2", "a1b02"];
        for a in names {
            assert_eq!(compare(a, a), Ordering::Equal);
            for b in names {
                assert_eq!(compare(a, b), compare(b, a).reverse(), "{a} {b}");
                assert_eq!(compare(a, b) == Ordering::Equal, a == b, "{a} {b}");
                for c in names {
                    if compare(a, b).is_le() && compare(b, c).is_le() {
                        assert!(compare(a, c).is_le(), "{a} {b} {c}");
                    }
                }
            }
        }
    }
}
