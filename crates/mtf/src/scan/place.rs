//! The order in which blocks stand on media.
//!
//! Start at [`Place::after`]: `TAPE SFMB ( SSET VOLB MSCI {MSDA MSTL} MSLS SFMB ESET ESET SFMB )+`.
//!
//! This file never looks into a block.

use crate::frame::BlockKind;

/// Where on media the scan is: named for what belongs there next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// The media header.
    #[default]
    Media,
    /// The filemark behind the media header.
    MediaMark,
    /// The start of a backup set, or the end of the file.
    Set,
    Volume,
    Front,
    /// Data, log, or the identity behind them.
    Body,
    /// The filemark behind the identity.
    BodyMark,
    FirstEnd,
    SecondEnd,
    /// The filemark that ends the backup set.
    SetMark,
}

impl Place {
    /// Where a block of this kind leads, or `None` if it does not belong here.
    pub(super) fn after(self, kind: BlockKind) -> Option<Self> {
        match (self, kind) {
            (Self::Media, BlockKind::Media) => Some(Self::MediaMark),
            (Self::MediaMark | Self::SetMark, BlockKind::Filemark) => Some(Self::Set),
            (Self::Set, BlockKind::SetStart) => Some(Self::Volume),
            (Self::Volume, BlockKind::Volume) => Some(Self::Front),
            (Self::Front, BlockKind::Front) | (Self::Body, BlockKind::Data | BlockKind::Log) => {
                Some(Self::Body)
            }
            (Self::Body, BlockKind::Identity) => Some(Self::BodyMark),
            (Self::BodyMark, BlockKind::Filemark) => Some(Self::FirstEnd),
            (Self::FirstEnd, BlockKind::SetEnd) => Some(Self::SecondEnd),
            (Self::SecondEnd, BlockKind::SetEnd) => Some(Self::SetMark),
            _ => None,
        }
    }

    /// Where to go on behind a block that stood in the wrong place.
    pub(super) fn regain(self, kind: BlockKind) -> Self {
        match kind {
            BlockKind::Media => Self::MediaMark,
            BlockKind::SetStart => Self::Volume,
            BlockKind::Volume => Self::Front,
            BlockKind::Front | BlockKind::Data | BlockKind::Log => Self::Body,
            BlockKind::Identity => Self::BodyMark,
            BlockKind::SetEnd => Self::SetMark,
            BlockKind::Filemark | BlockKind::EndOfMedium | BlockKind::Unknown(_) => self,
        }
    }

    /// What belongs here, in words.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Media => "the media header",
            Self::MediaMark => "the filemark behind the media header",
            Self::Set => "a backup set",
            Self::Volume => "the volume of the backup set",
            Self::Front => "the front identity",
            Self::Body => "data, log or the closing identity",
            Self::BodyMark => "the filemark behind the identity",
            Self::FirstEnd | Self::SecondEnd => "the end of the backup set",
            Self::SetMark => "the filemark that ends the backup set",
        }
    }
}
