//! The page's client of the worker: posts typed requests and receives typed reports.

use leptos::web_sys::{ErrorEvent, Event, MessageEvent, Worker, WorkerOptions, WorkerType};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};

use crate::protocol::wire::{self, Attachments, UNREAD, WireError};
use crate::protocol::{Answer, GREETING, Request, Response, sentence};

/// The worker's loader, in the folder of index.html.
const LOADER: &str = "./worker_loader.js";

/// Why a worker could not be started, or a request not posted.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the browser did not start the compute worker: reload the page, or try a newer browser")]
    Start,
    #[error("the compute worker did not take the work; restart it and try again")]
    Post,
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// A report of the worker.
pub enum WorkerReport {
    /// The worker takes requests from now on.
    Listening,
    Answered {
        id: u32,
        answer: Answer,
        attachments: Attachments,
    },
    /// The worker has stopped and will not answer.
    Stopped {
        sentence: String,
    },
}

/// A running worker. Dropping the client terminates the worker.
pub struct Client {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    on_error: Closure<dyn FnMut(Event)>,
}

impl Client {
    /// Starts a worker, whose loader fetches the pack in `folder`. The worker reports [`WorkerReport::Listening`] when
    /// requests may be posted.
    pub fn start(
        folder: Option<&str>,
        report: impl Fn(WorkerReport) + Clone + 'static,
    ) -> Result<Self, ClientError> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        // The folder is in the worker's name and not in the address, because a service worker that serves the file
        // drops the query.
        options.set_name(&folder.map_or_else(String::new, |folder| format!("pack:{folder}")));
        let worker = Worker::new_with_options(LOADER, &options).map_err(|_refused| ClientError::Start)?;
        let on_message = Closure::new({
            let report = report.clone();
            move |event: MessageEvent| report(read(&event.data()))
        });
        let on_error = Closure::new(move |event: Event| {
            report(WorkerReport::Stopped { sentence: reason(&event) });
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        // Adding a listener to a worker does not fail.
        let _listening = worker.add_event_listener_with_callback(UNREAD, on_error.as_ref().unchecked_ref());
        Ok(Self { worker, _on_message: on_message, on_error })
    }

    /// Posts a request. The buffers' memory moves to the worker.
    pub fn post(&self, request: &Request, attachments: &Attachments) -> Result<(), ClientError> {
        let payload = wire::wrap(request, attachments)?;
        let posted = self.worker.post_message_with_transfer(&payload.message, &payload.transfer);
        posted.map_err(|_refused| ClientError::Post)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        let on_error = self.on_error.as_ref().unchecked_ref();
        let _silent = self.worker.remove_event_listener_with_callback(UNREAD, on_error);
        self.worker.terminate();
    }
}

fn read(message: &JsValue) -> WorkerReport {
    match wire::unwrap::<Response>(message) {
        Ok((Response { id: GREETING, .. }, _)) => WorkerReport::Listening,
        Ok((Response { id, answer }, attachments)) => WorkerReport::Answered { id, answer, attachments },
        Err(err) => WorkerReport::Stopped { sentence: sentence(&err.to_string()) },
    }
}

fn reason(event: &Event) -> String {
    if event.type_() == UNREAD {
        return "An answer of the compute worker could not be read. Restart it to go on with the last photo."
            .to_owned();
    }
    // A worker that could not be loaded gives no message.
    let told = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message).filter(|message| !message.is_empty());
    match told {
        // The message comes from the worker, or from the browser about a buffer.
        Some(message) if ["memory", "allocation"].iter().any(|word| message.to_lowercase().contains(word)) => {
            "The compute worker ran out of memory and stopped. Restart it, and try a smaller photo or the \
             centre crop."
        }
        Some(_) => {
            "The compute worker stopped unexpectedly; the browser's console has the details. Restart it \
                    to go on with the last photo."
        }
        None => "The compute worker could not be loaded. Check the connection, then restart it.",
    }
    .to_owned()
}
