//! Annotations of Pascal VOC: an XML file for each picture, with a box for each object.
//!
//! The reader knows the parts of XML that these files have: elements, text, comments and declarations. It does not
//! replace entities, because numbers contain no entities.

use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::cli::{inputs, pictures};
use crate::metrics::discovery::PixelBox;

/// The deepest nesting of elements that is read; VOC has five levels.
const MAX_DEPTH: usize = 32;
const MAX_BYTES: usize = 16 << 20;

/// A picture with the boxes of its objects.
pub struct AnnotatedPicture {
    pub name: String,
    pub picture: PathBuf,
    /// Without objects that are marked as difficult.
    pub boxes: Vec<PixelBox>,
}

/// Lists the pictures in JPEGImages/ that have a file in Annotations/, limited to those in `split` (a file with a list
/// of names). Pictures without an object are left out.
///
/// # Errors
/// [`CliError::Io`]; [`CliError::Data`] if a file is no annotation.
pub fn annotated_pictures(data: &Path, split: Option<&Path>) -> Result<Vec<AnnotatedPicture>, CliError> {
    let wanted = split.map(inputs::read_lossy).transpose()?;
    let is_wanted =
        |name: &str| wanted.as_ref().is_none_or(|list| list.split_whitespace().any(|word| word == name));
    let mut all = Vec::new();
    for picture in pictures::in_folder(&data.join("JPEGImages"))? {
        let name = picture.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let file = data.join("Annotations").join(format!("{name}.xml"));
        if !is_wanted(&name) || !file.is_file() {
            continue;
        }
        let boxes = boxes(&inputs::read_lossy(&file)?).map_err(|reason| CliError::data(&file, reason))?;
        if !boxes.is_empty() {
            all.push(AnnotatedPicture { name, picture, boxes });
        }
    }
    Ok(all)
}

/// Parses the boxes of the objects that are not difficult. VOC counts pixels from 1, and the ends belong to the box.
fn boxes(xml: &str) -> Result<Vec<PixelBox>, String> {
    let (mut boxes, mut object) = (Vec::new(), PartialObject::default());
    for event in xml_events(xml)? {
        match event {
            XmlEvent::Text(path, text) => match path.as_slice() {
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
            XmlEvent::End(path) if path == ["annotation", "object"] => {
                let PartialObject { sides, is_difficult } = std::mem::take(&mut object);
                let [Some(left), Some(top), Some(right), Some(bottom)] = sides else {
                    return Err("an object lacks sides of its box".to_owned());
                };
                if !is_difficult {
                    boxes.push(PixelBox { left: left - 1.0, top: top - 1.0, right, bottom });
                }
            }
            XmlEvent::End(_) => {}
        }
    }
    Ok(boxes)
}

const SIDES: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

/// The parts of an object that were read so far.
#[derive(Default)]
struct PartialObject {
    /// In the order of [`SIDES`].
    sides: [Option<f64>; 4],
    is_difficult: bool,
}

/// A part of the XML, with the names of the elements around it, from the outermost.
enum XmlEvent<'a> {
    Text(Vec<&'a str>, &'a str),
    /// The end of the innermost element.
    End(Vec<&'a str>),
}

fn xml_events(xml: &str) -> Result<Vec<XmlEvent<'_>>, String> {
    if xml.len() > MAX_BYTES {
        return Err("the file is too large for an annotation".to_owned());
    }
    let (mut events, mut path, mut rest) = (Vec::new(), Vec::new(), xml);
    while let Some(start) = rest.find('<') {
        let text = rest[..start].trim();
        if !text.is_empty() && !path.is_empty() {
            events.push(XmlEvent::Text(path.clone(), text));
        }
        rest = &rest[start..];
        let end = if rest.starts_with("<!--") {
            rest.find("-->").map(|at| at + 3)
        } else {
            rest.find('>').map(|at| at + 1)
        };
        let Some(end) = end else { return Err("the file ends within a tag".to_owned()) };
        let tag = &rest[1..end - 1];
        rest = &rest[end..];
        if tag.starts_with(['!', '?']) {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            if path.last() != Some(&name.trim()) {
                return Err(format!("</{name}> ends an element that is not open"));
            }
            events.push(XmlEvent::End(path.clone()));
            path.pop();
        } else if !tag.ends_with('/') {
            if path.len() >= MAX_DEPTH {
                return Err("the elements are nested too deep".to_owned());
            }
            path.push(tag.split_whitespace().next().unwrap_or(""));
        }
    }
    match path.last() {
        Some(open) => Err(format!("<{open}> does not end")),
        None if events.is_empty() => Err("the file is not XML".to_owned()),
        None => Ok(events),
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
    fn boxes_of_objects_are_read_but_not_of_parts() {
        let expected = PixelBox { left: 10.0, top: 20.5, right: 30.0, bottom: 40.0 };
        assert_eq!(boxes(FILE), Ok(vec![expected]));
    }

    #[test]
    fn files_that_are_no_annotation_are_refused() {
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
