//! Runs a pickle's stack machine without calling any function.
//!
//! Why headlamp has its own reader: it must record calls and references to storages without resolving them, and it
//! must bound its memory for hostile files.
//!
//! All values are in one list, and a value refers to another by its place in the list. Each instruction makes at most
//! one value, and the copies (a global's name, a dictionary's entries) are bounded. So the memory grows at most in
//! proportion to the pickle's length, also with nesting, sharing and cycles.

use std::collections::HashMap;

/// A pickle that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PickleError {
    #[error("its pickle is cut short")]
    CutOff,
    #[error("its pickle has an instruction ({0:#04x}) that no state dict needs")]
    Instruction(u8),
    #[error("its pickle takes a value from an empty stack, or recalls a value that it never stored")]
    Stack,
    #[error("its pickle imports a name that is longer than any name that a state dict needs")]
    Name,
    #[error("its pickle is longer than the pickle of any model")]
    Long,
}

/// The most instructions that are run. A CLIP's pickle has about 10,000 instructions, a training checkpoint's about
/// 100,000. Each instruction costs at most 100 bytes.
const MOST_INSTRUCTIONS: usize = 4_000_000;

/// The most pairs that are copied into dictionaries. Each mention of a list as a dictionary copies the list. In a
/// pickle that Python wrote, no list is copied twice, and each pair took an instruction.
const MOST_COPIED: usize = MOST_INSTRUCTIONS;

/// The longest name of a module or class that is read, in bytes. The names that TorchScript generates are also
/// shorter.
const LONGEST_GLOBAL: usize = 256;

/// A value's place in [`Pickle`].
pub(super) type Id = usize;

/// The values that a pickle makes.
#[derive(Debug, Default)]
pub(super) struct Pickle {
    values: Vec<Value>,
    /// The value that unpickling would return.
    pub root: Id,
}

/// A value. Bytes, and numbers that no tensor needs, are [`Value::Other`].
#[derive(Debug)]
pub(super) enum Value {
    Other,
    Int(i64),
    Text(String),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A function or class that Python would import.
    Global {
        module: String,
        name: String,
    },
    /// The result of a call of a global with arguments, and the entries and the state that are set on it afterwards.
    Object {
        class: Id,
        arguments: Id,
        entries: Vec<(Id, Id)>,
        state: Option<Id>,
    },
    /// A reference that only the file around the pickle can resolve: a storage.
    Persistent(Id),
}

impl Pickle {
    /// Runs the pickle at the start of `bytes`. Also returns the pickle's length in bytes.
    ///
    /// # Errors
    /// [`PickleError`] if the pickle is cut short, damaged, or exceeds a limit.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), PickleError> {
        let mut machine = Machine { input: bytes, at: 0, ..Machine::default() };
        let mut instructions = 0;
        while machine.step()? {
            instructions += 1;
            if instructions > MOST_INSTRUCTIONS {
                return Err(PickleError::Long);
            }
        }
        let root = machine.pop()?;
        Ok((Self { values: machine.values, root }, machine.at))
    }

    /// Returns the places of all values that the pickle makes, used or not.
    pub fn ids(&self) -> std::ops::Range<Id> {
        0..self.values.len()
    }

    /// Returns a value; [`Value::Other`] if there is none at this place.
    pub fn get(&self, id: Id) -> &Value {
        self.values.get(id).unwrap_or(&Value::Other)
    }

    /// Returns a text; `None` if the value is anything else.
    pub fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a length, offset or stride; `None` if the value is not a number from 0 on.
    pub fn size(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Value::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    /// Returns a list's or tuple's members; `None` if the value is anything else.
    pub fn members(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::List(members) | Value::Tuple(members) => Some(members),
            _ => None,
        }
    }

    /// Returns a global as `module.name`; `None` if the value is anything else.
    pub fn global(&self, id: Id) -> Option<String> {
        match self.get(id) {
            Value::Global { module, name } => Some(format!("{module}.{name}")),
            _ => None,
        }
    }
}

/// The stack machine, with its input.
#[derive(Default)]
struct Machine<'a> {
    input: &'a [u8],
    at: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// The number of pairs that were copied into dictionaries so far.
    copied: usize,
}

impl Machine<'_> {
    /// Runs one instruction. Returns false at the end of the pickle.
    fn step(&mut self) -> Result<bool, PickleError> {
        let instruction = self.byte()?;
        match instruction {
            b'.' => return Ok(false),
            // The protocol and the frame's length are only hints to a reader.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.marked()?),
            b'2' => {
                let top = *self.stack.last().ok_or(PickleError::Stack)?;
                self.stack.push(top);
            }
            b'q' | b'r' | b'p' | 0x94 => self.memoise(instruction)?,
            b'h' | b'j' | b'g' => self.recall(instruction)?,
            b'a' | b'e' | b's' | b'u' | 0x90 | b'b' => self.change(instruction)?,
            b'R' | 0x81 | 0x92 | b'o' | b'i' | b'Q' | b'P' | b'c' | 0x93 => self.make_object(instruction)?,
            b']' | b')' | b'}' | 0x8f | b't' | b'l' | b'd' | 0x91 | 0x85 | 0x86 | 0x87 => {
                self.gather(instruction)?
            }
            _ => self.make_atom(instruction)?,
        }
        Ok(true)
    }

    /// Pushes a value that contains no other: a number, a text, bytes, None, true or false.
    fn make_atom(&mut self, instruction: u8) -> Result<(), PickleError> {
        let value = match instruction {
            b'N' | 0x88 | 0x89 => Value::Other,
            b'J' => Value::Int(i32::from_le_bytes(self.array()?).into()),
            b'K' => Value::Int(self.byte()?.into()),
            b'M' => Value::Int(u16::from_le_bytes(self.array()?).into()),
            0x8a | 0x8b => {
                let length = if instruction == 0x8a { self.byte()?.into() } else { self.length_of_4()? };
                long(self.take(length)?)
            }
            b'I' | b'L' => {
                let line = self.line()?;
                line.trim_end_matches('L').parse().map_or(Value::Other, Value::Int)
            }
            b'G' => self.take(8).map(|_float| Value::Other)?,
            b'F' => self.line().map(|_float| Value::Other)?,
            b'X' | b'T' => {
                let length = self.length_of_4()?;
                text(self.take(length)?)
            }
            0x8c | b'U' => {
                let length = self.byte()?;
                text(self.take(length.into())?)
            }
            0x8d => {
                let length = u64::from_le_bytes(self.array()?);
                text(self.take(usize::try_from(length).map_err(|_long| PickleError::CutOff)?)?)
            }
            b'S' | b'V' => Value::Text(self.line()?.trim_matches(['\'', '"']).to_owned()),
            b'B' => {
                let length = self.length_of_4()?;
                self.take(length).map(|_bytes| Value::Other)?
            }
            b'C' => {
                let length = self.byte()?;
                self.take(length.into()).map(|_bytes| Value::Other)?
            }
            0x8e => {
                let length = u64::from_le_bytes(self.array()?);
                self.take(usize::try_from(length).map_err(|_long| PickleError::CutOff)?)
                    .map(|_bytes| Value::Other)?
            }
            other => return Err(PickleError::Instruction(other)),
        };
        self.push(value);
        Ok(())
    }

    /// Pushes a list, a tuple or a dictionary: empty, or made of values on the stack.
    fn gather(&mut self, instruction: u8) -> Result<(), PickleError> {
        let value = match instruction {
            b']' | 0x8f => Value::List(Vec::new()),
            b')' => Value::Tuple(Vec::new()),
            b'}' => Value::Dict(Vec::new()),
            b't' => Value::Tuple(self.marked()?),
            b'l' | 0x91 => Value::List(self.marked()?),
            b'd' => Value::Dict(pairs(&self.marked()?)),
            short => {
                let start = self.stack.len().checked_sub(usize::from(short - 0x84)).ok_or(PickleError::Stack)?;
                Value::Tuple(self.stack.split_off(start))
            }
        };
        self.push(value);
        Ok(())
    }

    /// Pushes a global, a reference to a storage, or the result of a call.
    fn make_object(&mut self, instruction: u8) -> Result<(), PickleError> {
        let value = match instruction {
            b'c' => global(&self.line()?, &self.line()?)?,
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |id: Id| match self.values.get(id) {
                    Some(Value::Text(text)) => Ok(text.as_str()),
                    _ => Err(PickleError::Stack),
                };
                global(text(module)?, text(name)?)?
            }
            b'Q' => Value::Persistent(self.pop()?),
            b'P' => {
                let id = Value::Text(self.line()?);
                Value::Persistent(self.add(id))
            }
            b'o' => {
                let mut arguments = self.marked()?.into_iter();
                let class = arguments.next().ok_or(PickleError::Stack)?;
                let arguments = self.add(Value::Tuple(arguments.collect()));
                self.object(class, arguments)?
            }
            b'i' => {
                let class = global(&self.line()?, &self.line()?)?;
                let arguments = self.marked()?;
                let (class, arguments) = (self.add(class), self.add(Value::Tuple(arguments)));
                self.object(class, arguments)?
            }
            call => {
                if call == 0x92 {
                    self.pop()?;
                }
                let (arguments, class) = (self.pop()?, self.pop()?);
                self.object(class, arguments)?
            }
        };
        self.push(value);
        Ok(())
    }

    /// Returns the result of a call. An `OrderedDict` counts as a plain dictionary.
    fn object(&mut self, class: Id, arguments: Id) -> Result<Value, PickleError> {
        let is_dict = matches!(&self.values[class], Value::Global { module, name }
            if module == "collections" && name == "OrderedDict");
        if !is_dict {
            return Ok(Value::Object { class, arguments, entries: Vec::new(), state: None });
        }
        // Python 2 passes the entries as a list of pairs.
        let members = |id: Id| match self.values.get(id) {
            Some(Value::List(members) | Value::Tuple(members)) => members.as_slice(),
            _ => &[],
        };
        let list = members(arguments).first().map_or(&[][..], |list| members(*list));
        self.copied += list.len();
        if self.copied > MOST_COPIED {
            return Err(PickleError::Long);
        }
        let entries = list.iter().filter_map(|pair| {
            let [key, value] = members(*pair) else { return None };
            Some((*key, *value))
        });
        Ok(Value::Dict(entries.collect()))
    }

    /// Adds values to the list, dictionary or object below them on the stack.
    fn change(&mut self, instruction: u8) -> Result<(), PickleError> {
        let added = match instruction {
            b'a' | b'b' => vec![self.pop()?],
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                vec![key, value]
            }
            _ => self.marked()?,
        };
        let target = *self.stack.last().ok_or(PickleError::Stack)?;
        match (instruction, &mut self.values[target]) {
            (b'b', Value::Object { state, .. }) => *state = added.last().copied(),
            // An attribute of a dictionary itself (a state dict's `_metadata`) is never a tensor.
            (b'b', _) => {}
            (b's' | b'u', Value::Dict(entries) | Value::Object { entries, .. }) => entries.extend(pairs(&added)),
            (_, Value::List(members)) => members.extend(added),
            _ => {}
        }
        Ok(())
    }

    /// Stores the top of the stack in the memo.
    fn memoise(&mut self, instruction: u8) -> Result<(), PickleError> {
        let key = match instruction {
            0x94 => u32::try_from(self.memo.len()).map_err(|_many| PickleError::Stack)?,
            recalled => self.memo_key(recalled)?,
        };
        let top = *self.stack.last().ok_or(PickleError::Stack)?;
        self.memo.insert(key, top);
        Ok(())
    }

    /// Pushes a value from the memo.
    fn recall(&mut self, instruction: u8) -> Result<(), PickleError> {
        let key = self.memo_key(instruction)?;
        let id = *self.memo.get(&key).ok_or(PickleError::Stack)?;
        self.stack.push(id);
        Ok(())
    }

    fn memo_key(&mut self, instruction: u8) -> Result<u32, PickleError> {
        match instruction {
            b'q' | b'h' => Ok(self.byte()?.into()),
            b'r' | b'j' => Ok(u32::from_le_bytes(self.array()?)),
            _ => self.line()?.parse().map_err(|_word| PickleError::Stack),
        }
    }

    fn add(&mut self, value: Value) -> Id {
        self.values.push(value);
        self.values.len() - 1
    }

    fn push(&mut self, value: Value) {
        let id = self.add(value);
        self.stack.push(id);
    }

    /// Removes the top of the stack. Values below the last mark cannot be reached.
    fn pop(&mut self) -> Result<Id, PickleError> {
        if self.marks.last().is_some_and(|mark| *mark >= self.stack.len()) {
            return Err(PickleError::Stack);
        }
        self.stack.pop().ok_or(PickleError::Stack)
    }

    /// Removes all values above the last mark.
    fn marked(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len()).ok_or(PickleError::Stack)?;
        Ok(self.stack.split_off(mark))
    }

    fn take(&mut self, length: usize) -> Result<&[u8], PickleError> {
        let end = self.at.checked_add(length).ok_or(PickleError::CutOff)?;
        let taken = self.input.get(self.at..end).ok_or(PickleError::CutOff)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        self.take(N)?.try_into().map_err(|_short| PickleError::CutOff)
    }

    fn byte(&mut self) -> Result<u8, PickleError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn length_of_4(&mut self) -> Result<usize, PickleError> {
        usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_long| PickleError::CutOff)
    }

    fn line(&mut self) -> Result<String, PickleError> {
        let rest = self.input.get(self.at..).ok_or(PickleError::CutOff)?;
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or(PickleError::CutOff)?;
        let line = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length + 1;
        Ok(line)
    }
}

/// Returns a global. Each mention copies the names, so long names would let a small pickle fill the memory.
///
/// # Errors
/// [`PickleError::Name`] if a name is too long.
fn global(module: &str, name: &str) -> Result<Value, PickleError> {
    if module.len().max(name.len()) > LONGEST_GLOBAL {
        return Err(PickleError::Name);
    }
    Ok(Value::Global { module: module.to_owned(), name: name.to_owned() })
}

fn text(bytes: &[u8]) -> Value {
    Value::Text(String::from_utf8_lossy(bytes).into_owned())
}

fn pairs(members: &[Id]) -> Vec<(Id, Id)> {
    members.as_chunks::<2>().0.iter().map(|[key, value]| (*key, *value)).collect()
}

/// Returns a little-endian integer of any length; [`Value::Other`] if it has more than 64 bits.
fn long(bytes: &[u8]) -> Value {
    let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
    let mut whole = if negative { [0xff; 8] } else { [0; 8] };
    let Some(target) = whole.get_mut(..bytes.len()) else { return Value::Other };
    target.copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(whole))
}
