//! The files that `torch.save` and `torch.jit.save` write, read without running any of their code.
//!
//! Since PyTorch 1.6 the files are zip archives. `NAME/data.pkl` is a pickle that says where each tensor lies.
//! `NAME/data/0`, `NAME/data/1`, ... are the tensors' storages; they are never compressed. Older files are a sequence
//! of pickles, followed by the storages.
//!
//! Why headlamp has its own reader: burn-store reads both formats, but only as a whole file from a path. A browser
//! has no path, and not enough memory. This reader reads only the directory and the pickle, and leaves the storages
//! in the file.
//!
//! A pickle is a program. [`pickle`] runs its stack machine but never calls the functions that the pickle names; it
//! only records names and arguments. [`pickled_tensors`] understands the few functions that make up a state dict.

mod pickle;
mod pickled_tensors;
mod torch_index_reader;
mod zip_directory;

pub(super) use torch_index_reader::{TorchIndexReader, TorchIndexStep};
