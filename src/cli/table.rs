//! Text tables: one row for each line, with fields between separators.

use csv::{ReaderBuilder, Trim};

/// The character between the fields of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// A field in double quotes may contain commas, line ends, and quotes written twice.
    Comma,
    /// Quotes have no meaning: captions and file names may contain them.
    Tab,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// Number of the row's first line in the file, from 1.
    pub line: usize,
    /// The fields without spaces at their ends, up to the last field that is not empty; at least one.
    pub fields: Vec<String>,
}

impl Separator {
    fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Tab => b'\t',
        }
    }
}

impl TableRow {
    /// Returns the field in a column; `None` if the row is too short.
    pub fn field(&self, column: usize) -> Option<&str> {
        self.fields.get(column).map(String::as_str)
    }

    /// Returns the first column that has this name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field == name)
    }
}

/// Reads the rows of a table. Rows may differ in length. Rows without any text are left out.
pub fn rows(text: &str, separator: Separator) -> Vec<TableRow> {
    let mut reader = ReaderBuilder::new()
        .delimiter(separator.byte())
        .quoting(separator == Separator::Comma)
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    // Reading UTF-8 text from memory never fails where rows may differ in length.
    let records = reader.records().map_while(Result::ok);
    records
        .filter_map(|record| {
            let mut fields: Vec<String> = record.iter().map(str::to_owned).collect();
            fields.truncate(fields.iter().rposition(|field| !field.is_empty())? + 1);
            Some(TableRow { line: line_of(text, record.position()?), fields })
        })
        .collect()
}

/// Returns the line on which a record begins, from 1. The position that `csv` reports lies before the empty lines above
/// the record.
fn line_of(text: &str, position: &csv::Position) -> usize {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX).min(text.len());
    let empty_lines = text.as_bytes()[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let start = start + empty_lines.count();
    1 + text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str, separator: Separator) -> Vec<Vec<String>> {
        rows(text, separator).into_iter().map(|row| row.fields).collect()
    }

    #[test]
    fn quoted_fields_may_hold_commas_and_quotes() {
        let table = "id,name\r\n1,\"a, b\"\r\n2,\"say \"\"hello\"\"\"\r\n";
        assert_eq!(fields(table, Separator::Comma), [["id", "name"], ["1", "a, b"], ["2", "say \"hello\""]]);
    }

    #[test]
    fn quotes_mean_nothing_between_tabs() {
        let table = "a.png\t\"hello\" he said\nb.png\t\"a, b\n";
        assert_eq!(fields(table, Separator::Tab), [["a.png", "\"hello\" he said"], ["b.png", "\"a, b"]]);
    }

    #[test]
    fn rows_without_text_are_left_out_but_counted() {
        let table = "\n a \t b\t \n\r\n \t \n\n\tc";
        let expected = [
            TableRow { line: 2, fields: vec!["a".into(), "b".into()] },
            TableRow { line: 6, fields: vec![String::new(), "c".into()] },
        ];
        assert_eq!(rows(table, Separator::Tab), expected);
    }
}
