//! Pictures with captions, from a folder or a table.
//!
//! | place | a picture's captions are |
//! |---|---|
//! | a table, or a folder with `captions.tsv` | what its lines say: `file<TAB>caption<TAB>...`; or, where a first line names columns with `file` among them, those called `caption`, `text` or `label` |
//! | any other folder | the lines of the `.txt` of the picture's name beside it |

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::cli::{CliError, pictures};

const TABLE: &str = "captions.tsv";
const CAPTION_COLUMNS: [&str; 3] = ["caption", "text", "label"];

/// Pictures and different captions, and which belong together.
#[derive(Debug, Default)]
pub struct Captioned {
    pub pictures: Vec<PathBuf>,
    pub captions: Vec<String>,
    /// (picture, caption)
    pub pairs: Vec<(usize, usize)>,
}

impl Captioned {
    /// Finds the pictures of `place`.
    ///
    /// # Errors
    /// [`CliError::Data`] says which file has no captions, or which line does not fit.
    pub fn find(place: &Path) -> Result<Self, CliError> {
        let table = if place.is_dir() { place.join(TABLE) } else { place.to_owned() };
        if table.is_file() { of_table(&table) } else { of_folder(place) }
    }

    fn add(&mut self, places: &mut Places, picture: PathBuf, caption: &str) {
        let caption = caption.split_whitespace().collect::<Vec<_>>().join(" ");
        if caption.is_empty() {
            return;
        }
        let of_picture = *places.pictures.entry(picture).or_insert_with_key(|picture| {
            self.pictures.push(picture.clone());
            self.pictures.len() - 1
        });
        let of_caption = *places.captions.entry(caption).or_insert_with_key(|caption| {
            self.captions.push(caption.clone());
            self.captions.len() - 1
        });
        if places.pairs.insert((of_picture, of_caption)) {
            self.pairs.push((of_picture, of_caption));
        }
    }
}

/// Where pictures and captions that were seen already are.
#[derive(Default)]
struct Places {
    pictures: HashMap<PathBuf, usize>,
    captions: HashMap<String, usize>,
    pairs: std::collections::HashSet<(usize, usize)>,
}

fn of_table(path: &Path) -> Result<Captioned, CliError> {
    let wrong = |reason: String| CliError::Data { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(CliError::io("read", path))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    let columns = lines.peek().and_then(|(_, line)| Columns::of_heading(line));
    if columns.is_some() {
        lines.next();
    }
    let columns = columns.unwrap_or(Columns { file: 0, captions: None });
    if columns.captions.as_ref().is_some_and(Vec::is_empty) {
        let names = CAPTION_COLUMNS.join(", ");
        return Err(wrong(format!("its first line names no column of captions (one of {names})")));
    }
    let (mut found, mut places) = (Captioned::default(), Places::default());
    for (number, line) in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let unfit = || wrong(format!("line {} has no caption: write file, tab, caption", number + 1));
        let file = fields.get(columns.file).map(|file| file.trim()).filter(|file| !file.is_empty());
        let picture = folder.join(file.ok_or_else(unfit)?);
        let captions: Vec<&str> = match &columns.captions {
            Some(columns) => columns.iter().filter_map(|column| fields.get(*column).copied()).collect(),
            None => fields.iter().skip(1).copied().collect(),
        };
        if captions.iter().all(|caption| caption.trim().is_empty()) {
            return Err(unfit());
        }
        captions.into_iter().for_each(|caption| found.add(&mut places, picture.clone(), caption));
    }
    if found.pairs.is_empty() {
        return Err(wrong("it holds no line".to_owned()));
    }
    Ok(found)
}

/// Which columns hold what.
struct Columns {
    file: usize,
    /// None: all after the first.
    captions: Option<Vec<usize>>,
}

impl Columns {
    /// The columns that a first line names; none where it is no heading.
    fn of_heading(line: &str) -> Option<Self> {
        let names: Vec<String> = line.split('\t').map(|name| name.trim().to_lowercase()).collect();
        let file = names.iter().position(|name| name == "file")?;
        let is_caption = |name: &String| CAPTION_COLUMNS.contains(&name.as_str());
        let captions = names.iter().enumerate().filter(|(_, name)| is_caption(name)).map(|(column, _)| column);
        Some(Self { file, captions: Some(captions.collect()) })
    }
}

fn of_folder(folder: &Path) -> Result<Captioned, CliError> {
    let (mut found, mut places) = (Captioned::default(), Places::default());
    for picture in pictures::beneath(folder)? {
        let captions = picture.with_extension("txt");
        if captions.is_file() {
            let text = std::fs::read_to_string(&captions).map_err(CliError::io("read", &captions))?;
            text.lines().for_each(|caption| found.add(&mut places, picture.clone(), caption));
        }
    }
    if found.pairs.is_empty() {
        let reason =
            format!("it has neither {TABLE} (file, tab, caption) nor a .txt with captions beside any picture");
        return Err(CliError::Data { path: folder.to_owned(), reason });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("headlamp-pairs-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn table(&self, text: &str) -> Result<Captioned, CliError> {
            let path = self.0.join("pairs.tsv");
            std::fs::write(&path, text).unwrap();
            Captioned::find(&path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn tables_with_and_without_a_heading() {
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
    fn a_folder_has_captions_beside_its_pictures() {
        let folder = Folder::new("beside");
        for (name, text) in [("a.png", ""), ("a.txt", "a cat\na tabby\n"), ("b.png", "")] {
            std::fs::write(folder.0.join(name), text).unwrap();
        }
        let found = Captioned::find(&folder.0).unwrap();
        assert_eq!((found.pictures.len(), found.captions.len()), (1, 2));
        std::fs::remove_file(folder.0.join("a.txt")).unwrap();
        assert!(Captioned::find(&folder.0).unwrap_err().to_string().contains("captions.tsv"));
    }
}
