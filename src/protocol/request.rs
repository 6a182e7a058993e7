//! The envelope of a task and of its answers: numbers, and progress reports.

use serde::{Deserialize, Serialize};

use super::work::{Answer, Task};

/// The id of the progress report that the worker sends unasked as soon as it listens. The page numbers its
/// requests from 1 and posts nothing before this report: browsers drop messages to a module worker that still loads
/// its wasm.
pub const GREETING: u32 = 0;

/// At most this many requests are announced ahead.
pub const AHEAD: usize = 4;

/// One piece of work, numbered by the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub id: u32,
    pub task: Task,
}

/// A message of the worker about the request of the same number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    pub id: u32,
    pub answer: Answer,
}
