//! Saving the open model as one file.

use js_sys::Array;
use wasm_bindgen::JsValue;
use web_sys::Blob;

use super::download::DownloadError;
use super::error::WorkerError;
use super::fetch;
use super::pack_store::blob_of;
use super::state::{Handled, Reply, Worker};
use crate::checkpoint::PackFile;
use crate::checkpoint::pack::{ArchivePiece, archive_pieces};
use crate::protocol::{SaveModel, SavedModel};

impl Worker {
    /// Joins the pack's files in the browser's store, the statistics and the pool in use, and the headers between them.
    /// The large files stay in the store: memory never contains them.
    pub(super) async fn save_model(&self, _: SaveModel) -> Handled<SaveModel> {
        let saved = self.session()?.pack_to_save()?;
        let no_memory = |_err: JsValue| WorkerError::NoMemoryForFile;
        let pieces = Array::new();
        for piece in archive_pieces(&saved.manifest)? {
            let piece = match piece {
                ArchivePiece::Bytes(bytes) => blob_of(&bytes).map_err(no_memory)?,
                ArchivePiece::File(file) => match saved.new_file(&file.path) {
                    Some(bytes) => blob_of(bytes).map_err(no_memory)?,
                    None => self.unchanged(file).await?,
                },
            };
            pieces.push(&piece);
        }
        let file = Blob::new_with_blob_sequence(&pieces).map_err(no_memory)?;
        Ok(Reply::with_file(SavedModel { name: saved.archive_name() }, file))
    }

    /// Returns a file of the open pack.
    async fn unchanged(&self, file: &PackFile) -> Result<Blob, WorkerError> {
        let folder = self.labels.model_folder().ok_or(DownloadError::NotKept)?;
        Ok(fetch::blob(folder, file).await?)
    }
}
