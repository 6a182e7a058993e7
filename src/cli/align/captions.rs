//! Pictures with captions, from a folder or a table.
//!
//! | PAIRS | the captions of a picture |
//! |---|---|
//! | a table, or a folder with `captions.tsv` | the fields of its line: `file<TAB>caption<TAB>...`; if the first line names columns and one is `file`, the columns `caption`, `text` and `label` |
//! | any other folder | the lines of the `.txt` file beside the picture that has its name |

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::cli::pictures;
use crate::cli::table::{self, Separator, TableRow};

const TABLE: &str = "captions.tsv";
const CAPTION_COLUMNS: [&str; 3] = ["caption", "text", "label"];

/// Distinct pictures and distinct captions, and the pairs of them.
#[derive(Debug, Default)]
pub struct CaptionedPictures {
    pub pictures: Vec<PathBuf>,
    pub captions: Vec<String>,
    /// Indices of a picture and of its caption.
    pub pairs: Vec<(usize, usize)>,
}

impl CaptionedPictures {
    /// Reads the pictures and captions of a table or a folder.
    ///
    /// # Errors
    /// [`CliError::Data`] names the file without captions, or the wrong line.
    pub fn find(path: &Path) -> Result<Self, CliError> {
        let table = if path.is_dir() { path.join(TABLE) } else { path.to_owned() };
        if table.is_file() { from_table(&table) } else { from_folder(path) }
    }

    /// Adds a pair, unless it is there already.
    fn add(&mut self, known: &mut KnownPairs, picture: PathBuf, caption: &str) {
        let caption = caption.split_whitespace().collect::<Vec<_>>().join(" ");
        if caption.is_empty() {
            return;
        }
        let of_picture = *known.pictures.entry(picture).or_insert_with_key(|picture| {
            self.pictures.push(picture.clone());
            self.pictures.len() - 1
        });
        let of_caption = *known.captions.entry(caption).or_insert_with_key(|caption| {
            self.captions.push(caption.clone());
            self.captions.len() - 1
        });
        if known.pairs.insert((of_picture, of_caption)) {
            self.pairs.push((of_picture, of_caption));
        }
    }
}

/// The indices of the pictures and captions so far.
#[derive(Default)]
struct KnownPairs {
    pictures: HashMap<PathBuf, usize>,
    captions: HashMap<String, usize>,
    pairs: HashSet<(usize, usize)>,
}

fn from_table(path: &Path) -> Result<CaptionedPictures, CliError> {
    let text = std::fs::read_to_string(path).map_err(CliError::io("read", path))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut rows = table::rows(&text, Separator::Tab);
    let columns = rows.first().and_then(CaptionColumns::of_heading);
    if columns.is_some() {
        rows.remove(0);
    }
    let columns = columns.unwrap_or(CaptionColumns { file: 0, captions: None });
    if columns.captions.as_ref().is_some_and(Vec::is_empty) {
        let names = CAPTION_COLUMNS.join(", ");
        return Err(CliError::data(path, format!("the first line names no column of captions (one of {names})")));
    }
    let (mut captioned, mut known) = (CaptionedPictures::default(), KnownPairs::default());
    for row in &rows {
        let file = row.field(columns.file).filter(|file| !file.is_empty());
        let captions: Vec<&str> = match &columns.captions {
            Some(columns) => columns.iter().filter_map(|column| row.field(*column)).collect(),
            None => row.fields.iter().skip(1).map(String::as_str).collect(),
        };
        let Some(file) = file.filter(|_file| captions.iter().any(|caption| !caption.is_empty())) else {
            let reason = format!("line {} has no caption: write file, tab, caption", row.line);
            return Err(CliError::data(path, reason));
        };
        captions.into_iter().for_each(|caption| captioned.add(&mut known, folder.join(file), caption));
    }
    if captioned.pairs.is_empty() {
        return Err(CliError::data(path, "the file holds no line"));
    }
    Ok(captioned)
}

/// The columns of a table.
struct CaptionColumns {
    file: usize,
    /// `None` stands for all columns after the first.
    captions: Option<Vec<usize>>,
}

impl CaptionColumns {
    /// Reads the columns that the first line names; `None` if the line is no heading.
    fn of_heading(row: &TableRow) -> Option<Self> {
        let names: Vec<String> = row.fields.iter().map(|name| name.to_lowercase()).collect();
        let file = names.iter().position(|name| name == "file")?;
        let is_caption = |name: &String| CAPTION_COLUMNS.contains(&name.as_str());
        let captions = names.iter().enumerate().filter(|(_, name)| is_caption(name)).map(|(column, _)| column);
        Some(Self { file, captions: Some(captions.collect()) })
    }
}

fn from_folder(folder: &Path) -> Result<CaptionedPictures, CliError> {
    let (mut captioned, mut known) = (CaptionedPictures::default(), KnownPairs::default());
    for picture in pictures::in_all_folders(folder)? {
        let captions = picture.with_extension("txt");
        if captions.is_file() {
            let text = std::fs::read_to_string(&captions).map_err(CliError::io("read", &captions))?;
            text.lines().for_each(|caption| captioned.add(&mut known, picture.clone(), caption));
        }
    }
    if captioned.pairs.is_empty() {
        let reason = format!(
            "the folder has neither {TABLE} (file, tab, caption) nor a .txt with captions beside a picture"
        );
        return Err(CliError::data(folder, reason));
    }
    Ok(captioned)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("headlamp-captions-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn table(&self, text: &str) -> Result<CaptionedPictures, CliError> {
            let path = self.0.join("pairs.tsv");
            std::fs::write(&path, text).unwrap();
            CaptionedPictures::find(&path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn tables_with_and_without_column_names() {
        let folder = Folder::new("tables");
        let found = folder.table("a.png\ta cat\ta  tabby\nb.png\ta cat\na.png\ta cat\n").unwrap();
        assert_eq!(found.captions, ["a cat", "a tabby"]);
        assert_eq!(found.pairs, [(0, 0), (0, 1), (1, 0)]);
        assert_eq!(found.pictures[1], folder.0.join("b.png"));
        let found = folder.table("set\tfile\tlabel\ncoco\ta.png\ta cat\n").unwrap();
        assert_eq!((found.pictures.len(), found.captions[0].as_str()), (1, "a cat"));
    }

    #[test]
    fn lines_without_a_caption_are_named() {
        let folder = Folder::new("wrong");
        let said = |text: &str| folder.table(text).unwrap_err().to_string();
        assert!(said("a.png\ta cat\nb.png\n").contains("line 2"));
        assert!(said("\n").contains("no line"));
        assert!(said("file\tset\na.png\tcoco\n").contains("caption"));
    }

    #[test]
    fn captions_lie_beside_the_pictures_of_a_folder() {
        let folder = Folder::new("beside");
        for (name, text) in [("a.png", ""), ("a.txt", "a cat\na tabby\n"), ("b.png", "")] {
            std::fs::write(folder.0.join(name), text).unwrap();
        }
        let found = CaptionedPictures::find(&folder.0).unwrap();
        assert_eq!((found.pictures.len(), found.captions.len()), (1, 2));
        std::fs::remove_file(folder.0.join("a.txt")).unwrap();
        assert!(CaptionedPictures::find(&folder.0).unwrap_err().to_string().contains("captions.tsv"));
    }
}
