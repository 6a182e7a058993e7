//! Pascal VOC's annotations: a file of XML for each picture, with a box for each object.
//!
//! Only what these files are made of is read: elements, text, comments and declarations. Entities stay as they are,
//! since no number has any.

use std::path::{Path, PathBuf};

use crate::cli::{CliError, inputs, pictures};
use crate::metrics::discovery::PixelBox;

/// Elements within elements; VOC has five.
const DEEPEST: usize = 32;
const MAX_BYTES: usize = 16 << 20;

/// A picture with its objects' boxes.
pub struct Annotated {
    pub name: String,
    pub picture: PathBuf,
    /// Those of objects that are marked as difficult are left out.
    pub boxes: Vec<PixelBox>,
}

/// All pictures in JPEGImages/ that have a file in Annotations/, or those that `split` (a list of names) has. Those
/// without an object are left out.
///
/// # Errors
/// Where a folder or a file cannot be read, or a file is no annotation.
pub fn annotated(data: &Path, split: Option<&Path>) -> Result<Vec<Annotated>, CliError> {
    let wanted = split.map(inputs::read).transpose()?;
    let wanted = wanted.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let is_wanted =
        |name: &str| wanted.as_ref().is_none_or(|list| list.split_whitespace().any(|word| word == name));
    let mut all = Vec::new();
    for picture in pictures::in_folder(&data.join("JPEGImages"))? {
        let name = picture.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let file = data.join("Annotations").join(format!("{name}.xml"));
        if !is_wanted(&name) || !file.is_file() {
            continue;
        }
        let wrong = |reason: String| CliError::Data { path: file.clone(), reason };
        let boxes = boxes(&String::from_utf8_lossy(&inputs::read(&file)?)).map_err(wrong)?;
        if !boxes.is_empty() {
            all.push(Annotated { name, picture, boxes });
        }
    }
    Ok(all)
}

/// The boxes of a file's objects that are not difficult. VOC counts pixels from 1, ends included.
fn boxes(xml: &str) -> Result<Vec<PixelBox>, String> {
    let (mut boxes, mut object) = (Vec::new(), Object::default());
    for leaf in leaves(xml)? {
        match leaf {
            Leaf::Text(path, text) => match path.as_slice() {
                ["annotation", "object", "difficult"] => object.is_difficult = text != "0",
                ["annotation", "object", "bndbox", side] => {
                    if let Some(place) = SIDES.iter().position(|known| known == side) {
                        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                        object.sides[place] =
                            Some(number.ok_or_else(|| format!("{side} is \u{201c}{text}\u{201d}"))?);
                    }
                }
                _ => {}
            },
            Leaf::End(path) if path == ["annotation", "object"] => {
                let Object { sides, is_difficult } = std::mem::take(&mut object);
                let [Some(left), Some(top), Some(right), Some(bottom)] = sides else {
                    return Err("an object has no whole box".to_owned());
                };
                if !is_difficult {
                    boxes.push(PixelBox { left: left - 1.0, top: top - 1.0, right, bottom });
                }
            }
            Leaf::End(_) => {}
        }
    }
    Ok(boxes)
}

const SIDES: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

#[derive(Default)]
struct Object {
    /// In the order of [`SIDES`].
    sides: [Option<f64>; 4],
    is_difficult: bool,
}

/// What the reader meets: text, by the elements that it stands in, and the ends of elements.
enum Leaf<'a> {
    Text(Vec<&'a str>, &'a str),
    End(Vec<&'a str>),
}

fn leaves(xml: &str) -> Result<Vec<Leaf<'_>>, String> {
    if xml.len() > MAX_BYTES {
        return Err("it is too large to be an annotation".to_owned());
    }
    let (mut leaves, mut path, mut rest) = (Vec::new(), Vec::new(), xml);
    while let Some(start) = rest.find('<') {
        let text = rest[..start].trim();
        if !text.is_empty() && !path.is_empty() {
            leaves.push(Leaf::Text(path.clone(), text));
        }
        rest = &rest[start..];
        let end = if rest.starts_with("<!--") {
            rest.find("-->").map(|at| at + 3)
        } else {
            rest.find('>').map(|at| at + 1)
        };
        let Some(end) = end else { return Err("it ends within a tag".to_owned()) };
        let tag = &rest[1..end - 1];
        rest = &rest[end..];
        if tag.starts_with(['!', '?']) {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            if path.last() != Some(&name.trim()) {
                return Err(format!("</{name}> ends what is not open"));
            }
            leaves.push(Leaf::End(path.clone()));
            path.pop();
        } else if !tag.ends_with('/') {
            if path.len() >= DEEPEST {
                return Err("its elements are nested too deep".to_owned());
            }
            path.push(tag.split_whitespace().next().unwrap_or(""));
        }
    }
    match path.last() {
        Some(open) => Err(format!("<{open}> does not end")),
        None if leaves.is_empty() => Err("it is no XML".to_owned()),
        None => Ok(leaves),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "<?xml version=\"1.0\"?><annotation verified='yes'><!-- <object> --><folder/>
        <object><name>person</name><difficult>0</difficult>
          <bndbox><xmin>11</xmin><ymin> 21.5 </ymin><xmax>30</xmax><ymax>40</ymax></bndbox>
          <part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>
        </object>
        <object><difficult>1</difficult><bndbox><xmax>3</xmax><xmin>1</xmin><ymin>1</ymin><ymax>3</ymax></bndbox></object>
        </annotation>";

    #[test]
    fn boxes_of_objects_are_read_and_those_of_parts_are_not() {
        let expected = PixelBox { left: 10.0, top: 20.5, right: 30.0, bottom: 40.0 };
        assert_eq!(boxes(FILE), Ok(vec![expected]));
    }

    #[test]
    fn what_is_no_annotation_gets_a_sentence() {
        let deep = "<a>".repeat(100_000);
        for wrong in ["", "words", "<annotation", "<annotation>", "<a></b>", "</a>", "<!-- ", "<>", &deep] {
            assert!(boxes(wrong).is_err(), "{:.20}", wrong);
        }
        for (from, to) in [("<xmin>11</xmin>", ""), (">11<", ">eleven<"), (">11<", ">NaN<")] {
            assert!(boxes(&FILE.replacen(from, to, 1)).is_err(), "{to}");
        }
        assert_eq!(boxes("<annotation></annotation>"), Ok(vec![]));
    }
}
