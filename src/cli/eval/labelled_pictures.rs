//! Labelled pictures, in one of two layouts.
//!
//! | in DIR | the class of a picture |
//! |---|---|
//! | `labels.tsv` | the label in the picture's line: `file<TAB>class`, or the columns `file` and `label` if the first line names them |
//! | a folder for each class | the folder's name (ImageNet: the WordNet id) |
//!
//! Classes and their names come from `--classes FILE`, else from `classes.tsv` or `classnames.txt` in DIR. Each line is
//! `id<TAB>name` or the name alone. Names alone belong to the folders sorted by name, which is ImageNet's own order.
//! Without such a file, the labels are the names.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::checkpoint::pack::sha256_hex;
use crate::cli::error::CliError;
use crate::cli::table::{self, Separator};
use crate::cli::{inputs, pictures};

const LABELS: &str = "labels.tsv";
const CLASS_FILES: [&str; 2] = ["classes.tsv", "classnames.txt"];

/// A data set of labelled pictures.
#[derive(Debug)]
pub struct LabelledPictures {
    /// The names of the classes.
    pub classes: Vec<String>,
    pub pictures: Vec<LabelledPicture>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledPicture {
    pub path: PathBuf,
    /// Path relative to the data set, with `/`.
    pub name: String,
    /// Index of the class.
    pub class: usize,
}

/// The contents of a class file.
struct ClassFile {
    path: PathBuf,
    /// `None` if the lines hold names alone.
    ids: Option<Vec<String>>,
    names: Vec<String>,
}

impl LabelledPictures {
    /// Computes the SHA-256 of all names and classes.
    pub fn hash(&self) -> String {
        let lines = self.pictures.iter().map(|picture| format!("{}\t{}\n", picture.name, picture.class));
        sha256_hex(lines.collect::<String>().as_bytes())
    }

    /// Finds the labelled pictures of `data`; `class_file` is the class file that the user named.
    ///
    /// # Errors
    /// [`CliError::Data`] names the file, and the line that is wrong.
    pub fn find(data: &Path, class_file: Option<&Path>) -> Result<Self, CliError> {
        let classes = ClassFile::find(data, class_file)?;
        if data.join(LABELS).is_file() { from_label_list(data, classes) } else { from_folders(data, classes) }
    }
}

/// Reads the names of the classes from the class file that the user named, or from the class file in `data`.
///
/// # Errors
/// [`CliError::Data`] if there is no class file.
pub fn class_names(data: &Path, class_file: Option<&Path>) -> Result<Vec<String>, CliError> {
    let missing = "the names of the classes are missing: give them as --classes, one per line";
    let classes = ClassFile::find(data, class_file)?.ok_or_else(|| CliError::data(data, missing))?;
    Ok(classes.names)
}

impl ClassFile {
    fn find(data: &Path, named: Option<&Path>) -> Result<Option<Self>, CliError> {
        let own = || CLASS_FILES.iter().map(|name| data.join(name)).find(|path| path.is_file());
        match named.map(Path::to_owned).or_else(own) {
            Some(path) => Self::read(path).map(Some),
            None => Ok(None),
        }
    }

    fn read(path: PathBuf) -> Result<Self, CliError> {
        let rows = table::rows(&inputs::read_lossy(&path)?, Separator::Tab);
        if rows.is_empty() {
            return Err(CliError::data(&path, "the file holds no class"));
        }
        if rows.iter().all(|row| row.fields.len() == 1) {
            return Ok(Self { path, ids: None, names: rows.into_iter().flat_map(|row| row.fields).collect() });
        }
        // A name may contain tabs.
        let class = |row: &table::TableRow| match row.fields.as_slice() {
            [id, name @ ..] if !name.is_empty() => Ok((id.clone(), name.join("\t"))),
            fields => {
                let reason =
                    format!("\u{201c}{}\u{201d} has a name and no id: write id, tab, name", fields.concat());
                Err(CliError::data(&path, reason))
            }
        };
        let classes = rows.iter().map(class).collect::<Result<Vec<_>, _>>()?;
        let (ids, names) = classes.into_iter().unzip();
        Ok(Self { path, ids: Some(ids), names })
    }
}

/// Finds the pictures of a data set that has one folder for each class.
fn from_folders(data: &Path, classes: Option<ClassFile>) -> Result<LabelledPictures, CliError> {
    let folders = pictures::folders(data)?;
    let ids: Vec<String> = folders.iter().map(|folder| file_name(folder)).collect();
    if ids.is_empty() {
        let reason = format!("the folder has neither a folder of pictures for each class, nor {LABELS}");
        return Err(CliError::data(data, reason));
    }
    let names = match classes {
        Some(ClassFile { ids: Some(known), names, .. }) => {
            let indices = indices(&known);
            let class_of = |id: &String| indices.get(id.as_str()).copied();
            return collect(folders.iter().zip(ids.iter().map(class_of)), data, names);
        }
        Some(ClassFile { path, names, .. }) if names.len() != ids.len() => {
            let reason = format!(
                "the file names {} classes, but {} has {} folders: write id, tab, name instead",
                names.len(),
                data.display(),
                ids.len()
            );
            return Err(CliError::data(&path, reason));
        }
        Some(ClassFile { names, .. }) => names,
        None if ids.iter().all(|id| is_wordnet_id(id)) => {
            let reason = "the folders are WordNet ids: give the names of the classes as --classes (id, tab, name; one per line)";
            return Err(CliError::data(data, reason));
        }
        None => ids,
    };
    collect(folders.iter().zip((0..names.len()).map(Some)), data, names)
}

/// Collects the pictures of each folder. Folders without a known class are left out.
fn collect<'a>(
    folders: impl Iterator<Item = (&'a PathBuf, Option<usize>)>,
    data: &Path,
    classes: Vec<String>,
) -> Result<LabelledPictures, CliError> {
    let mut labelled = Vec::new();
    for (folder, class) in folders {
        let Some(class) = class else { continue };
        let of_class = match pictures::in_all_folders(folder) {
            Err(CliError::NoPictures(_)) => continue,
            of_class => of_class?,
        };
        labelled.extend(of_class.into_iter().map(|path| LabelledPicture {
            name: pictures::name_in(data, &path),
            path,
            class,
        }));
    }
    if labelled.is_empty() {
        return Err(CliError::data(data, "no folder with pictures belongs to a class of the class file"));
    }
    Ok(LabelledPictures { classes, pictures: labelled })
}

/// Finds the pictures of a data set that has a list of labels.
fn from_label_list(data: &Path, classes: Option<ClassFile>) -> Result<LabelledPictures, CliError> {
    let path = data.join(LABELS);
    let labels = read_labels(&path)?;
    let (names, class_of): (Vec<String>, HashMap<String, usize>) = match classes {
        None => {
            let distinct: BTreeSet<&String> = labels.iter().map(|(_file, label)| label).collect();
            let names: Vec<String> = distinct.into_iter().cloned().collect();
            let indices = indices(&names).into_iter().map(|(name, index)| (name.to_owned(), index)).collect();
            (names, indices)
        }
        Some(ClassFile { ids, names, .. }) => {
            // A label is an id, a name, or the index of the class.
            let mut indices: HashMap<String, usize> =
                (0..names.len()).map(|index| (index.to_string(), index)).collect();
            let named = ids.iter().flatten().zip(0..).chain(names.iter().zip(0..));
            indices.extend(named.map(|(label, index)| (label.clone(), index)));
            (names, indices)
        }
    };
    let pictures = labels.into_iter().map(|(name, label)| {
        let unknown = || CliError::data(&path, format!("there is no class \u{201c}{label}\u{201d}"));
        let class = class_of.get(&label).copied().ok_or_else(unknown)?;
        Ok(LabelledPicture { path: data.join(&name), name, class })
    });
    Ok(LabelledPictures { pictures: pictures.collect::<Result<_, CliError>>()?, classes: names })
}

/// Reads the file and the label of every line.
fn read_labels(path: &Path) -> Result<Vec<(String, String)>, CliError> {
    let mut rows = table::rows(&inputs::read_lossy(path)?, Separator::Tab);
    let (mut file, mut label) = (0, 1);
    if let Some(first) = rows.first()
        && let Some(column) = first.column("file")
    {
        let reason = "the first line names a column `file`, but no column `label`";
        (file, label) = (column, first.column("label").ok_or_else(|| CliError::data(path, reason))?);
        rows.remove(0);
    }
    let labelled = |row: table::TableRow| match (row.field(file), row.field(label)) {
        (Some(file), Some(label)) => Ok((file.to_owned(), label.to_owned())),
        _ => {
            let line = row.fields.join("\t");
            Err(CliError::data(path, format!("\u{201c}{line}\u{201d} is not file, tab, class")))
        }
    };
    rows.into_iter().map(labelled).collect()
}

/// Returns the index of each name. Among equal names, the first counts.
fn indices(names: &[String]) -> HashMap<&str, usize> {
    names.iter().enumerate().rev().map(|(index, name)| (name.as_str(), index)).collect()
}

fn is_wordnet_id(name: &str) -> bool {
    name.strip_prefix('n').is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a new folder with these files.
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

    fn find(folder: &Path) -> (Vec<String>, Vec<(String, usize)>) {
        let LabelledPictures { classes, pictures } = LabelledPictures::find(folder, None).unwrap();
        (classes, pictures.into_iter().map(|picture| (picture.name, picture.class)).collect())
    }

    fn refusal(folder: &Path) -> String {
        LabelledPictures::find(folder, None).unwrap_err().to_string()
    }

    #[test]
    fn ids_in_the_class_file_name_the_folders() {
        let classes = ("classes.tsv", "n00000002\ta tench\nn00000001\ta goldfish\n");
        let folder =
            data("ids", &[classes, ("n00000001/b.png", ""), ("n00000002/a.png", ""), ("other/c.png", "")]);
        let expected =
            [("n00000001/b.png", 1), ("n00000002/a.png", 0)].map(|(name, class)| (name.to_owned(), class));
        assert_eq!(find(&folder), (vec!["a tench".into(), "a goldfish".into()], expected.to_vec()));
    }

    #[test]
    fn names_alone_belong_to_the_sorted_folders() {
        let pictures = [("n00000001/b.png", ""), ("n00000002/a.png", "")];
        let folder = data("names", &[&pictures[..], &[("classnames.txt", "tench\ngoldfish\n")]].concat());
        assert_eq!(find(&folder).1, [("n00000001/b.png".into(), 0), ("n00000002/a.png".into(), 1)]);
        let folder = data("too-few", &[&pictures[..], &[("classnames.txt", "tench\n")]].concat());
        assert!(refusal(&folder).contains("2 folders"));
        assert!(refusal(&data("nameless", &pictures)).contains("--classes"));
    }

    #[test]
    fn label_lists_with_and_without_column_names() {
        let folder = data("columns", &[("labels.tsv", "file\tset\tlabel\na.png\tx\tdog\nb.png\ty\tcat\n")]);
        let (classes, pictures) = find(&folder);
        assert_eq!(classes, ["cat", "dog"]);
        assert_eq!(pictures, [("a.png".into(), 1), ("b.png".into(), 0)]);
        let labels = ("labels.tsv", "a.png\tn1\nb.png\t0\nc.png\ta cat\n");
        let folder = data("flat", &[labels, ("classes.tsv", "n0\ta cat\nn1\ta dog\n")]);
        assert_eq!(find(&folder).1.into_iter().map(|(_name, class)| class).collect::<Vec<_>>(), [1, 0, 0]);
        let folder = data("unknown", &[("labels.tsv", "a.png\tn9\n"), ("classes.tsv", "n0\ta cat\n")]);
        assert!(refusal(&folder).contains("n9"));
    }
}
