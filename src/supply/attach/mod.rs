//! Attaches a spec to an existing image: makes the artifact, and places it beside the image in a registry, a layout or an
//! archive. Never changes the image.

pub use choice::{
    BadPlatform, ImageLabel, LabelledImage, Pick, Platform, PlatformChoice, choose, images, label_of,
    labelled, pick, pick_among,
};
pub use layout::{attach_to_layout, layout_image};
pub use push::{PushedArtifact, push, replace};

mod choice;
mod layout;
mod push;
#[cfg(test)]
mod tests;
