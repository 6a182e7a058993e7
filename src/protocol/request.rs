//! Requests and responses: a task or an answer, with the number of its request.

use serde::{Deserialize, Serialize};

use super::work::{Answer, Task};

/// The id of the progress report that the worker sends as soon as it accepts messages. The page numbers its requests
/// from 1. It posts nothing before this report, because browsers drop messages to a module worker that is still
/// loading its wasm.
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
