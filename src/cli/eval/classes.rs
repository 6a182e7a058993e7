//! Labelled pictures: which layouts are read.
//!
//! | in DIR | a picture's class is |
//! |---|---|
//! | `labels.tsv` | what the line says: `file<TAB>class`, or the columns `file` and `label` of a first line that names them |
//! | folders, one a class | its folder's name (ImageNet: the WordNet id) |
//!
//! Classes and their names come from `--classes FILE`, else from DIR's `classes.tsv` or `classnames.txt`: one a
//! line, `id<TAB>name` or the name alone. Names alone go with the folders sorted by name, which is ImageNet's
//! own order. Without such a file labels are their own names.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::checkpoint::pack::sha256_hex;
use crate::cli::{CliError, inputs, pictures};

const LABELS: &str = "labels.tsv";
const CLASS_FILES: [&str; 2] = ["classes.tsv", "classnames.txt"];

/// A data set of labelled pictures.
#[derive(Debug)]
pub struct Labelled {
    /// The classes' names.
    pub classes: Vec<String>,
    pub pictures: Vec<Picture>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub path: PathBuf,
    /// Its path in the data set, with `/`.
    pub name: String,
    /// Its place among the classes.
    pub class: usize,
}

/// A class file.
struct Classes {
    path: PathBuf,
    /// Where the file has them.
    ids: Option<Vec<String>>,
    names: Vec<String>,
}

impl Labelled {
    /// SHA-256 of which picture is of which class.
    pub fn hash(&self) -> String {
        let lines = self.pictures.iter().map(|picture| format!("{}\t{}\n", picture.name, picture.class));
        sha256_hex(lines.collect::<String>().as_bytes())
    }

    /// Finds the pictures of `data`; `classes` is a class file that the user named.
    ///
    /// # Errors
    /// [`CliError::Data`] names the file and the line that does not fit.
    pub fn find(data: &Path, classes: Option<&Path>) -> Result<Self, CliError> {
        let classes = Classes::find(data, classes)?;
        if data.join(LABELS).is_file() { flat(data, classes) } else { in_folders(data, classes) }
    }
}

/// The names in a class file that the user named, or that lies in `data`.
///
/// # Errors
/// [`CliError::Data`] where there is none.
pub fn class_names(data: &Path, classes: Option<&Path>) -> Result<Vec<String>, CliError> {
    let missing = "the names of the classes are missing: give them as --classes, one a line";
    let classes = Classes::find(data, classes)?.ok_or_else(|| wrong(data, missing))?;
    Ok(classes.names)
}

impl Classes {
    fn find(data: &Path, named: Option<&Path>) -> Result<Option<Self>, CliError> {
        let own = || CLASS_FILES.iter().map(|name| data.join(name)).find(|path| path.is_file());
        match named.map(Path::to_owned).or_else(own) {
            Some(path) => Self::read(path).map(Some),
            None => Ok(None),
        }
    }

    fn read(path: PathBuf) -> Result<Self, CliError> {
        let text = text_of(&path)?;
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let split: Vec<Option<(&str, &str)>> = lines.iter().map(|line| line.split_once('\t')).collect();
        let owned = |text: &str| text.trim().to_owned();
        if lines.is_empty() {
            return Err(wrong(&path, "it holds no class"));
        }
        if split.iter().all(Option::is_none) {
            return Ok(Self { path, ids: None, names: lines.into_iter().map(owned).collect() });
        }
        if let Some(line) = split.iter().position(Option::is_none) {
            let reason = format!("\u{201c}{}\u{201d} has a name and no id: write id, tab, name", lines[line]);
            return Err(wrong(&path, &reason));
        }
        let (ids, names) = split.into_iter().flatten().map(|(id, name)| (owned(id), owned(name))).unzip();
        Ok(Self { path, ids: Some(ids), names })
    }
}

/// One folder for each class.
fn in_folders(data: &Path, classes: Option<Classes>) -> Result<Labelled, CliError> {
    let folders = pictures::folders(data)?;
    let ids: Vec<String> = folders.iter().map(|folder| file_name(folder)).collect();
    if ids.is_empty() {
        let reason = format!("it has neither folders of pictures, one a class, nor {LABELS}");
        return Err(wrong(data, &reason));
    }
    let names = match classes {
        Some(Classes { ids: Some(known), names, .. }) => {
            let places = places(&known);
            let class_of = |id: &String| places.get(id.as_str()).copied();
            return collect(folders.iter().zip(ids.iter().map(class_of)), data, names);
        }
        Some(Classes { path, names, .. }) if names.len() != ids.len() => {
            let reason = format!(
                "it names {} classes, and {} has {} folders: write id, tab, name instead",
                names.len(),
                data.display(),
                ids.len()
            );
            return Err(wrong(&path, &reason));
        }
        Some(Classes { names, .. }) => names,
        None if ids.iter().all(|id| is_wordnet_id(id)) => {
            let reason =
                "its folders are WordNet ids: give the classes' names as --classes, id, tab, name, one a line";
            return Err(wrong(data, reason));
        }
        None => ids,
    };
    collect(folders.iter().zip((0..names.len()).map(Some)), data, names)
}

/// The pictures of each folder; folders of no known class are left out.
fn collect<'a>(
    folders: impl Iterator<Item = (&'a PathBuf, Option<usize>)>,
    data: &Path,
    classes: Vec<String>,
) -> Result<Labelled, CliError> {
    let mut found = Vec::new();
    for (folder, class) in folders {
        let Some(class) = class else { continue };
        let of_class = match pictures::beneath(folder) {
            Err(CliError::NoPictures(_)) => continue,
            of_class => of_class?,
        };
        found.extend(of_class.into_iter().map(|path| Picture {
            name: pictures::name_in(data, &path),
            path,
            class,
        }));
    }
    if found.is_empty() {
        return Err(wrong(data, "none of its folders is of a class that the class file names"));
    }
    Ok(Labelled { classes, pictures: found })
}

/// Pictures beside a list of labels.
fn flat(data: &Path, classes: Option<Classes>) -> Result<Labelled, CliError> {
    let path = data.join(LABELS);
    let text = text_of(&path)?;
    let rows = rows(&path, &text)?;
    let (names, class_of): (Vec<String>, HashMap<String, usize>) = match classes {
        None => {
            let distinct: BTreeSet<&str> = rows.iter().map(|(_file, label)| *label).collect();
            let names: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
            let places = places(&names).into_iter().map(|(name, place)| (name.to_owned(), place)).collect();
            (names, places)
        }
        Some(Classes { ids, names, .. }) => {
            // A label is an id, a name, or the class's place, counted from 0.
            let mut places: HashMap<String, usize> =
                (0..names.len()).map(|place| (place.to_string(), place)).collect();
            let named = ids.iter().flatten().zip(0..).chain(names.iter().zip(0..));
            places.extend(named.map(|(label, place)| (label.clone(), place)));
            (names, places)
        }
    };
    let pictures = rows.into_iter().map(|(file, label)| {
        let class = class_of.get(label).copied();
        let class = class.ok_or_else(|| wrong(&path, &format!("no class is called \u{201c}{label}\u{201d}")))?;
        Ok(Picture { path: data.join(file), name: file.to_owned(), class })
    });
    Ok(Labelled { pictures: pictures.collect::<Result<_, CliError>>()?, classes: names })
}

/// File and label of every line.
fn rows<'a>(path: &Path, text: &'a str) -> Result<Vec<(&'a str, &'a str)>, CliError> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    let (mut file, mut label) = (0, 1);
    if let Some(first) = lines.peek() {
        let names: Vec<&str> = first.split('\t').map(str::trim).collect();
        let column = |wanted: &str| names.iter().position(|name| *name == wanted);
        if let Some(found) = column("file") {
            let reason = "its first line names a column `file`, and none is called `label`";
            (file, label) = (found, column("label").ok_or_else(|| wrong(path, reason))?);
            lines.next();
        }
    }
    let row = |line: &'a str| {
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let pair = cells.get(file).copied().zip(cells.get(label).copied());
        pair.ok_or_else(|| wrong(path, &format!("\u{201c}{line}\u{201d} is not file, tab, class")))
    };
    lines.map(row).collect()
}

/// Where each of `names` stands, the first of equal ones.
fn places(names: &[String]) -> HashMap<&str, usize> {
    names.iter().enumerate().rev().map(|(place, name)| (name.as_str(), place)).collect()
}

fn is_wordnet_id(name: &str) -> bool {
    name.strip_prefix('n').is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn text_of(path: &Path) -> Result<String, CliError> {
    Ok(String::from_utf8_lossy(&inputs::read(path)?).into_owned())
}

fn wrong(path: &Path, reason: &str) -> CliError {
    CliError::Data { path: path.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new folder with files of these contents.
    fn data(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("headlamp-classes-{name}-{}", std::process::id()));
        let _none = std::fs::remove_dir_all(&folder);
        for (file, text) in files {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn found(folder: &Path) -> (Vec<String>, Vec<(String, usize)>) {
        let Labelled { classes, pictures } = Labelled::find(folder, None).unwrap();
        (classes, pictures.into_iter().map(|picture| (picture.name, picture.class)).collect())
    }

    fn refused(folder: &Path) -> String {
        Labelled::find(folder, None).unwrap_err().to_string()
    }

    #[test]
    fn folders_with_ids_and_names() {
        let classes = ("classes.tsv", "n00000002\ta tench\nn00000001\ta goldfish\n");
        let folder =
            data("ids", &[classes, ("n00000001/b.png", ""), ("n00000002/a.png", ""), ("other/c.png", "")]);
        let expected =
            [("n00000001/b.png", 1), ("n00000002/a.png", 0)].map(|(name, class)| (name.to_owned(), class));
        assert_eq!(found(&folder), (vec!["a tench".into(), "a goldfish".into()], expected.to_vec()));
    }

    #[test]
    fn folders_with_names_in_their_order() {
        let pictures = [("n00000001/b.png", ""), ("n00000002/a.png", "")];
        let folder = data("names", &[&pictures[..], &[("classnames.txt", "tench\ngoldfish\n")]].concat());
        assert_eq!(found(&folder).1, [("n00000001/b.png".into(), 0), ("n00000002/a.png".into(), 1)]);
        let folder = data("too-few", &[&pictures[..], &[("classnames.txt", "tench\n")]].concat());
        assert!(refused(&folder).contains("2 folders"));
        assert!(refused(&data("nameless", &pictures)).contains("--classes"));
    }

    #[test]
    fn flat_with_and_without_a_line_that_names_columns() {
        let folder = data("columns", &[("labels.tsv", "file\tset\tlabel\na.png\tx\tdog\nb.png\ty\tcat\n")]);
        let (classes, pictures) = found(&folder);
        assert_eq!(classes, ["cat", "dog"]);
        assert_eq!(pictures, [("a.png".into(), 1), ("b.png".into(), 0)]);
        let labels = ("labels.tsv", "a.png\tn1\nb.png\t0\nc.png\ta cat\n");
        let folder = data("flat", &[labels, ("classes.tsv", "n0\ta cat\nn1\ta dog\n")]);
        assert_eq!(found(&folder).1.into_iter().map(|(_name, class)| class).collect::<Vec<_>>(), [1, 0, 0]);
        let folder = data("unknown", &[("labels.tsv", "a.png\tn9\n"), ("classes.tsv", "n0\ta cat\n")]);
        assert!(refused(&folder).contains("n9"));
    }
}
