//! Finds which file of a crate imports which. Reads tokens, not text: comments and strings do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path of modules and names, from the root of the library.
type Names = Vec<String>;

/// One file of `src/`.
#[derive(Default)]
pub struct File {
    /// The file as one writes it: "src/model/mod.rs".
    pub path: String,
    /// The module that the file contains: `["model"]`. A program of `src/bin/` is `["bin", name]`.
    pub module: Names,
    /// The first names of all paths that lead out of the library.
    pub crates: BTreeSet<String>,
    /// The items that the file defines.
    items: BTreeSet<String>,
    /// Other modules' items that the file re-exports: the name, or "*" for all, and the item.
    exports: Vec<(String, Names)>,
    /// Names that `use` makes known in the file.
    aliases: BTreeMap<String, Names>,
    /// The paths that the file uses.
    paths: BTreeSet<Names>,
    /// Child modules that exist only in tests.
    test_modules: BTreeSet<String>,
}

/// An import, by the indices of its files.
pub struct Import {
    pub from: usize,
    pub to: usize,
    /// The path as the importing file means it: "crate::model::Vision".
    pub path: String,
}

/// All files of a crate, without those of unit tests.
pub struct Sources {
    pub files: Vec<File>,
    /// The index of each module's file.
    modules: BTreeMap<Names, usize>,
}

impl Sources {
    /// Reads the folder `src`.
    pub fn read(src: &Path) -> Self {
        let mut files = Vec::new();
        read_folder(src, &mut Vec::new(), &mut files);
        let modules: BTreeSet<Names> = files.iter().map(|(file, _)| file.module.clone()).collect();
        for (file, tokens) in &mut files {
            let (module, tokens) = (file.module.clone(), std::mem::take(tokens));
            Scan { file, modules: &modules }.items(&tokens, &module);
        }
        let mut files: Vec<File> = files.into_iter().map(|(file, _)| file).collect();
        let test_modules: Vec<Names> = files
            .iter()
            .flat_map(|file| {
                file.test_modules.iter().map(|name| [&file.module[..], std::slice::from_ref(name)].concat())
            })
            .collect();
        files.retain(|file| !test_modules.iter().any(|module| file.module.starts_with(module)));
        let modules = files.iter().enumerate().map(|(index, file)| (file.module.clone(), index)).collect();
        Self { files, modules }
    }

    /// Returns every import of one file by another, once.
    pub fn imports(&self) -> Vec<Import> {
        let mut found: BTreeMap<(usize, usize), String> = BTreeMap::new();
        for (from, file) in self.files.iter().enumerate() {
            for path in &file.paths {
                if let Some(to) = self.definition(path, 0).filter(|to| *to != from) {
                    found.entry((from, to)).or_insert_with(|| format!("crate::{}", path.join("::")));
                }
            }
        }
        found.into_iter().map(|((from, to), path)| Import { from, to, path }).collect()
    }

    /// Returns the file that defines the item at `path`. A module as such has no definition: importing its name imports
    /// nothing from its file.
    fn definition(&self, path: &[String], depth: usize) -> Option<usize> {
        if self.modules.contains_key(path) || depth > 8 {
            return None;
        }
        let (index, rest) = (0..path.len())
            .rev()
            .find_map(|length| Some((*self.modules.get(&path[..length])?, &path[length..])))?;
        let (file, name) = (&self.files[index], &rest[0]);
        if file.items.contains(name) {
            return Some(index);
        }
        for (exported, target) in &file.exports {
            if exported == name {
                return self.definition(&[target, &rest[1..]].concat(), depth + 1);
            }
            if exported == "*" {
                let inside = self.definition(&[&target[..target.len() - 1], rest].concat(), depth + 1);
                if inside.is_some_and(|inside| self.files[inside].items.contains(name)) {
                    return inside;
                }
            }
        }
        Some(index)
    }
}

/// Reads the files of a folder and below, with the module that each is.
fn read_folder(folder: &Path, module: &mut Names, files: &mut Vec<(File, Vec<TokenTree>)>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            module.push(name);
            read_folder(&path, module, files);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mut module = module.clone();
            if name != "mod" && !(module.is_empty() && name == "lib") {
                module.push(name);
            }
            let root = path.ancestors().find(|folder| folder.ends_with("src")).and_then(Path::parent);
            let path = path.strip_prefix(root.unwrap()).unwrap().display().to_string();
            files.push((File { path, module, ..File::default() }, tokens.into_iter().collect()));
        }
    }
}

/// Gathers what one file defines and uses.
struct Scan<'a> {
    file: &'a mut File,
    /// Every module that is a file.
    modules: &'a BTreeSet<Names>,
}

impl Scan<'_> {
    /// Scans the tokens of one block, in the module `module`.
    fn items(&mut self, tokens: &[TokenTree], module: &[String]) {
        let mut at = 0;
        while at < tokens.len() {
            at = match &tokens[at] {
                TokenTree::Punct(punct) if punct.as_char() == '#' && is_of_tests(tokens.get(at + 1)) => {
                    self.test_item(tokens, at + 2)
                }
                TokenTree::Ident(word) if *word == "mod" => self.module(tokens, at, module),
                TokenTree::Ident(word) if *word == "use" => self.use_item(tokens, at, module),
                TokenTree::Ident(word) => {
                    if defines(&word.to_string()) && module == self.file.module {
                        // `macro_rules! name`
                        let name = tokens[at + 1..].iter().take(2).find_map(ident);
                        self.file.items.extend(name);
                    }
                    self.path(tokens, at, module)
                }
                TokenTree::Group(group) => {
                    self.items(&group.stream().into_iter().collect::<Vec<_>>(), module);
                    at + 1
                }
                _ => at + 1,
            };
        }
    }

    /// Skips the item after `#[cfg(test)]`, and returns where the next one begins.
    fn test_item(&mut self, tokens: &[TokenTree], start: usize) -> usize {
        let ends = |token: &TokenTree| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            _ => false,
        };
        let end = tokens[start..].iter().position(ends).map_or(tokens.len(), |end| start + end);
        if let [.., TokenTree::Ident(word), TokenTree::Ident(name)] = &tokens[start..end]
            && *word == "mod"
        {
            self.file.test_modules.insert(name.to_string());
        }
        end + 1
    }

    /// Scans `mod name { ... }`, and returns where the next item begins.
    fn module(&mut self, tokens: &[TokenTree], at: usize, module: &[String]) -> usize {
        let Some(name) = tokens.get(at + 1).and_then(ident) else { return at + 1 };
        if let Some(TokenTree::Group(group)) = tokens.get(at + 2) {
            let inside = [module, &[name]].concat();
            self.items(&group.stream().into_iter().collect::<Vec<_>>(), &inside);
        }
        at + 3
    }

    /// Scans a `use`, and returns where the next item begins.
    fn use_item(&mut self, tokens: &[TokenTree], at: usize, module: &[String]) -> usize {
        let end = tokens[at..].iter().position(|token| is_punct(token, ';')).map_or(tokens.len(), |end| at + end);
        let is_public = |token: &TokenTree| ident(token).is_some_and(|word| word == "pub");
        // `pub use` and `pub(crate) use`
        let exports = tokens[at.saturating_sub(2)..at].iter().any(is_public);
        let mut leaves = Vec::new();
        use_tree(&tokens[at + 1..end], &[], &mut leaves);
        for (path, name) in leaves {
            let Some(path) = self.path_from_root(&path, module) else { continue };
            if exports {
                self.file.exports.push((name, path));
            } else {
                self.file.aliases.insert(name, path.clone());
                self.file.paths.insert(path);
            }
        }
        end + 1
    }

    /// Scans a path such as `crate::model::Vision`, and returns where the next token begins.
    fn path(&mut self, tokens: &[TokenTree], at: usize, module: &[String]) -> usize {
        let (mut names, mut next) = (Names::from_iter(ident(&tokens[at])), at + 1);
        while let [first, second, third, ..] = &tokens[next..]
            && is_punct(first, ':')
            && is_punct(second, ':')
            && let Some(name) = ident(third)
        {
            names.push(name);
            next += 3;
        }
        if names.len() > 1
            && let Some(path) = self.path_from_root(&names, module)
        {
            self.file.paths.insert(path);
        }
        next
    }

    /// Returns the path from the root of the library; none if the path leads to another crate.
    fn path_from_root(&mut self, path: &[String], module: &[String]) -> Option<Names> {
        let is_program = self.file.module.first().is_some_and(|first| first == "bin");
        let supers = path.iter().take_while(|name| *name == "super").count();
        let child = [module, &path[..1]].concat();
        match path[0].as_str() {
            "crate" => Some(path[1..].to_vec()),
            "headlamp" if is_program => Some(path[1..].to_vec()),
            "self" => Some([module, &path[1..]].concat()),
            "super" => Some([&module[..module.len().checked_sub(supers)?], &path[supers..]].concat()),
            _ if self.modules.contains(&child) => Some([&child, &path[1..]].concat()),
            first => match self.file.aliases.get(first) {
                Some(known) => Some([known, &path[1..]].concat()),
                None => {
                    self.file.crates.insert(first.to_owned());
                    None
                }
            },
        }
    }
}

/// Whether the keyword comes before the name of a new item.
fn defines(word: &str) -> bool {
    ["const", "enum", "fn", "macro_rules", "static", "struct", "trait", "type", "union"].contains(&word)
}

/// Whether an attribute says that the next item exists only in tests.
fn is_of_tests(attribute: Option<&TokenTree>) -> bool {
    let Some(TokenTree::Group(group)) = attribute else { return false };
    let text = group.stream().to_string().replace(' ', "");
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

/// Lists the paths of a `use`, each with the name that it gets here.
fn use_tree(tokens: &[TokenTree], before: &[String], leaves: &mut Vec<(Names, String)>) {
    for tree in tokens.split(|token| is_punct(token, ',')) {
        let (mut path, mut alias) = (before.to_vec(), None);
        let mut rest = tree.iter();
        let mut is_branch = false;
        while let Some(token) = rest.next() {
            match token {
                TokenTree::Group(group) => {
                    use_tree(&group.stream().into_iter().collect::<Vec<_>>(), &path, leaves);
                    is_branch = true;
                }
                TokenTree::Ident(word) if *word == "as" => alias = rest.next().and_then(ident),
                // `model::{self}` is `model`; `self::model` stays.
                TokenTree::Ident(word) if *word == "self" && !path.is_empty() => {}
                TokenTree::Ident(word) => path.push(word.to_string()),
                token if is_punct(token, '*') => path.push("*".to_owned()),
                _ => {}
            }
        }
        if let (false, Some(last)) = (is_branch, path.last()) {
            let name = alias.unwrap_or_else(|| last.clone());
            leaves.push((path, name));
        }
    }
}

fn ident(token: &TokenTree) -> Option<String> {
    if let TokenTree::Ident(word) = token { Some(word.to_string()) } else { None }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

#[test]
fn imports_are_found_in_code_and_not_in_tests() {
    let folder = std::env::temp_dir().join(format!("headlamp-layers-{}", std::process::id()));
    let write = |name: &str, text: &str| {
        let file = folder.join("src").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write("lib.rs", "pub mod a; pub mod b;");
    write("a.rs", "use crate::b; use web_sys::Url; // crate::b::Comment\nfn f() { view! { {b::Shown} } }");
    write("b/mod.rs", "mod c; mod d; pub use c::*; pub use d::Shown; #[cfg(test)] mod tests;");
    write("b/c.rs", "pub struct Other; #[cfg(test)] mod tests { use crate::a::f; }");
    write("b/d.rs", "use super::{Other as Renamed}; pub struct Shown;");
    write("b/tests.rs", "use crate::a::f;");
    let sources = Sources::read(&folder.join("src"));
    std::fs::remove_dir_all(&folder).unwrap();
    let name = |index: usize| sources.files[index].path.as_str();
    let found: Vec<_> = sources.imports().iter().map(|import| (name(import.from), name(import.to))).collect();
    assert_eq!(found, [("src/a.rs", "src/b/d.rs"), ("src/b/d.rs", "src/b/c.rs")]);
    assert!(sources.files.iter().any(|file| file.crates.contains("web_sys")));
}
