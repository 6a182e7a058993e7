//! Labels of the gallery's pictures: from a table, or from the names of their folders.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::cues::LabelledPicture;

/// Names of columns, the likelier first. The first names are the columns of Waterbirds' metadata.csv.
const FILES: [&str; 7] = ["img_filename", "filename", "file", "image", "name", "picture", "path"];
const CLASSES: [&str; 4] = ["y", "class", "label", "kind"];
const NUISANCES: [&str; 5] = ["place", "nuisance", "attribute", "background", "setting"];

/// The meaning of the numbers in Waterbirds' table.
const WATERBIRDS: [[&str; 2]; 2] = [["land bird", "water bird"], ["land", "water"]];

/// Why labels cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error("The table's first line names no column for the {what}: call it “{}”.", names.join("”, “"))]
    Column { what: &'static str, names: &'static [&'static str] },
    #[error("The {what} has {found} values; it takes two, to tell one from the other.")]
    Values { what: &'static str, found: usize },
    #[error("The pictures lie in no folders that could name their classes: add a folder that has one for each.")]
    Folders,
}

/// Two classes, two values of a nuisance if there is one, and the labels of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    pub classes: [String; 2],
    pub nuisances: Option<[String; 2]>,
    files: Vec<LabelledFile>,
}

/// A file's path, its class and its nuisance.
type LabelledFile = (String, usize, Option<usize>);

impl Labels {
    /// Reads a table with commas, semicolons or tabs. The first line of the table names the columns.
    ///
    /// # Errors If a column is missing, or does not have exactly two values.
    pub fn of_table(text: &str) -> Result<Self, LabelError> {
        let mut lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
        let first = lines.next().unwrap_or_default();
        let separator = ['\t', ';'].into_iter().find(|separator| first.contains(*separator)).unwrap_or(',');
        let names: Vec<String> = cells(first, separator).iter().map(|name| name.to_lowercase()).collect();
        let column = |known: &[&str]| known.iter().find_map(|known| names.iter().position(|name| name == known));
        let needed =
            |what, names: &'static [&'static str]| column(names).ok_or(LabelError::Column { what, names });
        let (file, class) = (needed("file names", &FILES)?, needed("class", &CLASSES)?);
        let nuisance = column(&NUISANCES);
        let rows: Vec<Vec<String>> = lines.map(|line| cells(line, separator)).collect();
        let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
        let rows = rows.iter().map(|row| {
            (cell(row, file), cell(row, class), nuisance.map(|column| cell(row, column)).unwrap_or_default())
        });
        let mut labels = Self::of_rows(rows.collect())?;
        let is_waterbirds =
            [FILES[0], CLASSES[0], NUISANCES[0]].iter().all(|name| names.iter().any(|at| at == name));
        if is_waterbirds && labels.classes == ["0", "1"] {
            let [classes, places] = WATERBIRDS.map(|names| names.map(str::to_owned));
            labels.classes = classes;
            labels.nuisances = labels.nuisances.map(|_numbers| places);
        }
        Ok(labels)
    }

    /// Reads labels from folder names. The folder of a picture is its class. If there is one more level of folders,
    /// the outer folder is the class and the inner one the nuisance: `birds/waterbird/land/7.jpg`.
    ///
    /// # Errors If there are no folders, or not exactly two classes or nuisances.
    pub fn of_folders<'a>(paths: impl Iterator<Item = &'a str>) -> Result<Self, LabelError> {
        let row = |path: &str| {
            let mut folders = path.rsplit('/').skip(1).map(str::to_owned);
            match (folders.next(), folders.next(), folders.next()) {
                (Some(inner), Some(outer), Some(_root)) => Some((path.to_owned(), outer, inner)),
                (Some(inner), _, _) => Some((path.to_owned(), inner, String::new())),
                (None, _, _) => None,
            }
        };
        let rows: Vec<_> = paths.filter_map(row).collect();
        if rows.is_empty() { Err(LabelError::Folders) } else { Self::of_rows(rows) }
    }

    /// Makes labels from rows: a file, its class, and its nuisance or an empty text.
    fn of_rows(rows: Vec<(String, String, String)>) -> Result<Self, LabelError> {
        let classes = two("class", rows.iter().map(|(_, class, _)| class))?;
        let is_told = rows.iter().all(|(.., nuisance)| !nuisance.is_empty());
        let nuisances =
            is_told.then(|| two("nuisance", rows.iter().map(|(.., nuisance)| nuisance))).transpose()?;
        let place = |values: &[String; 2], value: &str| usize::from(values[1] == value);
        let files = rows
            .into_iter()
            .map(|(file, class, nuisance)| {
                let nuisance = nuisances.as_ref().map(|values| place(values, &nuisance));
                (file, place(&classes, &class), nuisance)
            })
            .collect();
        Ok(Self { classes, nuisances, files })
    }

    /// Returns the pictures that have a label. `names` are the names of the gallery's pictures. Their paths may be
    /// shorter or longer than the paths of the labels.
    pub fn pictures<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<LabelledPicture> {
        let mut by_name: BTreeMap<&str, Vec<&LabelledFile>> = BTreeMap::new();
        for file in &self.files {
            by_name.entry(last_of(&file.0)).or_default().push(file);
        }
        let labelled = |(picture, name): (usize, &str)| {
            let same = |(path, ..): &&&LabelledFile| ends_with(name, path) || ends_with(path, name);
            let (_, class, nuisance) = by_name.get(last_of(name))?.iter().find(same)?;
            Some(LabelledPicture { picture, class: *class, nuisance: *nuisance })
        };
        names.enumerate().filter_map(labelled).collect()
    }
}

/// Returns the two values of a column, sorted.
fn two<'a>(what: &'static str, values: impl Iterator<Item = &'a String>) -> Result<[String; 2], LabelError> {
    let values: BTreeSet<&String> = values.collect();
    let found = values.len();
    let two: Result<[&String; 2], _> = values.into_iter().collect::<Vec<_>>().try_into();
    two.map(|two| two.map(String::clone)).map_err(|_other| LabelError::Values { what, found })
}

fn last_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Returns whether a path ends with another path, compared by whole names.
fn ends_with(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|start| start.is_empty() || start.ends_with('/'))
}

/// Returns the cells of a line; a cell in quotes may contain the separator.
fn cells(line: &str, separator: char) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            _ if letter == separator && !is_quoted => cells.push(String::new()),
            _ => cells.last_mut().into_iter().for_each(|cell| cell.push(letter)),
        }
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(labels: &Labels, names: &[&str]) -> Vec<(usize, usize, Option<usize>)> {
        let pictures = labels.pictures(names.iter().copied());
        pictures.iter().map(|of| (of.picture, of.class, of.nuisance)).collect()
    }

    #[test]
    fn waterbirds_table_is_read_as_it_is() {
        let table = "img_id,img_filename,y,split,place,place_filename\n1,a/1.jpg,0,0,1,x\n2,b/1.jpg,1,0,0,y\n";
        let labels = Labels::of_table(table).unwrap();
        assert_eq!(labels.classes, ["land bird", "water bird"]);
        assert_eq!(labels.nuisances, Some(["land".to_owned(), "water".to_owned()]));
        // The same file name is in two folders; one picture has no label; the paths are longer than in the table.
        let found = pairs(&labels, &["birds/b/1.jpg", "birds/c/1.jpg", "birds/a/1.jpg"]);
        assert_eq!(found, [(0, 1, Some(0)), (2, 0, Some(1))]);
    }

    #[test]
    fn quotes_tabs_and_missing_nuisances() {
        let labels = Labels::of_table("file\tclass\n\"one\ttwo.png\"\tred\nb.png\tblue\n").unwrap();
        assert_eq!((labels.classes.clone(), labels.nuisances.clone()), (["blue".into(), "red".into()], None));
        assert_eq!(pairs(&labels, &["b.png", "folder/one\ttwo.png"]), [(0, 0, None), (1, 1, None)]);
    }

    #[test]
    fn folders_name_class_and_nuisance() {
        let paths = ["all/red/dark/1.png", "all/red/light/2.png", "all/blue/dark/1.png"];
        let labels = Labels::of_folders(paths.into_iter()).unwrap();
        assert_eq!(labels.nuisances, Some(["dark".to_owned(), "light".to_owned()]));
        assert_eq!(pairs(&labels, &paths), [(0, 1, Some(0)), (1, 1, Some(1)), (2, 0, Some(0))]);
        let plain = Labels::of_folders(["all/red/1.png", "all/blue/2.png"].into_iter()).unwrap();
        assert_eq!(plain.nuisances, None);
    }

    #[test]
    fn a_table_without_two_labels_is_refused() {
        let refusal = |table: &str| Labels::of_table(table).unwrap_err().to_string();
        assert!(refusal("").contains("file names: call it “img_filename”"), "{}", refusal(""));
        assert!(refusal("file,size\na,1").contains("no column for the class"));
        assert!(refusal("file,class\na,x\nb,y\nc,z").contains("has 3 values"));
        assert_eq!(Labels::of_folders(["a.png"].into_iter()), Err(LabelError::Folders));
    }
}
