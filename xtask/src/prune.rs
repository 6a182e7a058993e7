//! Takes out of a linked program what only functions need that are never called, though no linker can know that.
//!
//! The program is one that was linked with `--emit-relocs`: its relocations say which function and which constant
//! leads to which, vtables and the table of functions included. What nothing leads to any more becomes an end, or
//! zeros, and all else stays where it was; `wasm-opt` clears up.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context as _, bail};
use wasmparser::{
    BinaryReader, DefinedDataSymbol, ExportSectionReader, ExternalKind, FunctionBody, ImportSectionReader,
    Linking, LinkingSectionReader, Name, NameSectionReader, Operator, RelocSectionReader, RelocationType,
    SymbolFlags, SymbolInfo, TypeRef,
};

/// LLVM makes one function of all that come to the same instructions, by the name of any. Of those with so few bytes
/// many do.
const SHARED: usize = 64;

/// A body that ends the program: no locals, `unreachable`, `end`.
const STUB: [u8; 3] = [0x00, 0x00, 0x0b];

/// A body that does nothing.
const EMPTY: [u8; 2] = [0x00, 0x0b];

/// What is to become of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Stays,
    /// It is never called: whoever calls it all the same ends the program.
    Ends,
    /// It is called, and what it does is not needed: it has no arguments and no result.
    Idles,
}

const CUSTOM: u8 = 0;
const IMPORTS: u8 = 2;
const EXPORTS: u8 = 7;
const START: u8 = 8;
const CODE: u8 = 10;
const DATA: u8 = 11;

/// A program without what was never called.
#[derive(Debug, PartialEq, Eq)]
pub struct Pruned {
    pub wasm: Vec<u8>,
    /// Functions that something leads to, and that end the program now, or do nothing.
    pub ended: usize,
    /// Functions that nothing leads to any more.
    pub gone: usize,
}

/// Takes out what `fate` says of the functions by their names, and what only they lead to.
///
/// # Errors
/// `wasm` is no program, or has been linked without relocations.
pub fn prune(wasm: &[u8], mut fate: impl FnMut(&str) -> Fate) -> anyhow::Result<Pruned> {
    let program = Program::read(wasm)?;
    let mut fate_of = |function: usize| {
        let length = program.body(function).map_or(0, |place| place.len());
        match program.names.get(&function).map_or(Fate::Stays, |name| fate(name)) {
            Fate::Ends if length <= SHARED => Fate::Stays,
            fate => fate,
        }
    };
    let fates: Vec<Fate> = (0..program.functions()).map(&mut fate_of).collect();
    let is_live = program.live(&fates);
    let own = program.imported..program.functions();
    let met = own.clone().filter(|function| is_live[*function] && fates[*function] != Fate::Stays).count();
    let gone = own.filter(|function| !is_live[*function]).count();
    Ok(Pruned { wasm: program.without(&is_live, &fates), ended: met, gone })
}

/// A part of the file, in bytes from its beginning.
type Place = Range<usize>;

struct Section {
    id: u8,
    whole: Place,
    content: Place,
}

/// What leads to what. A node is a function by its number, or behind those a constant.
struct Program<'a> {
    wasm: &'a [u8],
    sections: Vec<Section>,
    imported: usize,
    names: HashMap<usize, String>,
    bodies: Vec<Place>,
    /// Where constants lie, in the file's order; those that overlap are one.
    constants: Vec<Place>,
    roots: Vec<usize>,
    leads_to: Vec<Vec<usize>>,
}

impl<'a> Program<'a> {
    fn read(wasm: &'a [u8]) -> anyhow::Result<Self> {
        let sections = sections(wasm)?;
        let mut program = Self {
            wasm,
            imported: 0,
            names: HashMap::new(),
            bodies: Vec::new(),
            constants: Vec::new(),
            roots: Vec::new(),
            leads_to: Vec::new(),
            sections: Vec::new(),
        };
        let (mut symbols, mut exports) = (Vec::new(), Vec::new());
        let (mut segments, mut relocations) = (Vec::new(), Vec::new());
        for Section { id, content, .. } in &sections {
            let mut reader = BinaryReader::new(&wasm[content.clone()], content.start);
            match *id {
                IMPORTS => program.imported = imported(reader)?,
                EXPORTS => exports = exported(reader)?,
                START => program.roots.push(reader.read_var_u32()? as usize),
                CODE => program.bodies = bodies(reader)?,
                DATA => segments = data(reader)?,
                CUSTOM => match custom_name(wasm, content)? {
                    // The data section comes before it.
                    ("linking", reader) => symbols = self::symbols(reader, &segments)?,
                    ("name", reader) => program.names = names(reader)?,
                    (name, reader) if name.starts_with("reloc.") => {
                        relocations.push(RelocSectionReader::new(reader)?)
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        program.sections = sections;
        if relocations.is_empty() {
            bail!("this program was linked without --emit-relocs");
        }
        program.constants = joined(symbols.iter().filter_map(Symbol::place).collect());
        program.leads_to = vec![Vec::new(); program.functions() + program.constants.len()];
        program.take_roots(&exports, &symbols);
        program.follow_calls()?;
        for section in relocations {
            program.follow(&section, &symbols)?;
        }
        Ok(program)
    }

    fn functions(&self) -> usize {
        self.imported + self.bodies.len()
    }

    fn body(&self, function: usize) -> Option<Place> {
        self.bodies.get(function.checked_sub(self.imported)?).cloned()
    }

    /// What somebody outside may ask for.
    fn take_roots(&mut self, exports: &[(&str, Option<usize>)], symbols: &[Symbol<'_>]) {
        self.roots.extend(exports.iter().filter_map(|(_, function)| *function));
        for symbol in symbols {
            let Symbol::Constant { name, place, is_kept } = symbol else { continue };
            if *is_kept || exports.iter().any(|(export, _)| export == name) {
                self.roots.extend(self.constant_at(place.start));
            }
        }
    }

    /// Calls by number. The linker's own functions have no relocations.
    fn follow_calls(&mut self) -> anyhow::Result<()> {
        for (index, place) in self.bodies.iter().enumerate() {
            let body = FunctionBody::new(BinaryReader::new(&self.wasm[place.clone()], place.start));
            let mut operators = body.get_operators_reader()?;
            let to = &mut self.leads_to[self.imported + index];
            while !operators.eof() {
                match operators.read()? {
                    Operator::Call { function_index }
                    | Operator::ReturnCall { function_index }
                    | Operator::RefFunc { function_index } => to.push(function_index as usize),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Addresses of functions and of constants, in functions and in constants.
    fn follow(&mut self, section: &RelocSectionReader<'_>, symbols: &[Symbol<'_>]) -> anyhow::Result<()> {
        let of = self.sections.get(section.section_index() as usize).context("relocations of no section")?;
        if of.id == CUSTOM {
            return Ok(());
        }
        let start = of.content.start;
        for entry in section.entries() {
            let entry = entry?;
            // Its index is no symbol's.
            if entry.ty == RelocationType::TypeIndexLeb {
                continue;
            }
            let at = start + entry.offset as usize;
            let to = match symbols.get(entry.index as usize) {
                Some(Symbol::Function(function)) => Some(*function),
                Some(Symbol::Constant { place, .. }) => self.constant_at(place.start),
                // Globals and tables stay.
                _ => None,
            };
            let Some(to) = to else { continue };
            match self.node_at(at) {
                Some(from) => self.leads_to[from].push(to),
                None => self.roots.push(to),
            }
        }
        Ok(())
    }

    fn node_at(&self, at: usize) -> Option<usize> {
        let function = holding(&self.bodies, at).map(|index| self.imported + index);
        function.or_else(|| self.constant_at(at))
    }

    fn constant_at(&self, at: usize) -> Option<usize> {
        holding(&self.constants, at).map(|index| self.functions() + index)
    }

    /// What the roots lead to, not by way of functions that do not stay.
    fn live(&self, fates: &[Fate]) -> Vec<bool> {
        let mut is_live = vec![false; self.leads_to.len()];
        let mut next = self.roots.clone();
        while let Some(node) = next.pop() {
            let stays = fates.get(node).is_none_or(|fate| *fate == Fate::Stays);
            if std::mem::replace(&mut is_live[node], true) || !stays {
                continue;
            }
            next.extend(&self.leads_to[node]);
        }
        is_live
    }

    /// The program with nothing but what is live, and without relocations.
    fn without(&self, is_live: &[bool], fates: &[Fate]) -> Vec<u8> {
        let mut wasm = self.wasm[..8].to_vec();
        for Section { id, whole, content } in &self.sections {
            match *id {
                CODE => {
                    let mut code = leb(self.bodies.len());
                    for (place, function) in self.bodies.iter().zip(self.imported..) {
                        let body = match fates[function] {
                            Fate::Stays if is_live[function] => &self.wasm[place.clone()],
                            Fate::Idles if is_live[function] => &EMPTY[..],
                            _ => &STUB[..],
                        };
                        code.extend(leb(body.len()));
                        code.extend_from_slice(body);
                    }
                    wasm.push(CODE);
                    wasm.extend(leb(code.len()));
                    wasm.extend(code);
                }
                DATA => {
                    let start = wasm.len();
                    wasm.extend_from_slice(&self.wasm[whole.clone()]);
                    let dead = self.constants.iter().zip(&is_live[self.functions()..]).filter(|(_, live)| !**live);
                    for (place, _) in dead {
                        let moved = start + place.start - whole.start;
                        wasm[moved..moved + place.len()].fill(0);
                    }
                }
                CUSTOM if is_of_linking(self.wasm, content) => {}
                _ => wasm.extend_from_slice(&self.wasm[whole.clone()]),
            }
        }
        wasm
    }
}

enum Symbol<'a> {
    Function(usize),
    Constant {
        name: &'a str,
        place: Place,
        /// Whether it is there for somebody who is not in the program.
        is_kept: bool,
    },
    Other,
}

impl Symbol<'_> {
    /// Where a constant lies that is more than a place.
    fn place(&self) -> Option<Place> {
        let Self::Constant { place, .. } = self else { return None };
        (!place.is_empty()).then(|| place.clone())
    }
}

fn sections(wasm: &[u8]) -> anyhow::Result<Vec<Section>> {
    if !wasm.starts_with(b"\0asm\x01\0\0\0") {
        bail!("this is no WebAssembly program");
    }
    let (mut sections, mut at) = (Vec::new(), 8);
    while at < wasm.len() {
        let mut reader = BinaryReader::new(&wasm[at..], at);
        let (id, size) = (reader.read_u8()?, reader.read_var_u32()? as usize);
        let start = reader.original_position();
        let end = start + size;
        if end > wasm.len() {
            bail!("this WebAssembly program is cut off");
        }
        sections.push(Section { id, whole: at..end, content: start..end });
        at = end;
    }
    Ok(sections)
}

fn custom_name<'a>(wasm: &'a [u8], content: &Place) -> anyhow::Result<(&'a str, BinaryReader<'a>)> {
    let mut reader = BinaryReader::new(&wasm[content.clone()], content.start);
    let name = reader.read_string()?;
    let start = reader.original_position();
    Ok((name, BinaryReader::new(&wasm[start..content.end], start)))
}

fn is_of_linking(wasm: &[u8], content: &Place) -> bool {
    custom_name(wasm, content).is_ok_and(|(name, _)| name == "linking" || name.starts_with("reloc."))
}

fn imported(reader: BinaryReader<'_>) -> anyhow::Result<usize> {
    let mut count = 0;
    for import in ImportSectionReader::new(reader)?.into_imports() {
        count += usize::from(matches!(import?.ty, TypeRef::Func(_)));
    }
    Ok(count)
}

/// Names, and of functions their numbers.
fn exported(reader: BinaryReader<'_>) -> anyhow::Result<Vec<(&str, Option<usize>)>> {
    let mut exports = Vec::new();
    for export in ExportSectionReader::new(reader)? {
        let export = export?;
        let function = (export.kind == ExternalKind::Func).then_some(export.index as usize);
        exports.push((export.name, function));
    }
    Ok(exports)
}

fn bodies(mut reader: BinaryReader<'_>) -> anyhow::Result<Vec<Place>> {
    let count = reader.read_var_u32()?;
    let mut bodies = Vec::new();
    for _body in 0..count {
        let size = reader.read_var_u32()? as usize;
        let start = reader.original_position();
        reader.read_bytes(size)?;
        bodies.push(start..start + size);
    }
    Ok(bodies)
}

fn data(reader: BinaryReader<'_>) -> anyhow::Result<Vec<Place>> {
    let mut segments = Vec::new();
    for segment in wasmparser::DataSectionReader::new(reader)? {
        let segment = segment?;
        segments.push(segment.range.end - segment.data.len()..segment.range.end);
    }
    Ok(segments)
}

fn symbols<'a>(reader: BinaryReader<'a>, segments: &[Place]) -> anyhow::Result<Vec<Symbol<'a>>> {
    let mut symbols = Vec::new();
    for part in LinkingSectionReader::new(reader)?.subsections() {
        let Linking::SymbolTable(table) = part? else { continue };
        for symbol in table {
            symbols.push(match symbol? {
                SymbolInfo::Func { index, .. } => Symbol::Function(index as usize),
                // The ends of a section, between which everything would have to stay.
                SymbolInfo::Data { name, .. } if name.starts_with("__start_") || name.starts_with("__stop_") => {
                    bail!("{name} leads to constants that nothing else does")
                }
                SymbolInfo::Data { flags, name, symbol: Some(at) } if !flags.contains(SymbolFlags::ABSOLUTE) => {
                    let is_kept = flags.contains(SymbolFlags::NO_STRIP);
                    place_of(at, segments).map_or(Symbol::Other, |place| Symbol::Constant { name, place, is_kept })
                }
                _ => Symbol::Other,
            });
        }
    }
    Ok(symbols)
}

/// Where a constant lies in the file; nowhere, where it is all zeros.
fn place_of(constant: DefinedDataSymbol, segments: &[Place]) -> Option<Place> {
    let segment = segments.get(constant.index as usize)?;
    let start = segment.start + constant.offset as usize;
    let end = start + constant.size as usize;
    (end <= segment.end).then_some(start..end)
}

/// Functions' names as Rust has them, types and all.
fn names(reader: BinaryReader<'_>) -> anyhow::Result<HashMap<usize, String>> {
    let mut names = HashMap::new();
    for part in NameSectionReader::new(reader) {
        let Name::Function(functions) = part? else { continue };
        for naming in functions {
            let naming = naming?;
            names.insert(naming.index as usize, format!("{:#}", rustc_demangle::demangle(naming.name)));
        }
    }
    Ok(names)
}

/// Places in their order, those that overlap as one.
fn joined(mut places: Vec<Place>) -> Vec<Place> {
    places.sort_by_key(|place| (place.start, place.end));
    let mut joined: Vec<Place> = Vec::with_capacity(places.len());
    for place in places {
        match joined.last_mut() {
            Some(last) if place.start < last.end => last.end = last.end.max(place.end),
            _ => joined.push(place),
        }
    }
    joined
}

/// The one of these places, which are in order, that holds the byte `at`.
fn holding(places: &[Place], at: usize) -> Option<usize> {
    let index = places.partition_point(|place| place.start <= at).checked_sub(1)?;
    places[index].contains(&at).then_some(index)
}

/// A number as WebAssembly writes it.
fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `i32.const` of an address that the linker has put in, and where that is.
    const ADDRESS: [u8; 7] = [0x41, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1a];

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [vec![id], leb(content.len()), content.to_vec()].concat()
    }

    fn custom(name: &str, content: &[u8]) -> Vec<u8> {
        section(CUSTOM, &[leb(name.len()), name.as_bytes().to_vec(), content.to_vec()].concat())
    }

    /// A section's content: so many things, one after another.
    fn list(items: &[Vec<u8>]) -> Vec<u8> {
        [leb(items.len()), items.concat()].concat()
    }

    fn body(instructions: &[u8]) -> Vec<u8> {
        let code = [&[0x00], instructions, &[0x0b]].concat();
        [leb(code.len()), code].concat()
    }

    /// `main` calls `idle` and takes the address of `used`; `idle` leads to the first constant, in which the address
    /// of `helper` is, and `used` to the second.
    fn program() -> Vec<u8> {
        let nops = [0x01; 70];
        let bodies = [
            body(&[&[0x10, 0x01][..], &ADDRESS].concat()),
            body(&[&nops[..], &ADDRESS].concat()),
            body(&nops),
            body(&ADDRESS),
        ];
        let starts: Vec<usize> =
            (0..bodies.len()).map(|index| 1 + bodies[..index].iter().map(Vec::len).sum::<usize>()).collect();
        // Behind the body's length, the number of its locals, and `i32.const`.
        let address = |function: usize, before: usize| leb(starts[function] + 1 + 1 + before + 1);
        let code = [
            [vec![1], address(0, 2), vec![2]].concat(),
            // A type's number, which is none of a symbol.
            [vec![6], address(0, 2), vec![1]].concat(),
            [vec![4], address(1, 70), vec![3, 0]].concat(),
            [vec![4], address(3, 0), vec![4, 0]].concat(),
        ];
        // Behind the count, the segment's kind, its offset and its length.
        let data = [[2, 1 + 1 + 3 + 1, 5].to_vec()];
        let function = |index: u8| vec![0, 0x10, index];
        let constant = |name: u8, offset: u8| vec![1, 0, 1, name, 0, offset, 4];
        let table =
            list(&[function(0), function(1), function(3), constant(b'a', 0), constant(b'b', 4), function(2)]);
        let names = ["main", "idle", "helper", "used"].iter().enumerate();
        let names =
            names.map(|(index, name)| [vec![index as u8, name.len() as u8], name.as_bytes().to_vec()].concat());
        let names = list(&names.collect::<Vec<_>>());
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, &[1, 0x60, 0, 0]),
            section(3, &[4, 0, 0, 0, 0]),
            section(5, &[1, 0, 1]),
            section(EXPORTS, &[&[1, 4][..], b"main", &[0, 0]].concat()),
            section(CODE, &list(&bodies)),
            section(DATA, &[1, 0, 0x41, 0, 0x0b, 8, 1, 1, 1, 1, 2, 2, 2, 2]),
            custom("linking", &[vec![2, 8], leb(table.len()), table].concat()),
            custom("reloc.CODE", &[vec![4], list(&code)].concat()),
            custom("reloc.DATA", &[vec![5], list(&data)].concat()),
            custom("name", &[vec![1], leb(names.len()), names].concat()),
        ]
        .concat()
    }

    /// The fate of one function, where all others stay.
    fn of(function: &str, fate: Fate, name: &str) -> Fate {
        if name == function { fate } else { Fate::Stays }
    }

    /// Each function's length, and the data.
    fn parts(wasm: &[u8]) -> (Vec<usize>, Vec<u8>) {
        let (mut lengths, mut bytes) = (Vec::new(), Vec::new());
        for Section { id, content, .. } in sections(wasm).unwrap() {
            let reader = BinaryReader::new(&wasm[content.clone()], content.start);
            match id {
                CODE => lengths = bodies(reader).unwrap().into_iter().map(|place| place.len()).collect(),
                DATA => bytes = wasm[data(reader).unwrap()[0].clone()].to_vec(),
                _ => {}
            }
        }
        (lengths, bytes)
    }

    #[test]
    fn what_only_an_idle_function_leads_to_goes_with_it() {
        let whole = prune(&program(), |_name| Fate::Stays).unwrap();
        assert_eq!((whole.ended, whole.gone), (0, 0));
        let (lengths, data) = parts(&whole.wasm);
        assert_eq!((lengths.clone(), &data[..]), (vec![11, 79, 72, 9], &[1, 1, 1, 1, 2, 2, 2, 2][..]));
        let pruned = prune(&program(), |name| of("idle", Fate::Ends, name)).unwrap();
        assert_eq!((pruned.ended, pruned.gone), (1, 1), "the idle one ends, its helper is gone");
        let (lengths, data) = parts(&pruned.wasm);
        assert_eq!((lengths, &data[..]), (vec![11, 3, 3, 9], &[0, 0, 0, 0, 2, 2, 2, 2][..]));
        let names: Vec<String> = sections(&pruned.wasm)
            .unwrap()
            .iter()
            .filter(|section| section.id == CUSTOM)
            .map(|section| custom_name(&pruned.wasm, &section.content).unwrap().0.to_owned())
            .collect();
        assert_eq!(names, ["name"], "relocations no longer hold");
    }

    #[test]
    fn what_does_nothing_leads_nowhere() {
        let pruned = prune(&program(), |name| of("used", Fate::Idles, name)).unwrap();
        assert_eq!((pruned.ended, pruned.gone), (1, 0));
        let (lengths, data) = parts(&pruned.wasm);
        assert_eq!((lengths, &data[..]), (vec![11, 79, 72, 2], &[1, 1, 1, 1, 0, 0, 0, 0][..]));
    }

    #[test]
    fn small_functions_stay_as_they_may_stand_for_others() {
        let pruned = prune(&program(), |name| of("used", Fate::Ends, name)).unwrap();
        assert_eq!((pruned.ended, pruned.gone), (0, 0));
    }

    #[test]
    fn programs_without_relocations_and_other_files_are_refused() {
        let said = |wasm: &[u8]| prune(wasm, |_name| Fate::Ends).unwrap_err().to_string();
        assert!(said(b"\0asm\x01\0\0\0").contains("without --emit-relocs"));
        assert!(said(b"<html>").contains("no WebAssembly"));
        let whole = program();
        let relocations = sections(&whole).unwrap().remove(7).whole;
        for length in 8..relocations.end {
            assert!(prune(&whole[..length], |_name| Fate::Ends).is_err(), "cut off at {length}");
        }
    }
}
