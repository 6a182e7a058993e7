//! All features of the page, for code that drives several of them: the address, the tour, the exports, the embedded
//! page.

use leptos::prelude::*;

use crate::geometry::Framing;
use crate::page::compare::browser::state::{CompareState, ComparedModel};
use crate::page::core::browser::core::Core;
use crate::page::gallery::browser::cue_state::CueState;
use crate::page::gallery::browser::state::GalleryState;
use crate::page::heads::browser::completeness_curve::CompletenessState;
use crate::page::heads::browser::heads::HeadsState;
use crate::page::heads::browser::names::HeadNamesState;
use crate::page::heads::browser::settling::SettlingState;
use crate::page::heads::browser::undo::Undo;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::overlay::OverlayState;
use crate::page::photo::browser::photo::PhotoState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::page::photo::browser::segmentation::SegmentationState;
use crate::page::photo::browser::stored_phrases;
use crate::page::shell::address::Address;
use crate::page::video::browser::state::VideoState;

/// A handle on every feature.
#[derive(Clone, Copy)]
pub struct Features {
    pub core: Core,
    pub model: ModelState,
    pub photo: PhotoState,
    pub phrases: PhrasesState,
    pub segmentation: SegmentationState,
    pub head_map: HeadMapState,
    pub overlay: OverlayState,
    pub heads: HeadsState,
    pub names: HeadNamesState,
    pub completeness: CompletenessState,
    pub settling: SettlingState,
    pub undo: Undo,
    pub compare: CompareState,
    pub gallery: GalleryState,
    pub cues: CueState,
    pub video: VideoState,
    /// Whether the page is inside another page.
    pub is_embedded: bool,
}

impl Features {
    /// Makes the features with the settings of an address.
    pub fn new(address: &Address) -> Self {
        let core = Core::new(address.hands);
        let model = ModelState::new(core, Some(address.model.clone()), address.device);
        let photo = PhotoState::new(core, framing(address));
        let list = stored_phrases::phrases(address.texts.clone(), address.embed);
        let phrases = PhrasesState::new(core, model, photo, list);
        let segmentation = SegmentationState::new(core, model, photo, phrases);
        let head_map = HeadMapState::new(core, photo, phrases);
        let heads = HeadsState::new(core, model, phrases, head_map);
        let names = HeadNamesState::new(core, model, head_map);
        let compare =
            CompareState::new(ComparedModel { core, model, photo, phrases, segmentation, names }, address.device);
        let gallery = GalleryState::new(core, model, photo, phrases, head_map, names);
        let features = Self {
            core,
            model,
            photo,
            phrases,
            segmentation,
            head_map,
            overlay: OverlayState::default(),
            heads,
            names,
            completeness: CompletenessState::new(core, model),
            settling: SettlingState::new(names),
            undo: Undo::new(model, phrases),
            compare,
            gallery,
            cues: CueState::new(core, gallery),
            video: VideoState::new(core, model, phrases, segmentation),
            is_embedded: address.embed,
        };
        features.set_view(address);
        features
    }

    /// Provides the features to the views, as contexts.
    pub fn provide(self) {
        provide_context(self.core);
        provide_context(self.model);
        provide_context(self.photo);
        provide_context(self.phrases);
        provide_context(self.segmentation);
        provide_context(self.head_map);
        provide_context(self.overlay);
        provide_context(self.heads);
        provide_context(self.names);
        provide_context(self.completeness);
        provide_context(self.settling);
        provide_context(self.undo);
        provide_context(self.compare);
        provide_context(self.gallery);
        provide_context(self.cues);
        provide_context(self.video);
        provide_context(self);
    }

    /// Applies the parts of an address that need neither a model nor a photo.
    pub fn set_view(self, address: &Address) {
        self.phrases.choice.set(address.phrase.clone());
        self.phrases.rather_than.set(address.rather_than.clone());
        self.head_map.kind.set(address.map);
        self.heads.shows_raw.set(address.raw);
        self.overlay.layer.set(address.layer);
        self.overlay.opacity.set(address.opacity);
        self.phrases.templates.set(address.templates);
        self.segmentation.against_others.set(address.against_others);
        self.segmentation.background.set(address.background);
        self.segmentation.as_model_sees.set(address.as_model_sees);
        if !self.is_embedded {
            self.compare.open_address(address.compare.clone());
        }
    }
}

/// Returns the framing of the photo that an address asks for.
pub fn framing(address: &Address) -> Framing {
    if address.whole_photo { Framing::WholePhoto } else { Framing::CentreCrop }
}
